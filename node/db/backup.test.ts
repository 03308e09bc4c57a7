import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import { emptyUrl, eachDatabase, freshDatabase, havePostgres, quietLog, dataDirectory } from '../testing/database.ts';
import { aHistory } from '../testing/history.ts';
import { testNode } from '../testing/records.ts';
import { ownBackups } from './backup-before.ts';
import { isBackupName, listBackups, superfluous, type FoundBackup } from './backup-folder.ts';
import { verifyBackup } from './backup-read.ts';
import { backUp, type BackupMade } from './backup-write.ts';
import { claim } from './claims.ts';
import { compareDatabases } from './compare.ts';
import { connectDatabase, openSession, type LoneSession } from './connect.ts';
import { countsByState } from './counters.ts';
import { digestOf, presentTables } from './export.ts';
import { readMigrations } from './migrate.ts';
import { rebuild } from './rebuild.ts';
import { rowsOfBackup } from './row-sources.ts';

const passphrase = 'four horses on a roof';
const fixture = path.join(import.meta.dirname, '..', 'testing', 'fixtures', 'backup-schema-7.tar.gz');

/** The other engine, empty, as a restore finds it. */
async function target(
  t: Parameters<typeof dataDirectory>[0],
  kind: 'postgres' | 'embedded',
): Promise<LoneSession & { dataDir: string; url: string | null }> {
  const [dataDir, url] = [dataDirectory(t), kind === 'postgres' ? await emptyUrl(t) : null];
  const session = await openSession({ url, dataDir, log: quietLog() });
  t.after(() => session.close());
  return Object.assign(session, { dataDir, url });
}

eachDatabase((kind) => {
  test('a backup holds every row, comes back on the other engine row by row, and life goes on there with new ids and terms', async (t) => {
    const db = await freshDatabase(t, kind);
    await aHistory(await db.lead(), 1200);
    const folder = dataDirectory(t);
    const progress: string[] = [];
    const keys = { 'secret.key': Buffer.alloc(32, 7), 'node.key': Buffer.from('key') };
    const made = await backUp(db, folder, { label: 'manual', keys, passphrase, onProgress: ({ table }) => void progress.push(table) });
    assert.match(path.basename(made.file), /^codecshift-backup-house-of-ada-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-manual\.tar\.gz\.enc$/);
    assert.ok(progress.includes('media_files'));
    assert.doesNotMatch(readFileSync(made.file, 'latin1'), /House of Ada/);
    const contents = await verifyBackup(made.file, { passphrase });
    assert.deepEqual(contents.manifest.tables.find(({ name }) => name === 'jobs')?.rows, 1200);
    assert.deepEqual({ ...contents.files }, keys);
    assert.equal(contents.sha256, made.note.sha256);
    const counts = await countsByState(db);

    const there = await target(t, kind === 'postgres' ? 'embedded' : havePostgres() ? 'postgres' : 'embedded');
    await rebuild(there, rowsOfBackup(made.file, contents, { passphrase }), { life: 'moved', embedded: there.embedded });
    const comparison = await compareDatabases(db, there);
    assert.deepEqual(comparison.differences, []);
    assert.equal(
      comparison.rows,
      contents.manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
    );
    assert.deepEqual(await countsByState(there), counts);

    await there.query(`update settings set value = '9' where key = 'a'`).catch(() => {});
    await rebuild(there, rowsOfBackup(made.file, contents, { passphrase }), { life: 'restored', embedded: there.embedded, aboveTerm: 40 });
    assert.deepEqual((await compareDatabases(db, there)).differences, [
      `cluster: id ${contents.manifest.cluster!.id} differs in incarnation`,
    ]);
    await there.query(`select set_config('codecshift.term', '40', false)`);
    const [lastAttempt] = await db.query<{ id: number }>('select max(id) as id from attempts');
    const job = await claim(there, { node: testNode, classes: [1], term: 40, leaseSeconds: 60, keepers: [testNode] });
    assert.ok(job!.attemptId > lastAttempt!.id + 999_999, 'an id that a machine may remember from after the backup is not given out again');
  });
});

/** What has nothing to do with the engine is tried on one. */
const kind = havePostgres() ? 'postgres' : 'embedded';

test('what does not fit is refused and changes nothing', async (t) => {
  const db = await freshDatabase(t, kind);
  await aHistory(await db.lead());
  const made = await backUp(db, dataDirectory(t), { label: 'manual', keys: {} });
  const contents = await verifyBackup(made.file);
  const there = await target(t, kind);
  const source = rowsOfBackup(made.file, contents, {});
  await rebuild(there, source, { life: 'moved', embedded: there.embedded });
  const lies = { ...contents, manifest: { ...contents.manifest, tables: contents.manifest.tables.map((d) => ({ ...d, sha256: 'x' })) } };
  await assert.rejects(
    rebuild(there, rowsOfBackup(made.file, lies, {}), { life: 'restored', embedded: there.embedded }),
    /cluster is not what the backup holds.*Nothing was changed/,
  );
  await assert.rejects(rebuild(there, { ...source, schema: 999 }, { life: 'restored', embedded: there.embedded }), /newer CodecShift/);
  const stopped = AbortSignal.abort(new Error('a person stopped it'));
  await assert.rejects(rebuild(there, source, { life: 'restored', embedded: there.embedded, signal: stopped }), /a person stopped it/);
  assert.deepEqual((await compareDatabases(db, there)).differences, []);
  await assert.rejects(backUp(db, dataDirectory(t), { label: 'manual', keys: {}, signal: stopped }), /a person stopped it/);
});

