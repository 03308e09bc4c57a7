import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listScans, startScan } from '../db/scans.ts';
import { createEvents } from '../events.ts';
import { createLocalMesh } from '../mesh/local.ts';
import { oneDatabase, freshDatabase, quietLog } from '../testing/database.ts';
import { aFingerprint, aLibrary, aProbe, someFiles, testNode } from '../testing/records.ts';
import { createScanner } from './scanner.ts';
import { createSettingsStore } from './settings.ts';

oneDatabase((kind) => {
  test('a scan that the end of a term cut off is begun again by the next one, also where nothing is scanned by the clock', async (t) => {
    const database = await freshDatabase(t, kind);
    const db = await database.lead();
    const cut = await aLibrary(db, 'Films');
    const rested = await aLibrary(db, 'Series');
    await db.query('update libraries set last_scan_at = now()');
    await startScan(db, cut.id);
    const events = createEvents((error) => assert.fail(String(error)));
    const mesh = createLocalMesh(testNode, quietLog());
    mesh.handle('inspect', async () => ({ op: 'refused', reason: { code: 'root-not-mounted' } }));
    const settings = createSettingsStore();
    const ended = new Promise<void>((resolve) => events.on('scan.progressed', ({ done }) => done && resolve()));
    const scanner = createScanner({
      mesh,
      db,
      settings: () => ({ ...settings.current(), 'scan.everyMinutes': 0 }),
      events,
      offer: () => {},
      log: quietLog(),
    });
    t.after(() => scanner.stop());
    await scanner.start();
    await ended;
    const states = async (library: number): Promise<string[]> => (await listScans(db, library)).map((scan) => scan.state);
    assert.deepEqual(await states(cut.id), ['failed', 'cancelled']);
    assert.deepEqual(await states(rested.id), []);
  });

  test('a changed folder is looked at alone: what is new in it waits, what is gone from it is missing, and nothing else is touched', async (t) => {
    const database = await freshDatabase(t, kind);
    const db = await database.lead();
    const library = await aLibrary(db, 'Films');
    await someFiles(db, library.id, 1, 'a/old');
    await someFiles(db, library.id, 1, 'a b/other');
    await someFiles(db, library.id, 1, 'gone/film');
    await db.query(`update media_files set status = 'skipped', updated_at = now() - interval '1 hour'`);
    const events = createEvents((error) => assert.fail(String(error)));
    const mesh = createLocalMesh(testNode, quietLog());
    const listed: string[] = [];
    mesh.handle('inspect', async (ask) => {
      if (ask.op === 'end-list') return { op: 'ended' };
      if (ask.op === 'probe')
        return { op: 'probed', fingerprint: aFingerprint(ask.path), probe: { ...aProbe(), sizeBytes: 1e9 }, readOnly: false };
      if (ask.op !== 'list') return assert.fail(ask.op);
      listed.push(ask.folder);
      if (ask.folder === 'gone') return { op: 'refused', reason: { code: 'missing' } };
      const file = { sizeBytes: 1_000_000, mtimeMs: 1_700_000_000_000, inode: '7', links: 1, changedAgoMs: 1e9 };
      return { op: 'listed', files: [{ ...file, path: 'a/new.mkv' }], problems: [], last: true };
    });
    const settings = createSettingsStore();
    const looked = new Promise<void>((resolve) => events.on('library.changed', () => resolve()));
    const scanner = createScanner({ mesh, db, settings: settings.current, events, offer: () => {}, log: quietLog() });
    t.after(() => scanner.stop());
    scanner.lookAt(library.id, ['a/season', 'a', 'gone']);
    await looked;
    assert.deepEqual(listed, ['a', 'gone']);
    const rows = await db.query<{ path: string; status: string }>(`select path, status from media_files order by path`);
    assert.deepEqual(Object.fromEntries(rows.map((r) => [r.path, r.status])), {
      'a b/other-00001.mkv': 'skipped',
      'a/new.mkv': 'queued',
      'a/old-00001.mkv': 'missing',
      'gone/film-00001.mkv': 'missing',
    });
    assert.deepEqual(await listScans(db, library.id), []);
  });
});
