import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { PlainError, messageOf } from '../errors.ts';
import { programFile } from '../program.ts';

/**
 * Numbered SQL files, applied forward, each in one transaction, under a lock, with a checksum kept in the database.
 * An edited file, a gap, or a database newer than this build is refused.
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
}

/** Brings the database to this build's version. Returns how many migrations were applied. Two processes may race. */
export async function migrate(session: MigrationSession, options: MigrateOptions): Promise<number> {
  if (!options.embedded) await takeLock(session, options.signal);
  try {
    const done = await readDone(session);
    check(done, options.migrations);
    const missing = options.migrations.slice(done.length);
    if (missing.length > 0 && done.length > 0) await options.beforeUpgrade?.(done.length, session);
    for (const migration of missing) await apply(session, migration, options.embedded);
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
  await readDone(session);
  for (const { version, name, sql, sha256 } of migrations) {
    await session.exec(sql.replace(/\bconcurrently\b/gi, ''));
    await session.query('insert into schema_migrations (version, name, sha256, ms) values ($1, $2, $3, 0)', [version, name, sha256]);
  }
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
}

async function readDone(session: MigrationSession): Promise<Done[]> {
  await session.exec(`create table if not exists schema_migrations (
    version int primary key, name text not null, sha256 text not null, applied_at timestamptz not null default now(), ms int not null)`);
  return session.query<Done>('select version, name, sha256 from schema_migrations order by version');
}

function check(done: Done[], known: Migration[]): void {
  if (done.length > known.length) {
    throw new PlainError(
      `The database was written by a newer CodecShift (its schema is version ${done.at(-1)?.version}, this build knows ${known.length}). Start the newer version.`,
    );
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

async function apply(session: MigrationSession, migration: Migration, embedded: boolean): Promise<void> {
  const started = performance.now();
  const alone = /^-- codecshift: no-transaction$/m.test(migration.sql);
  const sql = alone && embedded ? migration.sql.replace(/\bconcurrently\b/gi, '') : migration.sql;
  if (!alone) await session.exec('begin');
  try {
    await session.exec(sql);
    await session.query('insert into schema_migrations (version, name, sha256, ms) values ($1, $2, $3, $4)', [
      migration.version,
      migration.name,
      migration.sha256,
      Math.round(performance.now() - started),
    ]);
    if (!alone) await session.exec('commit');
  } catch (cause) {
    if (!alone) await session.exec('rollback').catch(() => {});
    throw new PlainError(
      `The database could not be brought up to date: ${migration.name} failed (${messageOf(cause)}). Nothing of it was kept.`,
      { cause },
    );
  }
}
