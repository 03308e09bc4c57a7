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

const AWAY_MS = 3 * 60_000;
/** Bytes a millisecond at which a slow disk is read: what an earlier try left is read without a sign of life. */
const SLOW_DISK = 50_000;

/** How long a transfer of so many bytes may be silent before its other side counts as away. */
export function patienceFor(sizeBytes: number): number {
  return AWAY_MS + Math.round(sizeBytes / SLOW_DISK);
}
