import * as v from 'valibot';
import { priorities } from '../../core/job.ts';
import type { JobDetail, JobRow } from '../../db/job-lists.ts';
import type { Progress } from '../../events.ts';
import type { WhereView } from '../models/job-where.ts';
import { bytes, maybe, maybeReason, maybeTime, open, reasonJson, time } from './answers.ts';

/** A job as the API tells of it. */

const progressAnswer = v.strictObject({
  phase: v.picklist(['fetching', 'waiting', 'encoding', 'delivering', 'verifying', 'replacing']),
  percent: v.number(),
  fps: maybe.number,
  speed: v.pipe(maybe.number, v.description('times the speed of the film')),
  leftMs: maybe.number,
  heldBack: v.pipe(maybeReason, v.description('why it stands still, where no person paused it')),
});

const entries = {
  id: v.number(),
  fileId: v.number(),
  libraryId: v.number(),
  libraryName: v.string(),
  libraryRests: v.pipe(
    v.nullable(v.picklist(['off', 'looking'])),
    v.description('its library is switched off, or only looked at: nothing of it runs'),
  ),
  title: v.string(),
  detail: v.string(),
  path: v.string(),
  container: maybe.text,
  codec: maybe.text,
  width: maybe.number,
  height: maybe.number,
  hdr: maybe.text,
  durationMs: maybe.number,
  action: v.picklist(['remux', 'transcode']),
  state: v.picklist(['available', 'running', 'completed', 'failed', 'cancelled', 'held']),
  outcome: v.nullable(v.picklist(['replaced', 'kept', 'restored'])),
  retryAt: maybeTime,
  failures: v.number(),
  maxFailures: v.number(),
  cancelRequested: v.boolean(),
  paused: v.boolean(),
  inputBytes: bytes,
  expectedBytes: bytes,
  outputBytes: v.nullable(bytes),
  createdAt: time,
  startedAt: maybeTime,
  finishedAt: maybeTime,
  attemptState: v.nullable(
    v.picklist(['running', 'delivering', 'verifying', 'replacing', 'succeeded', 'failed', 'lost', 'rejected', 'cancelled']),
  ),
  nodeId: maybe.text,
  nodeName: maybe.text,
  encoder: maybe.text,
  priority: v.picklist(priorities),
  reason: v.pipe(maybeReason, v.description('what went wrong, or how it ended')),
  why: v.pipe(maybeReason, v.description('why it is in the queue at all')),
  progress: v.nullable(progressAnswer),
};

export const jobAnswer = v.strictObject(entries);

export const jobDetailAnswer = v.strictObject({
  ...entries,
  where: v.pipe(
    v.array(v.strictObject({ node: v.string(), name: v.string(), can: v.boolean(), text: v.string() })),
    v.description('of a waiting job: on which machines it can run, and why not on the others'),
  ),
  plan: open('what becomes of each stream'),
  profile: open('the wishes that it was made with'),
  attempts: v.array(
    v.strictObject({
      id: v.number(),
      jobId: v.number(),
      nodeId: v.string(),
      keeperId: maybe.text,
      lookerId: maybe.text,
      number: v.number(),
      state: v.string(),
      encoder: maybe.text,
      command: v.nullable(v.array(v.string())),
      stderrTail: maybe.text,
      outputBytes: v.nullable(bytes),
      sha256: maybe.text,
      verdict: v.nullable(open('what was checked of the output, and what came of it')),
      startedAt: time,
      encodedAt: maybeTime,
      endedAt: maybeTime,
      readyAt: v.pipe(maybeTime, v.description('all of it was checked then; since, it waits until nobody uses the original')),
      reason: maybeReason,
    }),
  ),
});

type Job = Omit<JobRow, 'class' | 'rank' | 'leaseUntil' | 'attemptId'>;

export function jobJson(row: JobRow, progress: Progress | null) {
  const { class: _class, rank: _rank, leaseUntil: _lease, attemptId: _attempt, ...job } = row;
  return withWords(job, progress);
}

export function jobDetailJson(detail: JobDetail, progress: Progress | null, { where }: WhereView) {
  const { file: _file, class: _class, rank: _rank, leaseUntil: _lease, attemptId: _attempt, attempts, plan, profile, ...job } = detail;
  return {
    ...withWords(job, progress),
    where,
    plan,
    profile,
    attempts: attempts.map(({ term: _term, outputProbe: _probe, stats: _stats, ...attempt }) => ({
      ...attempt,
      reason: reasonJson(attempt.reason),
    })),
  };
}

function withWords({ priority, reason, planReason, ...job }: Job, progress: Progress | null) {
  return {
    ...job,
    priority: priorities[priority] ?? ('normal' as const),
    reason: reasonJson(reason),
    why: reasonJson(planReason),
    progress: progress && job.state === 'running' ? progressJson(progress) : null,
  };
}

export function progressJson({ phase, percent, fps, speed, leftMs, why }: Progress) {
  return { phase, percent, fps, speed, leftMs, heldBack: reasonJson(why ?? null) };
}
