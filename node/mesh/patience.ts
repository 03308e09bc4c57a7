/**
 * Runs something that tries for ever (a transfer whose other side may be asleep) for as long as it gets on: each call of
 * `alive` is a sign of life, and after `silentMs` without one its signal aborts. Then, and only then, it rejects with
 * `tooLong()`; whatever else it throws is passed on, as is the reason of the outer signal.
 */
export async function whileAlive<T>(
  options: { signal: AbortSignal; silentMs: number; tooLong: () => Error },
  work: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), options.silentMs);
  try {
    return await work(AbortSignal.any([options.signal, patience.signal]), () => void timer.refresh());
  } catch (error) {
    throw patience.signal.aborted && !options.signal.aborted ? options.tooLong() : error;
  } finally {
    clearTimeout(timer);
  }
}

/** how long an answer is waited for when whoever asks sets no bound himself */
const ANSWER_MS = 15_000;
/** nothing is waited for longer, whatever his own signal says */
const LONGEST_MS = 15 * 60_000;

/**
 * Runs a question, to another node and to oneself alike, within its bound. Not by `AbortSignal.any`: together with a timeout it is
 * kept until the time is up, and a scan asks a hundred thousand times within a quarter of an hour.
 */
export async function bounded<T>(signal: AbortSignal | undefined, ask: (bound: AbortSignal) => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  const bound = new AbortController();
  const late = (): void => bound.abort(new DOMException('The answer took too long.', 'TimeoutError'));
  const timer = setTimeout(late, signal ? LONGEST_MS : ANSWER_MS).unref();
  const give = (): void => bound.abort(signal!.reason);
  signal?.addEventListener('abort', give, { once: true });
  try {
    return await ask(bound.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', give);
  }
}

/** What cannot be called back is waited for no longer once `signal` aborts: then this rejects with its reason. */
export async function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: given, reject } = Promise.withResolvers<never>();
  const give = (): void => reject(signal.reason);
  if (signal.aborted) give();
  else signal.addEventListener('abort', give, { once: true });
  try {
    return await Promise.race([work, given]);
  } finally {
    signal.removeEventListener('abort', give);
  }
}

const AWAY_MS = 3 * 60_000;
/** Bytes a millisecond at which a slow disk is read: what an earlier try left is read without a sign of life. */
const SLOW_DISK = 50_000;

/** How long a transfer of so many bytes may be silent before its other side counts as away. */
export function patienceFor(sizeBytes: number): number {
  return AWAY_MS + Math.round(sizeBytes / SLOW_DISK);
}
