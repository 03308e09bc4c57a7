import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, cpSync, existsSync, readdirSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import pg from 'pg';
import { ownBackups } from '../db/backup-before.ts';
import { backUp } from '../db/backup-write.ts';
import { connectDatabase, openSession } from '../db/connect.ts';
import { acquireLease } from '../db/coordinator.ts';
import { andClose } from '../db/hold.ts';
import { PlainError } from '../errors.ts';
import type { Fault } from '../files/durable.ts';
import { everyRow, grow } from '../testing/bulky.ts';
import { emptyUrl, havePostgres, quietLog, dataDirectory, withDatabase } from '../testing/database.ts';
import { aHistory } from '../testing/history.ts';
import { noOddDisks, smallDisk } from '../testing/odd-disks.ts';
import { startPostgres } from '../testing/postgres.ts';
import { unlessAll } from '../testing/thorough.ts';
import { settleDatabase } from './database-truth.ts';
import { isUndecided, restoreBackup, type Restored } from './restore.ts';

/** A disk becomes full in the middle of a restore: what was there is there, row by row, and nothing half is left. */
const skip = unlessAll || noOddDisks();
const skipExternal = skip || (havePostgres() ? false : 'no PostgreSQL on this machine');
const cleanups: (() => unknown)[] = [];
const life = { after: (fn: () => Promise<void> | void): void => void cleanups.push(fn) };
/** Of a house with so much in it that a small disk does not take it. */
let big = '';
let small = '';
/** With an embedded database that has the rows of the small one. */
let seed = '';

before(async () => {
  if (skip) return;
  const dataDir = dataDirectory(life);
  const db = await connectDatabase({ url: null, dataDir, log: quietLog() });
  const term = await acquireLease(db, { node: 'x', session: '00000000-0000-4000-8000-000000000001', url: null, ttlSeconds: 600 });
  await aHistory(db.withTerm(term!), 40);
  const folder = dataDirectory(life);
  const keys = { 'secret.key': Buffer.alloc(32, 9) };
  small = (await backUp(db, folder, { label: 'manual', keys })).file;
  await grow(db, 20);
  big = (await backUp(db, folder, { label: 'manual', keys })).file;
  await db.close();
  seed = dataDirectory(life);
  await restore(seed, small);
});
after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

