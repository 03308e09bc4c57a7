import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { PlainError, messageOf } from '../errors.ts';
import { programFile } from '../program.ts';
import { version as program } from '../version.ts';
import { isConnectionLoss } from './pg-errors.ts';

/**
 * Numbered SQL files, applied forward, all that are missing in one transaction, under a lock, with a checksum kept in the
 * database. An edited file, a gap, or a database newer than this build is refused. Who may do it when, see upgrade.ts.
 *
 * What a migration may do to a database that machines of the version before may still look into: it only adds, or leaves
 * to one version later what it takes away. `coordinator`, `candidates` and `schema_migrations` never lose or rename a
 * column: by them the versions find out about each other. An update of rows is lawful: it carries the current term.
 */
export interface Migration {
  version: number;
  name: string;
  sql: string;
  sha256: string;
}

/** One connection of its own: `exec` sends several statements at once. */
export interface MigrationSession {
  query<R>(sql: string, params?: unknown[]): Promise<R[]>;
  exec(sql: string): Promise<void>;
}

export const migrationsDirectory = programFile('migrations');

const LOCK = 7201726354;

/** Reads the migrations of a directory. @throws PlainError when their numbers have a gap */
export function readMigrations(directory: string = migrationsDirectory): Migration[] {
  const names = fs
    .readdirSync(directory)
    .filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name))
    .sort();
  return names.map((name, i) => {
    if (Number(name.slice(0, 4)) !== i + 1)
      throw new PlainError(`The migrations have a gap before ${name}. This copy of CodecShift is incomplete; install it again.`);
    const sql = fs.readFileSync(path.join(directory, name), 'utf8').replace(/\r\n/g, '\n');
    return { version: i + 1, name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
  });
}

export interface MigrateOptions {
  migrations: Migration[];
  embedded: boolean;
  signal?: AbortSignal;
  /** called once, before the first change to a database that already has tables of ours */
  beforeUpgrade?(fromVersion: number, session: MigrationSession): Promise<void>;
  /** the term in which it is done, where there are other machines: when another one has taken over, nothing is changed */
  term?: number;
}

/** The database was written by a newer program: this one has no business in it. */
const newerSchemas = new WeakSet<Error>();
export function isNewerSchema(error: unknown): boolean {
  return error instanceof Error && newerSchemas.has(error);
}

/** Brings the database to this build's version. Returns how many migrations were applied. Two processes may race. */
export async function migrate(session: MigrationSession, options: MigrateOptions): Promise<number> {
  if (!options.embedded) await takeLock(session, options.signal);
  try {
    await session.exec(makeTable);
    const missing = await missingMigrations(session, options.migrations);
    const from = options.migrations.length - missing.length;
    if (missing.length > 0 && from > 0) await options.beforeUpgrade?.(from, session);
    let kept = 0;
    for (const together of inTransactions(missing)) {
      await apply(session, together, options, kept);
      kept += together.length;
    }
    return missing.length;
  } finally {
    if (!options.embedded) await session.query(`select pg_advisory_unlock($1)`, [LOCK]).catch(() => []);
  }
}

/**
 * Applies them one after the other inside a transaction that is open already: for a database that is built from a copy and
 * is there as a whole or not at all.
 */
export async function applyInside(session: MigrationSession, migrations: readonly Migration[]): Promise<void> {
  await session.exec(makeTable);
  for (const migration of migrations) await run(session, migration, true);
}

/**
 * Asks again and again instead of waiting inside pg_advisory_lock: a session that waits there holds a snapshot, and
 * CREATE INDEX CONCURRENTLY in the lock's holder waits for that snapshot: a deadlock (40P01, seen).
 */
async function takeLock(session: MigrationSession, signal: AbortSignal | undefined): Promise<void> {
  for (;;) {
    const [row] = await session.query<{ ok: boolean }>(`select pg_try_advisory_lock($1) as ok`, [LOCK]);
    if (row?.ok) return;
    await wait(100, null, signal ? { signal } : {});
  }
}

interface Done {
  version: number;
  name: string;
  sha256: string;
  /** the version of the program that applied it; null: one that did not say */
  program: string | null;
}

const makeTable = `create table if not exists schema_migrations (
    version int primary key, name text not null, sha256 text not null, applied_at timestamptz not null default now(), ms int not null)`;

/**
 * What is still to be applied. Changes nothing; a database without any table of ours lacks all of them.
 * @throws PlainError when the database is newer than this build (`isNewerSchema`), or made by other migrations
 */
