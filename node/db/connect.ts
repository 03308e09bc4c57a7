import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '../log.ts';
import { PlainError } from '../errors.ts';
import { openEmbedded, type Embedded } from './embedded.ts';
import { copyBefore } from './copy-before.ts';
import { maintenance } from './maintenance.ts';
import { migrate, readMigrations, type Migration, type MigrationSession } from './migrate.ts';
import { explainConnection, isUnreachable } from './pg-errors.ts';
import { poolDatabase } from './pool.ts';
import { upgradeShared, withCopy } from './upgrade.ts';

/**
 * The database room. One interface over `pg`, one set of statements and migrations, two places where PostgreSQL can be:
 *
 *   DATABASE_URL ──▶ pg.Pool (8) ── TCP ──────────────▶ PostgreSQL 15 or newer
 *   nothing      ──▶ pg.Pool (1) ── wire.ts, a thread ─▶ PGlite on <data dir>/database, see embedded.ts
 *
 * Rules that keep it one path: inside `tx` only the transaction is used (with one session anything else would wait for
 * ever); no state of a session between calls except the term; no COPY, no cursors, no LISTEN; LIMIT is written into the SQL.
 *
 * Who may write: the coordinator alone. Its lease is a row with a term that grows with every new holder; every connection
 * carries the term it writes for, and a trigger on each table refuses all but the current one. So a coordinator that was
 * frozen and replaced cannot change anything when it wakes up (`isStaleTerm`), whatever it still believes.
 *
 * A file per table, a function per statement; each takes a `Queryable` first, the Database or a transaction:
 *   coordinator nodes roots libraries scans media-files file-lists      who and what there is
 *   jobs claims attempts results job-lists                              work: waiting, running, ended, shown
 *   originals stats counters settings activity                          the trash, numbers, wishes, the story
 */

/** One statement at a time, outside or inside a transaction. Rows come with int8 and numeric as numbers, timestamps as Date. */
export interface Queryable {
  query<R = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<R[]>;
}

export interface Database extends Queryable {
  /** Runs `fn` in one transaction; it commits when `fn` resolves, and may run again after a deadlock. Inside use only `q`. */
  tx<T>(fn: (q: Queryable) => Promise<T>): Promise<T>;
  /** The same connections, writing as the coordinator of this term; refused (see `isStaleTerm`) once another one leads. */
  withTerm(term: number): Database;
  /**
   * Reads everything as of one moment, however long that takes. On an embedded database the coordinator's writes wait until
   * `work` is over; reading and the lease go on.
   */
  still<T>(work: (q: Queryable) => Promise<T>): Promise<T>;
  /** true: PGlite in this process, one session; false: an external PostgreSQL */
  readonly embedded: boolean;
  /** The same, but a statement that is not answered in time fails, its connection is closed, and nothing is tried again. */
  impatient(ms: number): Queryable;
  readonly sessions: number;
  /** how many migrations this program knows: a database with more of them is not its business */
  readonly schema: number;
  /** What autovacuum and the checkpointer do for a server; call it about once a minute. */
  maintain(): Promise<void>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** null: the embedded database in `<dataDir>/database` */
  url: string | null;
  dataDir: string;
  log: Log;
  signal?: AbortSignal;
  /** the caller holds the lock of the data directory already */
  locked?: boolean;
  /** how long to wait for an external database that is not there yet; containers start in any order. Seconds, 30 unless said */
  patienceSeconds?: number | undefined;
  /** null: connect without bringing the schema up to date */
  migrations?: Migration[] | null;
  /** who takes the lease while a shared database is brought up to date, and hears what happens */
  candidate?: { node: string; session: string; say: (doing: string) => void };
  /** a copy of the database before it is brought up to date, into `<dataDir>/backups`; yes unless said */
  copyBefore?: boolean;
}

/** True when the write was refused because another coordinator has taken over: step down at once. */
export function isStaleTerm(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'CS001';
}

/**
 * Opens the database and brings its schema up to date.
 * @throws PlainError when it is unreachable, refuses the password, is too old, is in use, or was written by a newer build
 *   (`isNewerSchema`)
 */
export async function connectDatabase(options: ConnectOptions): Promise<Database> {
  return options.url === null ? connectEmbedded(options) : connectExternal(options, options.url);
}

async function connectEmbedded(options: ConnectOptions): Promise<Database> {
  const { dataDir, log } = options;
  const embedded = await openEmbedded({ dataDir, log, locked: options.locked ?? false });
  return overEmbedded(embedded, options);
}

/** The Database over an open embedded one; tests use it to crash the thread below. */
export async function overEmbedded(embedded: Embedded, options: ConnectOptions): Promise<Database> {
  const pool = new pg.Pool({ stream: () => embedded.socket(), user: 'postgres', database: 'postgres', max: 1, idleTimeoutMillis: 0 });
  const database = poolDatabase({
    pool,
    log: options.log,
    embedded: true,
    schema: migrationsOf(options).length,
    maintain: maintenance({ embedded: true }),
    closed: () => embedded.close(),
  });
  return upToDate(database, options, async () => {
    const client = await pool.connect();
    let copy: string | null = null;
    try {
      await migrate(sessionOf(client), {
        migrations: migrationsOf(options),
        embedded: true,
        beforeUpgrade: async (from, session) => {
          copy = await copyBefore(session, { dataDir: copiesOf(options), from, log: options.log, signal: options.signal });
        },
      });
    } catch (error) {
      throw withCopy(error, copy);
    } finally {
      client.release();
    }
  });
}

