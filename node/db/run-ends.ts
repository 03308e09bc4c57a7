import { retryDelaySeconds, type JobState } from '../core/job.ts';
import type { Reason } from '../core/reasons.ts';
import type { Run } from './claims.ts';
import type { Queryable } from './connect.ts';
import { json, tail } from './values.ts';

/**
 * How runs end otherwise than with an output: lost, failed, given back, cancelled, held for a person. All but the last end by
 * the same statement, so that job, attempt, file and the day's numbers never say different things of one end.
 */
export interface EndedRun extends Run {
  state: JobState;
  retryAt: Date | null;
  failures: number;
  nodeId: string;
  fileId: number;
  libraryId: number;
}

/**
 * Runs whose lease ended are lost; their jobs wait again after a back-off, or fail after too many failures. A run that is
 * replacing its original is never declared lost: only its keeper knows how far the swap came, and is asked until it says so.
 */
export function reapExpired(q: Queryable, reason: Reason, asOf: Date | null = null): Promise<EndedRun[]> {
  return q.query<EndedRun>(
    `with ended as materialized (
       select j.id, j.attempt_id from jobs j join attempts a on a.id = j.attempt_id
        where j.state = 'running' and j.lease_until < coalesce($3::timestamptz, now()) and a.state <> 'replacing'
        order by j.lease_until limit 100 for update of j skip locked
     ), ${endRuns({ attemptState: `'lost'`, counts: true, retry: 'true', delays: '$1', reason: '$2', details: '' })}`,
    [delays(), json(reason), asOf],
  );
}

export interface Failure {
  reason: Reason;
  /** false: trying again cannot help, for example a damaged source */
  retry: boolean;
  encoder?: string | null;
  device?: string | null;
  command?: string[] | null;
  stderrTail?: string | null;
}

/** An attempt failed. Its job waits again after a back-off, or fails for good. Null when the attempt is not the current one. */
export async function failAttempt(q: Queryable, run: Run, failure: Failure): Promise<EndedRun | null> {
  const rows = await q.query<EndedRun>(
    `with ended as materialized (
       select id, attempt_id from jobs where id = $3 and attempt_id = $4 and state = 'running' for update
     ), ${endRuns({ attemptState: `'failed'`, counts: true, retry: '$5', delays: '$1', reason: '$2', details: ', encoder = coalesce($6, a.encoder), command = coalesce($7::jsonb, a.command), stderr_tail = coalesce($8, a.stderr_tail), stats = a.stats || $9::jsonb' })}`,
    [
      delays(),
      json(failure.reason),
      run.jobId,
      run.attemptId,
      failure.retry,
      failure.encoder ?? null,
      json(failure.command ?? null),
      tail(failure.stderrTail ?? null, 32_768),
      json(failure.device == null ? {} : { device: failure.device }),
    ],
  );
  return rows[0] ?? null;
}

/** The node gives the job back (it stops, or has no room): no failure is counted. It waits `delaySeconds` before the next claim. */
export async function releaseAttempt(q: Queryable, run: Run, reason: Reason, delaySeconds = 0): Promise<EndedRun | null> {
  const rows = await q.query<EndedRun>(
    `with ended as materialized (
       select id, attempt_id from jobs where id = $3 and attempt_id = $4 and state = 'running' for update
     ), ${endRuns({ attemptState: `'cancelled'`, counts: false, retry: 'true', delays: '$1', reason: '$2', details: '' })}`,
    [[delaySeconds], json(reason), run.jobId, run.attemptId],
  );
  return rows[0] ?? null;
}

/** The worker stopped because it was asked to: job and attempt are cancelled. Null when the attempt is not the current one. */
export async function cancelAttempt(q: Queryable, run: Run, reason: Reason): Promise<EndedRun | null> {
  const rows = await q.query<EndedRun>(
    `with ended as materialized (
       select id, attempt_id from jobs where id = $3 and attempt_id = $4 and state = 'running' for update
     ), ${endRuns({ attemptState: `'cancelled'`, counts: false, retry: 'true', delays: '$1', reason: '$2', details: '', cancel: true })}`,
    [[0], json(reason), run.jobId, run.attemptId],
  );
  return rows[0] ?? null;
}

