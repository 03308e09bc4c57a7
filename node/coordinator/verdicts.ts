import type { Probe } from '../core/media.ts';
import { reasonEntry, type Reason } from '../core/reasons.ts';
import type { Verdict } from '../core/verdict.ts';
import { awaitOutside, readAttempt, saveVerdict, type Attempt } from '../db/attempts.ts';
import { cancelAttempt, holdAttempt, releaseAttempt } from '../db/run-ends.ts';
import { readNode } from '../db/nodes.ts';
import { addNotice } from '../db/notices.ts';
import { savePictures } from '../db/pictures.ts';
import { completeKept } from '../db/results.ts';
import { runContext } from '../db/run-context.ts';
import { isOtherFile, isOutside, late, runOf, yes, type Ends } from './ends.ts';
import type { FinisherParts, ReportAnswer, ReportOf } from './finisher.ts';
import type { Orders } from './orders.ts';
import type { SecondLook } from './second-look.ts';

type Refusal = Extract<Verdict, { accepted: false }>;

/**
 * What follows from a keeper's verdict, and from a keeper that could not give one.
 *
 *   verified: yes ─┬─▶ replacing, as soon as nobody uses the original
 *                  └─ a second look is wished, and another machine can ─▶ rechecked: yes ─▶ replacing
 *             no, too little saved ─▶ rejected, original kept
 *             no, anything else ────▶ tried once more, then kept
 */
export interface Verdicts {
  verified(r: ReportOf<'verified'>): Promise<ReportAnswer>;
  notVerified(r: ReportOf<'not-verified'> | ReportOf<'not-replaced'>): Promise<ReportAnswer>;
  /** the second look at an output that was not swapped yet */
  rechecked(r: ReportOf<'rechecked'>, attempt: Attempt): Promise<ReportAnswer>;
  notRechecked(r: ReportOf<'not-rechecked'>, attempt: Attempt): Promise<ReportAnswer>;
}

export function createVerdicts(parts: FinisherParts, { orders, ends, look }: { orders: Orders; ends: Ends; look: SecondLook }): Verdicts {
  const { db } = parts;
  return { verified, notVerified, rechecked, notRechecked };

  async function verified(r: ReportOf<'verified'>): Promise<ReportAnswer> {
    const verdict = r.verdict as unknown as Verdict;
    const facts = { verdict, outputProbe: r.outputProbe as unknown as Probe | null, outputBytes: r.outputBytes };
    const saved = await saveVerdict(db, runOf(r), facts, lease());
    if (!saved) return ends.refuse(r);
    if (r.pictures && saved.keeperId) await savePictures(db, r.attempt, saved.keeperId, r.pictures);
    if (!verdict.accepted) return rejected(r, verdict, saved);
    const context = await runContext(db, r.attempt);
    const waiting = context && (await look.begin(saved, context));
    if (waiting) return (ends.changed(r.job), yes);
    return replace(r);
  }

  async function replace(r: ReportOf<'verified'> | ReportOf<'rechecked'> | ReportOf<'not-rechecked'>): Promise<ReportAnswer> {
    const attempt = await readAttempt(db, r.attempt);
    const goesOn = attempt !== null && (await orders.replace(attempt));
    if (!goesOn) return ends.refuse(r);
    ends.changed(r.job);
    return yes;
  }

  async function rechecked(r: ReportOf<'rechecked'>, attempt: Attempt): Promise<ReportAnswer> {
    const verdict = r.verdict as unknown as Verdict;
    if (attempt.state !== 'verifying') return late;
    const told = await look.told(attempt, verdict);
    return told.accepted ? replace(r) : rejected(r, told, attempt);
  }

  async function notRechecked(r: ReportOf<'not-rechecked'>, attempt: Attempt): Promise<ReportAnswer> {
    if (attempt.state !== 'verifying') return late;
    const context = await runContext(db, r.attempt);
    if (!context) return late;
    const trouble = await look.failed(attempt, context, r.reason as Reason);
    if (trouble === 'asked another') return yes;
    if (trouble === 'nobody could') return replace(r);
    const held = await hold(r, trouble);
    if (held) await orders.over(attempt, context);
    ends.changed(r.job);
    return held ? yes : late;
  }

  /** Too little saved: the file is as small as it gets. Anything else might have been this run's bad luck: once more. */
  async function rejected(r: ReportOf<'verified'> | ReportOf<'rechecked'>, verdict: Refusal, attempt: Attempt): Promise<ReportAnswer> {
    const { code } = verdict.reason;
    const context = await runContext(db, r.attempt);
    const final = code === 'small-saving' || code === 'not-smaller' || (context?.failures ?? 0) >= 1;
    if (reasonEntry(code).kind === 'hold') await hold(r, verdict.reason);
    else if (final)
      await completeKept(db, runOf(r), {
        reason: verdict.reason,
        verdict,
        activity: { kind: 'kept', severity: code === 'small-saving' || code === 'not-smaller' ? 0 : 1, params: { reason: verdict.reason } },
      });
    else await ends.failed(r, { reason: verdict.reason, retry: true });
    await orders.over(attempt, context);
    await parts.badOutput?.(attempt, code);
    ends.changed(r.job);
    return yes;
  }

  async function notVerified(r: ReportOf<'not-verified'> | ReportOf<'not-replaced'>): Promise<ReportAnswer> {
    const reason = r.reason as Reason;
    const attempt = await readAttempt(db, r.attempt);
    if (isOtherFile(reason.code)) return ends.changedMeanwhile(r);
    if (reason.code === 'cancelled-by-person') return ends.settle(r, await cancelAttempt(db, runOf(r), reason), attempt);
    if (reason.code === 'shut-down') return yes;
    if (reason.code === 'keeper-away' && attempt && (await isGoneForGood(attempt.nodeId)))
      return ends.settle(r, await releaseAttempt(db, runOf(r), reason), attempt);
    if (isOutside(reason.code) || reason.code === 'disk-full') {
      const waits = await awaitOutside(db, runOf(r), reason, lease());
      if (waits) ends.changed(r.job);
      return waits ? yes : ends.refuse(r);
    }
    if (reasonEntry(reason.code).kind === 'hold') {
      const held = await hold(r, reason);
      if (held && attempt) await orders.over(attempt, await runContext(db, r.attempt));
      ends.changed(r.job);
      return held ? yes : late;
    }
    return ends.settle(r, await ends.failed(r, { reason, retry: r.retry }), attempt);
  }

  /** The node that holds an output was silent for a day: its hours of work are given up, and the film is encoded anew. */
  async function isGoneForGood(nodeId: string): Promise<boolean> {
    const node = await readNode(db, nodeId);
    return !node || node.standing !== 'approved' || Date.now() - node.lastSeenAt.getTime() > 86_400_000;
  }

  /** It needs a person, who is told in the same transaction. */
  function hold(
    r: ReportOf<'verified'> | ReportOf<'rechecked'> | ReportOf<'not-rechecked'> | ReportOf<'not-verified'> | ReportOf<'not-replaced'>,
    reason: Reason,
  ): Promise<boolean> {
    return db.tx(async (q) => {
      const held = await holdAttempt(q, runOf(r), reason);
      const title = held ? ((await runContext(q, r.attempt))?.title ?? '') : '';
      if (held) await addNotice(q, { event: 'replace.blocked', item: { title, jobId: r.job, reason } });
      return held;
    });
  }

  function lease(): number {
    return parts.settings()['jobs.leaseSeconds'];
  }
}
