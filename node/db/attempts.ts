import type { AttemptState } from '../core/job.ts';
import type { Probe } from '../core/media.ts';
import type { Reason } from '../core/reasons.ts';
import type { Verdict } from '../core/verdict.ts';
import type { Run } from './claims.ts';
import type { Queryable } from './connect.ts';
import { json, tail, text } from './values.ts';

export interface Attempt {
  id: number;
  jobId: number;
  term: number;
  nodeId: string;
  keeperId: string | null;
  /** who looks at the output after its keeper did; null: nobody, or nobody yet */
  lookerId: string | null;
  number: number;
  state: AttemptState;
  encoder: string | null;
  command: string[] | null;
  stderrTail: string | null;
  outputBytes: number | null;
  sha256: string | null;
  outputProbe: Probe | null;
  verdict: Verdict | null;
  reason: Reason | null;
  stats: Record<string, unknown>;
  startedAt: Date;
  encodedAt: Date | null;
  endedAt: Date | null;
  /** all of it was checked then; since, it waits until nobody uses the original */
  readyAt: Date | null;
}

const columns = `a.id, a.job_id as "jobId", a.term, a.node_id as "nodeId", a.keeper_id as "keeperId", a.looker_id as "lookerId", a.number, a.state, a.encoder, a.command,
  a.stderr_tail as "stderrTail", a.output_bytes as "outputBytes", a.sha256, a.output_probe as "outputProbe", a.verdict, a.reason, a.stats,
  a.started_at as "startedAt", a.encoded_at as "encodedAt", a.ended_at as "endedAt", a.ready_at as "readyAt"`;

/**
 * The current attempt goes one step on and its lease is renewed. The job's row is written too, and that is what shuts the
 * door against a reaper which looked a moment earlier: it sees the newer lease and lets go. Null when the attempt is over,
 * is not the job's current one, or is not in one of `from`.
 */
export async function advance(
  q: Queryable,
  run: Run,
  from: AttemptState[],
  to: AttemptState,
  leaseSeconds: number,
  keeperId: string | null = null,
): Promise<Attempt | null> {
  const rows = await q.query<Attempt>(
    `with alive as (
       update jobs j set lease_until = now() + make_interval(secs => $5), reason = case when j.cancel_requested then j.reason end
         from attempts b where j.id = $1 and j.attempt_id = $2 and j.state = 'running' and b.id = $2 and b.state = any($3::text[])
       returning j.attempt_id
     )
     update attempts a set state = $4, keeper_id = coalesce($6, a.keeper_id) from alive where a.id = alive.attempt_id and a.state = any($3::text[])
     returning ${columns}`,
    [run.jobId, run.attemptId, from, to, leaseSeconds, keeperId],
  );
  return rows[0] ?? null;
}

/**
 * The output is made and waits for something outside, a disk that is away or full: no failure, no step; the lease is
 * renewed and the job says why. False when the attempt is not the job's current one, or has no output yet.
 */
export async function awaitOutside(q: Queryable, run: Run, reason: Reason, leaseSeconds: number): Promise<boolean> {
  const rows = await q.query(
    `update jobs j set lease_until = now() + make_interval(secs => $3), reason = case when j.cancel_requested then j.reason else $4::jsonb end
       from attempts a
      where j.id = $1 and j.attempt_id = $2 and j.state = 'running' and a.id = $2 and a.state in ('delivering', 'verifying', 'replacing')
     returning 1`,
    [run.jobId, run.attemptId, leaseSeconds, json(reason)],
  );
  return rows.length > 0;
}

/**
 * The output may replace the original as soon as nobody uses that: the lease is kept, the job says who does. It stays in
 * 'verifying', so that a person can still cancel it. Null when the attempt is not the job's current one, or further on.
 */
export async function awaitUse(q: Queryable, run: Run, reason: Reason, leaseSeconds: number): Promise<Attempt | null> {
  const rows = await q.query<Attempt>(
    `with alive as (
       update jobs j set lease_until = now() + make_interval(secs => $3), reason = case when j.cancel_requested then j.reason else $4::jsonb end
         from attempts b where j.id = $1 and j.attempt_id = $2 and j.state = 'running' and b.id = $2 and b.state = 'verifying'
       returning j.attempt_id
     )
     update attempts a set ready_at = coalesce(a.ready_at, now()) from alive where a.id = alive.attempt_id and a.state = 'verifying'
     returning ${columns}`,
    [run.jobId, run.attemptId, leaseSeconds, json(reason)],
  );
  return rows[0] ?? null;
}

export interface EncodedFacts {
  outputBytes: number;
  sha256: string;
  encoder: string;
  command: string[];
  stderrTail: string;
  stats: Record<string, unknown>;
}

/** The encode is complete: running → delivering, with what was made. Null when it is not the current attempt; repeated: the same row again. */
export async function saveEncoded(q: Queryable, run: Run, facts: EncodedFacts, leaseSeconds: number): Promise<Attempt | null> {
  const rows = await q.query<Attempt>(
    `with alive as (
       update jobs j set lease_until = now() + make_interval(secs => $3)
         from attempts b where j.id = $1 and j.attempt_id = $2 and j.state = 'running' and b.id = $2 and b.state in ('running', 'delivering')
       returning j.attempt_id
     )
     update attempts a set state = 'delivering', output_bytes = $4, sha256 = $5, encoder = $6, command = $7, stderr_tail = $8, stats = $9,
            encoded_at = coalesce(a.encoded_at, now())
       from alive where a.id = alive.attempt_id and a.state in ('running', 'delivering') returning ${columns}`,
    [
      run.jobId,
      run.attemptId,
      leaseSeconds,
      facts.outputBytes,
      facts.sha256,
      text(facts.encoder),
      json(facts.command),
      tail(facts.stderrTail, 32_768),
      json(facts.stats),
    ],
  );
  return rows[0] ?? null;
}