/** An attempt ended in a way that needs a person: its job is held with this reason until somebody decides. */
export async function holdAttempt(q: Queryable, run: Run, reason: Reason): Promise<boolean> {
  const rows = await q.query(
    `with held as (
       update jobs set state = 'held', reason = $3, node_id = null, lease_until = null, cancel_requested = false, paused = false
        where id = $1 and attempt_id = $2 and state = 'running' returning attempt_id
     ), ended as (
       update attempts a set state = 'failed', reason = $3, ended_at = now() from held h where a.id = h.attempt_id
     )
     select 1 from held`,
    [run.jobId, run.attemptId, json(reason)],
  );
  return rows.length > 0;
}

/** The back-off of each failure, with one jitter for the statement: the database knows the count, core the rule. */
function delays(): number[] {
  const random = Math.random();
  return Array.from({ length: 20 }, (_, i) => retryDelaySeconds(i + 1, random));
}

interface Ending {
  attemptState: string;
  counts: boolean;
  retry: string;
  delays: string;
  reason: string;
  details: string;
  cancel?: boolean;
}

/**
 * The common end of a run, as CTEs after `ended(id, attempt_id)`: the job waits again, fails or is cancelled (when a
 * person had asked for it, with the person's reason), its attempt is closed, its file follows a final end, the day counts it.
 */
function endRuns(how: Ending): string {
  const again = `(${how.retry}::boolean and j.failures + ${how.counts ? 1 : 0} < j.max_failures)`;
  const cancel = how.cancel ? 'true' : 'j.cancel_requested';
  return `changed as (
       update jobs j set
         failures = j.failures + ${how.counts ? `case when ${cancel} then 0 else 1 end` : '0'},
         state = case when ${cancel} then 'cancelled' when ${again} then 'available' else 'failed' end,
         retry_at = case when not ${cancel} and ${again} and ${delayOf(how)} > 0 then now() + make_interval(secs => ${delayOf(how)}) end,
         finished_at = case when ${cancel} or not ${again} then now() end,
         reason = case when j.cancel_requested then coalesce(j.reason, ${how.reason}::jsonb) else ${how.reason}::jsonb end,
         node_id = null, lease_until = null, cancel_requested = false, paused = false
        from ended e where j.id = e.id
       returning j.id, j.attempt_id, j.state, j.retry_at, j.failures, j.file_id, j.library_id, j.reason
     ), closed as (
       update attempts a set state = case when c.state = 'cancelled' then 'cancelled' else ${how.attemptState} end, ended_at = now(),
              reason = ${how.reason}::jsonb${how.details}
         from changed c where a.id = c.attempt_id
       returning a.id, a.node_id, a.started_at
     ), file as (
       update media_files f set status = case c.state when 'failed' then 'failed' when 'cancelled' then 'skipped' else f.status end,
              reason = c.reason, updated_at = now()
         from changed c where f.id = c.file_id and c.state <> 'available' and f.status <> 'missing'
     ), day as (
       insert into stats_daily (day, node_id, failed, busy_ms)
       select (now() at time zone 'utc')::date, a.node_id, count(*) filter (where c.state = 'failed'),
              coalesce(sum((extract(epoch from now() - a.started_at) * 1000)::bigint), 0)
         from changed c join closed a on a.id = c.attempt_id group by a.node_id
       on conflict (day, node_id) do update set failed = stats_daily.failed + excluded.failed, busy_ms = stats_daily.busy_ms + excluded.busy_ms
     )
     select c.id as "jobId", c.attempt_id as "attemptId", c.state, c.retry_at as "retryAt", c.failures, a.node_id as "nodeId",
            c.file_id as "fileId", c.library_id as "libraryId"
       from changed c join closed a on a.id = c.attempt_id`;
}

function delayOf(how: Ending): string {
  const list = `${how.delays}::float8[]`;
  return `(${list})[least(j.failures + 1, cardinality(${list}))]`;
}
