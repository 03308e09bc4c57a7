import type { Queryable } from './connect.ts';

/** What each node did on each day, in UTC days. Written inside the transactions that end jobs. */
export interface DayStats {
  /** "2026-11-22" */
  day: string;
  replaced: number;
  kept: number;
  failed: number;
  bytesIn: number;
  bytesOut: number;
  /** length of the films that were converted */
  mediaMs: number;
  /** time that attempts took */
  busyMs: number;
}

const sums = `coalesce(sum(replaced), 0)::bigint as replaced, coalesce(sum(kept), 0)::bigint as kept, coalesce(sum(failed), 0)::bigint as failed,
  coalesce(sum(bytes_in), 0)::bigint as "bytesIn", coalesce(sum(bytes_out), 0)::bigint as "bytesOut",
  coalesce(sum(media_ms), 0)::bigint as "mediaMs", coalesce(sum(busy_ms), 0)::bigint as "busyMs"`;

/** Adds to today's row of a node. */
export async function addDay(q: Queryable, nodeId: string, add: Partial<Omit<DayStats, 'day'>>): Promise<void> {
  await q.query(
    `insert into stats_daily (day, node_id, replaced, kept, failed, bytes_in, bytes_out, media_ms, busy_ms)
     values ((now() at time zone 'utc')::date, $1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (day, node_id) do update set replaced = stats_daily.replaced + excluded.replaced, kept = stats_daily.kept + excluded.kept,
       failed = stats_daily.failed + excluded.failed, bytes_in = stats_daily.bytes_in + excluded.bytes_in,
       bytes_out = stats_daily.bytes_out + excluded.bytes_out, media_ms = stats_daily.media_ms + excluded.media_ms,
       busy_ms = stats_daily.busy_ms + excluded.busy_ms`,
    [nodeId, add.replaced ?? 0, add.kept ?? 0, add.failed ?? 0, add.bytesIn ?? 0, add.bytesOut ?? 0, add.mediaMs ?? 0, add.busyMs ?? 0],
  );
}

/** What was won by a job is not won any more: its original is back. It goes from the day on which it was counted. */
export async function takeBackDay(q: Queryable, jobId: number, attemptId: number): Promise<void> {
  await q.query(
    `update stats_daily s set replaced = greatest(0, s.replaced - 1), bytes_in = greatest(0, s.bytes_in - j.input_bytes),
       bytes_out = greatest(0, s.bytes_out - coalesce(j.output_bytes, 0))
      from jobs j, attempts a
     where j.id = $1 and a.id = $2 and s.node_id = a.node_id and s.day = (j.finished_at at time zone 'utc')::date`,
    [jobId, attemptId],
  );
}

/** The last days up to today, every day there, oldest first; of all nodes, or of one. */
export function lastDays(q: Queryable, days = 30, nodeId: string | null = null): Promise<DayStats[]> {
  return q.query<DayStats>(
    `select to_char(d.day, 'YYYY-MM-DD') as day, ${sums}
       from generate_series((now() at time zone 'utc')::date - ($1::int - 1), (now() at time zone 'utc')::date, interval '1 day') as d(day)
       left join stats_daily s on s.day = d.day::date and ($2::text is null or s.node_id = $2)
      group by d.day order by d.day`,
    [days, nodeId],
  );
}

/** Since the beginning; of all nodes, or of one. */
export async function totals(q: Queryable, nodeId: string | null = null): Promise<Omit<DayStats, 'day'>> {
  const [row] = await q.query<Omit<DayStats, 'day'>>(`select ${sums} from stats_daily where $1::text is null or node_id = $1`, [nodeId]);
  return row!;
}

/** The newest encodes that came to an end, at most 200: how fast the machines are. */
export function newestRuns(q: Queryable): Promise<{ startedAt: Date; finishedAt: Date; inputBytes: number }[]> {
  return q.query(
    `select started_at as "startedAt", finished_at as "finishedAt", input_bytes as "inputBytes" from jobs
      where state = 'completed' and started_at is not null order by finished_at desc, id desc limit 200`,
  );
}
