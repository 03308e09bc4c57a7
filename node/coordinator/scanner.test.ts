import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listScans, startScan } from '../db/scans.ts';
import { createEvents } from '../events.ts';
import { createLocalMesh } from '../mesh/local.ts';
import { eachDatabase, freshDatabase, quietLog } from '../testing/database.ts';
import { aLibrary, testNode } from '../testing/records.ts';
import { createScanner } from './scanner.ts';
import { createSettingsStore } from './settings.ts';

eachDatabase((kind) => {
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
});
