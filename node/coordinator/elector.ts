import { performance } from 'node:perf_hooks';
import { askAgainInMs, follower, isCutOff, mayAct, standingAfter, standingAt, type Answer, type Standing } from '../core/election.ts';
import { trustedUntil } from '../core/lease.ts';
import { listCandidates, noteCandidate } from '../db/candidates.ts';
import { readClusterName } from '../db/cluster.ts';
import type { Database } from '../db/connect.ts';
import {
  acquireLease,
  endAbandonedLease,
  preferCandidate,
  readMoved,
  readSchema,
  renewLease,
  resignLease,
  type MovedState,
} from '../db/coordinator.ts';
import { readNode } from '../db/nodes.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { version } from '../version.ts';

/**
 * Who coordinates is decided by one row in PostgreSQL and its clock; `core/election.ts` says what an answer means. This
 * loop asks: it tries to take the lease, keeps it alive and gives it up. The local, monotonic clock may only make us stop
 * earlier than the database would, and does so by a timer of its own, because a question to a database that is cut off
 * may hang for minutes.
 *
 *   follower ──acquire──▶ leading(term) ──renew every ttl/3──▶ leading
 *      ▲                      │ renewal refused · no answer for ttl − margin · cut off from the mesh while others are not
 *      └───────── deposed ◀───┘            stop() and handOver(): resign at once, no one has to wait
 *
 * A candidate with a newer program that waits to bring the database up to date is handed the role at once (db/upgrade.ts).
 * After that the older ones ask for it no more, for as long as they run: `retired`. Nor does a machine whose database became
 * that of another house, by a backup that was put back over it: it would sign orders for machines that are not its own.
 */
export interface Elector {
  start(): void;
  stop(): Promise<void>;
  term(): number | null;
  /** Gives the role up; `to` is the one who shall take it, if it comes within fifteen seconds. */
  handOver(to: string): Promise<void>;
  /** A certificate of this cluster outranks ours: the database was put back from a backup. The next term will be above it. */
  outranked(term: number): Promise<void>;
  /** The database refused a write of this term: if it still is the one held here, it ends, and the lease is asked for anew. */
  overtaken(term: number): Promise<void>;
}

export interface ElectorParts {
  db: Database;
  node: string;
  session: string;
  url: () => string;
  /** members this node is connected to */
  reaches: () => number;
  onElected: (term: number) => Promise<void>;
  onDeposed: () => Promise<void>;
  /** the id of the cluster that this machine belongs to; left out: whatever the database holds */
  cluster?: string;
  /** it takes no part any more until it is started again */
  onRetired?: (why: Retirement) => void;
  log: Log;
  ttlSeconds?: number;
  /** how long a coordinator may be cut off from the mesh before it gives the role up */
  cutOffMs?: number;
}

/**
 * The database has a newer schema than this program knows; or it holds the cluster of this name instead of ours; or it was left
 * for another one, in which somebody else coordinates.
 */
export type Retirement = { schema: number; program: string | null } | { cluster: string } | Pick<MovedState, 'movedTo' | 'movedAt'>;

/** So long the older ones let it pass to a newer program that asked for it: that one may have to be woken by its disk first. */
const YIELD_SECONDS = 15;
/** A newer program that fails and is started again and again must not keep the house without a coordinator. */
const YIELD_AGAIN_MS = 2 * 60_000;
/** After giving the role up because the mesh could not be reached. */
const HOLD_BACK_MS = 60_000;

