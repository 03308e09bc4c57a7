import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeSource } from '../db/sources.ts';
import { noteUse } from '../db/source-items.ts';
import { PlainError } from '../errors.ts';
import { aSourceItem, fakeSource } from '../testing/fake-source.ts';
import { freshDatabase } from '../testing/database.ts';
import { aWatchedSource } from '../testing/source-records.ts';
import { createSourceUse } from './source-use.ts';

test('a film may be exchanged when every server says that nobody uses it; every doubt means waiting', async (t) => {
  const db = await (await freshDatabase(t, 'embedded')).lead();
  // a double episode: one file, two entries
  const { row, library } = await aWatchedSource(db, [aSourceItem(), aSourceItem({ ref: '2' })]);
  const source = fakeSource();
  let minutes = 5;
  let listed = 0;
  let opens: () => Promise<{ row: typeof row; source: typeof source }> = async () => ({ row, source });
  const use = createSourceUse({
    db,
    sources: { open: () => opens(), listAll: async () => void listed++ },
    settings: () => ({ 'sources.restMinutes': minutes }),
  });
  const film = { rootId: library.rootId, path: 'film-00001.mkv' };
  const ask = (file = film) => use.whyNot(file, new AbortController().signal);

  assert.equal(await ask(), null);
  assert.deepEqual(source.asked, ['use 1', 'use 2'], 'both entries are asked for');
  source.use = { use: 'unknown', why: 'its list could not be read' };
  assert.equal((await ask())?.code, 'use-unknown');
  source.trouble = new PlainError('House does not answer.');
  assert.deepEqual((await ask())?.params, { source: 'House', message: 'House does not answer.' });
  source.trouble = null;
  source.use = { use: 'yes', who: 'Ada', how: 'paused' };
  assert.deepEqual(await ask(), { code: 'playing', params: { source: 'House', who: 'Ada', how: 'has paused' } });

  // it is remembered, also by a coordinator that comes later
  source.use = { use: 'no' };
  assert.equal((await ask())?.code, 'watched-lately');
  minutes = 0;
  assert.equal(await ask(), null);
  minutes = 5;
  await db.query(`update source_items set used_at = now() - interval '6 minutes'`);
  assert.equal(await ask(), null);
  await noteUse(db, row.id, '2');
  assert.equal((await ask())?.code, 'watched-lately', 'of any of its entries');

  // a film that came after the last listing: the server has changed since, so what it knows is not known here
  const newer = { ...film, path: 'new/film.mkv' };
  assert.equal(await ask(newer), null);
  source.listLibraries = async () => [{ key: '1', title: 'Films', kind: 'movies', folders: ['/data'], changeMark: 'newer' }];
  await db.query(`update source_libraries set listed_at = now() - interval '1 hour'`);
  assert.deepEqual([(await ask(newer))?.code, listed], ['use-unknown', 1]);
  await db.query(`update source_libraries set listed_at = now(), change_mark = 'newer'`);
  assert.deepEqual([await ask(newer), listed], [null, 1], 'it was listed, and does not have it');

  opens = () => Promise.reject(new PlainError('The stored sign-in cannot be opened.', { reason: { code: 'secret-lost' } }));
  assert.equal((await ask())?.code, 'use-unknown');
  assert.equal(await ask({ ...film, rootId: '00000000-0000-4000-8000-000000000000' }), null, 'it has nothing below that root');
  await changeSource(db, row.id, { enabled: false });
  assert.equal(await ask(), null, 'one that is switched off is not asked');
});
