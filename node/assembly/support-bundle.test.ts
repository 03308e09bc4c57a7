import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { loadOptions } from '../config/load.ts';
import { addActivity } from '../db/activity.ts';
import type { Database } from '../db/connect.ts';
import { addTarget } from '../db/notice-targets.ts';
import { PlainError } from '../errors.ts';
import { createLogBook, type LogBook } from '../log-book.ts';
import { freshDatabase, oneDatabase, temporaryDirectory } from '../testing/database.ts';
import type { House } from './house.ts';
import { makeSupportBundle } from './support-bundle.ts';

test('a database that does not answer is a part of the bundle, and keeps nothing else out of it', async (t) => {
  const away = (): Promise<never> => Promise.reject(new PlainError('The database cannot be reached.'));
  const db = { embedded: false, query: away, tx: away } as unknown as Database;
  const files = await bundleOf(t, db, createLogBook({ all: 'info', rooms: {} }));
  assert.match(files.get('counts.json')!, /could not be collected: The database cannot be reached/);
  assert.match(files.get('program.json')!, /"runtime"/);
  assert.match(files.get('options.json')!, /CODECSHIFT_/);
  assert.ok(files.has('log.jsonl') && files.has('MANIFEST.txt'));
});

oneDatabase((kind) => {
  test('a place that is told things, its computer, and who was removed lately have stand-ins in the story and in the log', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const values = { events: [], quiet: null, enabled: true, secrets: ['url'] };
    await addTarget(db, 'webhook', { name: 'Telefon', place: 'http://briefkasten.invalid', fields: {}, ...values }, 'ada');
    await addTarget(db, 'email', { name: 'Post', place: 'relay:25', fields: { host: 'relay' }, ...values }, 'ada');
    await addActivity(db, { kind: 'notices-added', by: 'ada', params: { name: 'Telefon' } });
    await addActivity(db, { kind: 'library-removed', by: 'ada', params: { name: 'Kinderfilme' } });
    const book = createLogBook({ all: 'info', rooms: {} });
    const line = { time: '2026-11-30T09:00:00.000Z', level: 'warn', room: 'coordinator', msg: 'it did not get through' };
    book.add({ ...line, fields: { target: 'Telefon', why: 'briefkasten.invalid does not answer: no such name.' } }, 100);
    book.add({ ...line, fields: { target: 'Post', why: 'relay refused it, Kinderfilme waits' } }, 100);
    const files = await bundleOf(t, db, book);
    for (const [file, said] of files)
      for (const name of ['Telefon', 'briefkasten', 'Post"', 'relay', 'Kinderfilme']) assert.ok(!said.includes(name), `${name} in ${file}`);
    const place = /"name": "(place-[0-9a-f]{6})"/.exec(files.get('activity.json')!)?.[1];
    assert.ok(place && files.get('log.jsonl')!.includes(`"target":"${place}","why":"host-`), files.get('log.jsonl')!);
  });
});

async function bundleOf(t: TestContext, db: Database, book: LogBook): Promise<Map<string, string>> {
  const house = {
    options: { ...loadOptions({ 'data-dir': temporaryDirectory(t) }, {}), name: 'attic' },
    book,
    id: 'node-a',
    secret: 'a secret of this house',
    roots: { report: async () => [] },
    ffmpeg: { builds: () => [], choice: () => ({ used: null, why: '', better: null, refused: null }) },
    encoders: { known: () => [] },
  } as unknown as House;
  const made = await makeSupportBundle(
    { house, db, settings: null, standing: { state: 'starting' }, surroundings: null },
    { names: false },
    new AbortController().signal,
  );
  const files = new Map<string, string>();
  const tar = extract();
  Readable.from([made]).pipe(createGunzip()).pipe(tar);
  for await (const entry of tar) files.set(entry.header.name.replace('codecshift-support/', ''), await text(entry));
  return files;
}
