import type { Queryable } from './connect.ts';

/** One counter that only grows: what migration 0011 counts, with its labels. */
export interface MetricCount {
  name: string;
  a: string;
  b: string;
  n: number;
}

/** All of them; a few hundred rows, whatever the size of the library. */
export function metricCounts(q: Queryable): Promise<MetricCount[]> {
  return q.query<MetricCount>(
    `select name, a, b, sum(n) as n from (select name, a, b, n from metric_counts union all select name, a, b, n from metric_deltas) c
      group by name, a, b order by name, a, b limit 5000`,
  );
}

/** What no trigger of the migration sees. `a` is a word of ours, never a name that a person typed. */
export async function addMetric(q: Queryable, name: string, a: string): Promise<void> {
  await q.query(`insert into metric_deltas (name, a, b, n) values ($1, $2, '', 1)`, [name, a]);
}

/** One statement, so that a reader sees a delta either before or after it, never twice. */
export async function foldMetrics(q: Queryable): Promise<void> {
  await q.query(
    `with d as (delete from metric_deltas returning name, a, b, n)
     insert into metric_counts (name, a, b, n) select name, a, b, sum(n) from d group by 1, 2, 3
     on conflict (name, a, b) do update set n = metric_counts.n + excluded.n`,
  );
}

/** The last whole scan of each library. */
export function wholeScans(q: Queryable): Promise<{ libraryId: number; endedAt: Date; seconds: number }[]> {
  return q.query(
    `select l.id as "libraryId", s.ended_at as "endedAt", extract(epoch from s.ended_at - s.started_at)::float8 as seconds
       from libraries l cross join lateral (select started_at, ended_at from scans where library_id = l.id and state = 'completed' order by id desc limit 1) s
      order by l.id limit 1000`,
  );
}
