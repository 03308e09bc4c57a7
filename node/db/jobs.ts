import { pinRank, priorities, type AttemptState, type JobState, type Priority } from '../core/job.ts';
import type { JobSelection, QueueFilter } from '../core/commands.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Reason } from '../core/reasons.ts';
import type { FileStatus } from '../core/job.ts';
import type { Queryable } from './connect.ts';
import { likePattern, searchSql } from './file-lists.ts';
import { json, text } from './values.ts';

/**
 * Jobs as the coordinator and people change them while they wait. Runs are in claims.ts, ends in results.ts, lists in
 * job-lists.ts.
 *
 *   available ──claim──▶ running ──▶ completed · failed · cancelled
 *      ▲ └─ retry_at: not before         │
 *      └────────── unhold ── held ◀──────┘
 */
export interface NewJob {
  fileId: number;
  class: number;
  /** 0 high, 1 normal, 2 low */
  priority: number;
  /** lower first inside a priority: `savingRank` of core/job.ts */
  rank: number;
  plan: WorkPlan;
  profile: Profile;
  inputBytes: number;
  expectedBytes: number;
  maxFailures?: number;
}

export interface EnqueuedJob {
  jobId: number;
  fileId: number;
}

/**
 * Queues jobs and marks their files as queued, in one statement per 1,000. A file that already has a live job, was
 * excluded by a person, or is missing gets none: doing it twice does no harm. Returns the jobs that were made.
 */
export async function enqueue(q: Queryable, jobs: NewJob[]): Promise<EnqueuedJob[]> {
  const made: EnqueuedJob[] = [];
  for (let i = 0; i < jobs.length; i += 1000) made.push(...(await enqueueBatch(q, jobs.slice(i, i + 1000))));
  return made;
}

function enqueueBatch(q: Queryable, jobs: NewJob[]): Promise<EnqueuedJob[]> {
  return q.query<EnqueuedJob>(
    `with said as (
       select * from unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::jsonb[], $6::jsonb[], $7::bigint[], $8::bigint[], $9::smallint[])
         as s(file_id, class, priority, rank, plan, profile, input_bytes, expected_bytes, max_failures)
     ), made as (
       insert into jobs (file_id, library_id, class, priority, rank, plan, profile, input_bytes, expected_bytes, max_failures)
       select s.file_id, f.library_id, s.class, s.priority, s.rank, s.plan, s.profile, s.input_bytes, s.expected_bytes, s.max_failures
         from said s join media_files f on f.id = s.file_id and f.excluded_by is null and f.status <> 'missing'
       on conflict (file_id) where state in ('available', 'running', 'held') do nothing
       returning id, file_id, expected_bytes, plan
     ), marked as (
       update media_files f set status = 'queued', reason = m.plan -> 'reason', expected_bytes = m.expected_bytes, updated_at = now()
         from made m where f.id = m.file_id
     )
     select id as "jobId", file_id as "fileId" from made`,
    [
      jobs.map((j) => j.fileId),
      jobs.map((j) => j.class),
      jobs.map((j) => j.priority),
      jobs.map((j) => j.rank),
      jobs.map((j) => json(j.plan)),
      jobs.map((j) => json(j.profile)),
      jobs.map((j) => j.inputBytes),
      jobs.map((j) => j.expectedBytes),
      jobs.map((j) => j.maxFailures ?? 3),
    ],
  );
}

export interface CancelResult {
  /** cancelled: done. running: the worker must be told, and `cancelRequested` says so unless it is too late */
  state: JobState;
  cancelRequested: boolean;
  attemptId: number | null;
  attemptState: AttemptState | null;
  nodeId: string | null;
  fileId: number;
  libraryId: number;
}

/**
 * A waiting or held job is cancelled at once and its file skipped with this reason; a running one is asked to stop, unless
 * its original is just being replaced. Null when the job is finished or unknown.
 */
export async function requestCancel(q: Queryable, jobId: number, reason: Reason): Promise<CancelResult | null> {
  const rows = await q.query<CancelResult>(
    `with changed as (
       update jobs j set
         state = case when j.state = 'running' then j.state else 'cancelled' end,
         finished_at = case when j.state = 'running' then null else now() end,
         retry_at = null,
         cancel_requested = j.state = 'running' and not swapping.now,
         reason = case when j.state = 'running' and swapping.now then j.reason else $2 end
       from (select exists (select 1 from jobs s join attempts a on a.id = s.attempt_id where s.id = $1 and a.state = 'replacing') as now) swapping
       where j.id = $1 and j.state in ('available', 'running', 'held')
       returning j.id, j.state, j.cancel_requested, j.attempt_id, j.node_id, j.file_id, j.library_id
     ), file as (
       update media_files f set status = 'skipped', reason = $2, updated_at = now()
         from changed c where f.id = c.file_id and c.state = 'cancelled' and f.status = 'queued'
     )
     select c.state, c.cancel_requested as "cancelRequested", case when c.state = 'running' then c.attempt_id end as "attemptId",
            case when c.state = 'running' then a.state end as "attemptState", c.node_id as "nodeId", c.file_id as "fileId", c.library_id as "libraryId"
       from changed c left join attempts a on a.id = c.attempt_id`,
    [jobId, json(reason)],
  );
  return rows[0] ?? null;
}

