import type { QueueFilter } from '../core/commands.ts';
import type { AttemptState, JobState } from '../core/job.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Reason } from '../core/reasons.ts';
import { listForJob, type Attempt } from './attempts.ts';
import type { Queryable } from './connect.ts';
import { filterParams, filterSql } from './jobs.ts';
import { readFile, type MediaFile } from './media-files.ts';
import { limit } from './values.ts';
import { cutPage, keyset, type Order, type Page, type PageWish } from './page.ts';

/** A job with what a list shows of its file and its current or last attempt. */
export interface JobRow {
  id: number;
  fileId: number;
  libraryId: number;
  libraryName: string;
  /** its library is switched off, or was never started: nothing of it runs */
  libraryRests: 'off' | 'looking' | null;
  title: string;
  detail: string;
  path: string;
  container: string | null;
  codec: string | null;
  width: number | null;
  height: number | null;
  hdr: string | null;
  durationMs: number | null;
  action: 'remux' | 'transcode';
  /** why it is in the queue at all; `reason` says what went wrong or how it ended */
  planReason: Reason | null;
  class: number;
  priority: number;
  rank: number;
  state: JobState;
  outcome: 'replaced' | 'kept' | 'restored' | null;
  retryAt: Date | null;
  failures: number;
  maxFailures: number;
  cancelRequested: boolean;
  paused: boolean;
  inputBytes: number;
  expectedBytes: number;
  outputBytes: number | null;
  reason: Reason | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  leaseUntil: Date | null;
  attemptId: number | null;
  attemptState: AttemptState | null;
  /** the node of the current or last attempt, with its name while it is known */
  nodeId: string | null;
  nodeName: string | null;
  encoder: string | null;
}

export interface JobDetail extends JobRow {
  plan: WorkPlan;
  profile: Profile;
  file: MediaFile;
  /** newest first */
  attempts: Attempt[];
}

const columns = `j.id, j.file_id as "fileId", j.library_id as "libraryId", l.name as "libraryName", case when l.looking then 'looking' when not l.enabled then 'off' end as "libraryRests", f.title, f.detail, f.path, f.container, f.codec,
  f.width, f.height, f.hdr, f.duration_ms as "durationMs", j.plan ->> 'action' as action, j.plan -> 'reason' as "planReason", j.class, j.priority, j.rank, j.state, j.outcome,
  j.retry_at as "retryAt", j.failures, j.max_failures as "maxFailures", j.cancel_requested as "cancelRequested", j.paused,
  j.input_bytes as "inputBytes", j.expected_bytes as "expectedBytes", j.output_bytes as "outputBytes", j.reason,
  j.created_at as "createdAt", j.started_at as "startedAt", j.finished_at as "finishedAt", j.lease_until as "leaseUntil",
  j.attempt_id as "attemptId", a.state as "attemptState", a.node_id as "nodeId", n.name as "nodeName", a.encoder`;
const tables = `jobs j join media_files f on f.id = j.file_id join libraries l on l.id = j.library_id
  left join attempts a on a.id = j.attempt_id left join nodes n on n.id = a.node_id`;

const queueOrder: Order[] = [
  { sql: 'j.priority', cast: 'bigint', descending: false },
  { sql: 'j.rank', cast: 'bigint', descending: false },
  { sql: 'j.id', cast: 'bigint', descending: false },
];
const newestFirst: Order[] = [
  { sql: 'j.finished_at', cast: 'timestamptz', descending: true },
  { sql: 'j.id', cast: 'bigint', descending: true },
];
const byId: Order[] = [{ sql: 'j.id', cast: 'bigint', descending: true }];
const noFilter: QueueFilter = { libraryId: null, search: null, codec: null, priority: null };

/** The queue in the order in which it will be worked through, retries that wait for their time included. */
export function listWaiting(q: Queryable, filter: QueueFilter = noFilter, wish: PageWish = {}): Promise<Page<JobRow>> {
  return list(q, `j.state = 'available'`, queueOrder, filter, wish);
}

/**
 * The first of the queue that could begin: those of libraries that are switched on, a few of each by its own index, so that
 * a long queue of one that rests does not have to be read past.
 */
export function listNext(q: Queryable, size: number): Promise<JobRow[]> {
  const most = limit(size, 50);
  return q.query<JobRow>(
    `with heads as materialized (
       select h.id, h.priority, h.rank from libraries o
        cross join lateral (select id, priority, rank from jobs where library_id = o.id and state = 'available'
                             order by priority, rank, id limit ${most}) h
       where o.enabled order by h.priority, h.rank, h.id limit ${most}
     )
     select ${columns} from heads h cross join lateral (select * from jobs where id = h.id limit 1) j
       join media_files f on f.id = j.file_id join libraries l on l.id = j.library_id
       left join attempts a on a.id = j.attempt_id left join nodes n on n.id = a.node_id
      order by h.priority, h.rank, h.id`,
  );
}

