import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite, test } from 'node:test';
import { ownBackups } from '../db/backup-before.ts';
import { freshDatabase, quietLog, temporaryDirectory, type TestDatabase } from '../testing/database.ts';
import { grow } from '../testing/bulky.ts';
import { aHistory } from '../testing/history.ts';
import { deadDisk, noDeadDisks, noOddDisks, smallDisk } from '../testing/odd-disks.ts';
import { until } from '../testing/program.ts';
import { createBackupLook } from './backup-look.ts';
import { createBackups, type BackupDesk, type BackupParts } from './backups.ts';

const skip = noOddDisks();
const by = { name: 'Ada', via: 'page' } as const;

test('what hangs in a folder of backups is given up, and nothing more is begun there until it is over', async (t) => {
  const [folder, other] = [temporaryDirectory(t), temporaryDirectory(t)];
  const look = createBackupLook([folder, other], 20);
  const hanging = Promise.withResolvers<void>();
  let begun = 0;
  await assert.rejects(
    look.act(folder, () => hanging.promise),
    /does not answer/,
  );
  await assert.rejects(
    look.act(folder, async () => void begun++),
    /does not answer/,
  );
  assert.equal(begun, 0);
  await look.act(other, async () => void begun++);
  hanging.resolve();
  await look.act(folder, async () => void begun++);
  await assert.rejects(
    look.act(folder, async () => assert.fail('no right to it')),
    /no right to it/,
  );
  await look.act(folder, async () => void begun++);
  assert.equal(begun, 3);
});

suite('a folder of backups that hangs', { skip: noDeadDisks() }, () => {
  test('holds no more than one look into it, whoever asks however often, and hides no other folder', { timeout: 240_000 }, async (t) => {
    const [dead, own] = [deadDisk(t), temporaryDirectory(t)];
    const name = 'codecshift-backup-a-2026-11-30T03-00-00-nightly.tar.gz';
    writeFileSync(path.join(own, name), 'x');
    const look = createBackupLook([dead.path, own], 5000);
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all([look.all(), look.all(), look.all(), look.all()]);
      for (const { found, trouble } of answers) {
        assert.deepEqual(
          found.map((each) => each.name),
          [name],
        );
        assert.match(trouble!, /^The folder of backups, \S+, does not answer/);
      }
    }
    await assert.rejects(look.into(dead.path), /does not answer/);
    // all file work of a program shares four threads
    await Promise.all(Array.from({ length: 8 }, () => readFile(import.meta.filename)));
    dead.end();
    await until('the folder to answer', async () => (await look.all()).trouble === null);
  });

  test(
    'costs a backup, and neither the work of the coordinator, nor the next one, nor the end of the program',
    { timeout: 240_000 },
    async (t) => {
      const db = await freshDatabase(t, 'embedded');
      const dead = deadDisk(t);
      const { desk, over, term } = await deskOf(t, db, { folder: dead.path, patienceMs: 200 });
      await desk.begin({ keys: false, passphrase: null }, by);
      await db.withTerm(term).query(`update settings set value = '2' where key = 'a'`);
      await over();
      assert.match(desk.last()!.says[0]!, /^The folder \S+ does not answer: it took nothing for 1 second/);
      await assert.rejects(desk.begin({ keys: false, passphrase: null }, by), /still hangs in the folder of backups/);
      assert.deepEqual(await desk.list(), []);
      assert.match(desk.place().trouble!, /does not answer/);
      await desk.stop();
      dead.end();
      await until('it to let go', () =>
        desk.begin({ keys: false, passphrase: null }, by).then(
          () => true,
          () => false,
        ),
      );
      await over();
    },
  );

  test('is told of once a night', { timeout: 240_000 }, async (t) => {
    const db = await freshDatabase(t, 'embedded');
    const dead = deadDisk(t);
    let clock = new Date(2026, 10, 30, 2, 30);
    const { desk } = await deskOf(t, db, { folder: dead.path, patienceMs: 50, lookMs: 20, now: () => clock });
    desk.start();
    clock = new Date(2026, 10, 30, 3, 1);
    const why = await until('the failure in the story', () => whyOf(db));
    assert.match(why, /does not answer.* It is tried again in an hour\.$/);
  });
});

suite('a desk of backups whose disk becomes full', { skip }, () => {
  test('says so, keeps every older backup, and tries the nightly one again', { timeout: 240_000 }, async (t) => {
    const db = await freshDatabase(t, 'embedded');
    const disk = smallDisk(t, '200m');
    let clock = new Date(2026, 10, 28, 2, 30);
    const { desk, over, dataDir } = await deskOf(t, db, { folder: disk.path, lookMs: 20, now: () => clock });
    const nightly = async (): Promise<string[]> => (await desk.list()).filter(({ label }) => label === 'nightly').map(({ name }) => name);
    await grow(db, 1);
    desk.start();
    clock = new Date(2026, 10, 28, 3, 1);
    await until('the first night', async () => desk.last()?.good && (await nightly()).length === 1);
    const [first] = await nightly();
    disk.leave(500 * 1024);
    clock = new Date(2026, 10, 29, 3, 1);
    const why = await until('the failure in the story', () => whyOf(db));
    assert.match(
      why,
      /The disk of \S+ is full \(1 MB are free there now, up to \d+ MB are needed\).*Make room there, or choose .* tried again in an hour\.$/,
    );
    assert.deepEqual(await nightly(), [first]);
    assert.deepEqual(readdirSync(disk.path).toSorted(), [first, `${first}.json`]);
    disk.leave(100_000 * 1024);
    clock = new Date(2026, 10, 29, 4, 2);
    await until('the second night', async () => (await nightly()).length === 1 && (await nightly())[0] !== first && desk.now() === null);
    await until('it to be found good', async () => (await desk.list())[0]?.verifiedAt);
    // by hand
    disk.leave(500 * 1024);
    await desk.begin({ keys: false, passphrase: null }, by);
    await over();
    assert.match(desk.last()!.says[0]!, /The disk of \S+ is full/);
    // and taken in
    const sent = (async function* () {
      for (let i = 0; i < 20; i++) yield Buffer.alloc(100_000, 1);
    })();
    await assert.rejects(
      desk.take(sent, by),
      /^PlainError: The file could not be taken\. The disk of \S+ is full.* Nothing of it was kept\./,
    );
    assert.equal(readdirSync(disk.path).length, 2);
    assert.equal(existsSync(ownBackups(dataDir)), false);
  });
});

async function deskOf(t: Parameters<typeof temporaryDirectory>[0], db: TestDatabase, more: Partial<BackupParts> & { folder: string }) {
  await aHistory(await db.lead(), 5);
  const [{ term }] = (await db.query<{ term: number }>('select term from coordinator')) as [{ term: number }];
  const dataDir = temporaryDirectory(t);
  const desk: BackupDesk = createBackups({
    db,
    dataDir,
    passphrase: null,
    secretKeyFile: null,
    settings: () => ({ 'backup.nightly': true, 'backup.hour': 3, 'backup.daily': 1, 'backup.weekly': 0 }),
    term: () => term,
    standIns: async () => [],
    onTold: () => {},
    restore: () => {},
    restored: () => null,
    onChange: () => {},
    log: quietLog(),
    ...more,
  });
  t.after(() => desk.stop());
  return { desk, dataDir, term, over: () => until('the end of it', () => desk.now() === null) };
}

async function whyOf(db: TestDatabase): Promise<string | null> {
  const rows = await db.query<{ params: { why: string } }>(`select params from activity where kind = 'backup-failed'`);
  assert.ok(rows.length <= 1, 'told more than once');
  return rows[0]?.params.why ?? null;
}
