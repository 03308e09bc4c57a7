import { classKey, type FilmClass } from './film-class.ts';
import { chooseEncoder } from './encoder-choice.ts';
import { openShare } from './hours.ts';
import type { FileStatus } from './job.ts';
import type { Profile } from './profile.ts';
import { reasonEntry } from './reasons.ts';
import { nodeRefusal, type SchedulingNode } from './refusals.ts';

/**
 * What a library would become before anything of it is converted: space and time, each with the range in which nine of
 * ten such libraries should lie. Where pieces of films were measured, they speak; where not, the general table of
 * core/estimate.ts does, with a wide range, and the page says which.
 *
 *   counted files by class ─┬─ measured? ─ the mean of its films, narrower with each ─┐
 *                           └─ not       ─ the table, wide                            ├─▶ after, saved
 *   speeds of the machines that are here, their slots and hours ───────────────────────▶ time
 */
export type What = 'convert' | 'rewrap' | 'done' | 'leave' | 'later';

/** One group of files, as the database counts them. */
export interface ClassCount extends FilmClass {
  status: FileStatus;
  /** a reason's code */
  reason: string | null;
  files: number;
  bytes: number;
  /** by the general table; the size where nothing is to be won */
  expectedBytes: number;
  /** width × height × frames of all of them */
  pixels: number;
}

/** What was measured of one film on one encoder. */
export interface FilmSample {
  fileId: number;
  class: string;
  guessedBytes: number;
  measuredBytes: number;
}

export interface Estimate {
  value: number;
  low: number;
  high: number;
}

export interface ClassForecast extends ClassCount {
  key: string;
  what: What;
  /** size when done; null where nothing is converted */
  after: Estimate | null;
  /** films of its class that were measured; 0: the general table speaks */
  measured: number;
}

export interface TimeForecast extends Estimate {
  /** machines that are counted on */
  nodes: { name: string; measured: boolean }[];
}

export interface LibraryForecast {
  classes: ClassForecast[];
  files: number;
  bytes: number;
  converts: { files: number; bytes: number };
  /** found and not looked into yet, or waiting to be looked at again */
  open: number;
  saved: Estimate;
  /** share of the bytes to be converted whose class was measured, 0…1 */
  measuredShare: number;
  /** seconds; null when no machine that is here could do it */
  time: TimeForecast | null;
}

export function forecastLibrary(
  counts: readonly ClassCount[],
  samples: readonly FilmSample[],
  nodes: readonly SchedulingNode[],
  library: { profile: Profile; root: string },
): LibraryForecast {
  const { profile } = library;
  const classes = counts
    .filter((count) => count.status !== 'missing' && count.files > 0)
    .map((count) => classForecast(count, samples, profile))
    .toSorted((a, b) => order[a.what] - order[b.what] || b.bytes - a.bytes);
  const converts = classes.filter((one) => one.after !== null && one.what === 'convert');
  const bytes = sum(converts, (one) => one.bytes);
  const measured = sum(
    converts.filter((one) => one.measured > 0),
    (one) => one.bytes,
  );
  return {
    classes,
    files: sum(classes, (one) => one.files),
    bytes: sum(classes, (one) => one.bytes),
    converts: { files: sum(converts, (one) => one.files), bytes },
    open: sum(
      classes.filter((one) => one.what === 'later'),
      (one) => one.files,
    ),
    saved: savedOf(converts),
    measuredShare: bytes > 0 ? measured / bytes : 0,
    time: timeOf(converts, nodes, library),
  };
}

const order: Record<What, number> = { convert: 0, rewrap: 1, later: 2, leave: 3, done: 4 };

/** What would be done with files of this status and reason. */
export function whatOf(status: FileStatus, reason: string | null): What {
  if (status === 'queued') return reason === 'rewrap' ? 'rewrap' : 'convert';
  if (status === 'done') return 'done';
  if (status === 'new' || status === 'settling' || reason === 'too-young') return 'later';
  return reason !== null && reasonEntry(reason).kind === 'done' ? 'done' : 'leave';
}

function classForecast(count: ClassCount, samples: readonly FilmSample[], profile: Profile): ClassForecast {
  const key = classKey(count);
  const what = whatOf(count.status, count.reason);
  if (what === 'rewrap') return { ...count, key, what, after: exactly(count.bytes), measured: 0 };
  if (what !== 'convert') return { ...count, key, what, after: null, measured: 0 };
  const { factor, films } = factorOf(samples.filter((sample) => sample.class === key));
  const size = (by: number): number => worthIt(count.bytes, count.expectedBytes * by, profile.minSavingPercent);
  return {
    ...count,
    key,
    what,
    after: { value: size(factor.value), low: size(factor.low), high: size(factor.high) },
    measured: films,
  };
}

/** Outputs that are not smaller by what the library asks never replace anything: their originals stay. */
function worthIt(before: number, after: number, minSavingPercent: number): number {
  return after > before * (1 - minSavingPercent / 100) ? before : Math.round(after);
}

/** Logarithms: of the table's doubt, and of how far films of one class usually lie apart. Nine of ten is 1.64 deviations. */
const TABLE_DOUBT = 0.5;
const USUAL_SPREAD = 0.25;
const NINE_OF_TEN = 1.64;
const LEAST_DOUBT = 0.04;
/** The table counts as a quarter of a film, and the usual spread as three. */
const TABLE_WEIGHT = 0.25;
const SPREAD_WEIGHT = 3;

