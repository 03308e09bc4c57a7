import type { ClusterSettings } from '../config/schema.ts';
import type { Fingerprint, Probe } from '../core/media.ts';
import { reasonEntry, type Reason } from '../core/reasons.ts';
import { targetPath } from '../core/target.ts';
import type { Verdict } from '../core/verdict.ts';
import { addActivity } from '../db/activity.ts';
import { advance, awaitOutside, readAttempt, saveEncoded, saveVerdict, type Attempt } from '../db/attempts.ts';
import { cancelAttempt, failAttempt, holdAttempt, releaseAttempt, type EndedRun } from '../db/claims.ts';
import type { Database } from '../db/connect.ts';
import { readNode } from '../db/nodes.ts';
import { recordSpeed, speedOf } from '../db/node-speeds.ts';
import { runContext, type RunContext } from '../db/run-context.ts';
import { setStatus } from '../db/file-standing.ts';
import { savePictures } from '../db/pictures.ts';
import { listNodeRoots } from '../db/roots.ts';
import { completeKept, completeReplaced } from '../db/results.ts';
import { messageOf } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { giveBack } from './excused.ts';
import { keepFinding } from './findings.ts';
import type { Tickets } from './tickets.ts';

type Report = ProtocolRequest<'report'>;
type Of<E extends Report['event']> = Extract<Report, { event: E }>;
type Answer = ProtocolResponse<'report'>;

/**
 * What becomes of an attempt after its encode. Every step is one fenced row in the database first, then a message; a
 * message that gets lost is sent again by the rescuer, and whoever receives it twice does nothing the second time.
 *
 *   encoded ─▶ delivering ─grant verify─▶ verifying ─▶ verified: yes ─▶ replacing ─grant replace─▶ replaced ─▶ succeeded
 *                                             │            no, too little saved ─▶ rejected, original kept
 *                                             │            no, anything else ────▶ tried once more, then kept
 *                                             └─ not-verified ─▶ failed, tried again
 *
 * An output whose library's disk is away or full waits: nothing failed, and hours of encoding are not thrown away.
 */
export interface Finisher {
  /** `from`: only the node that runs an attempt, or keeps its file, may speak of it */
  report(report: Report, from: string): Promise<Answer>;
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
  offer: () => void;
  /** a file is not what was planned: a scan shall look at it soon */
  lookAgain: (libraryId: number) => void;
  restored: (report: Of<'restored'> | Of<'not-restored'> | Of<'expired'>) => Promise<Answer>;
  log: Log;
}

/** How long a job rests whose run could not begin because its disk is away; claims stop as soon as the node reports it. */
const OUTSIDE_SECONDS = 30;

const yes: Answer = { accepted: true, why: null };
const late: Answer = { accepted: false, why: 'this attempt is over' };

