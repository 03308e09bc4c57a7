import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLibrary } from '../db/libraries.ts';
import { createEvents } from '../events.ts';
import { PlainError } from '../errors.ts';
import { createLog } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aFingerprint, aLibrary, aProbe } from '../testing/records.ts';
import { createScanner } from './scanner.ts';
import { createSettingsStore } from './settings.ts';

const log = createLog({ level: 'fatal', pretty: true });

eachDatabase((kind) => {
  test('a keeper that goes away while it looks at films leaves them for the next scan, instead of as unreadable', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(db);
    const files = ['a.mkv', 'b.mkv', 'c.mkv'].map((path) => ({ path, ...aFingerprint(path), changedAgoMs: 1e9 }));
    let away = true;
    const asked: string[] = [];
    const mesh = {
      request: async (_to: string, _protocol: string, ask: ProtocolRequest<'inspect'>) => {
        asked.push(ask.op);
        if (ask.op === 'list') return { op: 'listed', files, problems: [], last: true };
        if (ask.op !== 'probe') return { op: 'ended' };
        if (away) throw new PlainError('The node nas cannot be reached.', { retry: true });
        return { op: 'probed', fingerprint: aFingerprint(ask.path), probe: aProbe(), readOnly: false };
      },
    } as unknown as Mesh;
    const events = createEvents(() => {});
    const scanner = createScanner({ mesh, db, settings: createSettingsStore().current, events, offer: () => {}, log });
    t.after(() => scanner.stop());
    const scanned = async (): Promise<string[]> => {
      const done = new Promise<void>((resolve) => events.on('library.changed', () => resolve()));
      assert.equal(await scanner.scan(library.id), true);
      await done;
      return (await db.query<{ status: string }>('select status from media_files order by path')).map((row) => row.status);
    };
    assert.deepEqual(await scanned(), ['new', 'new', 'new']);
    assert.ok(asked.filter((op) => op === 'probe').length <= 2, 'not every film is asked for in vain');
    assert.ok((await readLibrary(db, library.id))?.problem, 'and the page says why');
    away = false;
    // a moment after it was told the first one is over
    while (!(await scanner.scan(library.id))) await new Promise((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => events.on('library.changed', () => resolve()));
    const reasons = await db.query<{ status: string; code: string }>(`select status, reason ->> 'code' as code from media_files`);
    assert.ok(reasons.every(({ status, code }) => status !== 'new' && code !== 'unreadable'));
  });
});