export async function missingMigrations(session: Pick<MigrationSession, 'query'>, known: Migration[]): Promise<Migration[]> {
  const done = await readDone(session);
  check(done, known);
  return known.slice(done.length);
}

async function readDone(session: Pick<MigrationSession, 'query'>): Promise<Done[]> {
  const [table] = await session.query<{ there: boolean }>(`select to_regclass('public.schema_migrations') is not null as there`);
  if (!table?.there) return [];
  // through jsonb, because the databases of older builds have no such column
  return session.query<Done>(
    `select version, name, sha256, to_jsonb(m) ->> 'program' as program from schema_migrations m order by version`,
  );
}

function check(done: Done[], known: Migration[]): void {
  if (done.length > known.length) {
    const by = done.at(-1)?.program;
    const error = new PlainError(
      `The database was written by a newer CodecShift${by ? ` (${by})` : ''}: its schema is version ${done.at(-1)?.version}, this program, ${program}, knows ${known.length}. Start the newer version on this machine.`,
    );
    newerSchemas.add(error);
    throw error;
  }
  for (const [i, row] of done.entries()) {
    const own = known[i];
    if (row.version !== i + 1 || row.sha256 !== own?.sha256) {
      throw new PlainError(
        `The migration ${own?.name ?? row.name} is not the one that made this database. Install CodecShift again from a clean copy.`,
      );
    }
  }
}

/** Those that need a transaction for themselves alone, or none at all, stand apart. */
function inTransactions(migrations: Migration[]): Migration[][] {
  const groups: Migration[][] = [];
  for (const migration of migrations) {
    const last = groups.at(-1);
    if (last && !isAlone(migration) && !isAlone(last[0]!)) last.push(migration);
    else groups.push([migration]);
  }
  return groups;
}

function isAlone({ sql }: Migration): boolean {
  return /^-- codecshift: no-transaction$/m.test(sql);
}

/** All of them or none: an upgrade that fails at its third step leaves a database that the version before goes on with. */
async function apply(session: MigrationSession, together: Migration[], options: MigrateOptions, kept: number): Promise<void> {
  const alone = isAlone(together[0]!);
  let now = together[0]!;
  if (!alone) await session.exec('begin');
  try {
    for (now of together) {
      await enter(session, options, alone);
      await run(session, now, options.embedded && alone);
      // a table can not be changed while checks of its rows wait for the end of the transaction
      if (!alone) await session.exec('set constraints all immediate');
    }
    if (!alone) await session.exec('commit');
  } catch (cause) {
    if (!alone) await session.exec('rollback').catch(() => {});
    if (cause instanceof PlainError) throw cause;
    throw new PlainError(
      `The database could not be brought up to date: ${now.name} failed (${messageOf(cause)}). ${kept === 0 ? 'Nothing was changed: the version of CodecShift that ran before goes on with it.' : `Nothing of it was kept; the ${kept} before it were.`}`,
      { cause, retry: isConnectionLoss(cause) },
    );
  }
}

/** Rows are changed in the current term. Nobody takes over while the transaction lasts (`assert_term` of 0001 does the same). */
async function enter(session: MigrationSession, { term }: MigrateOptions, alone: boolean): Promise<void> {
  const [table] = await session.query<{ there: boolean }>(`select to_regclass('public.coordinator') is not null as there`);
  if (!table?.there) return;
  const rows = await session.query<{ term: string }>(
    `select term::text as term from coordinator where $1::bigint is null or term = $1 ${alone ? '' : 'for key share'}`,
    [term ?? null],
  );
  if (rows.length === 0)
    throw new PlainError('Another machine coordinates by now, so the database was not brought up to date here. Nothing was changed.', {
      retry: true,
    });
  await session.query(`select set_config('codecshift.term', $1, false)`, [rows[0]!.term]);
}

async function run(session: MigrationSession, migration: Migration, withoutConcurrently: boolean): Promise<void> {
  const started = performance.now();
  await session.exec(withoutConcurrently ? migration.sql.replace(/\bconcurrently\b/gi, '') : migration.sql);
  await session.query('insert into schema_migrations (version, name, sha256, ms) values ($1, $2, $3, $4)', [
    migration.version,
    migration.name,
    migration.sha256,
    Math.round(performance.now() - started),
  ]);
  const [column] = await session.query(
    `select 1 from information_schema.columns where table_schema = 'public' and table_name = 'schema_migrations' and column_name = 'program'`,
  );
  if (column) await session.query('update schema_migrations set program = $2 where version = $1', [migration.version, program]);
}
