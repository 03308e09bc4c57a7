import { codeOf, messageOf, PlainError } from '../errors.ts';
import type { Queryable } from './connect.ts';
import { digestOf, exportedTables, presentTables, type DatabaseState, type TableDigest } from './export.ts';
import { applyInside, readMigrations, type Migration, type MigrationSession } from './migrate.ts';

/**
 * Makes a database from a copy: of a backup, or of another database. Everything happens in one transaction, so that it is
 * there as a whole or not at all, whatever ends this process:
 *
 *   what was there goes ─▶ the schema of the copy ─▶ its rows ─▶ compared ─▶ its next life ─▶ today's schema ─▶ commit
 *
 * A copy of any older schema can be brought in, because the migrations that made it never change.
 */
export interface RowSource extends DatabaseState {
  /** in the order of foreign keys */
  rows(): AsyncIterable<{ table: string; rows: string[] }>;
  /** compares what was written with what was read; called before anything else is changed. @throws when they differ */
  compare(q: Queryable): Promise<void>;
}

export interface Rebuilding {
  /**
   * `restored`: put back from a time that is over. Machines may remember what came after it, so the cluster begins a new
   * incarnation, and ids go on far behind those that were given out since. `moved`: the same time goes on somewhere else.
   */
  life: 'restored' | 'moved';
  /** terms go on above this one too */
  aboveTerm?: number;
  /** what has to be true before anything of it goes, in the same transaction. @throws when it is not */
  insist?: ((q: Queryable) => Promise<void>) | undefined;
  /** what else has to be true of it, in the same transaction, in today's schema */
  finish?: (q: Queryable) => Promise<void>;
  embedded: boolean;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { table: string; rows: number }) => void) | undefined;
  migrations?: readonly Migration[];
  /** so long others may hold what is to be exchanged */
  patienceSeconds?: number;
}

/** @throws PlainError when the copy is of a newer CodecShift or its rows do not fit; nothing is changed then */
export async function rebuild(session: MigrationSession, source: RowSource, how: Rebuilding): Promise<void> {
  const migrations = how.migrations ?? readMigrations();
  requireKnownSchema(source.schema, migrations);
  await session.exec('begin');
  try {
    await session.query(
      `select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
      set_config('lock_timeout', $1, true), set_config('TimeZone', 'UTC', true)`,
      [`${how.patienceSeconds ?? 60}s`],
    );
    await how.insist?.(session);
    await session.exec(dropStatements(migrations));
    await applyInside(session, migrations.slice(0, source.schema));
    // a migration may have put rows in that the copy has too
    await session.exec(`truncate ${(await presentTables(session)).join(', ')} restart identity cascade`);
    await session.query(`select set_config('codecshift.term', '0', true)`);
    await bringRows(session, source, how);
    await source.compare(session);
    await continueIds(session, how.life === 'restored' ? GAP : 0);
    await session.query(`select setval('job_pins', $1)`, [source.pins]);
    if (how.life === 'restored') await beginNextLife(session);
    // a changed table refuses while checks of its rows are still waiting for the end of the transaction
    await session.exec('set constraints all immediate');
    await applyInside(session, migrations.slice(source.schema));
    await how.finish?.(session);
    await session.query(`update coordinator set term = greatest($1::bigint, $2::bigint)`, [source.term, how.aboveTerm ?? 0]);
    how.signal?.throwIfAborted();
    await session.exec('commit');
  } catch (error) {
    await session.exec('rollback').catch(() => {});
    if (codeOf(error) === '55P03') throw inUse(error);
    throw isMisfit(error)
      ? new PlainError(`What is in the copy does not fit into a database of CodecShift (${messageOf(error)}). Nothing was changed.`, {
          cause: error,
        })
      : error;
  }
}

function inUse(cause: unknown): PlainError {
  return new PlainError(
    'Something else works in this database and did not let go of it for a minute: a program with an open transaction, a backup, another CodecShift. End it, then try again. Nothing was changed.',
    { cause },
  );
}

/** Data that cannot be, keys that lead nowhere, columns or tables that there are not: what was copied is at fault. */
function isMisfit(error: unknown): boolean {
  return !(error instanceof PlainError) && /^(22|23|42)[0-9A-Z]{3}$/.test(codeOf(error) ?? '');
}