export function createFinisher(parts: FinisherParts): Finisher {
  const { db, mesh, log } = parts;
  return { report, continue: proceed, over: async (attempt) => over(attempt, await runContext(db, attempt.id)) };

  async function report(r: Report, from: string): Promise<Answer> {
    if (!(await mayReport(r, from))) {
      log.warn({ event: r.event, attempt: r.attempt, from }, 'a node reported an attempt that is not its own; it was not believed');
      return late;
    }
    switch (r.event) {
      case 'encoded':
        return encoded(r);
      case 'failed':
        if (isOtherFile(r.reason.code)) return changedMeanwhile(r);
        if (isOutside(r.reason.code)) return ended(r, () => releaseAttempt(db, runOf(r), r.reason as Reason, OUTSIDE_SECONDS));
        return ended(r, () =>
          failed(r, {
            reason: r.reason as Reason,
            retry: r.retry,
            encoder: r.encoder,
            command: r.command,
            stderrTail: r.stderrTail,
          }),
        );
      case 'cancelled':
        return ended(r, () => cancelAttempt(db, runOf(r), { code: 'cancelled-by-person' }));
      case 'released':
        return ended(r, () => giveBack(db, runOf(r), r.reason as Reason));
      case 'verified':
        return verified(r);
      case 'not-verified':
        return notVerified(r);
      case 'replaced':
        return replaced(r);
      case 'not-replaced':
        return notVerified(r);
      case 'restored':
      case 'not-restored':
      case 'expired':
        return parts.restored(r);
    }
  }

  /** What the trash reports is about an attempt that ended long ago: its keeper may be another machine today, but a keeper. */
  async function mayReport(r: Report, from: string): Promise<boolean> {
    const attempt = await readAttempt(db, r.attempt);
    if (!attempt) return true;
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
        const context = await runContext(db, r.attempt);
        return !context || (await listNodeRoots(db, from)).some((root) => root.rootId === context.rootId && root.provedAt !== null);
      }
    }
  }

  async function encoded(r: Of<'encoded'>): Promise<Answer> {
    const facts = {
      outputBytes: r.output.sizeBytes,
      sha256: r.output.sha256,
      encoder: r.encoder,
      command: r.command,
      stderrTail: r.stderrTail,
      stats: { ...r.stats, frames: r.output.frames },
    };
    const attempt = await saveEncoded(db, runOf(r), facts, lease());
    if (!attempt) return refuse(r);
    await remember(r, attempt);
    changed(r.job);
    void proceed(attempt);
    return yes;
  }

  /** How fast that node is decides who gets the last films of a queue; which setting met the goal, where its next search begins. */
  async function remember(r: Of<'encoded'>, attempt: Attempt): Promise<void> {
    const context = await runContext(db, r.attempt);
    if (context) await keepFinding(db, { nodeId: attempt.nodeId, encoder: r.encoder, stats: r.stats }, context);
    const film = context?.probe.streams.find((stream) => stream.kind === 'video') ?? null;
    const speed = speedOf(film, r.output.frames, r.stats['encodeMs']);
    if (speed !== null && r.encoder !== 'copy') await recordSpeed(db, attempt.nodeId, r.encoder, speed);
  }

  async function verified(r: Of<'verified'>): Promise<Answer> {
    const verdict = r.verdict as unknown as Verdict;
    const saved = await saveVerdict(
      db,
      runOf(r),
      { verdict, outputProbe: r.outputProbe as unknown as Probe | null, outputBytes: r.outputBytes },
      lease(),
    );
    if (!saved) return refuse(r);
    if (r.pictures && saved.keeperId) await savePictures(db, r.attempt, saved.keeperId, r.pictures);
    if (!verdict.accepted) return rejected(r, verdict, saved);
    const replacing = await advance(db, runOf(r), ['verifying'], 'replacing', lease());
    if (!replacing) return refuse(r);
    changed(r.job);
    void proceed(replacing);
    return yes;
  }

  /** Too little saved: the file is as small as it gets. Anything else might have been this run's bad luck: once more. */
  async function rejected(r: Of<'verified'>, verdict: Extract<Verdict, { accepted: false }>, attempt: Attempt): Promise<Answer> {
    const { code } = verdict.reason;
    const context = await runContext(db, r.attempt);
    const final = code === 'small-saving' || code === 'not-smaller' || (context?.failures ?? 0) >= 1;
    if (reasonEntry(code).kind === 'hold') await holdAttempt(db, runOf(r), verdict.reason);
    else if (final)
      await completeKept(db, runOf(r), {
        reason: verdict.reason,
        verdict,
        activity: { kind: 'kept', severity: code === 'small-saving' || code === 'not-smaller' ? 0 : 1, params: { reason: verdict.reason } },
      });
    else await failed(r, { reason: verdict.reason, retry: true });
    await over(attempt, context);
    changed(r.job);
    return yes;
  }

  async function notVerified(r: Of<'not-verified'> | Of<'not-replaced'>): Promise<Answer> {
    const reason = r.reason as Reason;
    const attempt = await readAttempt(db, r.attempt);
    if (isOtherFile(reason.code)) return changedMeanwhile(r);
    if (reason.code === 'cancelled-by-person') return settle(r, await cancelAttempt(db, runOf(r), reason), attempt);
    if (reason.code === 'shut-down') return yes;
    if (reason.code === 'keeper-away' && attempt && (await isGoneForGood(attempt.nodeId)))
      return settle(r, await releaseAttempt(db, runOf(r), reason), attempt);
    if (isOutside(reason.code) || reason.code === 'disk-full') {
      const waits = await awaitOutside(db, runOf(r), reason, lease());
      if (waits) changed(r.job);
      return waits ? yes : refuse(r);
    }
    if (reasonEntry(reason.code).kind === 'hold') {
      const held = await holdAttempt(db, runOf(r), reason);
      if (held && attempt) await over(attempt, await runContext(db, r.attempt));
      changed(r.job);
      return held ? yes : late;
    }
    return settle(r, await failed(r, { reason, retry: r.retry }), attempt);
  }

  /** The node that holds an output was silent for a day: its hours of work are given up, and the film is encoded anew. */
  async function isGoneForGood(nodeId: string): Promise<boolean> {
    const node = await readNode(db, nodeId);
    return !node || node.standing !== 'approved' || Date.now() - node.lastSeenAt.getTime() > 86_400_000;
  }

  /** What was planned is not what stands there now: no failure; the file is looked at again. */
  async function changedMeanwhile(r: Of<'failed'> | Of<'not-verified'> | Of<'not-replaced'>): Promise<Answer> {
    const attempt = await readAttempt(db, r.attempt);
    const gone = r.reason.code === 'missing';
    const run = await cancelAttempt(db, runOf(r), gone ? { code: 'original-gone' } : (r.reason as Reason));
    if (run) {
      await setStatus(db, [run.fileId], 'new', null);
      parts.lookAgain(run.libraryId);
    }
    return settle(r, run, attempt);
  }

  async function replaced(r: Of<'replaced'>): Promise<Answer> {
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
    const done = await completeReplaced(db, runOf(r), {
      path: r.path,
      fingerprint,
      probe: r.probe as unknown as Probe | null,
      original,
      retentionSeconds: Math.round(parts.settings()['trash.keepDays'] * 86_400),
      reason: { code: 'replaced', params: { saved } },
      activity: {
        kind: 'replaced',
        params: { title: context?.title ?? '', before: original.fingerprint.sizeBytes, after: fingerprint.sizeBytes },
      },
    });
    if (attempt) await over(attempt, context);
    changed(r.job);
    return done ? yes : late;
  }

  /** The run failed; when no further try follows, that is a part of the story. */
  async function failed(r: Report, failure: Parameters<typeof failAttempt>[2]): Promise<EndedRun | null> {
    const run = await failAttempt(db, runOf(r), failure);
    if (run?.state === 'failed')
      await addActivity(db, { kind: 'failed', severity: 2, jobId: run.jobId, nodeId: run.nodeId, params: { reason: failure.reason } });
    return run;
  }

  /** A run that ended before there was an output to check. */
  async function ended(r: Report, end: () => Promise<EndedRun | null>): Promise<Answer> {
    const run = await end();
    if (!run) return refuse(r);
    changed(run.jobId);
    if (run.state === 'available' && !run.retryAt) parts.offer();
    return yes;
  }

  async function settle(r: Report, run: EndedRun | null, attempt: Attempt | null): Promise<Answer> {
    if (attempt) await over(attempt, await runContext(db, r.attempt));
    changed(r.job);
    return run ? yes : late;
  }

  async function refuse(r: Report): Promise<Answer> {
    const attempt = await readAttempt(db, r.attempt);
    if (attempt?.endedAt) await over(attempt, await runContext(db, r.attempt));
    return late;
  }

  async function proceed(attempt: Attempt): Promise<void> {
    try {
      const context = await runContext(db, attempt.id);
      if (!context || !attempt.keeperId) return;
      if (attempt.state === 'delivering' || attempt.state === 'verifying') await grantVerify(attempt, context);
      if (attempt.state === 'replacing') await grantReplace(attempt, context);
    } catch (error) {
      log.info({ attempt: attempt.id, why: messageOf(error) }, 'the keeper could not be asked; it will be asked again');
    }
  }

  async function grantVerify(attempt: Attempt, context: RunContext): Promise<void> {
    const run = { jobId: attempt.jobId, attemptId: attempt.id };
    const verifying = await advance(db, run, ['delivering', 'verifying'], 'verifying', lease());
    if (!verifying) return;
    await mesh.request(attempt.keeperId!, 'grant', {
      op: 'verify',
      ...ids(attempt),
      root: context.rootId,
      path: context.path,
      fingerprint: context.fingerprint,
      probe: context.probe as unknown as Record<string, unknown>,
      plan: context.plan as unknown as Record<string, unknown>,
      profile: context.profile as unknown as Record<string, unknown>,
      output: {
        node: attempt.nodeId,
        sizeBytes: attempt.outputBytes!,
        sha256: attempt.sha256!,
        frames: typeof attempt.stats['frames'] === 'number' ? attempt.stats['frames'] : null,
      },
      ticket: parts.tickets.output({
        job: attempt.jobId,
        attempt: attempt.id,
        holder: attempt.nodeId,
        reader: attempt.keeperId!,
        extension: context.plan.extension,
        sizeBytes: attempt.outputBytes!,
        sha256: attempt.sha256!,
      }),
      timeoutSeconds: parts.settings()['verify.timeoutMinutes'] * 60,
    });
  }

  async function grantReplace(attempt: Attempt, context: RunContext): Promise<void> {
    const target = targetPath(context.path, context.plan.extension);
    await mesh.request(attempt.keeperId!, 'grant', {
      op: 'replace',
      ...ids(attempt),
      root: context.rootId,
      path: context.path,
      target,
      fingerprint: context.fingerprint,
      sha256: attempt.sha256!,
      hardLinked: context.profile.hardLinked,
    });
  }

  /** The attempt is over: keeper and worker throw away what they still hold of it. Lost messages are made good by hello. */
  async function over(attempt: Attempt, context: RunContext | null): Promise<void> {
    const quiet = (error: unknown): void =>
      log.debug({ attempt: attempt.id, why: messageOf(error) }, 'a node could not be told that an attempt is over');
    if (context && attempt.keeperId)
      await mesh
        .request(attempt.keeperId, 'grant', { op: 'discard', ...ids(attempt), root: context.rootId, path: context.path })
        .catch(quiet);
    await mesh.request(attempt.nodeId, 'control', { term: parts.term, attempt: attempt.id, want: 'forget' }).catch(quiet);
  }

  function ids(attempt: Attempt): { term: number; job: number; attempt: number } {
    return { term: parts.term, job: attempt.jobId, attempt: attempt.id };
  }

  function lease(): number {
    return parts.settings()['jobs.leaseSeconds'];
  }

  function changed(jobId: number): void {
    parts.events.emit('job.changed', { jobId, fileId: null, libraryId: null });
  }
}

function isOtherFile(code: string): boolean {
  return code === 'file-changed' || code === 'original-gone' || code === 'missing';
}

/** Nobody's failure, and over as soon as the disk is back or has room. */
function isOutside(code: string): boolean {
  return code === 'root-not-mounted' || code === 'keeper-away' || code === 'no-space' || code === 'in-use';
}

/** What expires later is deleted: nobody may name the place of another original. */
function isOwnTrash(trashPath: string, attempt: number): boolean {
  const parts = trashPath.split('/');
  const at = parts.lastIndexOf('.codecshift');
  return at >= 0 && parts[at + 1] === 'trash' && new RegExp(`^${attempt}(-\\d+)?$`).test(parts[at + 3] ?? '');
}

function runOf(r: Report): { jobId: number; attemptId: number } {
  return { jobId: r.job, attemptId: r.attempt };
}
