import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Queryable } from './connect.ts';
import { readHeads } from './heads.ts';

/**
 * Runs of jobs: claimed and kept alive (how they end: run-ends.ts). Every statement names the job and the attempt, and changes
 * something only while that attempt is the job's current one: whoever lost a race gets null or false and nothing happened.
 */
export interface Run {
  jobId: number;
  attemptId: number;
}

export interface ClaimWish {
  node: string;
  term: number;
  leaseSeconds: number;
  /** nodes present now; a job is given only when one of them keeps its root */
  keepers: string[];
}

export interface ClaimedJob extends Run {
  number: number;
  fileId: number;
  libraryId: number;
  keeperId: string;
  rootId: string;
  /** the library's folder below the root */
  folder: string;
  /** the file's path below the root */
  path: string;
  title: string;
  detail: string;
  fingerprint: { sizeBytes: number; mtimeMs: number; inode: string; links: number; hash: string };
  probe: Probe;
  plan: WorkPlan;
  profile: Profile;
  class: number;
  priority: number;
  failures: number;
  inputBytes: number;
  expectedBytes: number;
  leaseUntil: Date;
}

/**
 * Gives a node the first of these jobs that still waits and that nobody else is taking at this moment, with its attempt and
 * lease, in one statement. Null when none is left. It autocommits: `now()` is the start of the transaction, and a lease
 * made late in one would already be old.
 */
export async function claimOne(q: Queryable, wish: ClaimWish, ids: number[]): Promise<ClaimedJob | null> {
  return (await q.query<ClaimedJob>(claimSql, claimParams(wish, ids)))[0] ?? null;
}

export interface HeadWish extends ClaimWish {
  classes: number[];
}

/** The head of the queue, whatever scheduling would say of it. */
export async function claim(q: Queryable, wish: HeadWish): Promise<ClaimedJob | null> {
  const able = wish.classes.flatMap((one) => ['auto', 'hardware', 'software'].map((encoder) => ({ class: one, encoder })));
  for (let tries = 0; tries < 20; tries++) {
    const heads = await readHeads(q, { able, keepers: wish.keepers, limit: 24 });
    if (heads.length === 0) return null;
    const ids = heads.map((head) => head.id);
    const job = await claimOne(q, wish, ids);
    if (job) return job;
    // others were quicker with all of them: there may be more behind
  }
  return null;
}

export function claimParams(wish: ClaimWish, ids: number[]): unknown[] {
  return [wish.node, ids, wish.keepers, wish.leaseSeconds, wish.term];
}

/**
 * `wanted` looks the jobs up without locks, each by a lateral query with a limit of its own (see heads.ts); `picked` goes
 * through them in the given order, one by one, and stops at the first that nobody else has locked. A keeper must have
 * shown that its disk is the very same one: replacing in a copy would change a file that nobody watches. Of several it is
 * the one that had the root first, as for scans (`keepersOf`): the swap compares inode and time with what was scanned, and
 * through another machine's mount both may look different.
 */