export function createElector(parts: ElectorParts): Elector {
  const { log } = parts;
  const { embedded } = parts.db;
  // an embedded database has one process, so its lease need not end soon, and an idle disk may rest
  const ttlMs = (parts.ttlSeconds ?? (embedded ? 60 : 6)) * 1000;
  // what is asked later than this is no answer any more
  const db = embedded ? parts.db : parts.db.impatient(ttlMs / 2);
  const { schema } = parts.db;
  const candidate = { node: parts.node, session: parts.session, ttlSeconds: ttlMs / 1000, schema };
  let standing: Standing = follower;
  /** the term whose `onElected` was called and whose `onDeposed` was not */
  let leading: number | null = null;
  let above = 0;
  let timer: NodeJS.Timeout | undefined;
  let expiry: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;
  let complained = false;
  let campaigned = false;
  let cutOffSince: number | null = null;
  let holdBackUntil = -Infinity;
  let yieldAgainAt = -Infinity;

  return {
    start: () => next(0),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await Promise.race([turn, pause(ttlMs)]);
      await resign();
    },
    term: () => leading,
    async handOver(to) {
      await preferCandidate(db, to, 15); // we too let it pass for so long, but not once it was taken: the new holder may die
      await resign();
    },
    async outranked(term) {
      above = Math.max(above, term);
      log.warn({ term }, 'a higher term than ours is known: the database is older than the cluster; a new term begins above it');
      await resign();
      next(0);
    },
    async overtaken(term) {
      if (leading !== term) return;
      await depose();
      next(0);
    },
  };

  function next(inMs: number): void {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => {
      turn = takeTurn();
    }, inMs);
  }

  async function takeTurn(): Promise<void> {
    const sentAt = performance.now();
    let answered = true;
    try {
      // before any other statement of a program that may be too old for it
      if (leading === null && (await retired())) return;
      // one question that hangs must not hinder the next: its late answer is judged by when it was asked
      const answer = await Promise.race([ask(sentAt), pause(ttlMs * 0.6).then(() => null)]);
      if (answer === null) throw new Error('no answer in time');
      await follow(answer);
      complained = false;
      await minded();
    } catch (error) {
      answered = false;
      if (!complained) log.warn({ why: messageOf(error) }, 'the database does not answer; trying again');
      complained = true;
      await follow({ sentAt, outcome: 'unknown' });
    }
    next(askAgainInMs(standing, performance.now(), ttlMs, answered, Math.random()));
  }

  /** Somebody upgraded: our statements do not know what this schema asks of a row. Or it is not our books, or they are elsewhere. We write not one more. */
  async function retired(): Promise<boolean> {
    const now = await readSchema(db);
    if (now.schema > schema) return retire(now, 'the database was brought up to date by a newer CodecShift');
    const cluster = parts.cluster === undefined ? null : await readClusterName(db);
    if (cluster && cluster.id !== parts.cluster) return retire({ cluster: cluster.name }, 'the database holds another cluster now');
    const { movedTo, movedAt } = await readMoved(db);
    return movedTo !== null && retire({ movedTo, movedAt }, 'the database was left for another one');
  }

  async function retire(why: Retirement, what: string): Promise<true> {
    log.warn({ ...why, knows: schema }, `${what}: this machine stands in as coordinator no more`);
    stopped = true;
    await resign();
    parts.onRetired?.(why);
    return true;
  }

  async function ask(sentAt: number): Promise<Answer> {
    const who = { ...candidate, url: parts.url(), above };
    const held = leading;
    if (held !== null) {
      const renewed = await renewLease(db, who);
      // meanwhile our own clock may have ended the term, or a person handed it over: it does not begin a second time
      if (leading !== held) return { sentAt, outcome: 'unknown' };
      return renewed ? { sentAt, outcome: 'held', term: held, ttlMs } : { sentAt, outcome: 'another' };
    }
    if (!(await mayCampaign())) return { sentAt, outcome: 'another' };
    const term = await acquireLease(db, who);
    return term === null ? { sentAt, outcome: 'another' } : { sentAt, outcome: 'held', term, ttlMs };
  }

  async function mayCampaign(): Promise<boolean> {
    if (embedded && !campaigned) await endAbandonedLease(db);
    campaigned = true;
    if (performance.now() < holdBackUntil) return false;
    const own = await readNode(db, parts.node);
    return own === null || own.standing === 'approved';
  }

  async function follow(answer: Answer): Promise<void> {
    standing = standingAfter(standing, answer, performance.now());
    if (standing.role === 'coordinator' && leading === null && !stopped) begin(standing.term);
    else if (leading !== null && (standing.role === 'follower' || standing.term !== leading)) await depose();
    watch();
  }

  /** Steps down by the local clock even while a question to the database hangs. */
  function watch(): void {
    clearTimeout(expiry);
    if (standing.role !== 'coordinator') return;
    expiry = setTimeout(
      () => {
        standing = standingAt(standing, performance.now());
        if (!mayAct(standing, performance.now())) void depose();
        else watch();
      },
      Math.max(1, trustedUntil(standing.lease) - performance.now()),
    );
  }

  /** Nobody waits for it here: on a busy machine it may take longer than the lease lives, which has to be renewed meanwhile. */
  function begin(term: number): void {
    leading = term;
    cutOffSince = null;
    log.info({ term }, 'this node coordinates');
    parts
      .onElected(term)
      .catch(async (error: unknown) => {
        log.warn({ term, why: messageOf(error) }, 'the term could not begin');
        if (leading === term) await resign();
      })
      .catch((error: unknown) => log.warn({ term, why: messageOf(error) }, 'a term that could not begin did not end cleanly'));
  }

  async function depose(): Promise<void> {
    if (leading === null) return;
    log.info({ term: leading }, 'this node coordinates no longer');
    leading = null;
    standing = follower;
    clearTimeout(expiry);
    await parts.onDeposed();
  }

  async function resign(): Promise<void> {
    if (leading === null) return;
    await depose();
    await resignLease(db, parts).catch((error: unknown) => log.debug({ why: messageOf(error) }, 'the lease could not be given back'));
  }

  /** Tells the other candidates how many members we reach, and gives the role up when they reach many and we none. */
  async function minded(): Promise<void> {
    if (embedded) return;
    const mine = parts.reaches();
    await noteCandidate(db, parts.node, parts.session, mine, { schema, version });
    if (leading === null) return;
    const fresh = (await listCandidates(db)).filter((c) => c.fresh && c.nodeId !== parts.node);
    const newer = fresh.find((c) => (c.schema ?? 0) > schema);
    if (newer && performance.now() >= yieldAgainAt) return yieldTo(newer.nodeId);
    const others = fresh.map((c) => c.reaches);
    if (!isCutOff({ mine, others })) return void (cutOffSince = null);
    cutOffSince ??= performance.now();
    if (performance.now() - cutOffSince < (parts.cutOffMs ?? 20_000)) return;
    log.warn({ reaches: mine, others }, 'this node holds the database but the mesh does not reach it: another one shall coordinate');
    holdBackUntil = performance.now() + HOLD_BACK_MS;
    await resign();
  }

  async function yieldTo(node: string): Promise<void> {
    log.info({ to: node }, 'a machine with a newer version waits to bring the database up to date: it coordinates from now on');
    yieldAgainAt = performance.now() + YIELD_AGAIN_MS;
    await preferCandidate(db, node, YIELD_SECONDS);
    await resign();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
