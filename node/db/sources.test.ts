import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aLibrary, because, someFiles, someJobs } from '../testing/records.ts';
import type { Queryable } from './connect.ts';
import { readLibrary, setLibrarySource } from './libraries.ts';
import { readJobRow } from './job-lists.ts';
import { readFile } from './media-files.ts';
import { itemRefusal, nameFiles, settleByItems } from './source-files.ts';
import { itemsOfFile, mapItems, noteUse, pageOfItems, replaceItem, sampleItems, upsertItems, type ListedItem } from './source-items.ts';
import { beginListing, endListing, listSourceLibraries, offerLibraries, readSourceLibrary } from './source-libraries.ts';
import {
  addMessages,
  dueMessages,
  listMessages,
  messagesOfFile,
  stepMessage,
  tellAgain,
  waitingInFolder,
  type NewSourceMessage,
} from './source-messages.ts';
import { listSourcePaths, replaceSourcePaths } from './source-paths.ts';
import {
  addSource,
  changeSource,
  listSources,
  noteSourceEvent,
  readSource,
  removeSource,
  setHook,
  setSourceHealth,
  sourceCredential,
  sourceOfHook,
  sourceOverview,
} from './sources.ts';

const plex = {
  kind: 'plex' as const,
  name: 'House',
  url: 'http://10.0.0.2:32400',
  connections: [],
  identity: 'machine-1',
  version: '1.40',
  account: 'ada',
  credential: 's1.sealed',
};

function anItem(n: number, change: Partial<ListedItem> = {}): ListedItem {
  const file = `film-${String(n).padStart(5, '0')}.mkv`;
  const facts = {
    sizeBytes: 1_000_000,
    title: `Film ${n}`,
    detail: '1927',
    parts: 1,
    versions: 1,
    codec: 'h264',
    addedAt: 1e12,
    watched: null,
  };
  return { ref: String(n), part: `p${n}`, path: `/data/${file}`, rootId: null, filePath: file, ...facts, ...change };
}

/** A watched library of a media server over a library with files film-00001.mkv and so on. */
async function watched(q: Queryable, files: number) {
  const library = await aLibrary(q);
  const ids = await someFiles(q, library.id, files);
  const { id: source } = await addSource(q, plex);
  await offerLibraries(q, source, [{ key: '1', title: 'Films', kind: 'movies', folders: ['/data'] }]);
  const [section] = await listSourceLibraries(q, source);
  await setLibrarySource(q, library.id, { source: 'plex', sourceLibraryId: section!.id, enabled: true, looking: false });
  return { library, ids, source, section: section!.id };
}