suite('a disk that becomes full during a restore into the embedded database', { skip }, () => {
  test('before anything is built, or by the copy of what is there: it is not begun', async (t) => {
    const { dataDir, disk, rows } = await embedded(t);
    disk.leave(80_000 * 1024);
    await assert.rejects(restore(dataDir, big), told(/has 82 MB free, and at least \d+ MB are needed.*Nothing was changed\.$/));
    await asBefore(dataDir, rows);
    disk.leave(62_000 * 1024);
    await assert.rejects(restore(dataDir, small), told(/^The backup could not be written\. The disk of \S+ is full/));
    await asBefore(dataDir, rows);
  });

  test('while the new one is built', async (t) => {
    const { dataDir, disk, rows } = await embedded(t);
    disk.leave(110_000 * 1024);
    await assert.rejects(restore(dataDir, big), told(/^The backup was not put back: the disk of \S+ became full while/));
    await asBefore(dataDir, rows, 1);
  });

  test('and the process is killed just then', async (t) => {
    const { dataDir, disk, rows } = await embedded(t);
    disk.leave(110_000 * 1024);
    const entry = path.join(import.meta.dirname, '..', 'testing', 'faulty-database.ts');
    const child = spawn(process.execPath, [entry, 'restore', dataDir, 'embedded', big], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const watch = setInterval(() => {
      const { bavail, bsize } = statfsSync(dataDir);
      if (bavail * bsize < 4_000_000) child.kill('SIGKILL');
    }, 1);
    await ended;
    clearInterval(watch);
    await settleDatabase(dataDir, quietLog());
    await asBefore(dataDir, rows, 1);
  });

  test('when it is to be decided', async (t) => {
    const { dataDir, disk, rows } = await embedded(t);
    await assert.rejects(
      restore(dataDir, small, { fault: (point) => void (point === 'restore:ready' && disk.leave(0)) }),
      (error) => !isUndecided(error),
    );
    await asBefore(dataDir, rows, 1);
  });
});

suite('a disk that becomes full during a restore into an external database', { skip: skipExternal }, () => {
  test('by the copy of what is there', async (t) => {
    const url = await emptyUrl(t);
    await restore(dataDirectory(t), big, { url });
    const rows = await rowsOf(url);
    const disk = smallDisk(t, '2m');
    await assert.rejects(restore(disk.path, small, { url }), told(/^The backup could not be written\. The disk of \S+ is full/));
    assert.deepEqual(await rowsOf(url), rows);
    assert.deepEqual(readdirSync(disk.path), ['backups']);
    assert.deepEqual(readdirSync(ownBackups(disk.path)), []);
    await canBeLed(url);
  });

  test('where that database lies', async (t) => {
    const server = await startPostgres();
    t.after(() => server.stop());
    const disk = smallDisk(t, '200m');
    const url = await urlOnDisk(server.url, disk.path);
    await restore(dataDirectory(t), small, { url });
    const rows = await rowsOf(url);
    const dataDir = dataDirectory(t);
    disk.leave(16_000 * 1024);
    await assert.rejects(
      restore(dataDir, big, { url }),
      told(/^The backup was not put back: the disk of .+ is full .*Nothing was changed there\.$/),
    );
    assert.deepEqual(await rowsOf(url), rows);
    assert.deepEqual(readdirSync(dataDir), ['backups']);
    await canBeLed(url);
  });

  test('after that database has it, and before its keys are in their place: that is told, and the next start with room does it', async (t) => {
    const url = await emptyUrl(t);
    const disk = smallDisk(t, '200m');
    const fault: Fault = (point) => void (point === 'restore:ready' && disk.leave(0));
    await assert.rejects(restore(disk.path, small, { url, fault }), (error) => {
      assert.ok(isUndecided(error));
      return told(/settled by the next start/)(error);
    });
    await assert.rejects(canBeLed(url));
    disk.leave(1_000 * 1024);
    assert.equal(await settleDatabase(disk.path, quietLog()), true);
    assert.ok(existsSync(path.join(disk.path, 'secret.key')));
    await canBeLed(url);
  });
});

interface Options {
  url?: string | null;
  fault?: Fault;
}

function restore(dataDir: string, file: string, { url = null, fault }: Options = {}): Promise<Restored> {
  const rest = { passphrase: null, secretKeyFile: null, replace: true, by: 'a test', log: quietLog(), patienceSeconds: 0 };
  return restoreBackup({ ...rest, dataDir, file, databaseUrl: url, ...(fault ? { fault } : {}) });
}

/** A data directory with a history of its own, on a disk that can be made small. */
async function embedded(t: Parameters<typeof smallDisk>[0]) {
  const disk = smallDisk(t, '1g');
  cpSync(path.join(seed, 'database'), path.join(disk.path, 'database'), { recursive: true });
  return { dataDir: disk.path, disk, rows: await rowsOf(null, disk.path) };
}

async function asBefore(dataDir: string, rows: unknown, backups = 0): Promise<void> {
  const left = readdirSync(dataDir).filter((name) => /^(incoming|swap|restore|database\.(before|new))/.test(name));
  assert.deepEqual(left, []);
  const own = ownBackups(dataDir);
  const kept = existsSync(own) ? readdirSync(own).filter((name) => !name.endsWith('.json')) : [];
  assert.equal(kept.length, backups, kept.join(', '));
  assert.ok(kept.every((name) => name.endsWith('.tar.gz')));
  assert.deepEqual(await rowsOf(null, dataDir), rows);
}

async function rowsOf(url: string | null, dataDir = ''): Promise<unknown> {
  return andClose(await openSession({ url, dataDir, log: quietLog() }), everyRow);
}

async function canBeLed(url: string): Promise<void> {
  const session = await openSession({ url, dataDir: '', log: quietLog() });
  const lease = { node: 'x', session: '00000000-0000-4000-8000-000000000002', url: null, ttlSeconds: 1 };
  await andClose(session, async () => assert.notEqual(await acquireLease(session, lease), null));
}

/** A database whose rows lie on another disk than those of the others. */
async function urlOnDisk(server: string, place: string): Promise<string> {
  const ask = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  chownSync(place, ask('-u'), ask('-g'));
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(`create tablespace small location '${place}'`);
  await client.query('create database small template template0 tablespace small');
  await client.end();
  return withDatabase(server, 'small');
}

function told(words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PlainError, String(error));
    assert.match(error.message, words);
    return true;
  };
}
