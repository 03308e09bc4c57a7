import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Database, Queryable } from './connect.ts';
import { interrupted, isConnectionLoss, isNotCarriedOut, isUnreachable } from './pg-errors.ts';

/**
 * Statements and transactions over a pool. Connections are checked out here and not by `pool.query`, which destroys the
 * connection after every SQL error (pg-pool 3.14). Every checkout carries the term of the coordinator that asks.
 */
export interface PoolParts {
  pool: pg.Pool;
  log: Log;
  embedded: boolean;
  /** how many migrations this program knows */
  schema: number;
  maintain(db: Database): Promise<void>;
  /** what else to close, after the pool */
  closed(): Promise<void>;
}

/** How long a statement waits for a database that restarts, before its error goes to the caller. */
const PATIENCE_MS = 30_000;

interface Shared extends PoolParts {
  terms: WeakMap<pg.PoolClient, string>;
  inside: AsyncLocalStorage<{ open: boolean }>;
  stopped: AbortController;
  closing: Promise<void> | null;
  /** while somebody reads everything as of one moment from an embedded database: resolves when he is done */
  stillness: Promise<void> | null;
}

export function poolDatabase(parts: PoolParts): Database {
  const shared: Shared = {
    ...parts,
    terms: new WeakMap(),
    inside: new AsyncLocalStorage(),
    stopped: new AbortController(),
    closing: null,
    stillness: null,
  };
  shared.pool.on('error', (error) => parts.log.warn({ why: error.message }, 'an idle database connection broke'));
  // without its own listener a connection that breaks while checked out ends the process
  shared.pool.on('connect', (client) => client.on('error', () => {}));
  return forTerm(shared, '');
}

function forTerm(shared: Shared, term: string): Database {
  const database: Database = {
    embedded: shared.embedded,
    schema: shared.schema,
    sessions: shared.pool.options.max,
    async query<R>(sql: string, params: unknown[] = []): Promise<R[]> {
      refuseInside(shared);
      if (term !== '') await stillnessOver(shared);
      return persist(shared, isRead(sql), (client) => run<R>(client, sql, params), term);
    },
    async tx<T>(fn: (q: Queryable) => Promise<T>): Promise<T> {
      refuseInside(shared);
      if (term !== '') await stillnessOver(shared);
      return persist(shared, false, (client) => transaction(shared, client, fn), term);
    },
    withTerm: (next) => forTerm(shared, String(next)),
    impatient: (ms) => ({
      async query<R>(sql: string, params: unknown[] = []): Promise<R[]> {
        refuseInside(shared);
        const outcome = await attempt(shared, (client) => runWithin<R>(client, sql, params, ms), term, ms);
        if (outcome.done) return outcome.value;
        throw outcome.error;
      },
    }),
    still: (work) => (shared.embedded ? inStillness(shared, work) : inSnapshot(database, work)),
    maintain: () => shared.maintain(database),
    close: () => (shared.closing ??= close(shared)),
  };
  return database;
}

/** One snapshot; nobody waits for it. */
function inSnapshot<T>(database: Database, work: (q: Queryable) => Promise<T>): Promise<T> {
  return database.tx(async (q) => {
    await q.query('set transaction isolation level repeatable read, read only');
    // writing to a slow disk is not a frozen coordinator, and nothing is locked here
    await q.query(`select set_config('idle_in_transaction_session_timeout', '0', true)`);
    return work(q);
  });
}

/**
 * A long transaction on the only session would keep everybody waiting, the lease too. So there is none: whoever writes under
 * a term waits, and all others have their turn between two statements of `work`.
 */
async function inStillness<T>(shared: Shared, work: (q: Queryable) => Promise<T>): Promise<T> {
  await stillnessOver(shared);
  const over = Promise.withResolvers<void>();
  shared.stillness = over.promise;
  try {
    return await work({
      query: <R>(sql: string, params: unknown[] = []) => persist(shared, true, (client) => run<R>(client, sql, params), ''),
    });
  } finally {
    shared.stillness = null;
    over.resolve();
  }
}

async function stillnessOver(shared: Shared): Promise<void> {
  while (shared.stillness) await shared.stillness;
}

async function close(shared: Shared): Promise<void> {
  shared.stopped.abort();
  await shared.pool.end();
  await shared.closed();
}

/** With one session, a query outside the transaction that waits for it would wait for ever. */
function refuseInside(shared: Shared): void {
  if (shared.inside.getStore()?.open)
    throw new Error('use the transaction that was handed to you: the database itself was used inside tx()');
}

/** pg's parsers make these numbers once for all; a value beyond 2^53 is a defect and must not be rounded in silence. */
pg.types.setTypeParser(pg.types.builtins.INT8, safeNumber);
pg.types.setTypeParser(pg.types.builtins.NUMERIC, (value) => Number(value));

function safeNumber(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`the database holds ${value}, which is too big for a number`);
  return number;
}

