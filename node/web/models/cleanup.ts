import { sentence } from '../../core/reasons.ts';
import { visibleName } from '../../core/visible-name.ts';
import type { Chosen, Cleanup, LeftoverRow } from '../../db/cleanups.ts';
import type { TrashOfRoot } from '../../db/originals.ts';
import type { SettingGroup } from '../../config/setting.ts';
import { ago, count, day, plural, size } from '../format.ts';
import { url } from '../routes.ts';

export interface PillsView {
  groups: { name: SettingGroup; label: string }[];
  /** null: none of the groups, but the clean-up */
  group: SettingGroup | 'people' | 'api-tokens' | 'audit' | 'logs' | null;
}

/** The clean-up page: every root with its leftovers and its trash. */
export interface CleanupPage {
  groups: PillsView['groups'];
  roots: RootCard[];
  keepDays: string;
  now: Date;
}

export interface RootCard {
  rootId: string;
  /** for ids of elements */
  slug: string;
  /** the libraries in it */
  names: string;
  /** which machine looks, in words */
  keeper: string;
  canLook: boolean;
  last: CleanupLine | null;
  trash: TrashLine | null;
  /** what lies in the trash and was not in the books; '' when nothing does */
  found: string;
  foundHref: string;
}

export interface RootView {
  root: RootCard;
  keepDays: string;
  now: Date;
}

export interface CleanupLine {
  id: number;
  at: Date;
  words: string;
  running: boolean;
  /** the list, when there is one */
  href: string | null;
  label: string;
  tone: '' | 'bad' | 'heed';
}

export interface TrashLine {
  words: string;
  oldest: string;
  days: { words: string; day: string }[];
  held: string;
  /** nothing of it may be deleted now */
  stays: boolean;
}

export interface CardFacts {
  rootId: string;
  libraries: readonly string[];
  keepers: readonly { name: string; path: string }[];
  last: (Cleanup & { node: string | null }) | null;
  trash: TrashOfRoot | null;
  /** files in the trash that nothing tells where they belong */
  strangers: number;
  days: readonly { day: Date; files: number; bytes: number }[];
}

export function rootCard({ rootId, libraries, keepers, last, trash, strangers, days }: CardFacts): RootCard {
  const first = keepers[0];
  return {
    rootId,
    slug: rootId.slice(0, 8),
    names: libraries.join(', ') || 'A folder without a library',
    keeper: first
      ? `${first.name} looks, in ${visibleName(first.path, 120)}`
      : 'No machine has it mounted with the right to write, so nothing can be looked at now.',
    canLook: first !== undefined,
    last: last && cleanupLine(last),
    trash: trash && trashLine(trash, days),
    found: foundInTrash(trash, strangers),
    foundHref: url.cleanupFound(rootId),
  };
}

/** Where a clean-up stands, in one sentence. */
export function cleanupLine(c: Cleanup & { node: string | null }): CleanupLine {
  const at = c.endedAt ?? c.listedAt ?? c.startedAt;
  const base = { id: c.id, at, running: false, href: null as string | null, label: '', tone: '' as CleanupLine['tone'] };
  const list = { href: url.cleanupList(c.id), label: 'Show the list' };
  const found = foundWords(c);
  switch (c.state) {
    case 'listing':
      return { ...base, running: true, words: `${c.node ?? 'A machine'} looks: ${plural(c.looked, 'name')} so far; ${found}` };
    case 'listed':
      return { ...base, ...list, label: 'Look through the list', words: `${capital(found)}. Nothing was deleted yet.` };
    case 'deleting':
      return { ...base, ...list, running: true, words: `Deleting: ${plural(c.deleted, 'file')} gone, ${size(c.deletedBytes)} freed` };
    case 'done':
      if (c.listedAt !== null && c.live + c.dead + c.ask === 0)
        return { ...base, words: `Nothing was left lying about; ${plural(c.looked, 'name')} looked at.` };
      return { ...base, ...list, words: resultWords(c), tone: c.kept > 0 ? 'heed' : '' };
    case 'failed':
      return { ...base, ...(c.deletedBy ? list : {}), words: c.reason ? sentence(c.reason) : 'It stopped.', tone: 'bad' };
    case 'cancelled':
      return { ...base, ...(c.deletedBy ? list : {}), words: c.deletedBy ? `Stopped: ${resultWords(c)}` : 'Stopped; nothing was deleted.' };
  }
}

