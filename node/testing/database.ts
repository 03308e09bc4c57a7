import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe } from 'node:test';
import pg from 'pg';
import { connectDatabase, type Database } from '../db/connect.ts';
import { acquireLease } from '../db/coordinator.ts';
import { migrate, readMigrations } from '../db/migrate.ts';
import { createLog, type Log } from '../log.ts';
import { copyEmbedded } from './embedded-template.ts';
import { empty, emptied, schemaOf } from './emptied.ts';
import { memoryFolder } from './memory-folder.ts';
import { findPostgres, startPostgres, type TestPostgres } from './postgres.ts';
import { thorough } from './thorough.ts';

/**
 * Empty, migrated databases for tests, on both engines.
 *
 *   eachDatabase((kind) => {
 *     test('…', async (t) => {
 *       const db = await freshDatabase(t, kind);
 *       const leader = await db.lead();          // writes need a coordinator's term
 *
 * `scripts/test.ts` starts one server for all test files and hands its address down in CODECSHIFT_TEST_DATABASE_URL; a
 * single test file that runs without it starts its own.
 */
export type DatabaseKind = 'postgres' | 'embedded';

export interface TestDatabase extends Database {
  /** of an external database */
  readonly url: string | null;
  readonly dataDir: string;
  readonly kind: DatabaseKind;
  /** becomes the coordinator for an hour, as a new session: a further call takes over with the next term */
  lead(): Promise<Database>;
}

interface Cleanup {
  after(fn: () => Promise<void> | void): void;
}

/** Runs the same tests on both engines; without a PostgreSQL on this machine its half is skipped and says so. */
export function eachDatabase(body: (kind: DatabaseKind) => void): void {
  const missing = havePostgres() ? false : 'no PostgreSQL on this machine (set CODECSHIFT_TEST_POSTGRES_BIN)';
  describe('on PostgreSQL', { skip: missing }, () => body('postgres'));
  describe('on the embedded database', () => body('embedded'));
}

/**
 * The same for what stands above the SQL: on PostgreSQL where there is one, on both with `npm test -- --all`. That both give the
 * same answers is for the tests of db/ to say, and whole programs run on both in scenarios/.
 */
export function oneDatabase(body: (kind: DatabaseKind) => void): void {
  if (thorough || !havePostgres()) eachDatabase(body);
  else describe('on PostgreSQL', () => body('postgres'));
}

export function havePostgres(): boolean {
  return Boolean(process.env['CODECSHIFT_TEST_DATABASE_URL']) || findPostgres() !== null;
}

/**
 * A migrated, empty database that goes away with the test. What another test of the same file left empty is taken: to make
 * one costs a server a thousand files, a third of a second of both, and opening the embedded one costs seconds.
 */
export async function freshDatabase(t: Cleanup, kind: DatabaseKind): Promise<TestDatabase> {
  if (kind === 'embedded') return freshEmbedded(t);
  const dataDir = dataDirectory(t);
  const kept = idleUrls.pop() ?? (await keepUrl());
  const database = await connectDatabase({ url: kept.url, dataDir, log: quietLog() });
  // Whoever knows the address may have connections of his own, which may outlive the test: such a database is not handed on.
  let known = false;
  t.after(async () => {
    await database.close();
    if (!known && !fileOver && (await emptied(kept.client, kept.schema))) idleUrls.push(kept);
    else await kept.drop();
  });
  const test = Object.assign(database, { dataDir, kind, lead: () => lead(database) });
  return Object.defineProperty(test, 'url', { enumerable: true, get: () => ((known = true), kept.url) }) as unknown as TestDatabase;
}

interface KeptUrl {
  url: string;
  /** a connection of our own to it */
  client: pg.Client;
  /** what its schema was like when it was made */
  schema: string;
  drop(): Promise<void>;
}

const idleUrls: KeptUrl[] = [];
const idle: { database: Database; dataDir: string }[] = [];
let fileOver = false;
after(async () => {
  // hooks run in the order they were registered in: those of suites are still to come, and nobody takes what they leave
  fileOver = true;
  for (const { drop } of idleUrls.splice(0)) await drop();
  for (const { database } of idle.splice(0)) await database.close();
});

async function keepUrl(): Promise<KeptUrl> {
  const { url, drop } = await makeDatabase(await serverTemplate());
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  const end = async (): Promise<void> => {
    await client.end().catch(() => {});
    await drop();
  };
  return { url, client, schema: await schemaOf(client), drop: end };
}