/**
 * By how much the table is off for a class, as a factor: 1 and wide where nothing was measured. A film that was measured on
 * several encoders counts once. One more film that says what the others said never makes the range wider.
 */
export function factorOf(samples: readonly FilmSample[]): { factor: Estimate; films: number } {
  const logs = logsByFilm(samples);
  const films = logs.length;
  if (films === 0) return { factor: around(0, TABLE_DOUBT), films };
  const mean = sum(logs, (x) => x) / films;
  const spread = (SPREAD_WEIGHT * USUAL_SPREAD ** 2 + sum(logs, (x) => (x - mean) ** 2)) / (SPREAD_WEIGHT + films - 1);
  const doubt = NINE_OF_TEN * Math.sqrt(spread / (films + TABLE_WEIGHT));
  return { factor: around((films * mean) / (films + TABLE_WEIGHT), Math.max(LEAST_DOUBT, doubt)), films };
}

function logsByFilm(samples: readonly FilmSample[]): number[] {
  const byFilm = new Map<number, number[]>();
  for (const { fileId, measuredBytes, guessedBytes } of samples) {
    if (!(measuredBytes > 0) || !(guessedBytes > 0)) continue;
    const log = Math.min(2, Math.max(-2, Math.log(measuredBytes / guessedBytes)));
    byFilm.set(fileId, [...(byFilm.get(fileId) ?? []), log]);
  }
  return [...byFilm.values()].map((logs) => sum(logs, (x) => x) / logs.length);
}

function around(log: number, doubt: number): Estimate {
  return { value: Math.exp(log), low: Math.exp(log - doubt), high: Math.exp(log + doubt) };
}

/** What was measured errs in each class for itself; the table may be wrong in all classes the same way. */
function savedOf(classes: readonly ClassForecast[]): Estimate {
  const value = sum(classes, (one) => one.bytes - one.after!.value);
  const side = (end: 'low' | 'high'): number => {
    const off = (one: ClassForecast): number => Math.abs(one.after!.value - one.after![end]);
    const together = sum(
      classes.filter((one) => one.measured === 0),
      off,
    );
    const apart = sum(
      classes.filter((one) => one.measured > 0),
      (one) => off(one) ** 2,
    );
    return together + Math.sqrt(apart);
  };
  const most = sum(classes, (one) => one.bytes);
  return { value, low: Math.max(0, Math.round(value - side('high'))), high: Math.min(most, Math.round(value + side('low'))) };
}

/** Pixels a second where nothing was measured: as wide as machines are apart. */
const usualSpeed = { software: 4e7, hardware: 3e8 } as const;
const SPEED_DOUBT = { measured: 1.3, guessed: 4 } as const;
/** Fetching, checking and swapping go on beside the encodes and hold them up a little. */
const BESIDE = 1.05;
/** Where the network is not known, megabits a second. */
const USUAL_MBPS = 100;

function timeOf(
  classes: readonly ClassForecast[],
  nodes: readonly SchedulingNode[],
  library: { profile: Profile; root: string },
): TimeForecast | null {
  const here = nodes.filter((node) => countsOn(node));
  const counted = new Map<string, boolean>();
  const seconds = { value: 0, low: 0, high: 0 };
  for (const one of classes) {
    const paces = here.map((node) => paceOf(node, one, library));
    for (const [i, pace] of paces.entries()) if (pace) counted.set(here[i]!.name, (counted.get(here[i]!.name) ?? true) && pace.measured);
    const rate = (end: keyof Estimate): number => sum(paces, (pace) => pace?.[end] ?? 0);
    if (rate('value') <= 0) return null;
    seconds.value += one.pixels / rate('value');
    seconds.low += one.pixels / rate('high');
    seconds.high += one.pixels / rate('low');
  }
  const nodesCounted = [...counted].map(([name, measured]) => ({ name, measured }));
  return { value: seconds.value * BESIDE, low: seconds.low, high: seconds.high * BESIDE ** 2, nodes: nodesCounted };
}

/** A machine that only waits for its hours counts with them; one that is away or paused does not. */
function countsOn(node: SchedulingNode): boolean {
  if (node.slots < 1) return false;
  const refusal = nodeRefusal({ ...node, busy: 0, schedule: [], resting: null });
  return refusal === null;
}

/** Pixels a second that a node adds for films of this class, over the whole week; null when it cannot do them. */
function paceOf(
  node: SchedulingNode,
  one: ClassForecast,
  { profile, root }: { profile: Profile; root: string },
): (Estimate & { measured: boolean }) | null {
  const depth = profile.tenBit || (one.bitDepth ?? 8) > 8 ? 10 : 8;
  const { choice } = chooseEncoder(node.encoders, profile, depth, { hdr10: one.hdr === 'hdr10' });
  if (!choice) return null;
  const known = node.speeds[choice.name];
  const hardware = node.encoders.some((report) => report.name === choice.name && report.hardware);
  const speed = known ?? usualSpeed[hardware ? 'hardware' : 'software'];
  const doubt = known === undefined ? SPEED_DOUBT.guessed : SPEED_DOUBT.measured;
  const fetched =
    node.local.includes(root) || node.keeps.includes(root)
      ? Infinity
      : (((node.mbps ?? USUAL_MBPS) * 1e6) / 8) * (one.pixels / Math.max(1, one.bytes));
  const pace = (by: number): number => Math.min(speed * node.slots * by, fetched) * openShare(node.schedule);
  return { value: pace(1), low: pace(1 / doubt), high: pace(doubt), measured: known !== undefined };
}

function exactly(value: number): Estimate {
  return { value, low: value, high: value };
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