/** Remembers that a running job stands still because a person wants it. Null when it does not run. */
export async function setPaused(q: Queryable, jobId: number, paused: boolean): Promise<{ attemptId: number; nodeId: string } | null> {
  const rows = await q.query<{ attemptId: number; nodeId: string }>(
    `update jobs set paused = $2 where id = $1 and state = 'running' returning attempt_id as "attemptId", node_id as "nodeId"`,
    [jobId, paused],
  );
  return rows[0] ?? null;
}

/** A held job waits again, with its failures forgiven. */
export async function unholdJob(q: Queryable, jobId: number): Promise<boolean> {
  const rows = await q.query(
    `update jobs set state = 'available', failures = 0, reason = null where id = $1 and state = 'held' returning 1`,
    [jobId],
  );
  return rows.length > 0;
}

/** Moves waiting jobs before or behind all others of their priority, in their present order. Returns how many moved. */
export async function pinJobs(q: Queryable, which: JobSelection, where: 'top' | 'end'): Promise<number> {
  const ids = await selectWaiting(q, which);
  if (ids.length === 0) return 0;
  const [pin] = await q.query<{ n: number }>(`select nextval('job_pins') as n`);
  const base = pinRank(where, pin!.n * 2 ** 20);
  return inChunks(ids, async (chunk, offset) => {
    const rows = await q.query(
      `update jobs j set rank = p.rank, retry_at = null from unnest($1::bigint[], $2::bigint[]) as p(id, rank)
        where j.id = p.id and j.state = 'available' returning 1`,
      [chunk, chunk.map((_, i) => base + offset + i)],
    );
    return rows.length;
  });
}

export async function prioritiseJobs(q: Queryable, which: JobSelection, priority: Priority): Promise<number> {
  const ids = await selectWaiting(q, which);
  return inChunks(ids, async (chunk) => {
    const rows = await q.query(`update jobs set priority = $2 where id = any($1::bigint[]) and state = 'available' returning 1`, [
      chunk,
      priorities.indexOf(priority),
    ]);
    return rows.length;
  });
}

export interface Removal {
  reason: Reason;
  /** set: the files are left alone for good, because this person said so; null: their status becomes `fileStatus` */
  excludedBy: string | null;
  fileStatus: FileStatus;
}

/** Waiting and held jobs leave the queue as cancelled, 5,000 per statement. Returns how many. */
export async function removeJobs(q: Queryable, which: JobSelection, how: Removal): Promise<number> {
  const ids = await selectWaiting(q, which);
  return inChunks(ids, async (chunk) => {
    const rows = await q.query(
      `with gone as (
         update jobs set state = 'cancelled', retry_at = null, finished_at = now(), reason = $2
          where id = any($1::bigint[]) and state in ('available', 'held') returning file_id
       ), files as (
         update media_files f set status = $4, reason = $2, excluded_by = coalesce($3, f.excluded_by), updated_at = now()
           from gone g where f.id = g.file_id and f.status = 'queued'
       )
       select 1 from gone`,
      [chunk, json(how.reason), text(how.excludedBy), how.excludedBy === null ? how.fileStatus : 'skipped'],
    );
    return rows.length;
  });
}

const everything: QueueFilter = { libraryId: null, search: null, codec: null, priority: null };

/** Empties the queue; running jobs go on. Returns how many left it. */
export function clearAvailable(q: Queryable, how: Removal): Promise<number> {
  return removeJobs(q, { filter: everything }, how);
}

/** The ids of waiting jobs that a selection means, in the order of the queue. */
export async function selectWaiting(q: Queryable, which: JobSelection): Promise<number[]> {
  if ('ids' in which) {
    const rows = await q.query<{ id: number }>(
      `select id from jobs where id = any($1::bigint[]) and state in ('available', 'held') order by priority, rank, id`,
      [which.ids],
    );
    return rows.map((r) => r.id);
  }
  const rows = await q.query<{ id: number }>(
    `select j.id from jobs j join media_files f on f.id = j.file_id
      where j.state = 'available' and ${filterSql(1)} order by j.priority, j.rank, j.id`,
    filterParams(which.filter),
  );
  return rows.map((r) => r.id);
}

/** The queue page's filter as SQL over `jobs j join media_files f`; its parameters start at number `first`. */
export function filterSql(first: number): string {
  return `($${first}::int is null or j.library_id = $${first}) and ($${first + 1}::text is null or f.codec = $${first + 1})
    and ($${first + 2}::smallint is null or j.priority = $${first + 2}) and ${searchSql(`$${first + 3}`)}`;
}

export function filterParams(filter: QueueFilter): unknown[] {
  const priority = filter.priority === null ? null : priorities.indexOf(filter.priority);
  return [filter.libraryId, filter.codec, priority, likePattern(filter.search)];
}

/** Big changes go in chunks, so that none holds its locks for long or leaves a million dead index entries at once. */
async function inChunks(ids: number[], change: (chunk: number[], offset: number) => Promise<number>): Promise<number> {
  let changed = 0;
  for (let i = 0; i < ids.length; i += 5000) changed += await change(ids.slice(i, i + 5000), i);
  return changed;
}