test(
  'a database that something else holds is not exchanged under its feet, and that is said',
  { skip: havePostgres() ? false : 'only an external database has other users' },
  async (t) => {
    const db = await freshDatabase(t, 'postgres');
    await aHistory(await db.lead(), 5);
    const made = await backUp(db, dataDirectory(t), { label: 'manual', keys: {} });
    const contents = await verifyBackup(made.file);
    const { url, dataDir } = db;
    const [there, reader] = [await openSession({ url, dataDir, log: quietLog() }), await openSession({ url, dataDir, log: quietLog() })];
    t.after(() => Promise.all([there.close(), reader.close()]).then(() => {}));
    await reader.exec('begin');
    const jobs = await reader.query('select id from jobs order by id');
    const how = { life: 'restored', embedded: false, patienceSeconds: 1 } as const;
    await assert.rejects(rebuild(there, rowsOfBackup(made.file, contents, {}), how), /did not let go of it.* Nothing was changed\./);
    assert.deepEqual(await reader.query('select id from jobs order by id'), jobs);
    await reader.exec('rollback');
    await rebuild(there, rowsOfBackup(made.file, contents, {}), { ...how, patienceSeconds: 60 });
    assert.deepEqual(await reader.query('select id from jobs order by id'), jobs);
  },
);

test('without keys nothing in it lets anybody sign for the house', async (t) => {
  const db = await freshDatabase(t, kind);
  await aHistory(await db.lead());
  const [key] = await db.query<{ key: string }>('select private_key as key from cluster');
  const folder = dataDirectory(t);
  const made = await backUp(db, folder, { label: 'manual', keys: null });
  const contents = await verifyBackup(made.file);
  assert.equal(contents.manifest.keys, false);
  const there = await target(t, kind);
  await rebuild(there, rowsOfBackup(made.file, contents, {}), { life: 'moved', embedded: there.embedded });
  assert.deepEqual(await there.query('select private_key as key from cluster'), [{ key: '' }]);
  assert.notEqual(key!.key, '');
  assert.deepEqual(readdirSync(folder).toSorted(), [path.basename(made.file), `${path.basename(made.file)}.json`]);
  const more = [made, await backUp(db, folder, { label: 'manual', keys: null }), await backUp(db, folder, { label: 'manual', keys: null })];
  for (const { file, bytes } of more) assert.equal(statSync(file).size, bytes);
  assert.equal((await listBackups(folder)).length, 3, 'none takes the place of another one of the same second');
});

test('a backup of an older schema is restored and brought up to date', async (t) => {
  const contents = await verifyBackup(fixture);
  assert.equal(contents.manifest.schema, 7);
  const there = await target(t, 'embedded');
  await rebuild(there, rowsOfBackup(fixture, contents, {}), { life: 'restored', embedded: true });
  assert.deepEqual(await there.query('select max(version) as v, count(*) as n from schema_migrations'), [
    { v: readMigrations().length, n: readMigrations().length },
  ]);
  for (const { name, rows } of contents.manifest.tables) assert.equal((await digestOf(there, name)).rows, rows, name);
  await there.close();
  const db = await connectDatabase({ url: null, dataDir: there.dataDir, log: quietLog() });
  assert.equal((await presentTables(db)).length > 30, true);
  await db.close();
});

test('a database of every older build is copied and then upgraded', async (t) => {
  const all = readMigrations();
  for (const from of [1, all.length - 1]) {
    const dataDir = dataDirectory(t);
    const options = { url: null, dataDir, log: quietLog() };
    await (await connectDatabase({ ...options, migrations: all.slice(0, from) })).close();
    await (await connectDatabase(options)).close();
    const [backup] = await listBackups(ownBackups(dataDir));
    assert.equal(backup?.label, `before-upgrade-from-${from}`);
    assert.equal((await verifyBackup(backup.file)).manifest.schema, from);
  }
});

