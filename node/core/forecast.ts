/** How far, how long still, and when everything will be done: numbers that are only said when they can be believed. */

/** Percent of a running encode, one decimal, never over 99 before ffmpeg has ended; null when the length is not known. */
export function percentDone(outTimeMs: number, durationMs: number | null): number | null {
  if (durationMs === null || durationMs <= 0 || !Number.isFinite(outTimeMs)) return null;
  return Math.min(99, Math.max(0, Math.round((outTimeMs / durationMs) * 1000) / 10));
}

/** Seconds left of a running encode from its recent speed (1 is as fast as the film plays); null while that is not known. */
export function secondsLeft(outTimeMs: number, durationMs: number | null, speed: number | null): number | null {
  if (durationMs === null || speed === null || !(speed > 0)) return null;
  return Math.max(0, (durationMs - outTimeMs) / 1000 / speed);
}

/** What one day brought, all nodes together. `observedMs`: how much of that day CodecShift was watching, at most 24 hours. */
export interface Day {
  files: number;
  mediaMs: number;
  observedMs: number;
}

export type Forecast =
  | { kind: 'done' }
  /** too little to go by: `finished` of `needed` files */
  | { kind: 'not-yet'; finished: number; needed: number }
  /** in seconds from now; `low` and `high` are worth showing when `uncertain` */
  | { kind: 'estimate'; seconds: number; low: number; high: number; uncertain: boolean };

const NEEDED = 20;
const HOUR = 3600_000;

/**
 * When the queue will be empty: remaining minutes of film through minutes done per hour of the last days (give up to 14).
 * Idle hours count, so pauses and schedules are in it. A range takes the standard error of the days, at least a tenth.
 */
export function forecast(days: Day[], remainingMediaMs: number): Forecast {
  if (remainingMediaMs <= 0) return { kind: 'done' };
  const finished = sum(days, (day) => day.files);
  const media = sum(days, (day) => day.mediaMs);
  const observed = sum(days, (day) => day.observedMs);
  if (finished < NEEDED || media <= 0 || observed < HOUR / 2) return { kind: 'not-yet', finished, needed: NEEDED };
  const seconds = remainingMediaMs / (media / observed) / 1000;
  const doubt = Math.max(0.1, standardError(days, media / observed));
  const [low, high] = [seconds / (1 + doubt), seconds / Math.max(0.2, 1 - doubt)];
  return { kind: 'estimate', seconds, low, high, uncertain: (high - low) / seconds > 0.3 };
}

/** Relative to the mean; a single day says nothing about the next, so it is taken as quite unsure. */
function standardError(days: Day[], mean: number): number {
  const speeds = days.filter((day) => day.observedMs >= HOUR).map((day) => day.mediaMs / day.observedMs);
  if (speeds.length < 3) return 0.3;
  const variance = sum(speeds, (speed) => (speed - mean) ** 2) / (speeds.length - 1);
  return Math.sqrt(variance / speeds.length) / mean;
}

/**
 * The expected size of what waits, corrected by how earlier expectations of the same cluster turned out; at most by two, and
 * only after twenty files.
 */
export function correctedBytes(expected: number, past: { files: number; expectedBytes: number; actualBytes: number }): number {
  if (past.files < NEEDED || past.expectedBytes <= 0 || past.actualBytes <= 0) return expected;
  return Math.round(expected * Math.min(2, Math.max(0.5, past.actualBytes / past.expectedBytes)));
}

function sum<T>(all: readonly T[], value: (one: T) => number): number {
  return all.reduce((total, one) => total + value(one), 0);
}
