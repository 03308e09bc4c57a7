import type { Database, Queryable } from './connect.ts';

/** Runs several statements as one transaction, joining the caller's when `q` is already inside one. */
export function atomically<T>(q: Queryable, fn: (q: Queryable) => Promise<T>): Promise<T> {
  return 'tx' in q ? (q as Database).tx(fn) : fn(q);
}
