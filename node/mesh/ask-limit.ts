import { PlainError } from '../errors.ts';

/**
 * How many questions one node asks another at once: fewer than the other allows, the rest wait their turn. So a burst of
 * our own is slow instead of refused.
 */
export interface AskLimit {
  run<T>(node: string, signal: AbortSignal, task: () => Promise<T>): Promise<T>;
  /** the node is gone: whoever waits for it is told */
  forget(node: string): void;
}

const AT_ONCE = 24;
const MAX_WAITING = 1000;

export function createAskLimit(): AskLimit {
  const lines = new Map<string, { busy: number; waiting: PromiseWithResolvers<void>[] }>();
  return {
    async run(node, signal, task) {
      const line = lines.get(node) ?? { busy: 0, waiting: [] };
      lines.set(node, line);
      if (line.busy >= AT_ONCE) await turn(line, signal);
      else line.busy++;
      try {
        return await task();
      } finally {
        // The place is handed over, not given back, so that nobody who comes now gets ahead of those who wait.
        const next = line.waiting.shift();
        if (next) next.resolve();
        else if (--line.busy === 0 && lines.get(node) === line) lines.delete(node);
      }
    },
    forget(node) {
      for (const one of lines.get(node)?.waiting.splice(0) ?? []) {
        one.reject(new PlainError('The other machine cannot be reached now.', { retry: true }));
      }
    },
  };
}

async function turn(line: { waiting: PromiseWithResolvers<void>[] }, signal: AbortSignal): Promise<void> {
  if (line.waiting.length >= MAX_WAITING) throw new PlainError('Too many questions to the other machine wait already.', { retry: true });
  const place = Promise.withResolvers<void>();
  line.waiting.push(place);
  const onAbort = (): void => {
    const at = line.waiting.indexOf(place);
    if (at < 0) return;
    line.waiting.splice(at, 1);
    place.reject(new PlainError('The other machine did not answer in time.', { retry: true }));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await place.promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
