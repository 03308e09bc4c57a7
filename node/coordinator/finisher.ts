import type { ClusterSettings } from '../config/schema.ts';
import type { Fingerprint, Probe } from '../core/media.ts';
import type { Reason } from '../core/reasons.ts';
import { visibleName } from '../core/visible-name.ts';
import { readAttempt, saveEncoded, type Attempt } from '../db/attempts.ts';
import { cancelAttempt, releaseAttempt } from '../db/run-ends.ts';
import type { Database } from '../db/connect.ts';
import { recordSpeed, speedOf } from '../db/node-speeds.ts';
import { runContext } from '../db/run-context.ts';
import { listNodeRoots } from '../db/roots.ts';
import { completeReplaced } from '../db/results.ts';
import type { NewSourceMessage } from '../db/source-messages.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { createEnds, isOtherFile, isOutside, late, runOf, yes } from './ends.ts';
import { giveBack } from './excused.ts';
import { createOrders, type Orders } from './orders.ts';
import { createSecondLook } from './second-look.ts';
import type { FileChange } from './source-tidings.ts';
import { keepFinding } from './findings.ts';
import type { Tickets } from './tickets.ts';
import { createVerdicts } from './verdicts.ts';

export type Report = ProtocolRequest<'report'>;
export type ReportOf<E extends Report['event']> = Extract<Report, { event: E }>;
export type ReportAnswer = ProtocolResponse<'report'>;

/**
 * What becomes of an attempt after its encode. Every step is one fenced row in the database first, then a message; a
 * message that gets lost is sent again by the rescuer, and whoever receives it twice does nothing the second time.
 *
 *   encoded ─▶ delivering ─grant verify─▶ verifying ─▶ verified: yes ─▶ replacing ─grant replace─▶ replaced ─▶ succeeded
 *                                             │            no ─▶ verdicts.ts
 *                                             └─ not-verified ─▶ failed, tried again
 *
 * An output whose library's disk is away or full waits: nothing failed, and hours of encoding are not thrown away.
 * Beside this file: orders.ts asks keepers, verdicts.ts and second-look.ts decide about outputs, ends.ts ends attempts.
 */
export interface Finisher {
  /** `from`: only the node that runs an attempt, or keeps its file, may speak of it */
  report(report: Report, from: string): Promise<ReportAnswer>;
  /** asks the keeper (again) for what an open attempt waits for */
  continue(attempt: Attempt): Promise<void>;
  /** the attempt is over: keeper and worker throw away what they still hold of it */
  over(attempt: Attempt): Promise<void>;
}

export interface FinisherParts {
  mesh: Mesh;
  db: Database;
  term: number;
  settings: () => ClusterSettings;
  events: Events;
  tickets: Tickets;
  /** is that node connected to this one? */
  reaches?: (node: string) => boolean;
  offer: () => void;
  /** does anybody use this original? Null: it may be replaced now. Left out: there is nobody to ask */
  whyNotNow?: (file: { rootId: string; path: string }) => Promise<Reason | null>;
  /** who has to be told that a file changed, as of before it did */
  tidings?: (change: FileChange) => Promise<NewSourceMessage[]>;
  /** a file changed and the books say so */
  replaced?: () => void;
  /** a file is not what was planned: a scan shall look at it soon */
  lookAgain: (libraryId: number) => void;
  restored: (report: ReportOf<'restored'> | ReportOf<'not-restored'> | ReportOf<'expired'>) => Promise<ReportAnswer>;
  /** an output whose original waits in the trash was looked at once more */
  rechecked?: (report: ReportOf<'rechecked'> | ReportOf<'not-rechecked'>) => Promise<ReportAnswer>;
  /** an output was refused: its encoder may have to be benched */
  badOutput?: (attempt: Attempt, code: string) => Promise<void>;
  /** for tests: how long a second machine may be silent */
  lookPatienceMs?: number;
  log: Log;
}

/** How long a job rests whose run could not begin because its disk is away; claims stop as soon as the node reports it. */
const OUTSIDE_SECONDS = 30;

