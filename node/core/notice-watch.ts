/**
 * What is told when it changes: each watch remembers what was told last, so that the next coordinator does not tell it again. A
 * step takes what is so now and what is remembered, and gives what to remember and what to tell.
 */
export interface Step<S, E extends string> {
  /** null: nothing changed */
  state: S | null;
  tell: E | null;
}

/** A machine is away after so much silence. */
export const AWAY_SECONDS = 300;

export interface NodeWatch {
  away: boolean;
  /** how long it had been silent when that was told, and since when: milliseconds since 1970 */
  since: number;
}

/**
 * `silentSeconds`: since it was last heard of. `watchedSeconds`: how long this coordinator has been listening without a gap; what it
 * could not hear is not the machine's silence.
 */
export function nodeStep(
  before: NodeWatch | null,
  now: { silentSeconds: number; watchedSeconds: number; lastSeenAt: number },
): Step<NodeWatch, 'node.offline' | 'node.back'> {
  const isAway = now.silentSeconds > AWAY_SECONDS && now.watchedSeconds > AWAY_SECONDS;
  if (isAway && !before?.away) return { state: { away: true, since: now.lastSeenAt }, tell: 'node.offline' };
  // heard of means lately: between the two nothing is known
  if (before?.away && now.silentSeconds < 60) return { state: { away: false, since: now.lastSeenAt }, tell: 'node.back' };
  return { state: null, tell: null };
}

export interface DiskWatch {
  low: boolean;
}

/** Space comes and goes while films are encoded: it is well again only with half as much more than has to be free. */
export function diskStep(before: DiskWatch | null, now: { freeBytes: number; limitBytes: number }): Step<DiskWatch, 'disk.low'> {
  if (!before?.low && now.freeBytes < now.limitBytes) return { state: { low: true }, tell: 'disk.low' };
  if (before?.low && now.freeBytes > now.limitBytes * 1.5) return { state: { low: false }, tell: null };
  return { state: null, tell: null };
}

export interface BatchWatch {
  /** since when there was something to do: milliseconds since 1970; null: there is nothing */
  since: number | null;
}

/** `busy`: anything waits or runs. The queue is done when nothing does and something was finished since it began. */
export function batchStep(
  before: BatchWatch | null,
  now: { busy: boolean; atMs: number; finished: number },
): Step<BatchWatch, 'batch.finished'> {
  const since = before?.since ?? null;
  if (now.busy) return since === null ? { state: { since: now.atMs }, tell: null } : { state: null, tell: null };
  if (since === null) return { state: before === null ? { since: null } : null, tell: null };
  return { state: { since: null }, tell: now.finished > 0 ? 'batch.finished' : null };
}

export interface SummaryWatch {
  /** the local day on which it was told last */
  day: string;
  /** up to when it told: milliseconds since 1970 */
  at: number;
}

/** Once a local day, at its hour or as soon after it as a coordinator is there. The first day is only remembered. */
export function summaryStep(
  before: SummaryWatch | null,
  now: { day: string; minute: number; hour: number; atMs: number },
): Step<SummaryWatch, 'daily.summary'> {
  const state = { day: now.day, at: now.atMs };
  if (before === null) return { state, tell: null };
  return now.day > before.day && now.minute >= now.hour * 60 ? { state, tell: 'daily.summary' } : { state: null, tell: null };
}
