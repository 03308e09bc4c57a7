import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { PlainError } from '../errors.ts';
import { temporaryDirectory } from '../testing/database.ts';
import { proofLines, readMap } from './source-paths.ts';
import { findLibrary, findSource, libraryLines, readToken, sourceLines, type SourceAnswer, type SourceLibraryAnswer } from './sources.ts';

const source: SourceAnswer = {
  ...{ id: 1, kind: 'plex', name: 'Living room', url: 'http://nas:32400', version: '1.43', enabled: true, signedIn: true, problem: null },
  ...{ libraries: 3, watched: 1, telling: 2, unconfirmed: 1 },
};
const library: SourceLibraryAnswer = {
  key: '1',
  title: 'Movies',
  kind: 'movies',
  folders: ['/data/\u202em'],
  items: 12,
  bytes: 3e9,
  watched: true,
  goneAt: null,
};
const plain = (pattern: RegExp) => (error: unknown) => error instanceof PlainError && pattern.test(error.message);

test('the list says in a word how each server stands', () => {
  const refuses = { code: 'source-refuses', sentence: 'Attic no longer accepts the sign-in.' };
  assert.deepEqual(
    sourceLines([
      source,
      { ...source, name: 'Attic', problem: refuses, libraries: 0, telling: 0, unconfirmed: 0 },
      { ...source, name: 'Off', enabled: false },
    ]).split('\n'),
    [
      '* Living room: connected, plex 1.43, http://nas:32400, 1 of 3 libraries watched, 1 to be told, 1 not confirmed',
      '! Attic: sign in again, plex 1.43, http://nas:32400',
      '    Attic no longer accepts the sign-in.',
      '- Off: switched off, plex 1.43, http://nas:32400, 1 of 3 libraries watched, 1 to be told, 1 not confirmed',
    ],
  );
  assert.equal(libraryLines([library]), '* 1  Movies (movies, 12 items, 3.0 GB)\n      /data/\\u{202e}m');
});

test('a server and its libraries are found by name in any case, and twins by their key', () => {
  assert.equal(findSource([source], 'living ROOM').id, 1);
  assert.throws(() => findSource([source], 'x'), plain(/Known: Living room/));
  assert.equal(findLibrary([library], 'movies').key, '1');
  assert.throws(() => findLibrary([library, { ...library, key: '2' }], 'Movies'), plain(/by its key: 1, 2/));
});

test('a token is one word of a file, and never more than that is sent', async (t) => {
  const file = join(temporaryDirectory(t), 'token');
  await writeFile(file, ' abc-123 \n');
  assert.equal(await readToken(file), 'abc-123');
  for (const text of ['', 'two words', 'x'.repeat(2001)]) {
    await writeFile(file, text);
    await assert.rejects(readToken(file), plain(/one word on one line/));
  }
  await assert.rejects(readToken(`${file}.missing`), plain(/could not be read/));
});

test('a path is said as PREFIX=LIBRARY:FOLDER, also where Windows puts a colon', () => {
  const libraries = [{ name: 'Films', root: 'r1' }];
  assert.deepEqual(readMap('O:\\Films=films:More/A', libraries), { prefix: 'O:\\Films', root: 'r1', folder: 'More/A' });
  assert.deepEqual(readMap('/a=b=Films', libraries), { prefix: '/a=b', root: 'r1', folder: '' });
  for (const [word, said] of [
    ['/data', /PREFIX=LIBRARY/],
    ['=Films', /PREFIX=LIBRARY/],
    ['/data=TV', /no library called TV/],
  ] as const)
    assert.throws(() => readMap(word, libraries), plain(said));
  const proof = {
    prefix: '/a',
    root: 'r1',
    folder: 'B',
    proved: false,
    nodes: [{ name: 'atlas', found: 3, otherSize: 1, of: 20, problem: null }],
  };
  assert.equal(
    proofLines([proof], libraries),
    '? /a = root of Films, folder B (not proved)\n      atlas: 3 of 20 sample files found, 1 with another size',
  );
});
