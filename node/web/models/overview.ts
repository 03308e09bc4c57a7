import type { Segment } from '../charts.ts';
import type { Bar } from '../charts.ts';
import { count, day, duration, plural, size, sizeParts } from '../format.ts';
import type { LookItem } from './look.ts';
import type { Machine } from './library-page.ts';
import type { NodeCard } from './node.ts';
import type { AskingView } from './nodes-page.ts';
import type { RunningJob } from './running.ts';

/** What the Overview shows. Each part is also a live region of its own and is rendered alone. */
export interface OverviewView {
  hasLibraries: boolean;
  hero: HeroView;
  running: RunningView;
  next: NextView;
  look: LookView;
  nodes: NodesView;
  finished: FinishedView;
}

export interface HeroView {
  reclaimed: { value: string; unit: string };
  /** originals that still wait in the trash: their space is not free yet */
  held: string | null;
  /** null until something was converted */
  days: { bars: Bar[]; today: string; caption: string } | null;
  finished: { percent: string; of: string };
  /** null until enough files are finished to say */
  doneIn: { value: string; unit: string; note: string } | null;
  doneInNote: string;
  speed: { value: string; unit: string; trend: string; faster: boolean; note: string } | null;
  bar: LibraryBarView;
}

export interface LibraryBarView {
  segments: (Segment & { label: string; text: string })[];
  total: number;
  /** where the size now and the size in the end lie, in percent of the bar */
  nowAt: number;
  nowText: string;
  doneAt: number | null;
  doneText: string;
  /** where the two words above the bar stand, in percent, and on which side of it; they never cover each other */
  words: { done: number; doneLeft: boolean; now: number; nowRight: boolean };
  sentence: string;
}

export interface RunningView {
  jobs: RunningJob[];
  together: string;
  waiting: number;
  /** files of libraries that are switched off or only looked at: they would wait otherwise */
  resting: number;
  /** files that were found and are not looked at yet, or still being written */
  unseen: number;
  /** all files that were found */
  files: number;
  /** what the scans that run now have found and looked into so far; null when none runs */
  scanning: { seen: number; inspected: number } | null;
  paused: boolean;
}

export interface NextView {
  waiting: number;
  /** files of libraries that are switched off or only looked at */
  resting: number;
  order: string;
  jobs: {
    id: number;
    title: string;
    detail: string;
    library: string;
    format: string;
    tone: Segment['tone'];
    size: string;
    saving: string;
  }[];
}

export interface LookView {
  items: LookItem[];
}

export interface NodesView {
  /** machines that want to join and wait for a click */
  pending: AskingView[];
  nodes: NodeCard[];
}

export interface FinishedView {
  jobs: { id: number; title: string; detail: string; sizes: string; saving: string; kept: boolean }[];
}

/** Counted files of one library, status and codec. */
export interface FileCell {
  status: string;
  codec: string;
  files: number;
  bytes: number;
  expectedBytes: number;
  originalBytes: number;
}

export interface HeroFacts {
  cells: readonly FileCell[];
  days: readonly { day: string; bytesIn: number; bytesOut: number; replaced: number; kept: number }[];
  /** the newest finished encodes, for the pace */
  paces: readonly { startedAt: Date; finishedAt: Date; inputBytes: number }[];
  finishedEver: number;
  trash: { bytes: number; nextExpiry: Date | null };
  /** a scan runs, so what waits is not all yet */
  scanning: boolean;
  now: Date;
}

/** Below this many finished files a forecast would be a guess. */
export const ENOUGH = 20;

export function heroView(facts: HeroFacts): HeroView {
  const there = facts.cells.filter((c) => c.status !== 'missing' && c.files > 0);
  const bar = libraryBar(there);
  const won = sum(there, (c) => c.originalBytes - c.bytes);
  const files = sum(there, (c) => c.files);
  const settled = sum(
    there.filter((c) => ['done', 'kept', 'skipped'].includes(c.status)),
    (c) => c.files,
  );
  const waitingBytes = waiting(there);
  const perDay = pacePerDay(facts.paces);
  const left = leftMs(facts);
  return {
    reclaimed: won > 0 ? sizeParts(won) : { value: '0', unit: 'GB' },
    held:
      facts.trash.bytes > 0 && facts.trash.nextExpiry
        ? `${size(facts.trash.bytes)} of originals in the trash, free from ${day(facts.trash.nextExpiry)}`
        : null,
    days: dayBars(facts.days),
    finished: { percent: files === 0 ? '0' : share(settled, files), of: `${count(settled)} of ${plural(files, 'file')}` },
    doneIn: left === null ? null : doneIn(left, facts.now),
    doneInNote:
      facts.scanning || unseenFiles(there) > 0 ? 'Still looking' : waitingBytes === 0 ? 'Nothing waits' : `Known after ${ENOUGH} files`,
    speed: perDay === null ? null : speedView(perDay, facts.days),
    bar,
  };
}

