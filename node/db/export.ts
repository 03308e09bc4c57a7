import { createHash, type Hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Database, Queryable } from './connect.ts';
import { syncDirectory, syncTree } from './sync.ts';

/**
 * A logical copy: one directory with `manifest.json` and a gzipped file of JSON lines per table. It is the backup of the
 * embedded database, the way through an upgrade of PGlite, and the way to an external PostgreSQL: the files of a database
 * directory fit no other version and no other engine.
 */
export interface Manifest {
  format: 1;
  schema: number;
  takenAt: string;
  /** terms must go on growing after an import, or an old attempt could look current */
  term: number;
  pins: number;
  tables: { name: string; rows: number; sha256: string }[];
}

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

export interface ExportOptions {
  label: string;
  /** how many exports to keep; the oldest go. 7 unless said */
  keep?: number;
  signal?: AbortSignal | undefined;
}

/** Copies everything as of one moment. Returns the new directory; an export that did not complete leaves none. */
export function exportDatabase(db: Database, into: string, options: ExportOptions): Promise<string> {
  return db.tx(async (q) => {
    await q.query('set transaction isolation level repeatable read, read only');
    return exportTables(q, into, options);
  });
}

/** The same through one connection that nobody else writes beside. */
export async function exportTables(q: Queryable, into: string, options: ExportOptions): Promise<string> {
  const name = `${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}-${options.label}`;
  const unfinished = path.join(into, `${name}.new`);
  fs.mkdirSync(unfinished, { recursive: true, mode: 0o700 });
  try {
    const tables: Manifest['tables'] = [];
    // before an upgrade the tables that it brings are not there yet
    for (const table of await present(q)) tables.push(await exportTable(q, table, unfinished, options.signal));
    const manifest: Manifest = { format: 1, ...(await readState(q)), takenAt: new Date().toISOString(), tables };
    fs.writeFileSync(path.join(unfinished, 'manifest.json'), JSON.stringify(manifest, null, 2), { mode: 0o600 });
    syncTree(unfinished);
    const done = path.join(into, name);
    fs.renameSync(unfinished, done);
    syncDirectory(into);
    forgetOldExports(into, options.keep ?? 7);
    return done;
  } catch (error) {
    fs.rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}

async function readState(q: Queryable): Promise<Pick<Manifest, 'schema' | 'term' | 'pins'>> {
  const [row] = await q.query<{ schema: number; term: number; pins: number }>(
    `select (select max(version) from schema_migrations) as schema, (select term from coordinator) as term, (select last_value from job_pins) as pins`,
  );
  return row!;
}

async function present(q: Queryable): Promise<string[]> {
  const rows = await q.query<{ name: string }>(`select table_name as name from information_schema.tables where table_schema = 'public'`);
  const names = new Set(rows.map(({ name }) => name));
  return exportedTables.filter((table) => names.has(table));
}

async function exportTable(
  q: Queryable,
  table: string,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<Manifest['tables'][number]> {
  const gzip = createGzip({ level: 3 });
  const file = fs.createWriteStream(path.join(directory, `${table}.jsonl.gz`), { mode: 0o600 });
  gzip.pipe(file);
  const written = finished(file);
  written.catch(() => {});
  const hash = createHash('sha256');
  let rows = 0;
  try {
    for await (const page of pagesOf(q, table)) {
      signal?.throwIfAborted();
      rows += page.length;
      await writeLines(gzip, hash, page);
    }
  } finally {
    gzip.end();
  }
  await written;
  return { name: table, rows, sha256: hash.digest('hex') };
}

async function writeLines(gzip: ReturnType<typeof createGzip>, hash: Hash, lines: string[]): Promise<void> {
  const text = `${lines.join('\n')}\n`;
  hash.update(text);
  if (!gzip.write(text)) await once(gzip, 'drain');
}

/** Rows as JSON text, never parsed here, so that no number is rounded and no time loses its microseconds. */
async function* pagesOf(q: Queryable, table: string): AsyncGenerator<string[]> {
  const key = await primaryKey(q, table);
  const columns = key.map((k) => `"${k.name}"`).join(', ');
  const texts = key.map((k) => `"${k.name}"::text`).join(', ');
  const values = key.map((k, i) => `$${i + 1}::${k.type}`).join(', ');
  for (let last: string[] | null = null; ;) {
    const page: { row: string; key: string[] }[] = await q.query(
      `select to_jsonb(t)::text as row, array[${texts}] as key from "${table}" t ${last ? `where (${columns}) > (${values})` : ''} order by ${columns} limit 1000`,
      last ?? [],
    );
    if (page.length === 0) return;
    yield page.map((p) => p.row);
    last = page.at(-1)!.key;
  }
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

/** The finished exports of a directory, oldest first. */
export function listExports(into: string): string[] {
  if (!fs.existsSync(into)) return [];
  return fs
    .readdirSync(into)
    .filter((name) => /^\d{4}-\d\d-\d\dT/.test(name) && fs.existsSync(path.join(into, name, 'manifest.json')))
    .sort();
}

function forgetOldExports(into: string, keep: number): void {
  const exports = listExports(into);
  // one from before an upgrade is the way back from it: the newest of those always stays
  const precious = exports.filter((name) => name.includes('before-upgrade')).at(-1);
  for (const name of exports.slice(0, Math.max(0, exports.length - keep))) {
    if (name !== precious) fs.rmSync(path.join(into, name), { recursive: true, force: true });
  }
}
