import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Probe } from '../core/media.ts';
import { sentence } from '../core/reasons.ts';
import { bringBackUnread } from '../db/file-standing.ts';
import { changeLibrary, readLibrary } from '../db/libraries.ts';
import { readFile, upsertListed } from '../db/media-files.ts';
import { createLocalMesh } from '../mesh/local.ts';
import { freshDatabase, oneDatabase, quietLog } from '../testing/database.ts';
import { aFingerprint, aLibrary, aProbe, testNode } from '../testing/records.ts';
import { ageOf, inspectFile } from './inspection.ts';
import { createSettingsStore } from './settings.ts';

const hour = 3600_000;
const now = 1_800_000_000_000;
const at = (hoursAgo: number): Date => new Date(now - hoursAgo * hour);

test('the age of a file counts from when it was added or changed, and what was there from the beginning was not added', () => {
  const library = { knownSince: at(100) };
  const age = (createdAt: Date, mtimeMs: number, known: Date | null = library.knownSince): number =>
    ageOf({ createdAt, mtimeMs }, { knownSince: known }, now) / hour;
  assert.equal(age(at(200), now - 5000 * hour), 5000);
  assert.equal(age(at(200), now - 3 * hour), 3);
  // copied in with its old time
  assert.equal(age(at(2), now - 5000 * hour), 2);
  // the first listing is not over yet
  assert.equal(age(at(2), now - 5000 * hour, null), 5000);
  // a clock that runs a little ahead, and one that is broken
  assert.equal(age(at(200), now + hour), 0);
  assert.equal(age(at(200), now + 1000 * hour), Infinity);
});

oneDatabase((kind) => {
  test('a film whose new name is taken is left alone before hours of work, until the name is free', async (t) => {
    const database = await freshDatabase(t, kind);
    const db = await database.lead();
    const { id } = await aLibrary(db, 'Films');
    await db.query(`update libraries set folder = 'Films' where id = $1`, [id]);
    const library = (await readLibrary(db, id))!;
    const names = ['Apart.avi', 'Apart.en.mkv', 'Apart.mkv/part.mkv', 'Beside.avi', 'Beside.mkv', 'Twice.avi', 'Twice.wmv'];
    const listed = names.map((name) => ({ ...aFile, path: `Films/${name}`, title: name }));
    const idOf = new Map((await upsertListed(db, id, listed, { code: 'file-changed' })).map((row) => [row.path.slice(6), row.id]));
    const mesh = createLocalMesh(testNode, quietLog());
    mesh.handle('inspect', async (ask) =>
      ask.op === 'probe'
        ? { op: 'probed', fingerprint: aFingerprint(ask.path), probe: { ...probeOf(ask.path) }, readOnly: false }
        : assert.fail(ask.op),
    );
    const parts = { mesh, db, settings: createSettingsStore().current };
    const look = async (name: string): Promise<string> => {
      await inspectFile(parts, library, testNode, idOf.get(name)!, AbortSignal.timeout(60_000));
      const { status, reason } = (await readFile(db, idOf.get(name)!))!;
      return status === 'queued' ? status : `${status}: ${sentence(reason!)}`;
    };
    const taken = (words: string): string =>
      `skipped: The name that it would get, ${words}. Nothing is overwritten; one of the two needs another name.`;
    assert.equal(await look('Apart.avi'), 'queued');
    assert.equal(await look('Beside.avi'), taken('“Beside.mkv”, is taken'));
    assert.equal(await look('Beside.mkv'), 'queued');
    assert.equal(await look('Twice.avi'), 'queued');
    assert.equal(await look('Twice.wmv'), taken('“Twice.mkv”, is taken: “Twice.avi” becomes that'));

    await db.query(`update media_files set status = 'missing' where path = 'Films/Beside.mkv'`);
    await db.query(`update jobs set state = 'cancelled', finished_at = now() where file_id = $1`, [idOf.get('Twice.avi')!]);
    await bringBackUnread(db, id, ['name-taken']);
    assert.equal(await look('Beside.avi'), 'queued');
    assert.equal(await look('Twice.wmv'), 'queued');
  });
});

oneDatabase((kind) => {
  test('a copy that was known here before keeps its own story when another of the same films goes missing', async (t) => {
    const database = await freshDatabase(t, kind);
    const db = await database.lead();
    const { id } = await aLibrary(db, 'Films');
    const library = (await readLibrary(db, id))!;
    const listed = ['One.mkv', 'Two.mkv', 'New.mkv'].map((path) => ({ ...aFile, path, title: path }));
    const ids = new Map((await upsertListed(db, id, listed.slice(0, 2), { code: 'file-changed' })).map((row) => [row.path, row.id]));
    const mesh = createLocalMesh(testNode, quietLog());
    mesh.handle('inspect', async () => ({ op: 'probed', fingerprint: aFingerprint('same'), probe: { ...probeOf('x') }, readOnly: false }));
    const parts = { mesh, db, settings: createSettingsStore().current };
    const look = (one: number): Promise<string> => inspectFile(parts, library, testNode, one, AbortSignal.timeout(60_000));
    await look(ids.get('One.mkv')!);
    await look(ids.get('Two.mkv')!);
    await db.query(`update media_files set status = 'missing' where path = 'One.mkv'`);
    await db.query(`update media_files set status = 'new' where path = 'Two.mkv'`);
    await db.query('delete from jobs');
    await look(ids.get('Two.mkv')!);
    assert.equal((await readFile(db, ids.get('Two.mkv')!))?.path, 'Two.mkv');
    const [added] = await upsertListed(db, id, listed.slice(2), { code: 'file-changed' });
    assert.equal(await look(added!.id), 'moved');
    assert.equal((await readFile(db, ids.get('One.mkv')!))?.path, 'New.mkv', 'what is new is where the missing one went');
  });
});

oneDatabase((kind) => {
  test('a film is decided by the rules of now, also when they changed since its scan began', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const { id } = await aLibrary(db, 'Films');
    const asOfTheScan = (await readLibrary(db, id))!;
    const [film] = await upsertListed(db, id, [{ ...aFile, path: 'Film.mkv', title: 'Film' }], { code: 'file-changed' });
    const mesh = createLocalMesh(testNode, quietLog());
    mesh.handle('inspect', async ({ op }) => {
      assert.equal(op, 'probe');
      await changeLibrary(db, id, { profile: { minSizeMb: 5000 } });
      return { op: 'probed', fingerprint: aFingerprint('Film.mkv'), probe: { ...probeOf('Film.mkv') }, readOnly: false };
    });
    const parts = { mesh, db, settings: createSettingsStore().current };
    assert.equal(await inspectFile(parts, asOfTheScan, testNode, film!.id, AbortSignal.timeout(60_000)), 'skipped');
    assert.equal((await readFile(db, film!.id))?.reason?.code, 'too-small');
  });
});

const aFile = {
  detail: '',
  sizeBytes: 1_000_000_000,
  mtimeMs: 1_700_000_000_000,
  inode: '42',
  links: 1,
  status: 'new' as const,
  reason: null,
};

function probeOf(path: string): Probe {
  const container = path.endsWith('.avi') ? 'avi' : path.endsWith('.wmv') ? 'asf' : 'matroska';
  return { ...aProbe(), container, sizeBytes: 1e9 };
}
