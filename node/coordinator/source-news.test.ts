import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { addMessages } from '../db/source-messages.ts';
import { itemsOfPath } from '../db/source-items.ts';
import { freshDatabase, quietLog } from '../testing/database.ts';
import { aSourceItem, fakeSource } from '../testing/fake-source.ts';
import { someFiles } from '../testing/records.ts';
import { aWatchedSource } from '../testing/source-records.ts';
import type { SourceNews } from '../sources/source.ts';
import { createNewsDesk } from './source-news.ts';

async function stage(t: TestContext) {
  const db = await (await freshDatabase(t, 'embedded')).lead();
  const { row, library } = await aWatchedSource(db, [aSourceItem()]);
  const source = Object.assign(fakeSource(), { items: [aSourceItem(), aSourceItem({ ref: '2', path: '/data/new/b.mkv' })] });
  const did: string[] = [];
  let wake: (() => void) | null = null;
  const note = (what: string): void => (did.push(what), wake?.());
  const desk = createNewsDesk({
    db,
    log: quietLog(),
    lookAtPlaces: async (places) => note(`look ${places.map(({ path }) => path).join(' ')}`),
    libraryChanged: (_row, key) => note(`library ${key}`),
    onPlaying: () => note('playing'),
    hurried: () => note('hurried'),
    gatherMs: 5,
    firstPauseMs: 1,
  });
  t.after(() => desk.stop());
  /** resolves once so many things were done */
  const done = async (many: number): Promise<string[]> => {
    while (did.length < many) await new Promise<void>((resolve) => (wake = resolve));
    return did;
  };
  return { db, row, library, source, desk, did, done };
}

suite('what a media server says by itself', () => {
  test('leads to a look at the folders of an item; a line that breaks is opened again', async (t) => {
    const s = await stage(t);
    let opened = 0;
    s.source.follow = async (onNews, signal) => {
      if (++opened < 3) throw new Error('the line broke');
      onNews({ kind: 'item-changed', ref: '2', libraryKey: '1' });
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    };
    s.desk.follow(s.row, s.source);
    assert.deepEqual(await s.done(1), ['look new/b.mkv']);
    assert.equal(opened, 3);
    assert.equal((await itemsOfPath(s.db, s.library.rootId, 'new/b.mkv'))[0]?.ref, '2', 'it is known before the next listing');
  });

  test('is one scan of the library when it is said of very many items, and no scan when it is our own doing', async (t) => {
    const s = await stage(t);
    const [file] = await someFiles(s.db, s.library.id, 1);
    let say: (news: SourceNews) => void = () => {};
    const line = Promise.withResolvers<void>();
    s.source.follow = (onNews, signal) => {
      say = onNews;
      line.resolve();
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    s.desk.follow(s.row, s.source);
    await line.promise;
    for (let n = 0; n < 200; n++) say({ kind: 'item-changed', ref: `x${n}`, libraryKey: '1' });
    assert.deepEqual(await s.done(1), ['library null']);

    const before = { path: '/data/film-00001.mkv', size: 1, codec: null, added: null, watched: null };
    const told = { sourceId: s.row.id, fileId: file!, jobId: null, kind: 'replaced' as const, libraryKey: '1', folder: '/data', ref: '1' };
    await addMessages(s.db, [{ ...told, before, after: { path: before.path, size: 1, codec: null } }], 0);
    await s.db.query(`update source_messages set state = 'told'`);
    say({ kind: 'item-changed', ref: '1', libraryKey: '1' });
    assert.deepEqual((await s.done(3)).slice(1), ['hurried', 'look ']);
    assert.ok(!s.source.asked.includes('read 1'));

    say({ kind: 'playing', ref: '1', state: 'playing' });
    await s.done(4);
    say({ kind: 'playing', ref: '1', state: 'playing' });
    say({ kind: 'playing', ref: '1', state: 'stopped' });
    assert.deepEqual((await s.done(5)).slice(3), ['playing', 'playing'], 'a player that goes on says nothing new');
    assert.ok((await itemsOfPath(s.db, s.library.rootId, 'film-00001.mkv'))[0]!.usedAgo !== null);
  });
});
