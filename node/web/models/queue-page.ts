import type { Progress } from '../../events.ts';
import type { JobRow } from '../../db/job-lists.ts';
import type { MediaFileRow } from '../../db/media-files.ts';
import { priorities } from '../../core/job.ts';
import { label, reasonCodes, reasonEntry } from '../../core/reasons.ts';
import { codec, count, duration, fps, speed } from '../format.ts';
import { url } from '../routes.ts';
import { isFiltered, listQuery, type ListState } from './list-state.ts';
import { fileRow, filterWords, jobRow, tabs, tabStates, type QueueRow, type Tab, type TabLink } from './queue.ts';

export interface Pick {
  name: string;
  label: string;
  value: string;
  options: { value: string; label: string }[];
}

export interface TabsView {
  tabs: TabLink[];
}

export interface PagesView {
  before: string | null;
  after: string | null;
  words: string;
}

export interface LiveNumbers {
  percent: number;
  phase: string;
  left: string | null;
  rate: string | null;
  /** size when done, in bytes */
  expected: number | null;
  /** address of the film's colours */
  strip: string | null;
}

export interface ProgressView {
  progress: LiveNumbers | null;
  word?: string;
}

export interface QueueView extends TabsView {
  state: Tab;
  heading: string;
  /** the tab's own word, so that a row only names a state that differs from it */
  word: string;
  now: Date;
  search: string;
  picks: Pick[];
  filtered: boolean;
  clearHref: string;
  /** waiting jobs that "Clear queue" would take away */
  clearable: number;
  rows: QueueRow[];
  progress: Record<number, LiveNumbers>;
  selectable: boolean;
  timed: boolean;
  total: number;
  newHeading: string;
  empty: { title: string; text: string; action: { href: string; label: string } | null };
  /** the filter, carried by the bulk form */
  hidden: [string, string][];
  here: string;
  /** names this page to its stream, which counts what would be different; a filter keeps the name */
  page: string;
  before: string | null;
  after: string | null;
  pageWords: string;
}

export interface RowView {
  row: QueueRow;
  view: QueueView;
}

export interface ConfirmView {
  question: string;
  text: string;
  action: string;
  confirmed: string;
  button: string;
  back: string;
  hidden: [string, string][];
  /** what must be typed, when it cannot be undone */
  typed: string | null;
  problem: string | null;
}

export interface QueueFacts {
  page: string;
  state: ListState;
  tabs: TabLink[];
  jobs: JobRow[];
  files: (MediaFileRow & { libraryName: string; jobId: number | null })[];
  before: string | null;
  after: string | null;
  libraries: readonly { id: number; name: string }[];
  codecs: readonly string[];
  progress: readonly Progress[];
  stripOf: (jobId: number) => string | null;
  queuePaused: boolean;
  now: Date;
}

export function queueView(facts: QueueFacts): QueueView {
  const { state, now } = facts;
  const tab = tabs.find((t) => t.state === state.state) ?? tabs[0];
  const link = facts.tabs.find((t) => t.state === tab.state);
  const rows =
    tab.of === 'jobs' ? facts.jobs.map((job) => jobRow(jobFacts(job, facts.queuePaused), now)) : facts.files.map((file) => fileRow(file));
  const filtered = isFiltered(state);
  const href = (page: Partial<ListState>): string => url.queue(listQuery({ ...state, after: null, before: null, ...page }, tabStates[0]!));
  return {
    tabs: facts.tabs,
    state: tab.state,
    heading: `${tab.label} files`,
    word: tab.state === 'finished' ? 'Finished' : tab.label,
    now,
    search: state.search ?? '',
    picks: picksOf(facts, tab.state),
    filtered,
    clearHref: url.queue(listQuery({ state: tab.state }, tabStates[0]!)),
    clearable: tab.state === 'waiting' && !filtered ? (link?.count ?? 0) : 0,
    rows,
    progress: Object.fromEntries(facts.progress.map((p) => [p.jobId, liveNumbers(p, facts.stripOf(p.jobId))])),
    selectable: tab.state === 'waiting',
    timed: ['finished', 'failed', 'skipped', 'cancelled'].includes(tab.state),
    total: link?.count ?? 0,
    newHeading: tab.state === 'finished' ? 'Saved' : 'Expected',
    empty: emptyWords(tab.state, filtered, url.queue(listQuery({ state: tab.state }, tabStates[0]!))),
    hidden: Object.entries(listQuery({ ...state, after: null, before: null }, '')).flatMap(([k, v]) =>
      v === null || v === undefined ? [] : [[k, String(v)] as [string, string]],
    ),
    here: href({ after: state.after, before: state.before }),
    page: facts.page,
    before: facts.before && href({ before: facts.before }),
    after: facts.after && href({ after: facts.after }),
    pageWords: pageWords(rows.length, link?.count ?? 0, filtered),
  };
}

/** A row of the database with what only the page knows. */
export function jobFacts(job: JobRow, queuePaused: boolean) {
  return { ...job, priority: priorities[job.priority] ?? 'normal', trashUntil: null, queuePaused };
}