export function createFinisher(parts: FinisherParts): Finisher {
  const { db, log } = parts;
  const look = createSecondLook({ ...parts, goOn, ...(parts.lookPatienceMs === undefined ? {} : { patienceMs: parts.lookPatienceMs }) });
  const orders: Orders = createOrders({ ...parts, lookAgain: look.ask });
  const ends = createEnds(parts, orders);
  const verdicts = createVerdicts(parts, { orders, ends, look });
  return { report, continue: orders.proceed, over: async (attempt) => orders.over(attempt, await runContext(db, attempt.id)) };

  async function report(said: Report, from: string): Promise<ReportAnswer> {
    const r = plainly(said);
    const attempt = await readAttempt(db, r.attempt);
    if (attempt && !(await mayReport(r, from, attempt))) {
      log.warn({ event: r.event, attempt: r.attempt, from }, 'a node reported an attempt that is not its own; it was not believed');
      return late;
    }
    switch (r.event) {
      case 'encoded':
        return encoded(r);
      case 'failed':
        return failed(r);
      case 'cancelled':
        return ends.before(r, () => cancelAttempt(db, runOf(r), { code: 'cancelled-by-person' }));
      case 'released':
        return ends.before(r, () => giveBack(db, runOf(r), r.reason as Reason));
      case 'verified':
        return verdicts.verified(r);
      case 'not-verified':
      case 'not-replaced':
        return verdicts.notVerified(r);
      case 'replaced':
        return replaced(r);
      case 'restored':
      case 'not-restored':
      case 'expired':
        return parts.restored(r);
      case 'rechecked':
        return attempt && !attempt.endedAt ? verdicts.rechecked(r, attempt) : (parts.rechecked?.(r) ?? late);
      case 'not-rechecked':
        return attempt && !attempt.endedAt ? verdicts.notRechecked(r, attempt) : (parts.rechecked?.(r) ?? late);
    }
  }

  /** What the trash reports is about an attempt that ended long ago: its keeper may be another machine today, but a keeper. */
  async function mayReport(r: Report, from: string, attempt: Attempt): Promise<boolean> {
    switch (r.event) {
      case 'encoded':
      case 'failed':
      case 'cancelled':
      case 'released':
        return attempt.nodeId === from;
      case 'verified':
      case 'not-verified':
      case 'replaced':
      case 'not-replaced':
        return attempt.keeperId === from;
      default: {
        if ((r.event === 'rechecked' || r.event === 'not-rechecked') && !attempt.endedAt) return attempt.lookerId === from;
        const context = await runContext(db, r.attempt);
        return !context || (await listNodeRoots(db, from)).some((root) => root.rootId === context.rootId && root.provedAt !== null);
      }
    }
  }

  async function encoded(r: ReportOf<'encoded'>): Promise<ReportAnswer> {
    const limit = mostBytes((await runContext(db, r.attempt))?.fingerprint.sizeBytes ?? Infinity);
    if (r.output.sizeBytes > limit)
      return ends.before(r, () => ends.failed(r, { reason: { code: 'output-too-large', params: { limit } }, retry: true }));
    const facts = {
      outputBytes: r.output.sizeBytes,
      sha256: r.output.sha256,
      encoder: r.encoder,
      command: r.command,
      stderrTail: r.stderrTail,
      stats: { ...r.stats, frames: r.output.frames },
    };
    const attempt = await saveEncoded(db, runOf(r), facts, parts.settings()['jobs.leaseSeconds']);
    if (!attempt) return ends.refuse(r);
    await remember(r, attempt);
    ends.changed(r.job);
    void orders.proceed(attempt);
    return yes;
  }

  /** How fast that node is decides who gets the last films of a queue; which setting met the goal, where its next search begins. */
  async function remember(r: ReportOf<'encoded'>, attempt: Attempt): Promise<void> {
    const context = await runContext(db, r.attempt);
    if (context) await keepFinding(db, { nodeId: attempt.nodeId, encoder: r.encoder, stats: r.stats }, context);
    const film = context?.probe.streams.find((stream) => stream.kind === 'video') ?? null;
    const speed = speedOf(film, r.output.frames, r.stats['encodeMs']);
    if (speed !== null && r.encoder !== 'copy') await recordSpeed(db, attempt.nodeId, r.encoder, speed);
  }

  function failed(r: ReportOf<'failed'>): Promise<ReportAnswer> {
    const { retry, encoder, command, stderrTail } = r;
    const reason = r.reason as Reason;
    if (isOtherFile(reason.code)) return ends.changedMeanwhile(r);
    if (reason.code === 'output-too-large') return ends.outgrown(r);
    if (isOutside(reason.code)) return ends.before(r, () => releaseAttempt(db, runOf(r), reason, OUTSIDE_SECONDS));
    return ends.before(r, () => ends.failed(r, { reason, retry, encoder, command, stderrTail }));
  }

  /** Nobody could look a second time. */
  async function goOn(attempt: Attempt): Promise<void> {
    if (await orders.replace(attempt)) ends.changed(attempt.jobId);
  }

  async function replaced(r: ReportOf<'replaced'>): Promise<ReportAnswer> {
    const attempt = await readAttempt(db, r.attempt);
    const context = await runContext(db, r.attempt);
    const original = { ...r.original, fingerprint: r.original.fingerprint as Fingerprint };
    const fingerprint = r.fingerprint as Fingerprint;
    const saved = original.fingerprint.sizeBytes - fingerprint.sizeBytes;
    if (!isOwnTrash(r.original.trashPath, r.attempt)) {
      log.warn(
        { attempt: r.attempt, trashPath: r.original.trashPath },
        'a keeper named a place in the trash that is not of this attempt; it was not believed',
      );
      return late;
    }
    const probe = r.probe as unknown as Probe | null;
    const change = context && {
      kind: 'replaced' as const,
      fileId: context.fileId,
      jobId: context.jobId,
      rootId: context.rootId,
      from: context.path,
      to: r.path,
      before: original.fingerprint.sizeBytes,
      after: fingerprint.sizeBytes,
      probe: probe ?? attempt?.outputProbe ?? null,
    };
    const done = await completeReplaced(db, runOf(r), {
      tell: (change && (await parts.tidings?.(change))) ?? [],
      path: r.path,
      fingerprint,
      probe,
      original,
      retentionSeconds: Math.round(parts.settings()['trash.keepDays'] * 86_400),
      reason: { code: 'replaced', params: { saved } },
      activity: {
        kind: 'replaced',
        params: { title: context?.title ?? '', before: original.fingerprint.sizeBytes, after: fingerprint.sizeBytes },
      },
    });
    if (attempt) await orders.over(attempt, context);
    ends.changed(r.job);
    if (done) parts.replaced?.();
    return done ? yes : late;
  }
}