/** Jobs that need a person, newest first. */
export function listHeld(q: Queryable, filter: QueueFilter = noFilter, wish: PageWish = {}): Promise<Page<JobRow>> {
  return list(q, `j.state = 'held'`, byId, filter, wish);
}

export function listFailed(q: Queryable, filter: QueueFilter = noFilter, wish: PageWish = {}): Promise<Page<JobRow>> {
  return list(q, `j.state = 'failed'`, newestFirst, filter, wish);
}

export function listCancelled(q: Queryable, filter: QueueFilter = noFilter, wish: PageWish = {}): Promise<Page<JobRow>> {
  return list(q, `j.state = 'cancelled'`, newestFirst, filter, wish);
}

/** Completed jobs, newest first; `outcome` narrows to replaced, kept or restored. */
export function listFinished(
  q: Queryable,
  filter: QueueFilter = noFilter,
  wish: PageWish = {},
  outcome: JobRow['outcome'] = null,
): Promise<Page<JobRow>> {
  const only = outcome === 'replaced' || outcome === 'kept' || outcome === 'restored' ? ` and j.outcome = '${outcome}'` : '';
  return list(q, `j.state = 'completed'${only}`, newestFirst, filter, wish);
}

/** Everything that ended, newest first. */
export function listHistory(q: Queryable, filter: QueueFilter = noFilter, wish: PageWish = {}): Promise<Page<JobRow>> {
  return list(q, `j.state in ('completed', 'failed', 'cancelled')`, newestFirst, filter, wish);
}

/** What runs now, the longest running first. */
export function runningJobs(q: Queryable): Promise<JobRow[]> {
  return q.query<JobRow>(`select ${columns} from ${tables} where j.state = 'running' order by j.started_at, j.id limit 500`);
}

/** One row as lists show it, for a live update. */
export async function readJobRow(q: Queryable, id: number): Promise<JobRow | null> {
  return (await q.query<JobRow>(`select ${columns} from ${tables} where j.id = $1`, [id]))[0] ?? null;
}

/** A job with everything about it. */
export async function readJob(q: Queryable, id: number): Promise<JobDetail | null> {
  const [row] = await q.query<Omit<JobDetail, 'file' | 'attempts'>>(`select ${columns}, j.plan, j.profile from ${tables} where j.id = $1`, [
    id,
  ]);
  if (!row) return null;
  const file = await readFile(q, row.fileId);
  return file ? { ...row, file, attempts: await listForJob(q, id) } : null;
}

/** The jobs of one file, newest first. */
export function jobsOfFile(q: Queryable, fileId: number): Promise<JobRow[]> {
  return q.query<JobRow>(`select ${columns} from ${tables} where j.file_id = $1 order by j.id desc limit 100`, [fileId]);
}

/** The newest job of each of these files that ever had one. */
export function lastJobsOf(q: Queryable, fileIds: number[]): Promise<{ fileId: number; jobId: number }[]> {
  return q.query(
    `select s.id as "fileId", j.id as "jobId" from unnest($1::bigint[]) as s(id)
      cross join lateral (select id from jobs where file_id = s.id order by id desc limit 1) j`,
    [fileIds],
  );
}

/** How many jobs failed in the last hours, counted up to a thousand. */
export async function failedSince(q: Queryable, hours: number): Promise<number> {
  const rows = await q.query(
    `select 1 from jobs where state = 'failed' and finished_at > now() - make_interval(hours => $1) order by finished_at desc, id desc limit 1000`,
    [hours],
  );
  return rows.length;
}

/** How many waiting jobs a filter of the queue page matches, counted exactly up to `most`. */
export async function countWaiting(q: Queryable, filter: QueueFilter, most = 10_000): Promise<number> {
  const [row] = await q.query<{ n: number }>(
    `select count(*) as n from (select 1 from jobs j join media_files f on f.id = j.file_id where j.state = 'available' and ${filterSql(1)}
      limit ${Math.max(1, Math.trunc(most))}) c`,
    filterParams(filter),
  );
  return row!.n;
}

async function list(q: Queryable, state: string, order: Order[], filter: QueueFilter, wish: PageWish): Promise<Page<JobRow>> {
  const set = keyset(order, wish, 5);
  const rows = await q.query<JobRow & { key: string[] }>(
    `select ${columns}, ${set.key} as key from ${tables} where ${state} and ${filterSql(1)} and ${set.where} order by ${set.orderBy} limit ${set.limit}`,
    [...filterParams(filter), ...set.params],
  );
  return cutPage(rows, set);
}
