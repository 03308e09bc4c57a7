import { createHash } from 'node:crypto';
import type { Queryable } from './connect.ts';

/**
 * The logical copy of a database, table by table as JSON lines: what a backup holds (backup-write.ts), the way through an
 * upgrade, and the way between the embedded database and an external PostgreSQL (move.ts): the files of a database
 * directory fit no other version and no other engine.
 */

/** In the order in which foreign keys let them be written. Counters are not copied: writing the rows makes them again. */
export const exportedTables = [
  'cluster',
  'join_tokens',
  'nodes',
  'roots',
  'node_roots',
  'node_speeds',
  'quality_findings',
  'benched',
  'sources',
  'source_libraries',
  'source_paths',
  'libraries',
  'scans',
  'media_files',
  'source_items',
  'source_messages',
  'source_events',
  'measures',
  'film_samples',
  'jobs',
  'attempts',
  'originals',
  'trash_strangers',
  'cleanups',
  'leftovers',
  'stats_daily',
  'settings',
  'settings_history',
  'activity',
  'users',
  'identities',
  'api_tokens',
  'audit',
  'access_setup',
  'secrets',
  'notification_targets',
  'notifications',
  'deliveries',
  'notice_watches',
  'delivery_counts',
  // they count what no row remembers any more
  'metric_deltas',
  'metric_counts',
] as const;
export const derivedTables = [
  'coordinator',
  'candidates',
  'schema_migrations',
  // whoever is signed in signs in again, and nobody is kept waiting for what he did elsewhere
  'sessions',
  'throttles',
  'job_deltas',
  'job_counts',
  'file_deltas',
  'file_counts',
] as const;

/** What is said of a database beside its rows. */
export interface DatabaseState {
  schema: number;
  /** terms must go on growing after an import, or an old attempt could look current */
  term: number;
  pins: number;
}

export async function readState(q: Queryable): Promise<DatabaseState> {
  const [row] = await q.query<DatabaseState>(
    `select (select max(version) from schema_migrations) as schema, (select term from coordinator) as term, (select last_value from job_pins) as pins`,
  );
  return row!;
}

/** The tables that this database has; before an upgrade those that it brings are not there yet. */
export async function presentTables(q: Queryable): Promise<string[]> {
  const rows = await q.query<{ name: string }>(`select table_name as name from information_schema.tables where table_schema = 'public'`);
  const names = new Set(rows.map(({ name }) => name));
  return exportedTables.filter((table) => names.has(table));
}

export interface RowPage {
  rows: string[];
  /** the primary key of each of them, as text */
  keys: string[][];
}

/**
 * The rows of a table in the order of its primary key, as JSON text that is never parsed here, so that no number is
 * rounded and no time loses its microseconds. `withoutKeys`: without the private key of the cluster.
 */
export async function* rowsOf(
  q: Queryable,
  table: string,
  options: { withoutKeys?: boolean; signal?: AbortSignal | undefined } = {},
): AsyncGenerator<RowPage> {
  const key = await primaryKey(q, table);
  // every server has its own order of letters; bytes are the same everywhere
  const columns = key.map((k) => `"${k.name}"${/^(text|character)/.test(k.type) ? ' collate "C"' : ''}`).join(', ');
  const texts = key.map((k) => `"${k.name}"::text`).join(', ');
  const values = key.map((k, i) => `$${i + 1}::${k.type}`).join(', ');
  const row = table === 'cluster' && options.withoutKeys ? `to_jsonb(t) || '{"private_key": ""}'` : 'to_jsonb(t)';
  for (let last: string[] | null = null; ;) {
    options.signal?.throwIfAborted();
    const page: { row: string; key: string[] }[] = await q.query(
      `select (${row})::text as row, array[${texts}] as key from "${table}" t ${last ? `where (${columns}) > (${values})` : ''} order by ${columns} limit 1000`,
      last ?? [],
    );
    if (page.length === 0) return;
    last = page.at(-1)!.key;
    yield { rows: page.map((p) => p.row), keys: page.map((p) => p.key) };
  }
}

/** How many rows a table has, and their digest: what a backup says of it too. */
export async function digestOf(q: Queryable, table: string, options: { signal?: AbortSignal | undefined } = {}): Promise<TableDigest> {
  const hash = createHash('sha256');
  let rows = 0;
  for await (const page of rowsOf(q, table, options)) {
    rows += page.rows.length;
    hash.update(`${page.rows.join('\n')}\n`);
  }
  return { name: table, rows, sha256: hash.digest('hex') };
}

export interface TableDigest {
  name: string;
  rows: number;
  /** of its JSON lines */
  sha256: string;
}

export function primaryKey(q: Queryable, table: string): Promise<{ name: string; type: string }[]> {
  return q.query(
    `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
       from pg_index i cross join lateral unnest(i.indkey) with ordinality as k(attnum, at)
       join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      where i.indrelid = to_regclass('public.' || quote_ident($1)) and i.indisprimary order by k.at`,
    [table],
  );
}