/**
 * No output is worth more than its original; headers and a film of a few seconds get some room. A machine that promises more is
 * mistaken or hostile, and the disk of the library is not filled to find out which.
 */
function mostBytes(originalBytes: number): number {
  return Math.round(originalBytes * 1.05 + 50_000_000);
}

/**
 * People read what an encode ran and said, and copy its command into a terminal: what would move a cursor, end a line or turn the
 * writing round is written out.
 */
function plainly(said: Report): Report {
  if (said.event !== 'encoded' && said.event !== 'failed') return said;
  const words = {
    command: said.command?.map((word) => visibleName(word, 4000)) ?? null,
    stderrTail: said.stderrTail
      .split(/\r?\n/)
      .map((line) => visibleName(line, 2000))
      .join('\n'),
  };
  if (said.event === 'encoded') return { ...said, ...words, command: words.command ?? [], encoder: visibleName(said.encoder, 40) };
  return { ...said, ...words, encoder: said.encoder === null ? null : visibleName(said.encoder, 40) };
}

/** What expires later is deleted: nobody may name the place of another original. */
function isOwnTrash(trashPath: string, attempt: number): boolean {
  const parts = trashPath.split('/');
  const at = parts.lastIndexOf('.codecshift');
  return at >= 0 && parts[at + 1] === 'trash' && new RegExp(`^${attempt}(-\\d+)?$`).test(parts[at + 3] ?? '');
}
