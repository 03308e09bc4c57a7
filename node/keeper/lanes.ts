/**
 * The order in which a keeper works: one check and one swap at a time, because each reads or writes whole films. What nobody
 * waits for has a lane of its own and begins only once nothing else is being checked.
 */
export interface Lanes {
  /** @param task never rejects */
  enqueue(lane: Lane, task: () => Promise<void>): Promise<void>;
  /** resolves once everything that was enqueued until now is done */
  idle(): Promise<void>;
}

export type Lane = 'verify' | 'swap' | 'low';

export function createLanes(): Lanes {
  const ends = { verify: Promise.resolve(), swap: Promise.resolve(), low: Promise.resolve() };
  return {
    enqueue(lane, task) {
      const first = lane === 'low' ? () => ends.verify : () => undefined;
      return (ends[lane] = ends[lane].then(first).then(task));
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
    const given = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const mine = Promise.race([before, given]).then(task);
    lines.set(key, Promise.allSettled([before, mine]));
    return mine;
  };
}