/** That the run `$1`, `$2` is the current one and waits for its check; it lives `$3` seconds longer. */
const verifying = `alive as (
       update jobs j set lease_until = now() + make_interval(secs => $3)
         from attempts b where j.id = $1 and j.attempt_id = $2 and j.state = 'running' and b.id = $2 and b.state = 'verifying'
       returning j.attempt_id
     )`;

/** What the keeper measured, while the attempt is verifying. A yes does not replace anything: `advance` to replacing does. */
export async function saveVerdict(
  q: Queryable,
  run: Run,
  facts: { verdict: Verdict; outputProbe: Probe | null; outputBytes: number },
  leaseSeconds: number,
): Promise<Attempt | null> {
  const rows = await q.query<Attempt>(
    `with ${verifying}
     update attempts a set verdict = $4, output_probe = $5, output_bytes = $6
       from alive where a.id = alive.attempt_id and a.state = 'verifying' returning ${columns}`,
    [run.jobId, run.attemptId, leaseSeconds, json(facts.verdict), json(facts.outputProbe), facts.outputBytes],
  );
  return rows[0] ?? null;
}

/** Who looks a second time, and what the verdict says of that. Null when the attempt is not waiting for a check any more. */
export async function saveLooker(
  q: Queryable,
  run: Run,
  lookerId: string | null,
  verdict: Verdict,
  leaseSeconds: number,
): Promise<Attempt | null> {
  const rows = await q.query<Attempt>(
    `with ${verifying}
     update attempts a set looker_id = $4, verdict = $5
       from alive where a.id = alive.attempt_id and a.state = 'verifying' returning ${columns}`,
    [run.jobId, run.attemptId, leaseSeconds, lookerId, json(verdict)],
  );
  return rows[0] ?? null;
}

/**
 * The run lives on while this machine is asked for its second look. False when somebody else is, or none any more: an answer may
 * overtake the question, and what it wrote into the verdict must stay.
 */
export async function awaitLooker(q: Queryable, run: Run, lookerId: string, leaseSeconds: number): Promise<boolean> {
  const rows = await q.query(
    `update jobs j set lease_until = now() + make_interval(secs => $3)
       from attempts b where j.id = $1 and j.attempt_id = $2 and j.state = 'running' and b.id = $2 and b.state = 'verifying' and b.looker_id = $4
     returning 1`,
    [run.jobId, run.attemptId, leaseSeconds, lookerId],
  );
  return rows.length > 0;
}

export async function readAttempt(q: Queryable, id: number): Promise<Attempt | null> {
  return (await q.query<Attempt>(`select ${columns} from attempts a where a.id = $1`, [id]))[0] ?? null;
}

/** Which encoder a run took, for the page while it runs. */
export async function setEncoder(q: Queryable, attemptId: number, encoder: string): Promise<void> {
  await q.query(`update attempts set encoder = $2 where id = $1 and ended_at is null and encoder is distinct from $2`, [
    attemptId,
    text(encoder),
  ]);
}

/** Attempts of the past that a node may still believe it runs: those of `ids` that are over, or unknown. */
export async function overAttempts(q: Queryable, ids: number[]): Promise<number[]> {
  const rows = await q.query<{ id: number }>(
    `select s.id from unnest($1::bigint[]) as s(id)
      where not exists (select 1 from attempts a join jobs j on j.id = a.job_id and j.attempt_id = a.id and j.state = 'running' where a.id = s.id)`,
    [ids],
  );
  return rows.map((row) => row.id);
}

/**
 * Runs that were lost because their node was silent, and that it still knew when it came back: it slept, or its line was
 * cut, and the film did not bring it down. They do not count as failures, and their jobs need not wait. Returns the jobs.
 */
export async function forgiveLost(q: Queryable, nodeId: string, ids: number[]): Promise<number[]> {
  const rows = await q.query<{ id: number }>(
    `with forgiven as (
       update attempts a set reason = $3
        where a.id = any($1::bigint[]) and a.node_id = $2 and a.state = 'lost' and a.reason ->> 'code' = 'lost-node'
       returning a.job_id
     )
     update jobs j set failures = greatest(0, j.failures - 1), retry_at = case when j.state = 'available' then null else j.retry_at end
       from forgiven f where j.id = f.job_id and j.state in ('available', 'running') returning j.id`,
    [ids, nodeId, json({ code: 'came-back' })],
  );
  return rows.map((row) => row.id);
}

/** Everything unfinished, for a coordinator that has just taken over, oldest first. */
export function openAttempts(q: Queryable): Promise<Attempt[]> {
  return q.query<Attempt>(
    `select ${columns} from attempts a join jobs j on j.attempt_id = a.id and j.id = a.job_id where a.ended_at is null and j.state = 'running' order by a.id`,
  );
}

/** The attempts of one job, newest first. */
export function listForJob(q: Queryable, jobId: number): Promise<Attempt[]> {
  return q.query<Attempt>(`select ${columns} from attempts a where a.job_id = $1 order by a.id desc limit 100`, [jobId]);
}