eachDatabase((kind) => {
  test('a server that is added again keeps its libraries, and a name that is taken gets a number', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const first = await addSource(q, plex);
    const again = await addSource(q, { ...plex, url: 'http://10.0.0.3:32400', credential: 's1.other' });
    assert.deepEqual(again, { id: first.id, added: false });
    assert.equal(await sourceCredential(q, first.id), 's1.other');
    await addSource(q, { ...plex, identity: 'machine-2' });
    assert.deepEqual(
      (await listSources(q)).map((s) => [s.name, s.url, s.signedIn]),
      [
        ['House', 'http://10.0.0.3:32400', true],
        ['House 2', 'http://10.0.0.2:32400', true],
      ],
    );
    assert.ok(!JSON.stringify(await sourceOverview(q)).includes('s1.'), 'no list carries a credential');
    await changeSource(q, first.id, { enabled: false, learnt: { verb: 'POST' } });
    await changeSource(q, first.id, { learnt: { depth: 1 } });
    assert.deepEqual((await readSource(q, first.id))?.learnt, { verb: 'POST', depth: 1 });
  });

  test('a problem is news once, and a webhook is found by the hash of its secret alone', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { id } = await addSource(q, plex);
    assert.equal(await setSourceHealth(q, id, { code: 'source-away', params: { source: 'House' } }), true);
    const since = (await readSource(q, id))!.problemSince;
    assert.equal(await setSourceHealth(q, id, { code: 'source-away', params: { source: 'House', message: 'x' } }), false);
    assert.deepEqual((await readSource(q, id))!.problemSince, since);
    assert.equal(await setSourceHealth(q, id, null), true);
    assert.equal(await setSourceHealth(q, id, null), false);
    await setHook(q, id, 'abc');
    assert.equal((await sourceOfHook(q, 'abc'))?.id, id);
    assert.equal(await sourceOfHook(q, 'abd'), null);
    assert.deepEqual([await noteSourceEvent(q, id, 'k'), await noteSourceEvent(q, id, 'k')], [true, false]);
  });

  test('a library that a server does not offer any more is marked, and comes back as the same one', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { id } = await addSource(q, plex);
    const films = { key: '1', title: 'Films', kind: 'movies' as const, folders: ['/data/films', '/more'] };
    assert.equal(await offerLibraries(q, id, [films]), true);
    assert.equal(await offerLibraries(q, id, [films]), false, 'nothing changed');
    const [row] = await listSourceLibraries(q, id);
    assert.equal(await offerLibraries(q, id, []), true);
    assert.notEqual((await listSourceLibraries(q, id))[0]!.goneAt, null);
    await offerLibraries(q, id, [{ ...films, title: 'Movies' }]);
    const back = (await readSourceLibrary(q, row!.id))!;
    assert.deepEqual([back.title, back.goneAt, back.folders, back.source], ['Movies', null, ['/data/films', '/more'], 'House']);
  });

  test('what a whole listing did not see is forgotten; what an unfinished one did not see stays', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { library, section, source, ids } = await watched(q, 3);
    const here = { rootId: library.rootId };
    const one = await beginListing(q, section);
    await upsertItems(q, section, one, [anItem(1, here), anItem(1, here), anItem(2, here), anItem(9, { filePath: null })]);
    assert.equal(await endListing(q, section, one, 'mark-1'), 0);
    const two = await beginListing(q, section);
    await upsertItems(q, section, two, [anItem(1, { ...here, codec: 'hevc', sizeBytes: 5 })]);
    assert.equal((await itemsOfFile(q, ids[1]!)).length, 1, 'not before the listing is complete');
    assert.equal(await endListing(q, section, two, 'mark-2'), 2);
    const row = (await readSourceLibrary(q, section))!;
    assert.deepEqual([row.items, row.bytes, row.changeMark], [1, 5, 'mark-2']);
    await noteUse(q, source, '1');
    const [item] = await itemsOfFile(q, ids[0]!);
    assert.deepEqual([item!.codec, item!.source, item!.libraryKey, item!.addedAt?.getTime()], ['hevc', 'House', '1', 1e12]);
    assert.ok(item!.usedAgo! >= 0 && item!.usedAgo! < 60);
    await replaceItem(q, section, '1', [anItem(1, { ...here, part: 'new' })]);
    assert.deepEqual(
      (await itemsOfFile(q, ids[0]!)).map((i) => i.part),
      ['new'],
    );
  });

  test('files get the names of their items, and those in parts or unknown to the server are left alone until that changes', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { library, section, ids } = await watched(q, 3);
    await q.query(`update media_files set status = 'new', reason = null`);
    const [late] = await someJobs(q, library.id, 1, {}, 'late');
    const here = { rootId: library.rootId };
    const listing = await beginListing(q, section);
    const lateItem = anItem(4, { ...here, filePath: 'late-00001.mkv', parts: 2 });
    await upsertItems(q, section, listing, [anItem(1, { ...here, versions: 2 }), anItem(2, { ...here, parts: 2 }), lateItem]);
    await nameFiles(q, library.id);
    assert.equal(await settleByItems(q, library.id, 'House'), 3);
    const said = async (id: number) => {
      const file = (await readFile(q, id))!;
      return [file.title, file.detail, file.status, file.reason?.code];
    };
    assert.deepEqual(await said(ids[0]!), ['Film 1', '1927 · one of 2 versions', 'new', undefined]);
    assert.deepEqual(await said(ids[1]!), ['Film 2', '1927', 'skipped', 'multi-part']);
    assert.deepEqual((await said(ids[2]!)).slice(2), ['skipped', 'not-in-source']);
    assert.deepEqual((await said(late!.fileId)).slice(2), ['skipped', 'multi-part']);
    assert.equal((await readJobRow(q, late!.jobId))?.state, 'cancelled');
    assert.equal((await itemRefusal(q, ids[1]!))?.code, 'multi-part');
    assert.equal((await itemRefusal(q, ids[2]!))?.code, 'not-in-source');
    assert.equal(await itemRefusal(q, ids[0]!), null);
    assert.equal(await settleByItems(q, library.id, 'House'), 0, 'saying it twice changes nothing');
    await upsertItems(q, section, listing, [anItem(2, here), anItem(3, here)]);
    assert.equal(await settleByItems(q, library.id, 'House'), 2);
    assert.deepEqual((await said(ids[1]!)).slice(2), ['new', undefined]);
    assert.deepEqual((await said(ids[2]!)).slice(2), ['new', undefined]);
  });

  test('rules are replaced as a whole, and items are mapped anew page by page', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { library, section, source } = await watched(q, 1);
    const rule = { prefix: '/data', rootId: library.rootId, folder: '' };
    await replaceSourcePaths(q, source, [{ ...rule, proof: { a: { found: 2, otherSize: 0, of: 2 } }, proved: true }]);
    await replaceSourcePaths(q, source, [{ ...rule, folder: 'films', proof: {}, proved: false }]);
    const [saved] = await listSourcePaths(q, source);
    assert.deepEqual([saved!.folder, saved!.provedAt], ['films', null]);
    await upsertItems(
      q,
      section,
      1,
      [1, 2, 3].map((n) => anItem(n)),
    );
    const page = await pageOfItems(q, source, null, 2);
    assert.deepEqual(
      page.map((i) => i.ref),
      ['1', '2'],
    );
    assert.equal((await pageOfItems(q, source, page[1]!, 2)).length, 1);
    await mapItems(
      q,
      page.map((i) => ({ ...i, rootId: library.rootId, filePath: `films/${i.ref}` })),
    );
    assert.equal((await pageOfItems(q, source, null))[0]!.filePath, 'films/1');
    assert.equal((await sampleItems(q, source, '/data')).length, 3);
    assert.equal((await sampleItems(q, source, '/dat')).length, 0, 'a prefix ends where a folder ends');
  });

  test('a message steps only from where it stands, and a newer one about the same file takes its place', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { source, ids } = await watched(q, 2);
    const wish: NewSourceMessage = {
      sourceId: source,
      fileId: ids[0]!,
      jobId: 7,
      kind: 'replaced',
      libraryKey: '1',
      folder: '/data',
      ref: '1',
      before: { path: '/data/a.mkv', size: 10, codec: 'h264', added: 1, watched: { views: 1, positionMs: 0 } },
      after: { path: '/data/a.mkv', size: 4, codec: 'hevc' },
    };
    await addMessages(q, [wish, { ...wish, fileId: ids[1]!, ref: '2' }], 0);
    const due = await dueMessages(q);
    assert.deepEqual(
      due.map((m) => [m.ref, m.state, m.source, m.after.size]),
      [
        ['1', 'waiting', 'House', 4],
        ['2', 'waiting', 'House', 4],
      ],
    );
    assert.deepEqual(
      (await waitingInFolder(q, source, '/data')).ids,
      due.map((m) => m.id),
    );
    assert.equal(await stepMessage(q, due[0]!.id, { from: ['waiting'], to: 'told', tries: 1, nextSeconds: 3600, told: true }), true);
    assert.equal(await stepMessage(q, due[0]!.id, { from: ['waiting'], to: 'told', tries: 1, nextSeconds: 3600 }), false);
    assert.equal((await dueMessages(q)).length, 1, 'what was told is due later');
    await addMessages(q, [{ ...wish, kind: 'restored' }], 0);
    const story = await messagesOfFile(q, ids[0]!);
    assert.deepEqual(
      story.map((m) => [m.kind, m.state]),
      [
        ['restored', 'waiting'],
        ['replaced', 'dropped'],
      ],
    );
    assert.equal(await tellAgain(q, story[1]!.id), false, 'what was overtaken is not told again');
    assert.equal(
      await stepMessage(q, story[0]!.id, {
        from: ['waiting'],
        to: 'unconfirmed',
        tries: 9,
        nextSeconds: 86_400,
        reason: because('source-unconfirmed'),
      }),
      true,
    );
    assert.equal((await sourceOverview(q))[0]!.unconfirmed, 1);
    assert.equal(await tellAgain(q, story[0]!.id), true);
    assert.deepEqual(
      (await listMessages(q, source, { open: true, size: 1 })).rows.map((m) => m.id),
      [story[0]!.id],
    );
    assert.equal(await stepMessage(q, story[0]!.id, { from: ['waiting'], to: 'confirmed', tries: 1, nextSeconds: null }), true);
    assert.equal(await tellAgain(q, story[0]!.id), false);
  });

  test('a server that is forgotten leaves its libraries as plain folders', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { library, source, ids } = await watched(q, 1);
    assert.equal(await removeSource(q, source), true);
    const left = (await readLibrary(q, library.id))!;
    assert.deepEqual([left.source, left.sourceLibraryId], ['folder', null]);
    assert.equal(await itemRefusal(q, ids[0]!), null);
  });
});

eachDatabase((kind) => {
  test('a change that took a while is not written over what a person has changed meanwhile', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { id } = await addSource(q, plex);
    assert.equal(await changeSource(q, id, { credential: 's1.renewed' }, { credential: 's1.another' }), false);
    assert.equal(await changeSource(q, id, { url: 'http://10.0.0.9' }, { url: 'http://10.0.0.3' }), false);
    assert.equal(await changeSource(q, id, { credential: 's1.renewed' }, { credential: null }), false);
    assert.deepEqual([(await readSource(q, id))?.url, await sourceCredential(q, id)], [plex.url, plex.credential]);
    assert.equal(await changeSource(q, id, { credential: 's1.renewed' }, { credential: plex.credential }), true);
    assert.equal(await changeSource(q, id, { url: 'http://10.0.0.9' }, { url: plex.url }), true);
    assert.deepEqual([(await readSource(q, id))?.url, await sourceCredential(q, id)], ['http://10.0.0.9', 's1.renewed']);
  });
});
