import type { ClusterSettings } from '../config/schema.ts';
import type { Reason } from '../core/reasons.ts';
import { addActivity } from '../db/activity.ts';
import { openAttempts, setEncoder, type Attempt } from '../db/attempts.ts';
import { graceLeases, promoteDue, readClock, renewLeases, type Renewed, type Run } from '../db/claims.ts';
import { reapExpired, type EndedRun } from '../db/run-ends.ts';
import { isStaleTerm, type Database } from '../db/connect.ts';
import { foldCounters } from '../db/counters.ts';
import { foldMetrics } from '../db/metrics.ts';
import { dueOriginals } from '../db/originals.ts';
import { setBarcode } from '../db/pictures.ts';
import { messageOf } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { TopicMessage } from '../mesh/messages.ts';
import type { SteadyClock } from './steady-clock.ts';

/**
 * Sees to it that nothing is stuck for ever: keeps the leases of runs that are heard of, takes back those that are not,
 * brings retries whose time has come, asks keepers again for what got lost on the way, and lets trash expire.
 */
export interface Rescuer {
  start(): void;
  stop(): Promise<void>;
  /** a sign of life of a run */
  heard(progress: TopicMessage<'progress'>, from: string): void;
  /** a keeper is here again: ask it at once for what waits for it */
  askAgain(keeper: string): void;
}

export interface RescuerParts {
  mesh: Mesh;
  db: Database;
  term: number;
  settings: () => ClusterSettings;
  events: Events;
  offer: () => void;
  continue: (attempt: Attempt) => Promise<void>;
  expire: (originals: Awaited<ReturnType<typeof dueOriginals>>) => Promise<void>;
  /** may originals go because their time is over? Left out: always (steady-clock.ts) */
  clock?: SteadyClock;
  /** copies that a benched encoder made are looked at again, one after the other */
  recheck?: () => Promise<void>;
  /** comparison frames that nobody needs any more go from their nodes */
  forgetPictures?: () => Promise<void>;
  onStale: () => void;
  log: Log;
  everyMs?: number;
  /** for tests: milliseconds since 1970 */
  now?: () => number;
}

/** The last sign of life of a run. */
interface Sign extends Run {
  node: string;
  encoder: string | null;
  /** the film's colours, base64 */
  barcode: string | null;
}