export function liveNumbers(p: Progress, strip: string | null): LiveNumbers {
  const rate = [
    p.fps === null || p.phase !== 'encoding' ? null : fps(p.fps),
    p.speed === null || p.phase !== 'encoding' ? null : speed(p.speed),
  ].filter(Boolean);
  return {
    percent: p.percent,
    phase: p.paused
      ? p.why
        ? `paused: ${label(p.why).toLowerCase()}`
        : 'paused'
      : p.searching
        ? 'of the search for the right quality'
        : phaseWords[p.phase],
    left: p.leftMs === null || p.paused ? null : duration(p.leftMs),
    rate: rate.length && !p.paused ? rate.join(' · ') : null,
    expected: p.expectedBytes,
    strip,
  };
}

const phaseWords = {
  fetching: 'of the film fetched',
  waiting: 'The film is here; it waits for a free slot',
  encoding: 'encoding',
  delivering: 'delivering',
  verifying: 'checking',
  replacing: 'replacing',
} as const;

function picksOf(facts: QueueFacts, tab: Tab): Pick[] {
  const { state } = facts;
  const picks: Pick[] = [];
  if (facts.libraries.length > 1) {
    picks.push({
      name: 'lib',
      label: 'Library',
      value: String(state.libraryId ?? ''),
      options: facts.libraries.map((l) => ({ value: String(l.id), label: l.name })),
    });
  }
  if (facts.codecs.length > 1 || state.codec) {
    const codecs = state.codec && !facts.codecs.includes(state.codec) ? [...facts.codecs, state.codec] : facts.codecs;
    picks.push({ name: 'format', label: 'Format', value: state.codec ?? '', options: codecs.map((c) => ({ value: c, label: codec(c) })) });
  }
  if (tab === 'waiting') {
    picks.push({
      name: 'priority',
      label: 'Priority',
      value: state.priority ?? '',
      options: [
        { value: 'high', label: 'High' },
        { value: 'normal', label: 'Normal' },
        { value: 'low', label: 'Low' },
      ],
    });
  }
  if (tab === 'skipped' || tab === 'failed')
    picks.push(reasonPick(state.reason, tab === 'skipped' ? ['skip', 'done'] : ['fail', 'skip', 'hold']));
  return picks;
}

export function reasonPick(value: string | null, kinds: readonly string[]): Pick {
  const options = reasonCodes
    .filter((code) => kinds.includes(reasonEntry(code).kind))
    .map((code) => ({ value: code as string, label: label({ code }) }));
  return { name: 'reason', label: 'Reason', value: value ?? '', options: options.sort((a, b) => a.label.localeCompare(b.label, 'en')) };
}

/** Numbers only where they are known without counting: a filtered list is not counted. */
function pageWords(shown: number, total: number, filtered: boolean): string {
  return filtered || total < shown ? `${count(shown)} on this page` : `${count(shown)} of ${count(total)}`;
}

function emptyWords(tab: Tab, filtered: boolean, clearHref: string): QueueView['empty'] {
  if (filtered)
    return { title: 'No file matches', text: 'Take a word away or clear the filter.', action: { href: clearHref, label: 'Clear filter' } };
  const words: Record<Tab, [string, string]> = {
    waiting: ['Nothing is waiting', 'Files that are worth converting appear here after a scan.'],
    running: ['Nothing is running', 'A file begins as soon as one is waiting and a machine has a free place.'],
    held: ['Nothing is held', 'A file that needs your decision waits here.'],
    failed: ['Nothing has failed', 'A file that could not be converted appears here with the reason. Its original is never touched.'],
    skipped: ['Nothing was skipped', 'Files that are left alone appear here, each with its reason.'],
    finished: ['Nothing is finished yet', 'Replaced files appear here; their originals wait in the trash for a while.'],
    cancelled: ['Nothing was cancelled', 'Files that a person took out of the queue appear here.'],
  };
  const [title, text] = words[tab];
  return { title, text, action: tab === 'waiting' ? { href: url.library(), label: 'Open libraries' } : null };
}

/** The page that asks before many files leave the queue; it names the number and the filter. */
export function removeQuestion(
  n: number,
  exact: boolean,
  state: ListState,
  library: string | null,
  excluded: boolean,
  action: string,
  back: string,
  hidden: [string, string][],
): ConfirmView {
  const which = filterWords({ search: state.search, library, codec: state.codec, priority: state.priority });
  const number = `${exact ? '' : 'more than '}${count(n)}`;
  const what = `${number} waiting ${n === 1 ? 'file' : 'files'}${which ? ` ${which}` : ''}`;
  return {
    question: excluded ? `Leave ${what} alone?` : `Take ${what} out of the queue?`,
    text: excluded
      ? 'They are never converted until you allow them again. The files stay as they are.'
      : 'The files stay as they are. Each comes back when you ask for it again on its own page.',
    action,
    confirmed: '1',
    button: excluded ? `Leave ${number} alone` : `Remove ${number}`,
    back,
    hidden,
    typed: null,
    problem: null,
  };
}

/** How much of the page a person looks at is different now; it changes only when asked to. */
export interface ChangesPart {
  changes: number;
  href: string;
}