suite('an encrypted backup', () => {
  let made: BackupMade;
  let folder = '';
  const cleanups: (() => unknown)[] = [];
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  test('opens with its passphrase and no other', async (t) => {
    const db = await freshDatabase(t, 'embedded');
    const q = await db.lead();
    await aHistory(q, 20);
    // what cannot be compressed fills several chunks
    await q.query(
      `update settings set value = to_jsonb((select string_agg(md5(n::text || random()::text), '') from generate_series(1, 15000) n)) where key = 'a'`,
    );
    folder = dataDirectory({ after: (fn) => void cleanups.push(fn) });
    made = await backUp(db, folder, { label: 'manual', keys: {}, passphrase });
    assert.ok((await verifyBackup(made.file, { passphrase })).encrypted);
    await assert.rejects(verifyBackup(made.file, { passphrase: `${passphrase} ` }), /does not open with this passphrase/);
    await assert.rejects(verifyBackup(made.file), /is encrypted\. Give its passphrase/);
    await assert.rejects(backUp(db, folder, { label: 'manual', keys: {}, passphrase: 'short' }), /at least 10 characters/);
  });

  test('that was changed, cut off, lengthened or put together anew does not open', async () => {
    const good = readFileSync(made.file);
    assert.ok(good.length > 3 * 65_600, `more than three chunks: ${good.length}`);
    const head = 28;
    const chunk = 4 + 65_536 + 16;
    const changes: Record<string, Buffer> = {
      'cost of guessing lowered': flip(good, 9),
      'salt changed': flip(good, 15),
      'a length changed': flip(good, head + 2),
      'a byte changed': flip(good, head + chunk + 100),
      'a tag changed': flip(good, head + chunk - 1),
      'cut inside a chunk': good.subarray(0, head + chunk + 999),
      'cut between two chunks': good.subarray(0, head + 2 * chunk),
      'a chunk left out': Buffer.concat([good.subarray(0, head + chunk), good.subarray(head + 2 * chunk)]),
      'two chunks exchanged': Buffer.concat([
        good.subarray(0, head),
        good.subarray(head + chunk, head + 2 * chunk),
        good.subarray(head, head + chunk),
        good.subarray(head + 2 * chunk),
      ]),
      'something behind its end': Buffer.concat([good, Buffer.from('more')]),
      'only the head': good.subarray(0, head),
      empty: Buffer.alloc(0),
    };
    for (const [what, bytes] of Object.entries(changes)) {
      const file = path.join(folder, 'changed');
      writeFileSync(file, bytes);
      await assert.rejects(verifyBackup(file, { passphrase }), (error: Error) => error.name === 'PlainError', what);
    }
  });
});

test('a file that is no backup is called so', async (t) => {
  const folder = dataDirectory(t);
  const file = path.join(folder, 'holiday.tar.gz');
  writeFileSync(file, 'Dear diary');
  await assert.rejects(verifyBackup(file), /is no backup of CodecShift/);
  await assert.rejects(verifyBackup(path.join(folder, 'none')), /There is no file/);
  writeFileSync(file, readFileSync(fixture).subarray(0, -40));
  await assert.rejects(verifyBackup(file), /is no backup|not complete/);
});

test('of the nightly backups days and weeks are kept, of a person everything, and the last good one always', () => {
  const day = (n: number, label = 'nightly', verified = true): FoundBackup => {
    const takenAt = new Date(Date.UTC(2026, 10, 30, 3) - n * 86_400_000);
    const note = { verifiedAt: verified ? takenAt.toISOString() : null } as FoundBackup['note'];
    return { name: `${label} ${n}`, file: '', house: 'a', bytes: 1, takenAt, label, encrypted: false, note };
  };
  const names = (backups: FoundBackup[]): string[] => backups.map(({ name }) => name);
  const many = [
    ...Array.from({ length: 40 }, (_, n) => day(n)),
    day(50, 'manual'),
    ...[1, 2, 3, 4].map((n) => day(n, 'before-upgrade-from-7')),
  ];
  const gone = names(superfluous(many, { daily: 7, weekly: 4 }));
  const kept = names(many).filter((name) => !gone.includes(name));
  assert.deepEqual(
    kept.filter((name) => name.startsWith('nightly')),
    [0, 1, 2, 3, 4, 5, 6, 8, 15].map((n) => `nightly ${n}`),
  );
  assert.ok(kept.includes('manual 50'));
  assert.deepEqual(
    kept.filter((name) => name.startsWith('before')),
    [1, 2, 3].map((n) => `before-upgrade-from-7 ${n}`),
  );
  const bad = [...Array.from({ length: 9 }, (_, n) => day(n, 'nightly', false)), day(20)];
  assert.ok(!names(superfluous(bad, { daily: 3, weekly: 0 })).includes('nightly 20'));
  assert.equal(isBackupName('codecshift-backup-a-2026-11-30T03-00-00-nightly.tar.gz'), true);
  for (const name of [
    '../codecshift-backup-a-2026-11-30T03-00-00-nightly.tar.gz',
    'secret.key',
    'codecshift-backup-a-2026-11-30T03-00-00-nightly.tar.gz.json',
  ])
    assert.equal(isBackupName(name), false);
});

function flip(good: Buffer, at: number): Buffer {
  const bytes = Buffer.from(good);
  bytes[at]! ^= 1;
  return bytes;
}
