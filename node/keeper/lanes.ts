/**
 * The order in which a keeper works: one check and one swap at a time, because each reads or writes whole films. What nobody
 * waits for has a lane of its own and begins only once nothing else is being checked.
 */
export interface Lanes {
  /**
   * @param task never rejects
   * @param givenUp who is given up while he waits does not wait for his turn to say so; only for tasks that do nothing then
   */
  enqueue(lane: Lane, task: () => Promise<void>, givenUp?: AbortSignal): Promise<void>;
  /** resolves once everything that was enqueued until now is done */
  idle(): Promise<void>;
}

export type Lane = 'verify' | 'swap' | 'low';

export function createLanes(): Lanes {
  const ends = { verify: Promise.resolve(), swap: Promise.resolve(), low: Promise.resolve() };
  return {
    enqueue(lane, task, givenUp) {
      const before = lane === 'low' ? ends.low.then(() => ends.verify) : ends[lane];
      const mine = (givenUp ? Promise.race([before, aborted(givenUp)]) : before).then(task);
      ends[lane] = Promise.allSettled([before, mine]).then(() => undefined);
      return mine;
    },
    async idle() {
      await Promise.all(Object.values(ends));
    },
  };
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