/** Until everything that waits is done, as the last encodes went; null: nothing waits, or too few were finished to say. */
export function leftMs({ cells, paces, finishedEver }: Pick<HeroFacts, 'cells' | 'paces' | 'finishedEver'>): number | null {
  const perDay = pacePerDay(paces);
  const bytes = waiting(cells);
  return finishedEver >= ENOUGH && perDay !== null && bytes > 0 ? (bytes / perDay) * 86_400_000 : null;
}

function waiting(cells: readonly FileCell[]): number {
  return sum(
    cells.filter((c) => c.status === 'queued' && c.files > 0),
    (c) => c.bytes,
  );
}

/** Files that were found and are not looked at yet. */
export function unseenFiles(cells: readonly FileCell[]): number {
  return sum(
    cells.filter((c) => c.status === 'new' || c.status === 'settling'),
    (c) => c.files,
  );
}

/** "62.8", and never "100" while one file is left, nor "0" when one is done. */
function share(part: number, whole: number): string {
  const percent = (part / whole) * 100;
  if (part === whole) return '100';
  if (part === 0) return '0';
  return Math.min(99.9, Math.max(0.1, percent)).toFixed(1);
}

function doneIn(ms: number, now: Date): HeroView['doneIn'] {
  const end = new Date(now.getTime() + ms);
  const days = ms / 86_400_000;
  if (days > 3650) return { value: '10', unit: 'years or more', note: 'with these encoders' };
  const [value = '', ...unit] = duration(ms).split('\u00a0');
  const note = days < 1 ? `about ${clockOf(end)}` : days > 300 ? `about ${end.getFullYear()}` : `about ${day(end)}`;
  return { value, unit: unit.join(' '), note };
}

function clockOf(at: Date): string {
  return `${String(at.getHours()).padStart(2, '0')}:${String(Math.floor(at.getMinutes() / 10) * 10).padStart(2, '0')}`;
}

/**
 * Bytes of source per day of work: the time in which at least one encode ran, so that a pause or an empty queue does not
 * make the machines look slow. Null without finished encodes.
 */
export function pacePerDay(paces: HeroFacts['paces']): number | null {
  const runs = paces
    .map((p) => ({ from: p.startedAt.getTime(), to: p.finishedAt.getTime(), bytes: p.inputBytes }))
    .sort((a, b) => a.from - b.from);
  let busy = 0;
  let until = -Infinity;
  for (const run of runs) {
    busy += Math.max(0, run.to - Math.max(run.from, until));
    until = Math.max(until, run.to);
  }
  return busy <= 0 ? null : (sum(runs, (r) => r.bytes) / busy) * 86_400_000;
}

function speedView(perDay: number, days: HeroFacts['days']): HeroView['speed'] {
  const { value, unit } = sizeParts(perDay, 2);
  const week = sum(days.slice(-7), (d) => d.bytesIn);
  const before = sum(days.slice(-14, -7), (d) => d.bytesIn);
  if (week === 0 || before === 0) return { value, unit: `${unit}/day`, trend: '', faster: false, note: 'while it works' };
  const change = Math.round((week / before - 1) * 100);
  const trend = Math.abs(change) > 999 ? '' : `${change >= 0 ? '+' : '−'}${Math.abs(change)}\u00a0%`;
  return { value, unit: `${unit}/day`, trend, faster: change > 0, note: trend ? 'on last week' : 'while it works' };
}