/**
 * Runs `work` on a connection, again and again while the database is away: always when the statement was surely not
 * carried out, and after a lost connection only when it just read.
 */
async function persist<T>(shared: Shared, read: boolean, work: (client: pg.PoolClient) => Promise<T>, term: string): Promise<T> {
  const started = performance.now();
  for (let pause = 25; ; pause = Math.min(pause * 2, 1000)) {
    const outcome = await attempt(shared, work, term);
    if (outcome.done) return outcome.value;
    const { error, connected } = outcome;
    const again = connected ? isNotCarriedOut(error) || (read && isConnectionLoss(error)) : isUnreachable(error);
    if (!again || shared.stopped.signal.aborted || performance.now() - started > PATIENCE_MS) {
      throw connected && isConnectionLoss(error) ? interrupted(error) : error;
    }
    await wait(pause * (0.75 + Math.random() / 2), null, { signal: shared.stopped.signal }).catch(() => {});
    // a backup that began while the database was away stands still for this write too
    if (term !== '') await stillnessOver(shared);
  }
}

type Outcome<T> = { done: true; value: T } | { done: false; error: unknown; connected: boolean };

async function attempt<T>(
  shared: Shared,
  work: (client: pg.PoolClient) => Promise<T>,
  term: string,
  withinMs?: number,
): Promise<Outcome<T>> {
  // whoever still asks while the program stops is told so, and not that a pool was used after its end
  if (shared.closing) return { done: false, error: closed(), connected: false };
  let client: pg.PoolClient;
  try {
    client = await checkout(shared, term, withinMs);
  } catch (error) {
    return { done: false, error, connected: false };
  }
  try {
    const value = await work(client);
    client.release();
    return { done: true, value };
  } catch (error) {
    // a statement without an answer still occupies its connection
    client.release(isConnectionLoss(error) || messageOf(error) === 'Query read timeout');
    return { done: false, error, connected: true };
  }
}

/** @param withinMs the connection may be dead without having said so, and is closed then */
async function checkout(shared: Shared, term: string, withinMs?: number): Promise<pg.PoolClient> {
  const client = await connection(shared);
  if (shared.terms.get(client) === term) return client;
  try {
    // UTC, so that a time read as text is the same everywhere
    const set = `select set_config('codecshift.term', $1, false), set_config('TimeZone', 'UTC', false)`;
    await (withinMs === undefined ? client.query(set, [term]) : runWithin(client, set, [term], withinMs));
    shared.terms.set(client, term);
    return client;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** A pool that ends forgets who waits for a connection of it (pg-pool 3.14), and a page would be waited for by whoever closes the front. */
function connection({ pool, stopped }: Shared): Promise<pg.PoolClient> {
  return new Promise((resolve, reject) => {
    const give = (): void => reject(closed());
    stopped.signal.addEventListener('abort', give, { once: true });
    const over = (): void => stopped.signal.removeEventListener('abort', give);
    pool.connect().then(
      (client) => (over(), stopped.signal.aborted ? client.release() : resolve(client)),
      (error: unknown) => (over(), reject(error)),
    );
  });
}

function closed(): PlainError {
  return new PlainError('The database is closed: this program stops.');
}

async function run<R>(client: pg.PoolClient, sql: string, params: unknown[]): Promise<R[]> {
  return (await client.query(sql, params)).rows as R[];
}

async function runWithin<R>(client: pg.PoolClient, text: string, values: unknown[], ms: number): Promise<R[]> {
  const config: pg.QueryConfig & { query_timeout: number } = { text, values, query_timeout: ms };
  return (await client.query(config)).rows as R[];
}

async function transaction<T>(shared: Shared, client: pg.PoolClient, fn: (q: Queryable) => Promise<T>): Promise<T> {
  const state = { open: true };
  const q: Queryable = {
    async query<R>(sql: string, params: unknown[] = []): Promise<R[]> {
      if (!state.open) throw new Error('this transaction is over');
      return run<R>(client, sql, params);
    },
  };
  await client.query('begin');
  try {
    const value = await shared.inside.run(state, () => fn(q));
    state.open = false;
    const ended = await client.query('commit');
    // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error: somebody swallowed the error inside
    if (ended.command === 'ROLLBACK') throw new Error('the transaction failed inside and was rolled back, but its error was not passed on');
    return value;
  } catch (error) {
    state.open = false;
    if (!isConnectionLoss(error)) await client.query('rollback');
    throw error;
  } finally {
    state.open = false;
  }
}

/** Only plain reads may be repeated after a lost connection. A word too many makes a read a write, which is safe. */
function isRead(sql: string): boolean {
  return (
    /^\s*(select|with|show|explain)\b/i.test(sql) &&
    !/\b(insert|update|delete|merge|for\s+(no\s+key\s+)?update|nextval|setval|set_config|pg_\w*lock\w*)\b/i.test(sql)
  );
}
