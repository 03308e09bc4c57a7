import type { Queryable } from './connect.ts';
import { BATCH } from './retention.ts';

export interface Throttle {
  key: string;
  failures: number;
  /** seconds since the first and the last failure, by the database's clock */
  sinceFirst: number;
  sinceLast: number;
}

export function readThrottles(q: Queryable, keys: string[]): Promise<Throttle[]> {
  return q.query<Throttle>(
    `select key, failures, extract(epoch from now() - first_at)::float8 as "sinceFirst", extract(epoch from now() - last_at)::float8 as "sinceLast"
       from throttles where key = any($1)`,
    [keys],
  );
}

/** One failure more. `windowSeconds`: counted anew once the first is older; null: until somebody gets in. */
export async function addFailure(q: Queryable, key: string, windowSeconds: number | null): Promise<number> {
  const rows = await q.query<{ failures: number }>(
    `insert into throttles as t (key, failures) values ($1, 1)
     on conflict (key) do update set
       failures = case when t.first_at < now() - make_interval(secs => $2) then 1 else t.failures + 1 end,
       first_at = case when t.first_at < now() - make_interval(secs => $2) then now() else t.first_at end,
       last_at = now()
     returning failures`,
    [key, windowSeconds],
  );
  return rows[0]!.failures;
}

export async function clearThrottles(q: Queryable, keys: string[]): Promise<void> {
  if (keys.length) await q.query(`delete from throttles where key = any($1)`, [keys]);
}

/** What nobody tried for a day, at most 1,000 at a time. Returns how many went. */
export async function forgetThrottles(q: Queryable): Promise<number> {
  const rows = await q.query(
    `delete from throttles where key in (select key from throttles where last_at < now() - interval '1 day' order by last_at limit ${BATCH}) returning 1`,
  );
  return rows.length;
}
