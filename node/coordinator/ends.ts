import { triesAnother } from '../core/fallback.ts';
import type { Reason } from '../core/reasons.ts';
import { addActivity } from '../db/activity.ts';
import { readAttempt, type Attempt } from '../db/attempts.ts';
import { cancelAttempt, failAttempt, type EndedRun } from '../db/run-ends.ts';
import type { Queryable } from '../db/connect.ts';
import { setStatus } from '../db/file-standing.ts';
import { completeKept } from '../db/results.ts';
import { runContext } from '../db/run-context.ts';
import type { Report, ReportAnswer, ReportOf, FinisherParts } from './finisher.ts';
import type { Orders } from './orders.ts';

export const yes: ReportAnswer = { accepted: true, why: null };
export const late: ReportAnswer = { accepted: false, why: 'this attempt is over' };

/** The ways in which an attempt ends without a new file, and what follows from each. */
export interface Ends {
  /** the run failed; when no further try follows, that is a part of the story */
  failed(r: Report, failure: Parameters<typeof failAttempt>[2]): Promise<EndedRun | null>;
  /** its copy grew past what is worth it: nothing broke, the original is kept, and another try would end the same way */
  outgrown(r: ReportOf<'failed'>): Promise<ReportAnswer>;
  /** a run that ended before there was an output to check */
  before(r: Report, end: () => Promise<EndedRun | null>): Promise<ReportAnswer>;
  /** what was planned is not what stands there now: no failure; the file is looked at again */
  changedMeanwhile(r: ReportOf<'failed'> | ReportOf<'not-verified'> | ReportOf<'not-replaced'>): Promise<ReportAnswer>;
  /** the attempt ended after its encode: keeper and worker throw away what they hold of it */
  settle(r: Report, run: EndedRun | null, attempt: Attempt | null): Promise<ReportAnswer>;
  /** a report that is not wanted (any more) */
  refuse(r: Report): Promise<ReportAnswer>;
  changed(jobId: number): void;
}

export function createEnds(parts: FinisherParts, orders: Orders): Ends {
  const { db } = parts;
  return { failed, outgrown, before, changedMeanwhile, settle, refuse, changed };

  /** One transaction: a job that ended and nobody was told would be a failure that nobody looks at. */
  function failed(r: Report, failure: Parameters<typeof failAttempt>[2]): Promise<EndedRun | null> {
    return db.tx((q) => failedIn(q, r, failure));
  }

  async function failedIn(q: Queryable, r: Report, failure: Parameters<typeof failAttempt>[2]): Promise<EndedRun | null> {
    const run = await failAttempt(q, runOf(r), failure);
    // the next try uses another encoder where it may: nobody shall have to find that out from a slow queue
    if (run?.state === 'available' && r.event === 'failed' && r.device != null && triesAnother(failure.reason.code)) {
      const params = { reason: failure.reason, encoder: r.encoder };
      await addActivity(q, { kind: 'encoder-failed', severity: 1, jobId: run.jobId, nodeId: run.nodeId, params });
    }
    if (run?.state === 'failed')
      await addActivity(q, { kind: 'failed', severity: 2, jobId: run.jobId, nodeId: run.nodeId, params: { reason: failure.reason } });
    return run;
  }

  async function outgrown(r: ReportOf<'failed'>): Promise<ReportAnswer> {
    const reason = r.reason as Reason;
    const { encoder, command, stderrTail } = r;
    const activity = { kind: 'kept' as const, severity: 0 as const, params: { reason } };
    if (!(await completeKept(db, runOf(r), { reason, verdict: null, activity, by: { encoder, command, stderrTail } }))) return refuse(r);
    changed(r.job);
    return yes;
  }

  async function before(r: Report, end: () => Promise<EndedRun | null>): Promise<ReportAnswer> {
    const run = await end();
    if (!run) return refuse(r);
    changed(run.jobId);
    if (run.state === 'available' && !run.retryAt) parts.offer();
    return yes;
  }

  async function changedMeanwhile(r: ReportOf<'failed'> | ReportOf<'not-verified'> | ReportOf<'not-replaced'>): Promise<ReportAnswer> {
    const attempt = await readAttempt(db, r.attempt);
    const gone = r.reason.code === 'missing';
    const run = await cancelAttempt(db, runOf(r), gone ? { code: 'original-gone' } : (r.reason as Reason));
    if (run) {
      await setStatus(db, [run.fileId], 'new', null);
      parts.lookAgain(run.libraryId);
    }
    return settle(r, run, attempt);
  }

  async function settle(r: Report, run: EndedRun | null, attempt: Attempt | null): Promise<ReportAnswer> {
    if (attempt) await orders.over(attempt, await runContext(db, r.attempt));
    changed(r.job);
    return run ? yes : late;
  }

  async function refuse(r: Report): Promise<ReportAnswer> {
    const attempt = await readAttempt(db, r.attempt);
    if (attempt?.endedAt) await orders.over(attempt, await runContext(db, r.attempt));
    return late;
  }

  function changed(jobId: number): void {
    parts.events.emit('job.changed', { jobId, fileId: null, libraryId: null });
  }
}

export function runOf(r: Report): { jobId: number; attemptId: number } {
  return { jobId: r.job, attemptId: r.attempt };
}

export function isOtherFile(code: string): boolean {
  return code === 'file-changed' || code === 'original-gone' || code === 'missing';
}

/** Nobody's failure, and over as soon as the disk is back or has room. */
export function isOutside(code: string): boolean {
  // the queue gave it to a machine that lost its encoder a moment ago
  if (code === 'no-encoder' || code === 'no-hardware-encoder') return true;
  return ['root-not-mounted', 'keeper-away', 'no-space', 'in-use', 'ffmpeg-refused', 'swap-unfinished'].includes(code);
}