/** @throws PlainError */
export function requireKnownSchema(schema: number, migrations: readonly Migration[] = readMigrations()): void {
  if (schema <= migrations.length) return;
  throw new PlainError(
    `This was made by a newer CodecShift (its schema is version ${schema}, this one knows ${migrations.length}). Install the newer version first.`,
  );
}

/**
 * From now on certificates of this database win over those of every earlier life, also of one that this backup never knew
 * (it may be older than the last restore): the minute of the clock is later than all of theirs.
 * @param ahead minutes more, where another life may have begun in this very one
 */
export async function beginNextLife(q: Queryable, ahead = 0): Promise<void> {
  await q.query(
    `update cluster set incarnation = greatest(incarnation + 1, floor(extract(epoch from clock_timestamp()) / 60)::int + $1::int)`,
    [ahead],
  );
}

/** No id that a machine may remember from after the backup is given out a second time for something else. */
const GAP = 1_000_000;

/** How many rows are written at once, and after how many bytes the log of the embedded database is cut short. */
const BATCH = 500;
const CHECKPOINT_BYTES = 64_000_000;

async function bringRows(session: MigrationSession, source: RowSource, how: Rebuilding): Promise<void> {
  let written = 0;
  const counts = new Map<string, number>();
  for await (const { table, rows } of source.rows()) {
    how.signal?.throwIfAborted();
    if (!(exportedTables as readonly string[]).includes(table)) throw new PlainError(`The copy holds an unknown table: ${table}.`);
    for (let at = 0; at < rows.length; at += BATCH) {
      const text = `[${rows.slice(at, at + BATCH).join(',')}]`;
      await session.query(
        `insert into ${table} overriding system value select * from jsonb_populate_recordset(null::${table}, $1::jsonb)`,
        [text],
      );
      written += text.length;
    }
    counts.set(table, (counts.get(table) ?? 0) + rows.length);
    how.onProgress?.({ table, rows: counts.get(table)! });
    if (!how.embedded || written < CHECKPOINT_BYTES) continue;
    await session.exec('checkpoint');
    written = 0;
  }
}

/** Every table, sequence and function that a migration ever made; other things in the same database stay. */
function dropStatements(migrations: readonly Migration[]): string {
  const sql = migrations.map((migration) => migration.sql).join('\n');
  const named = (what: string): string[] => [
    ...new Set([...sql.matchAll(new RegExp(`^\\s*create (?:or replace )?${what} (?:if not exists )?(\\w+)`, 'gim'))].map((m) => m[1]!)),
  ];
  return [
    `drop table if exists ${['schema_migrations', ...named('table')].join(', ')} cascade`,
    ...named('sequence').map((name) => `drop sequence if exists ${name} cascade`),
    ...named('function').map((name) => `drop function if exists ${name} cascade`),
  ].join(';\n');
}

/** Ids go on behind the highest imported one. */
async function continueIds(q: Queryable, gap: number): Promise<void> {
  const columns = await q.query<{ table: string; column: string; small: boolean }>(
    `select table_name as table, column_name as column, data_type <> 'bigint' as small from information_schema.columns
      where table_schema = 'public' and is_identity = 'YES' and table_name = any($1::text[])`,
    [[...exportedTables]],
  );
  for (const { table, column, small } of columns)
    await q.query(`select setval(pg_get_serial_sequence($1, $2), coalesce(max(${column}), 0) + 1 + $3::int, false) from ${table}`, [
      table,
      column,
      small ? 0 : gap,
    ]);
}

/** Compares the tables with what a backup says of them. @throws PlainError for the first that differs */
export async function compareDigests(q: Queryable, expected: readonly TableDigest[], signal?: AbortSignal): Promise<void> {
  for (const { name, rows, sha256 } of expected) {
    const found = await digestOf(q, name, { signal });
    if (found.rows === rows && found.sha256 === sha256) continue;
    throw new PlainError(
      `What was written into ${name} is not what the backup holds (${found.rows} of ${rows} rows). Nothing was changed.`,
    );
  }
}