export function createRescuer(parts: RescuerParts): Rescuer {
  const { db, events, log } = parts;
  const now = parts.now ?? Date.now;
  /** by attempt and node: what another one says must not hide what its own node says */
  const alive = new Map<string, Sign>();
  const asked = new Map<number, number>();
  /** runs whose encoder is written down */
  const noted = new Set<number>();
  /** runs whose colours are */
  const painted = new Set<number>();
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;
  let turns = 0;
  let lookedAt = now();

  return {
    start() {
      timer = setInterval(() => {
        turn = turn.then(round);
      }, parts.everyMs ?? 3000);
      timer.unref();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await turn;
    },
    heard({ node, job, attempt, encoder, why, barcode, ...numbers }, from) {
      const key = `${attempt} ${from}`;
      // it is said only now and then: the next word must not wipe it out before it is written down
      alive.set(key, { jobId: job, attemptId: attempt, node: from, encoder, barcode: barcode ?? alive.get(key)?.barcode ?? null });
      events.emit('job.progressed', { jobId: job, attemptId: attempt, nodeId: node, ...numbers, why: (why ?? null) as Reason | null });
    },
    askAgain(keeper) {
      turn = turn.then(() => guarded('asking a keeper again', () => askKeepers((a) => a.keeperId === keeper || a.lookerId === keeper)));
    },
  };

  async function round(): Promise<void> {
    if (stopped) return;
    turns++;
    await guarded('renewing leases', renew);
    await guarded('taking back lost runs', takeBack);
    await guarded('bringing retries', promote);
    if (turns % 5 === 0) await guarded('asking keepers again', () => askKeepers(isOverdue));
    if (turns % 2 === 1 && parts.recheck) await guarded('looking at copies again', parts.recheck);
    if (turns % 2 === 0) await guarded('folding counters', () => foldCounters(db));
    if (turns % 10 === 4) await guarded('folding metrics', () => foldMetrics(db));
    if (turns % 20 === 1) await guarded('emptying trash', emptyTrash);
    if (turns % 20 === 3 && parts.forgetPictures) await guarded('removing old pictures', parts.forgetPictures);
    if (turns % 20 === 2) await guarded('database upkeep', () => db.maintain());
  }

  async function emptyTrash(): Promise<void> {
    const isTrue = parts.clock?.believes(await readClock(db)) ?? true;
    if (isTrue) await parts.expire(await dueOriginals(db));
  }

  async function guarded(what: string, work: () => Promise<unknown>): Promise<void> {
    if (stopped) return;
    try {
      await work();
    } catch (error) {
      if (isStaleTerm(error)) parts.onStale();
      else log.warn({ why: messageOf(error) }, `${what} did not work; it is tried again`);
    }
  }

  async function renew(): Promise<void> {
    const runs = [...alive.values()];
    alive.clear();
    if (runs.length === 0) return;
    for (const run of runs) await noteEncoder(run);
    for (const run of runs) await noteBarcode(run);
    const renewed = new Map((await renewLeases(db, runs, parts.settings()['jobs.leaseSeconds'])).map((r) => [r.attemptId, r]));
    for (const run of runs) await tell(run, renewed.get(run.attemptId));
  }

  async function noteEncoder(run: Sign): Promise<void> {
    if (!run.encoder || noted.has(run.attemptId)) return;
    noted.add(run.attemptId);
    await setEncoder(db, run.attemptId, run.encoder);
  }

  /** Only the node that encodes knows the colours. */
  async function noteBarcode({ attemptId, jobId, node, barcode }: Sign): Promise<void> {
    if (!barcode || painted.has(attemptId)) return;
    if (await setBarcode(db, { attemptId, jobId }, node, barcode)) events.emit('job.coloured', { jobId, attemptId });
    painted.add(attemptId);
  }

  /** A wish that a lost message did not bring: the run is over, is to be cancelled, or stands still. */
  async function tell(run: Sign, row: Renewed | undefined): Promise<void> {
    const want = !row ? 'forget' : row.cancelRequested ? 'cancel' : row.paused ? 'pause' : null;
    if (!want) return;
    await parts.mesh
      .request(run.node, 'control', { term: parts.term, attempt: run.attemptId, want })
      .catch((error: unknown) => log.debug({ why: messageOf(error) }, 'a node could not be told'));
  }

  /** This machine slept or was frozen: it is not the runs that were silent, it could hear none. The wall clock tells of both. */
  function isJustAwake(): boolean {
    const before = lookedAt;
    lookedAt = now();
    return lookedAt - before > (parts.settings()['jobs.leaseSeconds'] * 1000) / 2;
  }

  /**
   * The moment to judge by is read first. What sleeps while it is read is noticed afterwards; what sleeps later judges by a
   * moment before its sleep, when everything that is silent now was still heard.
   */
  async function takeBack(): Promise<void> {
    const asOf = await readClock(db);
    await (isJustAwake() ? forgive() : reap(asOf));
  }

  async function forgive(): Promise<void> {
    await graceLeases(db, parts.settings()['jobs.leaseSeconds']);
  }

  async function reap(asOf: Date): Promise<void> {
    const reaped = await db.tx(async (q) => {
      const lost = await reapExpired(q, { code: 'lost-node' }, asOf);
      for (const { state, jobId, nodeId } of lost)
        if (state === 'failed')
          await addActivity(q, { kind: 'failed', severity: 2, jobId, nodeId, params: { reason: { code: 'lost-node' } } });
      return lost;
    });
    for (const lost of reaped) announce(lost);
  }

  async function promote(): Promise<void> {
    if ((await promoteDue(db)) > 0) {
      events.emit('queue.changed', { why: 'retries are due' });
      parts.offer();
    }
  }

  async function askKeepers(which: (attempt: Attempt) => boolean): Promise<void> {
    for (const attempt of await openAttempts(db)) {
      if (attempt.state === 'running' || !which(attempt)) continue;
      asked.set(attempt.id, Date.now());
      await parts.continue(attempt);
    }
  }

  /** Silence for half a lease: the keeper may never have got the grant, or may have been started anew. */
  function isOverdue(attempt: Attempt): boolean {
    return (
      !alive.has(`${attempt.id} ${attempt.lookerId ?? attempt.keeperId}`) &&
      Date.now() - (asked.get(attempt.id) ?? 0) > (parts.settings()['jobs.leaseSeconds'] * 1000) / 3
    );
  }

  function announce(run: EndedRun): void {
    log.info({ job: run.jobId, attempt: run.attemptId, node: run.nodeId }, 'nothing was heard of a run; its job goes back into the queue');
    events.emit('job.changed', { jobId: run.jobId, fileId: run.fileId, libraryId: run.libraryId });
    parts.offer();
  }
}
