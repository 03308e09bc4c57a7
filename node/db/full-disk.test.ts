import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { suite, test } from 'node:test';
import { settleDatabase } from '../assembly/database-truth.ts';
import { PlainError } from '../errors.ts';
import {
  eachDatabase,
  emptyUrl,
  freshDatabase,
  havePostgres,
  quietLog,
  temporaryDirectory,
  type TestDatabase,
} from '../testing/database.ts';
import { everyRow, grow } from '../testing/bulky.ts';
import { freezingDisk, noFreezingDisks, noOddDisks, smallDisk } from '../testing/odd-disks.ts';
import { aHistory } from '../testing/history.ts';
import { unlessAll } from '../testing/thorough.ts';
import { ownBackups } from './backup-before.ts';
import { listBackups } from './backup-folder.ts';
import { verifyBackup } from './backup-read.ts';
import { backUp, backUpTables, type BackupWish } from './backup-write.ts';
import { connectDatabase, openSession } from './connect.ts';
import { copyBefore } from './copy-before.ts';
import { migrate, missingMigrations, readMigrations } from './migrate.ts';

/** Disks that are really full, or take nothing any more, in the middle of a backup. */
const skip = unlessAll || noOddDisks();
const wish: BackupWish = { label: 'manual', keys: null };

eachDatabase((kind) => {
  suite('a disk that becomes full', { skip }, () => {
    test('in the middle of a backup is told with its numbers, nothing of the backup stays, and the one before it is as it was', async (t) => {
      const db = await filled(t, kind, 0.2);
      const disk = smallDisk(t, '1m');
      const before = await backUp(db, disk.path, wish);
      const names = readdirSync(disk.path);
      await grow(db, 3);
      await assert.rejects(
        backUp(db, disk.path, { ...wish, label: 'nightly' }),
        told(
          /^The backup could not be written\. The disk of \S+ is full \(1 MB are free there now, up to \d+ MB are needed\)\. Nothing of it was kept\.$/,
        ),
      );
      assert.deepEqual(readdirSync(disk.path), names);
      assert.deepEqual(
        (await listBackups(disk.path)).map(({ file }) => file),
        [before.file],
      );
      await verifyBackup(before.file);
      await db.query('select 1 from settings');
      const own = path.join(disk.path, 'own.tar.gz');
      await assert.rejects(backUp(db, disk.path, { ...wish, file: own }), told(/is full/));
      assert.deepEqual(readdirSync(disk.path), names);
    });
  });
});

suite('a disk that becomes full', { skip }, () => {
  test('when only the note of a backup is missing leaves no backup that was called a failure', async (t) => {
    const db = await filled(t, 'embedded', 0.05);
    const disk = smallDisk(t, '4m');
    const pages = (bytes: number): number => Math.ceil(bytes / 4096);
    const { bytes } = await backUp(db, temporaryDirectory(t), wish);
    // the time in it makes it a few bytes longer or shorter
    assert.ok(pages(bytes - 40) === pages(bytes + 40), 'by chance it ends with a page: make the rows a little longer');
    disk.leave(pages(bytes) * 4096);
    await assert.rejects(backUp(db, disk.path, wish), told(/is full/));
    assert.deepEqual(readdirSync(disk.path), []);
  });

  test('in the middle of the copy before an upgrade lets no step of it begin', async (t) => {
    for (const url of [null, ...(havePostgres() ? [await emptyUrl(t)] : [])]) {
      const all = readMigrations();
      const disk = smallDisk(t, '600m');
      await (await connectDatabase({ url, dataDir: disk.path, log: quietLog(), migrations: all.slice(0, -1) })).close();
      const real = await openSession({ url, dataDir: disk.path, log: quietLog() });
      t.after(() => real.close());
      const before = await everyRow(real);
      const session = {
        ...real,
        query<R>(sql: string, params?: unknown[]): Promise<R[]> {
          if (/from "media_files" t/.test(sql)) disk.leave(0);
          return real.query<R>(sql, params);
        },
      };
      const copy = (from: number): Promise<unknown> =>
        copyBefore(session, { dataDir: disk.path, from, log: quietLog(), signal: undefined });
      await assert.rejects(
        migrate(session, { migrations: all, embedded: real.embedded, beforeUpgrade: async (from) => void (await copy(from)) }),
        told(/^The database could not be copied before its upgrade: .*The disk of \S+ is full .*\. Nothing was changed\. Make room/),
      );
      assert.deepEqual(readdirSync(ownBackups(disk.path)), []);
      assert.equal((await missingMigrations(real, all)).length, 1);
      assert.deepEqual(await everyRow(real), before);
    }
  });

  test('is left by a backup before the embedded database on it has no room any more', async (t) => {
    const disk = smallDisk(t, '400m');
    const db = await connectDatabase({ url: null, dataDir: disk.path, log: quietLog() });
    t.after(() => db.close());
    await grow(db, 12);
    disk.leave(70_000 * 1024);
    const backup = backUp(db, ownBackups(disk.path), { ...wish, beside: disk.path });
    await assert.rejects(backup, told(/is full \(\d+ MB are free there now, 64 MB stay free for the rest of CodecShift, up to/));
    assert.deepEqual(readdirSync(ownBackups(disk.path)), []);
    await grow(db, 1);
  });
});

test('what a backup leaves that is killed in the middle is no backup, and the next start takes it away', async (t) => {
  const dataDir = temporaryDirectory(t);
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '..', 'testing', 'killed-backup.ts'), dataDir], {
    stdio: 'inherit',
  });
  const signal = await new Promise((resolve) => child.once('exit', (_, by) => resolve(by)));
  assert.equal(signal, 'SIGKILL');
  const own = ownBackups(dataDir);
  assert.deepEqual(
    readdirSync(own).map((name) => path.extname(name)),
    ['.part'],
  );
  assert.deepEqual(await listBackups(own), []);
  await settleDatabase(dataDir, quietLog());
  assert.deepEqual(readdirSync(own), []);
});

