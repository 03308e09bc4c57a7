import { betweenUntil } from './house-time.ts';
import { noticeEntry, TEST_EVENT } from './notice-events.ts';

/**
 * Who is told when. A target is left alone in its quiet hours, except for what is urgent; a message that does not get through
 * is tried three times; a target where nothing gets through is tried rarely, and says since when.
 *
 *   notice ─routes─▶ delivery: waiting ─┬─ quiet hours ─▶ held ─▶ waiting
 *                                       ├─ got through ─▶ sent
 *                                       └─ did not ─▶ failed ─ 30 s, 2 min, 10 min ─▶ given-up
 */
export type DeliveryState = 'waiting' | 'held' | 'failed' | 'sent' | 'given-up';

export interface RoutedTarget {
  events: readonly string[];
  enabled: boolean;
  /** milliseconds since 1970: what happened before it was there is not told to it */
  createdAt: number;
}

export function hears(target: RoutedTarget, notice: { event: string; lastAt: number }): boolean {
  return target.enabled && target.events.includes(notice.event) && notice.lastAt >= target.createdAt;
}

export interface QuietHours {
  from: string;
  until: string;
}

/** Until when this target must not be told of it, as a moment; null: now. */
export function quietUntil(quiet: QuietHours | null, event: string, atMs: number, timeZone: string): number | null {
  return quiet === null || noticeEntry(event).urgent ? null : betweenUntil(atMs, quiet, timeZone);
}

/** What a receiver said. `again` with seconds: it told when to come back. */
export type Answer = { ok: true; says: string } | { ok: false; says: string; again: boolean; afterSeconds?: number | null };

const BACK_OFF_SECONDS = [30, 120, 600];
/** A receiver may ask for patience, not for ever. */
const MOST_PATIENCE_SECONDS = 3600;

/** What becomes of a message that did not get through at its `tries`th try. `seconds` null: it is given up. */
export function afterFailure(answer: Extract<Answer, { ok: false }>, tries: number): { seconds: number | null } {
  const wait = BACK_OFF_SECONDS[tries - 1];
  if (!answer.again || wait === undefined) return { seconds: null };
  return { seconds: Math.min(MOST_PATIENCE_SECONDS, Math.max(wait, answer.afterSeconds ?? 0)) };
}

/** A message that waited longer for its target to come back is old news. */
export const MOST_AGE_SECONDS = 24 * 3600;
/** So many tries in a row that failed make a target one that fails. */
export const FAILING_AFTER = 3;

/**
 * How long a target rests after so many failures in a row, in seconds; 0: it is asked as always. All of its messages wait meanwhile,
 * and one of them finds out whether it is back.
 */
export function restSeconds(failures: number): number {
  return failures < FAILING_AFTER ? 0 : Math.min(3600, 300 * 2 ** Math.min(failures - FAILING_AFTER, 10));
}

export interface Waiting {
  id: number;
  state: DeliveryState;
  event: string;
}

/** More single letters than this at one moment are a flood: to a person, and to receivers that count (Discord thirty a minute). */
export const MOST_SINGLE = 3;

/**
 * What of a target's waiting messages goes into which letter, the oldest first. What a night held back is one letter in the morning,
 * and so is what piled up while the target was away; a few are letters of their own. A test is never part of another letter.
 * `isFailing`: one message finds out whether the target is back; a try that fails must not count for all that wait behind it.
 */
export function lettersOf<T extends Waiting>(due: readonly T[], isFailing = false): T[][] {
  const sorted = due.toSorted((a, b) => a.id - b.id);
  const probe = isFailing ? sorted.slice(0, 1) : [];
  const rest = sorted.slice(probe.length).filter(({ event }) => event !== TEST_EVENT);
  const isFlood = rest.filter(({ state }) => state !== 'held').length > MOST_SINGLE;
  const together = rest.filter(({ state }) => isFlood || state === 'held');
  const single = sorted.slice(probe.length).filter((one) => !together.includes(one));
  const letters = [...(together.length > 0 ? [together] : []), ...single.map((one) => [one])].toSorted((a, b) => a[0]!.id - b[0]!.id);
  return probe.length > 0 ? [probe, ...letters] : letters;
}