export const claimSql = `
with keepable as materialized (
  select l.id, l.root_id, l.folder, k.keeper
    from libraries l
    cross join lateral (
      select r.node_id as keeper from node_roots r
       where r.root_id = l.root_id and r.writable and r.problem is null and r.proved_at is not null and r.node_id = any($3::text[])
       order by r.proved_at, r.node_id limit 1) k
   where l.enabled
), wanted as materialized (
  select w.id, w.place, l.root_id, l.folder, l.keeper
    from unnest($2::bigint[]) with ordinality as w(id, place)
    cross join lateral (select library_id from jobs where id = w.id limit 1) j
    join keepable l on l.id = j.library_id
   order by w.place
), picked as materialized (
  select j.id, w.root_id, w.folder, w.keeper
    from (select * from wanted order by place) w
    cross join lateral (
      select id from jobs where id = w.id and state = 'available' and retry_at is null limit 1 for update skip locked) j
   limit 1
), started as (
  insert into attempts (job_id, term, node_id, keeper_id, number)
  select p.id, $5, $1, p.keeper, coalesce((select max(a.number) from attempts a where a.job_id = p.id), 0) + 1 from picked p
  returning id, job_id, number
), claimed as (
  update jobs j set state = 'running', node_id = $1, attempt_id = s.id, lease_until = now() + make_interval(secs => $4),
         started_at = now(), cancel_requested = false, paused = false, reason = null
    from started s where j.id = s.job_id
  returning j.id, j.file_id, j.library_id, j.attempt_id, s.number, j.plan, j.profile, j.class, j.priority, j.failures,
            j.input_bytes, j.expected_bytes, j.lease_until
)
select c.id as "jobId", c.attempt_id as "attemptId", c.number, c.file_id as "fileId", c.library_id as "libraryId", p.keeper as "keeperId",
       p.root_id as "rootId", p.folder, f.path, f.title, f.detail, f.probe, c.plan, c.profile, c.class, c.priority, c.failures,
       json_build_object('sizeBytes', f.size_bytes, 'mtimeMs', f.mtime_ms, 'inode', f.inode, 'links', f.links, 'hash', f.hash) as fingerprint,
       c.input_bytes as "inputBytes", c.expected_bytes as "expectedBytes", c.lease_until as "leaseUntil"
  from claimed c join picked p on p.id = c.id join media_files f on f.id = c.file_id`;

export interface Renewed extends Run {
  cancelRequested: boolean;
  paused: boolean;
}

/**
 * Keeps runs alive, on the word of whoever encodes them, keeps their film or looks at the output: nobody else's sign of life counts. A run that
 * is not in the answer is over: its worker must stop it.
 */
export function renewLeases(q: Queryable, runs: (Run & { node: string })[], leaseSeconds: number): Promise<Renewed[]> {
  return q.query<Renewed>(
    `update jobs j set lease_until = now() + make_interval(secs => $3)
       from unnest($1::bigint[], $2::bigint[], $4::text[]) as r(job_id, attempt_id, node), attempts a
      where j.id = r.job_id and j.attempt_id = r.attempt_id and j.state = 'running'
        and a.id = r.attempt_id and r.node in (a.node_id, a.keeper_id, a.looker_id)
     returning j.id as "jobId", j.attempt_id as "attemptId", j.cancel_requested as "cancelRequested", j.paused`,
    [runs.map((r) => r.jobId), runs.map((r) => r.attemptId), leaseSeconds, runs.map((r) => r.node)],
  );
}

/** A new coordinator gives every run time to report before it declares anything lost. Returns how many run. */
export async function graceLeases(q: Queryable, seconds: number): Promise<number> {
  const rows = await q.query(
    `update jobs set lease_until = greatest(lease_until, now() + make_interval(secs => $1)) where state = 'running' returning 1`,
    [seconds],
  );
  return rows.length;
}

/** What a node runs, and cannot tell of, is given so much more time. */
export async function holdLeases(q: Queryable, node: string, seconds: number): Promise<void> {
  await q.query(
    `update jobs j set lease_until = now() + make_interval(secs => $2) from attempts a
      where a.id = j.attempt_id and a.node_id = $1 and a.state = 'running' and j.state = 'running'
        and j.lease_until < now() + make_interval(secs => $2)`,
    [node, seconds],
  );
}

/** The database's own time, by which leases are judged. */
export async function readClock(q: Queryable): Promise<Date> {
  const [row] = await q.query<{ now: Date }>(`select clock_timestamp() as now`);
  return row!.now;
}

/** Delayed retries whose time has come become claimable, at most 500. Returns how many. */
export async function promoteDue(q: Queryable): Promise<number> {
  const rows = await q.query(
    `with due as materialized (
       select id from jobs where state = 'available' and retry_at <= now() order by retry_at limit 500 for update skip locked
     )
     update jobs j set retry_at = null from due d where j.id = d.id returning 1`,
  );
  return rows.length;
}