function dayBars(days: HeroFacts['days']): HeroView['days'] {
  const won = days.map((d) => Math.max(0, d.bytesIn - d.bytesOut));
  if (!won.some((v) => v > 0)) return null;
  const today = won.at(-1) ?? 0;
  const full = won.slice(0, -1).filter((v) => v > 0);
  const range = full.length === 0 ? '' : `, between ${size(Math.min(...full))} and ${size(Math.max(...full))} on the days with work`;
  return {
    bars: won.map((value, i) => ({ value, open: i === won.length - 1 })),
    today: size(today),
    caption: `Space reclaimed per day over ${days.length} days${range}; ${size(today)} so far today`,
  };
}

const groups = [
  { tone: 'jade', label: 'Converted', of: (c: FileCell) => c.status === 'done' },
  {
    tone: 'blue',
    label: 'Efficient already',
    of: (c: FileCell) => c.status !== 'queued' && c.status !== 'resting' && ['hevc', 'av1', 'vp9', 'vvc'].includes(c.codec),
  },
  { tone: 'amber', label: 'H.264, waiting', of: (c: FileCell) => c.status === 'queued' && c.codec === 'h264' },
  { tone: 'mauve', label: 'Older formats, waiting', of: (c: FileCell) => c.status === 'queued' },
  { tone: 'grey', label: 'Only looked at, nothing is converted', of: (c: FileCell) => c.status === 'resting' },
  { tone: 'grey', label: 'Not looked at yet', of: (c: FileCell) => c.status === 'new' || c.status === 'settling' },
  { tone: 'grey', label: 'Left as they are', of: () => true },
] as const;

/** The whole length is the library before CodecShift; what was won back is the hatched end. */
export function libraryBar(cells: readonly FileCell[]): LibraryBarView {
  const sums = groups.map(() => 0);
  for (const cell of cells) sums[groups.findIndex((g) => g.of(cell))]! += cell.bytes;
  const now = sum(cells, (c) => c.bytes);
  const won = Math.max(
    0,
    sum(cells, (c) => c.originalBytes - c.bytes),
  );
  const end = sum(cells, (c) => (c.status === 'queued' ? Math.min(c.expectedBytes, c.bytes) : c.bytes));
  const total = now + won;
  const segments: LibraryBarView['segments'] = groups
    .map((group, i) => ({ tone: group.tone as Segment['tone'], label: group.label, value: sums[i]!, text: size(sums[i]!) }))
    .filter((s) => s.value > 0);
  if (won > 0) segments.push({ tone: 'free', label: 'Reclaimed', value: won, text: size(won) });
  const shrinks = end < now * 0.995 && total > 0;
  const nowAt = total === 0 ? 0 : (now / total) * 100;
  const doneAt = shrinks ? (end / total) * 100 : null;
  return {
    segments,
    total,
    nowAt,
    nowText: `${size(now)} now`,
    doneAt,
    doneText: `${size(end)} when finished`,
    words: wordPlaces(doneAt, nowAt),
    sentence: `Library of ${size(total)} before CodecShift: ${segments.map((s) => `${s.label} ${s.text}`).join(', ')}.${shrinks ? ` Expected ${size(end)} when finished.` : ''}`,
  };
}

/** What a word needs of the bar on a tablet, in percent; a phone has them above and below it. */
const WORD = 20;

function wordPlaces(doneAt: number | null, nowAt: number): LibraryBarView['words'] {
  if (doneAt === null || nowAt - doneAt > 2 * WORD) return { done: doneAt ?? 0, doneLeft: false, now: nowAt, nowRight: nowAt < WORD };
  if (doneAt < WORD) return { done: doneAt, doneLeft: false, now: Math.max(nowAt, doneAt + 1.5 * WORD), nowRight: true };
  if (nowAt <= 100 - WORD) return { done: doneAt, doneLeft: true, now: nowAt, nowRight: true };
  return { done: Math.min(doneAt, nowAt - WORD), doneLeft: true, now: nowAt, nowRight: false };
}

export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

export interface LibraryBarPart {
  bar: LibraryBarView;
}

/** The page without a library: where the first folder is named. */
export interface WelcomeView {
  path: string;
  problem: string;
  /** where the folder may be; empty while there is only one machine */
  machines: Machine[];
  /** servers that are known already, and of which nothing is watched yet */
  servers: { id: number; name: string }[];
  /** what is typed to start the program, before its options */
  start: string;
}
