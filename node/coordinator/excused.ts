import type { Reason } from '../core/reasons.ts';
import { listForJob } from '../db/attempts.ts';
import type { Run } from '../db/claims.ts';
import { failAttempt, releaseAttempt, type EndedRun } from '../db/run-ends.ts';
import type { Database } from '../db/connect.ts';

/**
 * A worker gives a job back. A run that a pause or a sleep of its machine broke is nobody's failure, but a job is
 * excused like that only a few times: what fails after every pause may be the film after all.
 */
export async function giveBack(db: Database, run: Run, reason: Reason): Promise<EndedRun | null> {
  if (!excuses.has(reason.code)) return releaseAttempt(db, run, reason);
  const before = (await listForJob(db, run.jobId)).filter((attempt) => attempt.reason && excuses.has(attempt.reason.code)).length;
  if (before >= MOST_EXCUSES) return failAttempt(db, run, { reason, retry: true });
  return releaseAttempt(db, run, reason, RECOVERY_SECONDS);
}

const excuses = new Set<string>(['session-lost', 'machine-slept']);
const MOST_EXCUSES = 3;
/** A driver, or a disk of the network, needs a moment after its machine woke up. */
const RECOVERY_SECONDS = 30;
