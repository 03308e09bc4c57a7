import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { superfluous, type FoundBackup } from '../db/backup-folder.ts';
import { readBack } from '../db/backup-proof.ts';
import { freshDatabase, quietLog, dataDirectory } from '../testing/database.ts';
import { aHistory } from '../testing/history.ts';
import { until } from '../testing/program.ts';
import { createBackups } from './backups.ts';
import { keyFilesOf } from './key-files.ts';

/** What counts as a good backup, and what is done for one that does not. */
const by = { name: 'Ada', via: 'page' } as const;
const fixture = path.join(import.meta.dirname, '..', 'testing', 'fixtures', 'backup-schema-7.tar.gz');

test('nightly backups that nobody could read back take the place of none that was found good', () => {
  const night = (n: number, isGood: boolean): FoundBackup => {
    const takenAt = new Date(Date.UTC(2026, 10, 30, 3) - n * 86_400_000);
    const note = { verifiedAt: isGood ? takenAt.toISOString() : null } as FoundBackup['note'];
    return { name: `${isGood} ${n}`, file: '', house: 'a', bytes: 1, takenAt, label: 'nightly', encrypted: false, note };
  };
  const nights = Array.from({ length: 14 }, (_, n) => night(n, n >= 7));
  assert.deepEqual(superfluous(nights, { daily: 7, weekly: 0 }), []);
});

test('a backup that reads back as something else is removed, with its note', async (t) => {
  const file = path.join(dataDirectory(t), 'codecshift-backup-a-2026-11-30T03-00-00-nightly.tar.gz');
  copyFileSync(fixture, file);
  writeFileSync(`${file}.json`, '{}');
  truncateSync(file, 900);
  await assert.rejects(readBack(file, {}), /what is read back is something else .* It was removed/);
  assert.deepEqual([existsSync(file), existsSync(`${file}.json`)], [false, false]);
});

test(
  'a backup that rotted is not called good any more, and one from a clock that was wrong stops no night',
  { timeout: 240_000 },
  async (t) => {
    const db = await freshDatabase(t, 'embedded');
    await aHistory(await db.lead(), 5);
    const [{ term }] = (await db.query<{ term: number }>('select term from coordinator')) as [{ term: number }];
    const folder = dataDirectory(t);
    let clock = new Date(2026, 10, 30, 2, 30);
    const desk = createBackups({
      ...{
        db,
        dataDir: dataDirectory(t),
        folder,
        passphrase: null,
        secretKeyFile: null,
        log: quietLog(),
        now: () => clock,
        lookMs: 20,
      },
      settings: () => ({ 'backup.nightly': true, 'backup.hour': 3, 'backup.daily': 7, 'backup.weekly': 0 }),
      term: () => term,
      standIns: async () => [],
      onTold: () => {},
      restore: () => {},
      restored: () => null,
      onChange: () => {},
    });
    t.after(() => desk.stop());
    writeFileSync(path.join(folder, 'codecshift-backup-house-of-ada-2127-01-01T03-00-00-nightly.tar.gz'), 'of a wrong clock');
    desk.start();
    clock = new Date(2026, 10, 30, 3, 1);
    const made = await until('the night', async () => desk.now() === null && (await desk.list()).find(({ verifiedAt }) => verifiedAt));
    const file = path.join(folder, made.name);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
    await desk.verify(made.name, null, by);
    await until('the end of it', () => desk.now() === null);
    assert.equal(desk.last()!.good, false);
    assert.equal((await desk.list()).find(({ name }) => name === made.name)!.verifiedAt, null);
  },
);

test('a backup with the keys is not made without one that cannot be read', async (t) => {
  const dataDir = dataDirectory(t);
  assert.deepEqual(await keyFilesOf(dataDir, null), {});
  mkdirSync(path.join(dataDir, 'secret.key'));
  await assert.rejects(keyFilesOf(dataDir, null), /secret\.key cannot be read .* a backup with the keys needs it/);
});