function foundWords(c: Cleanup): string {
  if (c.live + c.dead + c.ask === 0) return 'nothing found';
  const parts = [
    c.dead > 0 ? `${plural(c.dead, 'file')} of ours that ${c.dead === 1 ? 'is' : 'are'} over (${size(c.deadBytes)})` : '',
    c.ask > 0 ? `${count(c.ask)} that CodecShift may not have made (${size(c.askBytes)})` : '',
    c.live > 0 ? `${count(c.live)} in use` : '',
  ].filter((part) => part !== '');
  return parts.join(', ');
}

function resultWords(c: Cleanup): string {
  const kept = c.kept > 0 ? `; ${plural(c.kept, 'file')} stayed, each with its reason` : '';
  return `${plural(c.deleted, 'file')} deleted, ${size(c.deletedBytes)} freed${kept}.`;
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function foundInTrash(trash: TrashOfRoot | null, strangers: number): string {
  const found = trash?.found ?? 0;
  const parts = [
    found > 0 ? `${plural(found, 'original')} that the books had not known` : '',
    strangers > 0 ? `${plural(strangers, 'file')} that nothing is known of` : '',
  ].filter((part) => part !== '');
  return parts.length > 0 ? capital(`${parts.join(' and ')} ${found + strangers === 1 ? 'lies' : 'lie'} in this trash.`) : '';
}

function trashLine(trash: TrashOfRoot, days: CardFacts['days']): TrashLine {
  return {
    words: `${plural(trash.files, 'original')}, ${size(trash.bytes)}`,
    oldest: day(trash.oldest),
    days: days.map((d) => ({ day: day(d.day), words: `${plural(d.files, 'file')}, ${size(d.bytes)}` })),
    held: heldWords(trash),
    stays: trash.held === trash.files,
  };
}

function heldWords({ held, stay }: TrashOfRoot): string {
  const looked = held - stay;
  const parts = [
    looked > 0
      ? `${plural(looked, 'original')} of it ${looked === 1 ? 'waits' : 'wait'} until the new file was looked at once more, and ${looked === 1 ? 'stays' : 'stay'} so long.`
      : '',
    stay > 0 ? `${plural(stay, 'original')} of it ${stay === 1 ? 'is' : 'are'} never deleted by itself.` : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}

export const standings = [
  { standing: 'dead', label: 'Ours, and over' },
  { standing: 'ask', label: 'Not provably ours' },
  { standing: 'live', label: 'In use' },
] as const;

/** One clean-up's list. */
export interface CleanupListPage {
  id: number;
  groups: PillsView['groups'];
  names: string;
  head: CleanupHead;
  tabs: { label: string; count: number; href: string; current: boolean }[];
  standing: 'dead' | 'ask' | 'live';
  explains: string;
  folders: FolderView[];
  /** it is still a choice */
  open: boolean;
  before: string | null;
  after: string | null;
  /** the cursor that this page was asked for with, or '' */
  cursor: string;
}

export interface CleanupHead {
  id: number;
  words: string;
  running: boolean;
  open: boolean;
  more: boolean;
  /** "Delete 12 files, 3.1 GB" */
  button: string | null;
  tone: CleanupLine['tone'];
  /** it is over since this page was made */
  over: boolean;
}

export interface HeadView {
  head: CleanupHead;
}

export interface FolderView {
  /** as a person may read it */
  folder: string;
  rows: LeftoverLine[];
}

export interface LeftoverLine {
  n: number;
  name: string;
  size: string;
  age: string;
  why: string;
  chosen: boolean;
  /** what became of it; '' while it is a choice */
  became: string;
  tone: '' | 'won' | 'warn';
}

export interface ListFacts {
  cleanup: Cleanup & { node: string | null };
  names: string;
  groups: PillsView['groups'];
  standing: 'dead' | 'ask' | 'live';
  rows: readonly LeftoverRow[];
  before: string | null;
  after: string | null;
  cursor: string | null;
  chosen: Chosen;
  now: Date;
}

export function cleanupListPage(facts: ListFacts): CleanupListPage {
  const { cleanup, standing } = facts;
  const link = (query: { show?: string; after?: string | null; before?: string | null }): string => url.cleanupList(cleanup.id, query);
  const counts = { dead: cleanup.dead, ask: cleanup.ask, live: cleanup.live };
  return {
    id: cleanup.id,
    groups: facts.groups,
    names: facts.names,
    head: cleanupHead(cleanup, facts.chosen),
    tabs: standings.map((tab) => ({
      label: tab.label,
      count: counts[tab.standing],
      href: link({ show: tab.standing }),
      current: tab.standing === standing,
    })),
    standing,
    explains: explains[standing],
    folders: folders(facts.rows, facts.now),
    open: cleanup.state === 'listed' && standing !== 'live',
    before: facts.before && link({ show: standing, before: facts.before }),
    after: facts.after && link({ show: standing, after: facts.after }),
    cursor: facts.cursor ?? '',
  };
}

const explains = {
  dead: 'Made by CodecShift for work that is over, as its own notes on the disk and the books say. They are chosen from the start.',
  ask: 'They have the name of a leftover, but nothing proves that CodecShift made them. Another program may need them: choose one only if you know what it is.',
  live: 'They belong to work that goes on. They are shown so that you know of them, and cannot be chosen.',
};

export function cleanupHead(cleanup: Cleanup & { node: string | null }, chosen: Chosen): CleanupHead {
  const line = cleanupLine(cleanup);
  return {
    id: cleanup.id,
    words: line.words,
    running: line.running,
    open: cleanup.state === 'listed',
    more: cleanup.more,
    button: cleanup.state === 'listed' && chosen.files > 0 ? `Delete ${plural(chosen.files, 'file')}, ${size(chosen.bytes)}` : null,
    tone: line.tone,
    over: cleanup.endedAt !== null,
  };
}

/** The walk goes folder by folder, so neighbours of one folder stand together. */
function folders(rows: readonly LeftoverRow[], now: Date): FolderView[] {
  const found: FolderView[] = [];
  let before: string | null = null;
  for (const row of rows) {
    const cut = row.path.lastIndexOf('/');
    const folder = cut < 0 ? '' : row.path.slice(0, cut);
    if (folder !== before) found.push({ folder: folder === '' ? 'Top folder' : visibleName(folder, 300), rows: [] });
    before = folder;
    found.at(-1)!.rows.push(leftoverLine(row, now));
  }
  return found;
}

function leftoverLine(row: LeftoverRow, now: Date): LeftoverLine {
  const became = { found: '', chosen: '', deleted: 'Deleted', gone: 'Gone already', kept: 'Stayed' }[row.state];
  return {
    n: row.n,
    name: visibleName(row.path.slice(row.path.lastIndexOf('/') + 1), 300),
    size: size(row.sizeBytes),
    age: ageOf(row.mtimeMs, now),
    why: row.note ?? row.why,
    chosen: row.state === 'chosen',
    became,
    tone: row.state === 'deleted' ? 'won' : row.state === 'kept' ? 'warn' : '',
  };
}

/** A file's time may be any number. */
function ageOf(mtimeMs: number, now: Date): string {
  const at = new Date(mtimeMs);
  if (Number.isNaN(at.getTime()) || at.getFullYear() < 1971 || at.getTime() > now.getTime() + 86_400_000) return 'of unknown age';
  return ago(at, now);
}
