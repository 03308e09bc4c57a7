import { setTimeout as pause } from 'node:timers/promises';

/**
 * A cap in megabits a second that several transfers share. Whoever wants to pass bytes asks first, in small pieces; the
 * pieces pass in the order in which they were asked for, so that each of several transfers gets its turn.
 */
export interface Rate {
  /** Resolves when so many bytes may pass. @throws when the signal aborts first */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
  /** no limit at this moment: larger pieces may be taken */
  unlimited(): boolean;
  /** bytes that passed under a limit since the start */
  counted(): number;
}

export interface Clock {
  /** monotonic milliseconds */
  now(): number;
  pause(ms: number, signal?: AbortSignal): Promise<unknown>;
}

/** The largest piece to ask for while a limit is set: half a second's worth of one megabit a second. */
export const PIECE_BYTES = 64 * 1024;

/** What was not used may be made up for, this far back. */
const BURST_MS = 200;

/** A changed limit is seen by those who wait already after so long. */
const LOOK_AGAIN_MS = 250;

const realClock: Clock = { now: () => performance.now(), pause: (ms, signal) => pause(ms, undefined, signal && { signal }) };

/** `mbps` is read anew for every piece; 0 is no limit. */
export function createRate(mbps: () => number, clock: Clock = realClock): Rate {
  let freeAt = -Infinity;
  let counted = 0;
  let last: Promise<void> = Promise.resolve();

  const pass = async (bytes: number, signal?: AbortSignal): Promise<void> => {
    for (;;) {
      signal?.throwIfAborted();
      const wait = waitMs(freeAt, clock.now());
      if (wait <= 0 || mbps() <= 0) break;
      await clock.pause(Math.min(wait, LOOK_AGAIN_MS), signal);
    }
    if (mbps() > 0) counted += bytes;
    freeAt = freeAfter(freeAt, clock.now(), bytes, mbps());
  };

  return {
    unlimited: () => mbps() <= 0,
    counted: () => counted,
    take(bytes, signal) {
      const turn = last.then(() => pass(bytes, signal));
      // one that gave up does not hold up those behind it
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}

/** How long until the next piece may pass. */
export function waitMs(freeAt: number, now: number): number {
  return Math.max(0, freeAt - now);
}

/** When everything that passed until now, this piece included, has been paid for. Milliseconds. */
export function freeAfter(freeAt: number, now: number, bytes: number, mbps: number): number {
  if (mbps <= 0) return now;
  return Math.max(freeAt, now - BURST_MS) + (bytes * 8) / (mbps * 1000);
}

const shared = new WeakMap<() => number, Rate>();

/** One budget for everybody who is handed the same `mbps` function: the node makes that function once. */
export function sharedRate(mbps: () => number): Rate {
  const known = shared.get(mbps) ?? createRate(mbps);
  shared.set(mbps, known);
  return known;
}
