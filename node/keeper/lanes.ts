import { setTimeout as pause } from 'node:timers/promises';

/**
 * The order in which a keeper works: one check at a time, because each reads two whole films, and one swap at a time on each disk, so
 * that a disk which hangs holds up no other. What nobody waits for has a lane of its own and begins only once nothing else is
 * being checked.
 */
export interface Lanes {
  /**
   * @param task never rejects
   * @param givenUp who is given up while he waits does not wait for his turn to say so; only for tasks that do nothing then. One that
   *   still hangs a minute after it was given up, in a disk, is waited for no longer by those behind it
   */
  enqueue(lane: Lane, task: () => Promise<void>, givenUp?: AbortSignal): Promise<void>;
  /** resolves once everything that was enqueued until now is done, or left behind */
  idle(): Promise<void>;
}

export type Lane = 'verify' | 'low' | `swap ${string}`;

const PATIENCE_MS = 60_000;

export function createLanes(patienceMs = PATIENCE_MS): Lanes {
  const ends = new Map<Lane, Promise<void>>();
  const endOf = (lane: Lane): Promise<void> => ends.get(lane) ?? Promise.resolve();
  return {
    enqueue(lane, task, givenUp) {
      const before = lane === 'low' ? endOf('low').then(() => endOf('verify')) : endOf(lane);
      const mine = (givenUp ? Promise.race([before, aborted(givenUp)]) : before).then(task);
      const over = mine.catch(() => {});
      const end = before.then(() => (givenUp ? Promise.race([over, left(givenUp)]) : over));
      ends.set(lane, end);
      return mine;
    },
    async idle() {
      await Promise.all(ends.values());
    },
  };

  async function left(givenUp: AbortSignal): Promise<void> {
    await aborted(givenUp);
    await pause(patienceMs, null, { ref: false });
  }
}

/** One task at a time for each key. Who is given up while he waits does not wait for his turn to say so. */
export function createLines(): <T>(key: string, signal: AbortSignal, task: () => Promise<T>) => Promise<T> {
  const lines = new Map<string, Promise<unknown>>();
  return (key, signal, task) => {
    const before = lines.get(key) ?? Promise.resolve();
    const mine = Promise.race([before, aborted(signal)]).then(task);
    lines.set(key, Promise.allSettled([before, mine]));
    return mine;
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