/** Opening the embedded database costs seconds on a busy machine, so the tests of one file empty it and hand it on. */
async function freshEmbedded(t: Cleanup): Promise<TestDatabase> {
  const kept = idle.pop() ?? (await openEmbeddedForTests());
  let over = false;
  let closed = false;
  const guard = (database: Database): Database => ({
    embedded: true,
    sessions: database.sessions,
    schema: database.schema,
    query: (sql, params) => (over ? Promise.reject(new Error('the test that used this database is over')) : database.query(sql, params)),
    tx: (fn) => (over ? Promise.reject(new Error('the test that used this database is over')) : database.tx(fn)),
    withTerm: (term) => guard(database.withTerm(term)),
    impatient: (ms) => database.impatient(ms),
    still: (work) => database.still(work),
    maintain: () => database.maintain(),
    close: () => {
      closed = true;
      return database.close();
    },
  });
  t.after(async () => {
    over = true;
    if (closed) return;
    await empty(kept.database);
    idle.push(kept);
  });
  const database = guard(kept.database);
  return Object.assign(database, { url: null, dataDir: kept.dataDir, kind: 'embedded' as const, lead: () => lead(database) });
}

async function openEmbeddedForTests(): Promise<{ database: Database; dataDir: string }> {
  const dataDir = fs.mkdtempSync(path.join(memoryFolder(), 'codecshift-embedded-'));
  process.once('exit', () => fs.rmSync(dataDir, { recursive: true, force: true }));
  await copyEmbedded(dataDir);
  return { database: await connectDatabase({ url: null, dataDir, log: quietLog() }), dataDir };
}

async function lead(database: Database): Promise<Database> {
  await database.query(`update coordinator set lease_until = '-infinity'`);
  const term = await acquireLease(database, { node: 'test-coordinator', session: randomUUID(), url: null, ttlSeconds: 3600 });
  if (term === null) throw new Error('the lease was not free');
  return database.withTerm(term);
}

/** The address of a new database with today's schema, dropped after the test. */
export async function freshUrl(t: Cleanup): Promise<string> {
  return forOneTest(t, await serverTemplate());
}

/** The address of a new database without any table. */
export async function emptyUrl(t: Cleanup): Promise<string> {
  return forOneTest(t, 'template0');
}

async function forOneTest(t: Cleanup, template: string): Promise<string> {
  const { url, drop } = await makeDatabase(template);
  t.after(drop);
  return url;
}

async function makeDatabase(template: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const server = await serverUrl();
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await admin(server, (client) => client.query(`create database ${name} template ${template}`));
  return { url: withDatabase(server, name), drop: () => dropDatabase(server, name) };
}

async function dropDatabase(server: string, name: string): Promise<void> {
  // a busy server may not have ended the connections in the five seconds that it gives them
  const drop = (): Promise<unknown> => admin(server, (client) => client.query(`drop database if exists ${name} with (force)`));
  await drop().catch(drop);
}

/**
 * Removed after the test. node:test runs its hooks in the order they were registered in, so a program that a test left
 * running may still write there; and a hook that throws keeps the later ones, which would end that program, from running.
 */
export function temporaryDirectory(t: Cleanup, within = os.tmpdir()): string {
  const directory = fs.mkdtempSync(path.join(within, 'codecshift-test-'));
  const again = (): void => fs.rmSync(directory, { recursive: true, force: true });
  t.after(() =>
    fs.promises
      .rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
      .catch(() => void process.once('exit', again)),
  );
  return directory;
}

/** The same for data directories that hold a database and no film. */
export function dataDirectory(t: Cleanup): string {
  return temporaryDirectory(t, memoryFolder());
}

/** A log that says nothing unless CODECSHIFT_TEST_LOG is set. */
export function quietLog(): Log {
  return createLog({ level: process.env['CODECSHIFT_TEST_LOG'] ?? 'silent', pretty: false });
}

let own: Promise<TestPostgres> | null = null;

async function serverUrl(): Promise<string> {
  const given = process.env['CODECSHIFT_TEST_DATABASE_URL'];
  if (given) return given;
  own ??= startPostgres().then((server) => {
    process.once('exit', () => server.stop());
    return server;
  });
  return (await own).url;
}

let template: Promise<string> | null = null;

/** The template database, named after the schema's checksum and made once per server, whichever process comes first. */
function serverTemplate(): Promise<string> {
  return (template ??= serverUrl().then((server) =>
    admin(server, async (client) => {
      const name = `template_${schemaDigest()}`;
      await client.query('select pg_advisory_lock(8112026)');
      try {
        const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
        if (rowCount === 0) await makeTemplate(server, client, name);
        return name;
      } finally {
        await client.query('select pg_advisory_unlock(8112026)');
      }
    }),
  ));
}

async function makeTemplate(server: string, client: pg.Client, name: string): Promise<void> {
  await client.query(`create database ${name}_new template template0`);
  await admin(withDatabase(server, `${name}_new`), async (fresh) => {
    const session = {
      query: async <R>(sql: string, params: unknown[] = []) => (await fresh.query(sql, params)).rows as R[],
      exec: async (sql: string) => void (await fresh.query(sql)),
    };
    await migrate(session, { migrations: readMigrations(), embedded: false });
  });
  await client.query(`alter database ${name}_new rename to ${name}`);
}

function schemaDigest(): string {
  const hash = createHash('sha256');
  for (const migration of readMigrations()) hash.update(migration.sha256);
  return hash.digest('hex').slice(0, 16);
}

async function admin<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
