import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { loadOptions } from '../config/load.ts';
import type { Database } from '../db/connect.ts';
import { PlainError } from '../errors.ts';
import { createLogBook } from '../log-book.ts';
import { temporaryDirectory } from '../testing/database.ts';
import type { House } from './house.ts';
import { makeSupportBundle } from './support-bundle.ts';

test('a database that does not answer is a part of the bundle, and keeps nothing else out of it', async (t) => {
  const away = (): Promise<never> => Promise.reject(new PlainError('The database cannot be reached.'));
  const db = { embedded: false, query: away, tx: away } as unknown as Database;
  const house = {
    options: { ...loadOptions({ 'data-dir': temporaryDirectory(t) }, {}), name: 'attic' },
    book: createLogBook({ all: 'info', rooms: {} }),
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
  assert.match(files.get('counts.json')!, /could not be collected: The database cannot be reached/);
  assert.match(files.get('program.json')!, /"runtime"/);
  assert.match(files.get('options.json')!, /CODECSHIFT_/);
  assert.ok(files.has('log.jsonl') && files.has('MANIFEST.txt'));
});
