import type { Bar, Segment } from '../charts.ts';
import { count, day, duration, plural, size, sizeParts } from '../format.ts';
import { sum, unseenFiles, waitingBytes, type FileCell } from './file-cells.ts';
import { libraryBar, type LibraryBarView } from './library-bar.ts';
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
  const waits = waitingBytes(there);
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
    doneInNote: facts.scanning || unseenFiles(there) > 0 ? 'Still looking' : waits === 0 ? 'Nothing waits' : `Known after ${ENOUGH} files`,
    speed: perDay === null ? null : speedView(perDay, facts.days),
    bar,
  };
}

/** Until everything that waits is done, as the last encodes went; null: nothing waits, or too few were finished to say. */
export function leftMs({ cells, paces, finishedEver }: Pick<HeroFacts, 'cells' | 'paces' | 'finishedEver'>): number | null {
  const perDay = pacePerDay(paces);
  const bytes = waitingBytes(cells);
  return finishedEver >= ENOUGH && perDay !== null && bytes > 0 ? (bytes / perDay) * 86_400_000 : null;
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
