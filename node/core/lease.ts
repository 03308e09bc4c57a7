/**
 * A lease is a time-bound right, granted and judged by PostgreSQL's clock. A node only keeps a stopwatch: it counts from the
 * moment it *sent* the last renewal that succeeded, on its monotonic clock, so that it always stops before the database does,
 * whatever its wall clock says.
 */
export interface Lease {
  /** monotonic milliseconds at which the last successful renewal was sent */
  renewedAt: number;
  ttlMs: number;
}

/** How long before the end a holder must have stopped: for slow statements and for a process that the system paused. */
export function marginMs(ttlMs: number): number {
  return Math.max(250, ttlMs / 4);
}

/** The holder's own end of the lease; nothing may be done in its name from here on. */
export function trustedUntil({ renewedAt, ttlMs }: Lease): number {
  return renewedAt + ttlMs - marginMs(ttlMs);
}

export function isTrusted(lease: Lease, now: number): boolean {
  return now >= lease.renewedAt && now < trustedUntil(lease);
}

/**
 * When to renew next, in milliseconds from now: a third of the time to live after the last success, so that two renewals
 * may fail; never in a busy loop.
 */
export function renewInMs(lease: Lease, now: number): number {
  return Math.max(50, lease.renewedAt + lease.ttlMs / 3 - now);
}
