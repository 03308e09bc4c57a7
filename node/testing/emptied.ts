import type pg from 'pg';
import type { Database } from '../db/connect.ts';
import { derivedTables, exportedTables } from '../db/export.ts';

/** The rows of a test are deleted: to truncate all tables writes two hundred files anew, which costs more than most tests. */
export async function empty(database: Pick<Database, 'query' | 'tx'>): Promise<void> {
  const tables = [...exportedTables, ...derivedTables.filter((table) => table !== 'coordinator' && table !== 'schema_migrations')];
  const look = tables.map((table) => `select '${table}' as name, (select count(*) from (select from ${table} limit ${MANY}) few) as rows`);
  const filled = (await database.query<{ name: string; rows: number }>(look.join(' union all '))).filter(({ rows }) => rows > 0);
  if (filled.some(({ rows }) => rows === MANY)) await database.query(`truncate ${tables.join(', ')} cascade`);
  else
    await database.tx(async (q) => {
      // without triggers: neither the fence nor a foreign key has a say in it, and nothing is counted
      await q.query('set local session_replication_role = replica');
      for (const { name } of filled) await q.query(`delete from ${name}`);
    });
  // a number that was given out stays so, also when its row was taken back
  await database.query(
    `select setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) from pg_sequences where last_value is not null`,
  );
  await database.query(`update coordinator set term = 0, holder = null, session = null, url = null, lease_until = '-infinity'`);
}

const MANY = 1000;

/**
 * Ends every other connection and deletes all rows. False: it is not as good as new, because it has another schema than the one
 * it was made with, or does not let itself be emptied.
 */
export async function emptied(client: pg.Client, schema: string): Promise<boolean> {
  try {
    const others = `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`;
    await client.query(others);
    if ((await schemaOf(client)) !== schema) return false;
    const query = async <R>(sql: string): Promise<R[]> => (await client.query(sql)).rows as R[];
    await empty({
      query,
      tx: async (fn) => {
        await query('begin');
        const result = await fn({ query });
        await query('commit');
        return result;
      },
    });
    return (await schemaOf(client)) === schema;
  } catch {
    return false;
  }
}

/** Changes with every change of a table, a column, a rule, a trigger, a function or a setting of this database. */
export async function schemaOf(client: pg.Client): Promise<string> {
  const kinds = ['pg_class', 'pg_attribute', 'pg_constraint', 'pg_trigger', 'pg_proc', 'pg_namespace', 'pg_db_role_setting'];
  const sums = kinds.map((kind) => `(select count(*) || '/' || sum(xmin::text::bigint) from ${kind})`);
  const { rows } = await client.query<{ schema: string }>(`select concat_ws(' ', ${sums.join(', ')}) as schema`);
  return rows[0]!.schema;
}
