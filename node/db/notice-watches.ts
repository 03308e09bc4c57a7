import type { Queryable } from './connect.ts';
import { json } from './values.ts';

/** What is remembered of what was told last, by key: "node …", "disk …", "room …", "batch", "summary". */
export async function readWatches(q: Queryable): Promise<Map<string, unknown>> {
  const rows = await q.query<{ key: string; state: unknown }>(`select key, state from notice_watches order by key limit 5000`);
  return new Map(rows.map(({ key, state }) => [key, state]));
}

export async function writeWatch(q: Queryable, key: string, state: object): Promise<void> {
  await q.query(
    `insert into notice_watches (key, state) values ($1, $2) on conflict (key) do update set state = excluded.state, changed_at = now()`,
    [key, json(state)],
  );
}

export async function forgetWatches(q: Queryable, keys: string[]): Promise<void> {
  if (keys.length > 0) await q.query(`delete from notice_watches where key = any($1)`, [keys]);
}

export interface WatchedNode {
  id: string;
  name: string;
  silentSeconds: number;
  /** milliseconds since 1970 */
  lastSeenAt: number;
  /** free in its workspace; null: it did not say */
  freeBytes: number | null;
}

/** The members, with how long nothing was heard of them by the database's clock. */
export function watchedNodes(q: Queryable): Promise<WatchedNode[]> {
  return q.query<WatchedNode>(
    `select id, name, greatest(0, extract(epoch from now() - last_seen_at))::float8 as "silentSeconds",
            (extract(epoch from last_seen_at) * 1000)::float8 as "lastSeenAt", temp_bytes as "freeBytes"
       from nodes where standing = 'approved' order by id limit 1000`,
  );
}

/** Libraries in which a finished file waits for room. */
export function librariesWithoutRoom(q: Queryable): Promise<{ id: number; name: string }[]> {
  return q.query(
    `select distinct l.id, l.name from attempts a join jobs j on j.id = a.job_id and j.attempt_id = a.id join libraries l on l.id = j.library_id
      where a.ended_at is null and j.state = 'running' and a.state in ('delivering', 'verifying', 'replacing') and j.reason ->> 'code' in ('disk-full', 'no-space')
      order by l.id limit 100`,
  );
}

/** Does anything run, or wait in a library that is converted? */
export async function isBusy(q: Queryable): Promise<boolean> {
  const [row] = await q.query<{ busy: boolean }>(
    `select exists (select 1 from jobs where state = 'running') or exists (
       select 1 from libraries l where l.enabled and exists (select 1 from jobs j where j.library_id = l.id and j.state = 'available')) as busy`,
  );
  return row!.busy;
}

export interface FinishedSince {
  done: number;
  kept: number;
  failed: number;
  savedBytes: number;
}

/** What came to an end since a moment. */
export async function finishedSince(q: Queryable, since: Date): Promise<FinishedSince> {
  const [row] = await q.query<FinishedSince>(
    `select count(*) filter (where state = 'completed' and outcome = 'replaced')::int as done,
            count(*) filter (where state = 'completed' and outcome = 'kept')::int as kept,
            count(*) filter (where state = 'failed')::int as failed,
            coalesce(sum(input_bytes - output_bytes) filter (where state = 'completed' and outcome = 'replaced'), 0)::float8 as "savedBytes"
       from jobs where state in ('completed', 'failed', 'cancelled') and finished_at >= $1`,
    [since],
  );
  return row!;
}
