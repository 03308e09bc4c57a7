import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { eachDatabase, freshDatabase, quietLog, temporaryDirectory } from '../testing/database.ts';
import { aLibrary, because, someJobs, testNode } from '../testing/records.ts';
import { claim, failAttempt } from './claims.ts';
import { connectDatabase } from './connect.ts';
import { exportDatabase, listExports, type Manifest } from './export.ts';
import { importDatabase } from './import.ts';
import { exportIsDue } from './maintenance.ts';
import { readMigrations } from './migrate.ts';
import { putSetting } from './settings.ts';
import { countsByState } from './counters.ts';

eachDatabase((kind) => {
  test('an export holds every row, goes back into an empty database with equal digests, and refuses a full or other one', async (t) => {
    const db = await freshDatabase(t, kind);
    const q = await db.lead();
    const library = await aLibrary(q, 'It\'s 100 % \u2028 "films"');
    await someJobs(q, library.id, 1200);
    for (let i = 0; i < 3; i++) {
      const job = await claim(q, { node: testNode, classes: [1], term: 1, leaseSeconds: 60, keepers: [testNode] });
      if (i < 2) await failAttempt(q, job!, { reason: because('x'), retry: i === 0 });
    }
    await putSetting(q, { key: 'a', value: { b: 1 }, version: 0 }, 'Ada', 'page');
    const into = temporaryDirectory(t);
    const first = await exportDatabase(db, into, { label: 'test' });
    const manifest = JSON.parse(fs.readFileSync(path.join(first, 'manifest.json'), 'utf8')) as Manifest;
    const jobs = manifest.tables.find((table) => table.name === 'jobs')!;
    assert.equal(jobs.rows, 1200);
    assert.equal(
      createHash('sha256')
        .update(gunzipSync(fs.readFileSync(path.join(first, 'jobs.jsonl.gz'))))
        .digest('hex'),
      jobs.sha256,
    );
    const counts = await countsByState(db);

    await assert.rejects(importDatabase(db, first), /not empty/);
    const other = await freshDatabase(t, kind);
    await importDatabase(other, first);
    const second = await exportDatabase(other, into, { label: 'copy' });
    const copied = JSON.parse(fs.readFileSync(path.join(second, 'manifest.json'), 'utf8')) as Manifest;
    assert.deepEqual(copied.tables, manifest.tables);
    assert.deepEqual(await countsByState(other), counts);
    const leader = await other.lead();
    assert.ok(
      await claim(leader, { node: testNode, classes: [1], term: 3, leaseSeconds: 60, keepers: [testNode] }),
      'work goes on, with new ids and a newer term',
    );

    const file = path.join(first, 'jobs.jsonl.gz');
    fs.writeFileSync(file, fs.readFileSync(path.join(first, 'nodes.jsonl.gz')));
    await assert.rejects(importDatabase(await freshDatabase(t, kind), first), /jobs.*damaged/);
  });
});

test('seven exports are kept, and the newest from before an upgrade always', async (t) => {
  const db = await freshDatabase(t, 'embedded');
  const into = temporaryDirectory(t);
  const old = (name: string): void => {
    fs.mkdirSync(path.join(into, name));
    fs.writeFileSync(path.join(into, name, 'manifest.json'), '{}');
  };
  for (let day = 1; day <= 9; day++) old(`2020-01-0${day}T03-00-00-${day === 2 ? 'before-upgrade-from-1' : 'nightly'}`);
  await exportDatabase(db, into, { label: 'nightly' });
  assert.deepEqual(listExports(into).slice(0, 2), ['2020-01-02T03-00-00-before-upgrade-from-1', '2020-01-04T03-00-00-nightly']);
  assert.equal(exportIsDue(into, Date.now(), new Date()), false);
  assert.equal(exportIsDue(into, Date.now(), new Date(Date.now() + 37 * 3600_000)), true);
});

test('a database of every older build is copied and then upgraded', async (t) => {
  const all = readMigrations();
  for (let from = 1; from < all.length; from++) {
    const dataDir = temporaryDirectory(t);
    const options = { url: null, dataDir, log: quietLog() };
    await (await connectDatabase({ ...options, migrations: all.slice(0, from) })).close();
    const db = await connectDatabase(options);
    t.after(() => db.close());
    const [state] = await db.query<{ schema: number }>('select max(version) as schema from schema_migrations');
    assert.equal(state!.schema, all.length);
    const [name] = listExports(path.join(dataDir, 'exports'));
    assert.match(name ?? 'no copy', new RegExp(`before-upgrade-from-${from}$`));
  }
});