async function connectExternal(options: ConnectOptions, url: string): Promise<Database> {
  const { log } = options;
  const config = clientConfig(url);
  await firstContact(config, url, options);
  const pool = new pg.Pool({
    ...config,
    max: 8,
    idleTimeoutMillis: 60_000,
    connectionTimeoutMillis: 10_000,
    statement_timeout: 60_000,
    // a server that was cut off never says that the statement took too long
    query_timeout: 65_000,
    // part of the fence: a coordinator frozen inside a transaction would otherwise block its successor, and its COMMIT would succeed
    idle_in_transaction_session_timeout: 4_000,
  });
  const database = poolDatabase({
    pool,
    log,
    embedded: false,
    schema: migrationsOf(options).length,
    maintain: maintenance({ embedded: false }),
    closed: async () => {},
  });
  return upToDate(database, options, () => migrateOnce(config, url, options));
}

/** One connection for work on a database as a whole, without limits of time; the schema stays as it is. */
export interface LoneSession extends MigrationSession {
  readonly embedded: boolean;
  close(): Promise<void>;
}

/**
 * Opens the database for this process alone, or an external one beside whoever uses it; an embedded one is made when it is
 * not there yet. Nobody else may have the data directory open.
 * @throws PlainError as `connectDatabase` does
 */
export async function openSession(options: Pick<ConnectOptions, 'url' | 'dataDir' | 'log' | 'signal' | 'locked'>): Promise<LoneSession> {
  const embedded = options.url === null ? await openEmbedded({ ...options, locked: options.locked ?? false }) : null;
  const config = options.url === null ? { user: 'postgres', database: 'postgres' } : clientConfig(options.url);
  if (options.url !== null) await firstContact(config, options.url, { ...options, patienceSeconds: 5 });
  const client = new pg.Client({ ...config, ...(embedded ? { stream: () => embedded.socket() } : {}) });
  client.on('error', () => {}); // the failing call reports it
  try {
    await client.connect();
    await client.query(`select set_config('TimeZone', 'UTC', false), set_config('application_name', 'codecshift', false)`);
  } catch (error) {
    await embedded?.close();
    throw options.url === null ? error : explainConnection(error, options.url);
  }
  let closing: Promise<void> | null = null;
  return {
    ...sessionOf(client),
    embedded: embedded !== null,
    close: () =>
      (closing ??= client
        .end()
        .catch(() => {})
        .then(() => embedded?.close())),
  };
}

async function upToDate(database: Database, options: ConnectOptions, bring: () => Promise<void>): Promise<Database> {
  try {
    if (options.migrations !== null) await bring();
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

function clientConfig(url: string): pg.ClientConfig {
  const wanted = 'It looks like postgres://user:password@host:5432/codecshift.';
  const address = URL.parse(url);
  if (!address) throw new PlainError(`The database address is not a URL. ${wanted}`);
  if (!['postgres:', 'postgresql:', 'socket:'].includes(address.protocol))
    throw new PlainError(`The database address begins with ${address.protocol}//, and CodecShift speaks to PostgreSQL only. ${wanted}`);
  return {
    connectionString: url,
    application_name: 'codecshift',
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
    connectionTimeoutMillis: 10_000,
  };
}

/** Waits for a server that is still starting, then looks whether it is new enough. */
async function firstContact(config: pg.ClientConfig, url: string, options: ConnectOptions): Promise<void> {
  const until = performance.now() + (options.patienceSeconds ?? 30) * 1000;
  for (let told = false; ; told = true) {
    options.signal?.throwIfAborted();
    try {
      return await withClient(config, async (client) => {
        const { rows } = await client.query<{ v: string }>(`select current_setting('server_version_num') as v`);
        const major = Math.floor(Number(rows[0]?.v) / 10_000);
        if (major < 15) throw new PlainError(`The database is PostgreSQL ${major}; CodecShift needs 15 or newer.`);
      });
    } catch (error) {
      if (error instanceof PlainError) throw error;
      if (!isUnreachable(error) || performance.now() > until) throw explainConnection(error, url);
      if (!told) options.log.warn(`${explainConnection(error, url).message} Waiting for it.`);
      await wait(500, null, options.signal ? { signal: options.signal } : {});
    }
  }
}

async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(config);
  client.on('error', () => {}); // the failing call reports it
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** A migration may take long, so it has a connection without time limits. */
async function migrateOnce(config: pg.ClientConfig, url: string, options: ConnectOptions): Promise<void> {
  try {
    await withClient(config, (client) =>
      withClient(config, (beside) =>
        upgradeShared(sessionOf(client), {
          migrations: migrationsOf(options),
          who: options.candidate ?? { node: 'upgrade', session: randomUUID() },
          dataDir: copiesOf(options),
          beside: sessionOf(beside),
          say: options.candidate?.say ?? (() => {}),
          log: options.log,
          signal: options.signal,
        }),
      ),
    );
  } catch (error) {
    throw error instanceof PlainError || options.signal?.aborted ? error : explainConnection(error, url);
  }
}

function sessionOf(client: pg.Client | pg.PoolClient): MigrationSession {
  return {
    query: async <R>(sql: string, params: unknown[] = []) => (await client.query(sql, params)).rows as R[],
    exec: async (sql) => void (await client.query(sql)),
  };
}

function migrationsOf(options: ConnectOptions): Migration[] {
  return options.migrations ?? readMigrations();
}

function copiesOf({ copyBefore: wished, dataDir }: ConnectOptions): string | null {
  return wished === false ? null : dataDir;
}
