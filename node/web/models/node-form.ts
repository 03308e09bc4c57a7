import { parseWindows } from '../../core/hours.ts';
import type { NodeChange, Window } from '../../core/node-wishes.ts';
import type { NodeRow } from '../../db/nodes.ts';
import { mannersForm, readMannersForm, type MannersForm, type TypedManners } from './manners-form.ts';
import { weekDays } from './node-hours.ts';
import { rootLine, type RootFacts, type RootLine } from './node-page.ts';
import { whole } from './nodes-page.ts';

/** What a person wishes of one node, and where it has the libraries. */
export interface NodeSettingsPage {
  id: string;
  name: string;
  slots: string;
  slotsNow: number;
  mbps: string;
  rows: HourRow[];
  manners: MannersForm;
  /** of the form of wishes, for the summary above it */
  problems: { id: string; text: string }[];
  slotsProblem: string;
  mbpsProblem: string;
  paths: PathRow[];
  /** it coordinates now: its role must be handed over before it can be removed */
  coordinator: boolean;
}

export interface HourRow {
  n: number;
  days: { day: number; short: string; long: string; on: boolean }[];
  from: string;
  to: string;
  problem: string;
}

export interface PathRow {
  rootId: string;
  libraries: string;
  /** null: this machine has no path of it */
  line: RootLine | null;
  typed: string;
  problem: string;
}

export interface HoursView {
  rows: HourRow[];
}
export interface PathView {
  id: string;
  row: PathRow;
}

/** as the mesh's message holds at most */
const MOST_ROWS = 20;

export interface NodeForm {
  wishes: Pick<NodeChange, 'slots' | 'mbps' | 'schedule' | 'manners'> | null;
  slots: string;
  mbps: string;
  rows: HourRow[];
  manners: TypedManners;
  slotsProblem: string;
  mbpsProblem: string;
}

/** Rows of the form: fields `days-<n>`, `from-<n>` and `to-<n>`. A row without a ticked day and without times is none. */
export function readNodeForm(form: URLSearchParams): NodeForm {
  const slots = (form.get('slots') ?? '').trim().slice(0, 20);
  const mbps = (form.get('mbps') ?? '').trim().slice(0, 20);
  const rows: HourRow[] = [];
  for (let n = 0; n < MOST_ROWS; n++) {
    const row = hourRow(n, form.getAll(`days-${n}`).map(Number), time(form.get(`from-${n}`)), time(form.get(`to-${n}`)));
    const empty = row.from === '' && row.to === '' && row.days.every((d) => !d.on);
    if (!empty) rows.push({ ...row, n: rows.length });
  }
  const { windows, problems } = parseWindows(rows.map(windowOf));
  for (const row of rows) row.problem = problems.filter((p) => p.startsWith(`Line ${row.n + 1} `)).join(' ');
  const slotsProblem = slots === '' || whole(slots, 0, 64) !== null ? '' : 'At once must be a whole number from 0 to 64, or empty.';
  const mbpsProblem = mbps === '' || whole(mbps, 1, 100_000) !== null ? '' : 'Network must be a whole number from 1 to 100,000, or empty.';
  const manners = readMannersForm(form);
  const lawful = slotsProblem === '' && mbpsProblem === '' && problems.length === 0 && manners.manners !== null;
  const named = manners.manners && Object.keys(manners.manners).length > 0 ? { manners: manners.manners } : {};
  return {
    wishes: lawful
      ? { slots: slots === '' ? null : Number(slots), mbps: mbps === '' ? null : Number(mbps), schedule: windows, ...named }
      : null,
    slots,
    mbps,
    rows,
    manners,
    slotsProblem,
    mbpsProblem,
  };
}

export function nodeSettingsPage(
  node: Pick<NodeRow, 'id' | 'name' | 'platform' | 'slots' | 'slotsWished' | 'mbps' | 'schedule' | 'manners'>,
  roots: readonly (Omit<RootFacts, 'path'> & { path: string | null })[],
  more: { coordinator: boolean; now: Date; typed?: NodeForm | null; path?: { rootId: string; typed: string; problem: string } | null },
): NodeSettingsPage {
  const typed = more.typed ?? null;
  const rows = typed ? typed.rows : node.schedule.map((w, n) => hourRow(n, w.days, w.from, w.to));
  return {
    id: node.id,
    name: node.name,
    slots: typed ? typed.slots : (node.slotsWished?.toString() ?? ''),
    slotsNow: node.slots,
    mbps: typed ? typed.mbps : (node.mbps?.toString() ?? ''),
    rows: rows.length < MOST_ROWS ? [...rows, hourRow(rows.length, [], '', '')] : rows,
    manners: mannersForm(node.manners, node.platform, typed?.manners ?? null),
    problems: typed ? problemsOf(typed) : [],
    slotsProblem: typed?.slotsProblem ?? '',
    mbpsProblem: typed?.mbpsProblem ?? '',
    paths: roots.map((root) => ({
      rootId: root.rootId,
      libraries: root.libraries.join(', ') || 'A former library',
      line: root.path === null ? null : rootLine({ ...root, path: root.path }, more.now),
      typed: more.path?.rootId === root.rootId ? more.path.typed : '',
      problem: more.path?.rootId === root.rootId ? more.path.problem : '',
    })),
    coordinator: more.coordinator,
  };
}

function problemsOf(form: NodeForm): NodeSettingsPage['problems'] {
  return [
    { id: 'f-slots', text: form.slotsProblem },
    { id: 'f-mbps', text: form.mbpsProblem },
    ...form.rows.map((row) => ({ id: `f-hours-${row.n}`, text: row.problem })),
    ...form.manners.problems,
  ].filter((each) => each.text !== '');
}

function hourRow(n: number, days: readonly number[], from: string, to: string): HourRow {
  return { n, days: weekDays.map((d) => ({ ...d, on: days.includes(d.day) })), from, to, problem: '' };
}

function windowOf(row: HourRow): Window {
  return { days: row.days.filter((d) => d.on).map((d) => d.day), from: row.from, to: row.to };
}

/** browsers send seconds when a person typed some */
function time(value: string | null): string {
  return (value ?? '').trim().slice(0, 5);
}
