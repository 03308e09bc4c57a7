import { performance } from 'node:perf_hooks';
import { acquireLease, endAbandonedLease, renewLease, resignLease } from '../db/coordinator.ts';
import type { Database } from '../db/connect.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';

/**
 * Who coordinates is decided by one row in PostgreSQL and its clock. This loop tries to take the lease, keeps it alive
 * and gives it up. The local, monotonic clock may only make us stop earlier than the database would: trust ends at the
 * start of the last successful renewal plus the time to live, less a margin, even when the database is silent.
 *
 *   follower ──acquire──▶ leading(term) ──renew every ttl/3──▶ leading
 *      ▲                      │ renewal refused, or none for ttl − margin
 *      └───────── deposed ◀───┘            stop(): resign at once, no one has to wait
 */
export interface Elector {
  start(): void;
  stop(): Promise<void>;
  term(): number | null;
}

export interface ElectorParts {
  db: Database;
  node: string;
  session: string;
  url: () => string;
  onElected: (term: number) => Promise<void>;
  onDeposed: () => Promise<void>;
  log: Log;
  ttlSeconds?: number;
}

export function createElector(parts: ElectorParts): Elector {
  // an embedded database has one process, so its lease need not end soon, and an idle disk may rest
  const ttlMs = (parts.ttlSeconds ?? (parts.db.embedded ? 60 : 6)) * 1000;
  const marginMs = ttlMs / 4;
  let term: number | null = null;
  let trustedUntil = 0;
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;
  let complained = false;
  let campaigned = false;

  return {
    start: () => next(0),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await turn;
      if (term === null) return;
      await depose();
      await resignLease(parts.db, parts).catch((error: unknown) =>
        parts.log.debug({ why: messageOf(error) }, 'the lease could not be given back'),
      );
    },
    term: () => term,
  };

  function next(inMs: number): void {
    if (stopped) return;
    timer = setTimeout(() => {
      turn = takeTurn().finally(() => next(ttlMs / 3));
    }, inMs);
  }

  async function takeTurn(): Promise<void> {
    const asked = performance.now();
    try {
      if (term === null) await campaign(asked);
      else if (await renewLease(parts.db, candidate())) trustedUntil = asked + ttlMs - marginMs;
      else await depose();
      complained = false;
    } catch (error) {
      if (!complained) parts.log.warn({ why: messageOf(error) }, 'the database does not answer; trying again');
      complained = true;
      if (term !== null && performance.now() > trustedUntil) await depose();
    }
  }

  async function campaign(asked: number): Promise<void> {
    if (parts.db.embedded && !campaigned) await endAbandonedLease(parts.db);
    campaigned = true;
    const won = await acquireLease(parts.db, candidate());
    if (won === null) return;
    term = won;
    trustedUntil = asked + ttlMs - marginMs;
    parts.log.info({ term }, 'this node coordinates');
    await parts.onElected(won);
  }

  async function depose(): Promise<void> {
    parts.log.info({ term }, 'this node coordinates no longer');
    term = null;
    await parts.onDeposed();
  }

  function candidate(): { node: string; session: string; url: string; ttlSeconds: number } {
    return { node: parts.node, session: parts.session, url: parts.url(), ttlSeconds: ttlMs / 1000 };
  }
}
