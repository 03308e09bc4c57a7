import type { JobState } from '../core/job.ts';
import type { Queryable } from './connect.ts';

/**
 * Counting a million rows takes 100-400 ms, so every change appends a small delta (triggers of migration 0001) and a
 * count is the sum of the folded counters and the deltas. Folding is one statement, so that a reader sees a delta either
 * before or after it, never twice. Returns roughly how many rows had changed.
 */
export async function foldCounters(q: Queryable): Promise<number> {
  const jobs = await q.query<{ n: number }>(
    `with d as (delete from job_deltas returning state, n),
     folded as (insert into job_counts (state, n) select state, sum(n) from d group by 1
     on conflict (state) do update set n = job_counts.n + excluded.n)
     select coalesce(sum(abs(n)), 0)::bigint as n from d`,
  );
  const files = await q.query<{ n: number }>(
    `with d as (delete from file_deltas returning library_id, status, codec, n, bytes, expected, original),
     folded as (insert into file_counts (library_id, status, codec, n, bytes, expected, original)
     select library_id, status, codec, sum(n), sum(bytes), sum(expected), sum(original) from d group by 1, 2, 3
     on conflict (library_id, status, codec) do update set n = file_counts.n + excluded.n,
       bytes = file_counts.bytes + excluded.bytes, expected = file_counts.expected + excluded.expected,
       original = file_counts.original + excluded.original)
     select coalesce(sum(abs(n)), 0)::bigint as n from d`,
  );
  return (jobs[0]?.n ?? 0) + (files[0]?.n ?? 0);
}

/** How many jobs are in each state. */
export async function countsByState(q: Queryable): Promise<Record<JobState, number>> {
  const rows = await q.query<{ state: JobState; n: number }>(
    `select state, sum(n)::bigint as n from (select state, n from job_counts union all select state, n from job_deltas) c group by 1`,
  );
  const counts: Record<JobState, number> = { available: 0, running: 0, completed: 0, failed: 0, cancelled: 0, held: 0 };
  for (const row of rows) counts[row.state] = row.n;
  return counts;
}
