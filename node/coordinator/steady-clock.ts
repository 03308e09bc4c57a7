import { uptime } from 'node:os';
import type { Log } from '../log.ts';

/**
 * Is the clock of the books to be believed when it says that the days of an original are over? One that is set ahead by mistake, or
 * by a time server that is wrong itself, would end the days of every original at once, and that is not taken back when the clock
 * is. So after a jump nothing is deleted for a day, and at once again when the clock goes back. Lives longer than a term: a jump ends
 * the lease of whoever coordinates.
 */
export interface SteadyClock {
  /** @param books the time by the database; to be told again and again, a jump is seen between two times */
  believes(books: Date): boolean;
}

const JUMP_MS = 24 * 3600_000;
const HOLD_MS = 24 * 3600_000;

/** @param uptimeMs since this machine was started, its sleep included: that is no jump */
export function createSteadyClock(log: Log, uptimeMs: () => number = () => uptime() * 1000): SteadyClock {
  let last: { books: number; here: number } | null = null;
  let heldUntil = -Infinity;
  return {
    believes(books) {
      const now = { books: books.getTime(), here: uptimeMs() };
      const jumped = last === null ? 0 : now.books - last.books - (now.here - last.here);
      last = now;
      if (jumped < -JUMP_MS) heldUntil = -Infinity;
      if (jumped > JUMP_MS) {
        heldUntil = now.here + HOLD_MS;
        const days = Math.round(jumped / 86_400_000);
        log.warn({ days }, 'the clock of the database jumped ahead; originals whose time it ended stay in the trash for another day');
      }
      return now.here >= heldUntil;
    },
  };
}
