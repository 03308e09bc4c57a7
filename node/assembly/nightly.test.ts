import assert from 'node:assert/strict';
import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { temporaryDirectory } from '../testing/database.ts';
import { freezingDisk, noFreezingDisks } from '../testing/odd-disks.ts';
import { until } from '../testing/program.ts';
import { createBackupLook } from './backup-look.ts';
import { createNightly } from './nightly.ts';

const good = { what: 'backup', good: true, says: [], at: new Date() } as const;

function stage(t: TestContext) {
  const disk = freezingDisk(t);
  const failures: { what: string; why: string }[] = [];
  const s = { ...disk, failures, made: 0, clock: new Date(2026, 10, 28, 2, 30) };
  const own = temporaryDirectory(t);
  const tonight = createNightly({
    ...{ db: { query: async () => [] }, folder: disk.path, own, look: createBackupLook([disk.path, own], 1000) },
    settings: () => ({ 'backup.nightly': true, 'backup.hour': 3, 'backup.daily': 1, 'backup.weekly': 0 }),
    mayBegin: () => true,
    make: async () => (s.made++, { ...good, says: [] }),
    onFailed: async (params) => void failures.push(params),
    onPruned: () => {},
    now: () => s.clock,
  });
  return Object.assign(s, { tonight });
}

suite('a folder of backups that answers, and in which nothing can be removed', { skip: noFreezingDisks() }, () => {
  test('does not keep the nightly backups from being made', { timeout: 60_000 }, async (t) => {
    const s = stage(t);
    const left = path.join(s.path, 'upload-1-1.part');
    writeFileSync(left, 'x');
    utimesSync(left, 0, 0);
    s.freeze();
    await assert.rejects(s.tonight(), /does not answer/);
    s.clock = new Date(2026, 10, 28, 3, 1);
    await s.tonight();
    assert.equal(s.made, 1);
    s.clock = new Date(2026, 10, 29, 3, 1);
    await assert.rejects(s.tonight(), /does not answer/);
    assert.equal(s.made, 2);
    s.thaw();
    await until('what was left to go', () => !existsSync(left));
  });

  test('is told of, and the next night is looked after', { timeout: 60_000 }, async (t) => {
    const s = stage(t);
    const old = [25, 26].map((day) => path.join(s.path, `codecshift-backup-cluster-2026-11-${day}T03-00-00-nightly.tar.gz`));
    for (const file of old) writeFileSync(file, 'x');
    await s.tonight();
    s.freeze();
    s.clock = new Date(2026, 10, 28, 3, 1);
    await s.tonight();
    assert.equal(s.failures.length, 1);
    assert.match(s.failures[0]!.what, /2026-11-28 was made, but older ones could not be removed$/);
    assert.match(s.failures[0]!.why, /does not answer/);
    s.thaw();
    s.clock = new Date(2026, 10, 29, 3, 1);
    await s.tonight();
    assert.deepEqual([s.made, s.failures.length, ...old.map(existsSync)], [2, 1, false, true]);
  });
});
