import type { Database, Queryable } from '../db/connect.ts';
import { digestOf, presentTables } from '../db/export.ts';

/** Makes a backup of it so much longer: what is random gets only half as short. Megabytes of the backup. */
export async function grow(db: Database, megabytes: number): Promise<void> {
  await db.tx(async (q) => {
    await q.query(`select set_config('codecshift.term', (select term::text from coordinator), true)`);
    await q.query(
      `insert into settings (key, value, updated_by)
       select 'random.' || replace(gen_random_uuid()::text, '-', ''),
              to_jsonb((select string_agg(md5(n::text || m::text || random()::text), '') from generate_series(1, 6250) m)), 'test'
         from generate_series(1, ceil($1::numeric * 10)::int) n`,
      [megabytes],
    );
  });
}

/** For comparing a database with itself: how many rows each table has, and their digest. */
export async function everyRow(q: Queryable): Promise<unknown> {
  const digests: unknown[] = [];
  for (const table of await presentTables(q)) digests.push(await digestOf(q, table));
  return digests;
}