suite('a disk that takes nothing any more', { skip: noFreezingDisks() }, () => {
  test('is not waited for while the embedded database stands still for it, and is tidy once it answers', async (t) => {
    const db = await filled(t, 'embedded', 3);
    const lead = await db.lead();
    const disk = freezingDisk(t);
    const hung: Promise<void>[] = [];
    const backup = backUp(db, disk.path, {
      ...wish,
      patienceMs: 400,
      onProgress: ({ table }) => void (table === 'media_files' && disk.freeze()),
      onHung: (over) => void hung.push(over),
    });
    await assert.rejects(backup, told(/^The folder \S+ does not answer: it took nothing for 1 second/));
    await lead.query(`update settings set value = '2' where key = 'a'`);
    assert.equal(hung.length, 1);
    disk.thaw();
    await hung[0];
    assert.deepEqual(
      readdirSync(disk.path).filter((name) => name !== 'lost+found'),
      [],
    );
  });
});

test('a database that finds its own disk full while it is read is told of in words, and nothing of the backup stays', async (t) => {
  const db = await filled(t, 'embedded', 0.05);
  const folder = temporaryDirectory(t);
  const query = <R>(sql: string, params?: unknown[]): Promise<R[]> =>
    /from "jobs" t/.test(sql)
      ? Promise.reject(Object.assign(new Error('could not write to file "base/pgsql_tmp/0"'), { code: '53100' }))
      : db.query<R>(sql, params);
  await assert.rejects(
    backUpTables({ query }, folder, wish),
    told(/^The backup could not be made: the disk of the database is full \(could not/),
  );
  assert.deepEqual(readdirSync(folder), []);
});

test('two backups of one second write two files, each alone', async (t) => {
  const db = await filled(t, 'embedded', 0.05);
  const folder = temporaryDirectory(t);
  const at = new Date();
  const both = await Promise.all([1, 2, 3].map(() => backUpTables(db, folder, { ...wish, at })));
  assert.equal(new Set(both.map(({ file }) => file)).size, 3);
  for (const { file } of both) {
    await verifyBackup(file);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(`${file}.json`).mode & 0o777, 0o600);
  }
});

/** A house whose backup is so big: what is random cannot be compressed. */
async function filled(t: Parameters<typeof freshDatabase>[0], kind: 'postgres' | 'embedded', megabytes: number): Promise<TestDatabase> {
  const db = await freshDatabase(t, kind);
  await aHistory(await db.lead(), 20);
  await grow(db, megabytes);
  return db;
}

/** A sentence for a person. */
function told(words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PlainError, String(error));
    assert.match(error.message, words);
    return true;
  };
}
