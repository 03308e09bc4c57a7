import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { PlainError } from '../errors.ts';
import { createOutgoing } from '../outgoing.ts';
import { wellBehaved, startPlexServer, type TestPlexServer } from '../testing/plex-server.ts';
import { openSource } from './open.ts';
import type { Source, SourceItem, SourceNews, SourceParts } from './source.ts';

const outgoing = createOutgoing({ ownPorts: () => [] });
const { signal } = new AbortController();
let plex: TestPlexServer;
let clock = 0;

suite('a Plex server', () => {
  before(async () => {
    plex = await startPlexServer(null, { name: 'Den' });
  });
  beforeEach(() => {
    plex.library.sections.length = 0;
    plex.heard.length = 0;
    plex.sessions.length = 0;
    plex.background.length = 0;
    Object.assign(plex.behaves, wellBehaved());
  });
  after(() => plex.stop());

  test('libraries, counts and items are as recorded ones say', async () => {
    plex.library.addRecorded();
    const shows = plex.library.addSection({ type: 'show', title: 'Shows', folders: ['/data/tv', '/more/tv'] });
    plex.library.add(shows, {
      title: 'Lucy Gets Trapped',
      file: '/data/tv/Lucy/S02E14.mkv',
      size: 7,
      show: 'The Lucy Show',
      season: 2,
      episode: 14,
      viewCount: 2,
    });
    plex.library.addSection({ type: 'artist', title: 'Music', folders: ['/music'] });
    const source = open();
    assert.deepEqual(await source.listLibraries(signal), [
      { key: '1', title: 'Movies', kind: 'movies', folders: ['/Movies'], changeMark: '1' },
      { key: '2', title: 'Shows', kind: 'shows', folders: ['/data/tv', '/more/tv'], changeMark: '2' },
      { key: '3', title: 'Music', kind: 'other', folders: ['/music'], changeMark: '1' },
    ]);
    assert.deepEqual(
      [await source.countItems('1', signal), await source.countItems('2', signal), await source.countItems('3', signal)],
      [11, 1, null],
    );
    const films = await all(source, '1');
    assert.equal(films.length, 11);
    assert.deepEqual(films[1], {
      ref: '9881',
      part: '41930',
      path: '/Movies/Nine 1+2 Weeks (1986)/Nine.and.a.Half.Weeks.1986.1080p.BluRay.DTS.x264-HDMaNiAcS.mkv',
      sizeBytes: 11_394_952_434,
      title: '9½ Weeks',
      detail: '1986',
      parts: 1,
      versions: 1,
      codec: 'h264',
      addedAt: 1_560_801_795_000,
      watched: { views: 0, positionMs: 0 },
    });
    assert.deepEqual(films[2]!.watched, { views: 0, positionMs: 3_866_000 });
    assert.equal(films[10]!.codec, 'hevc');
    const [episode] = await all(source, '2');
    assert.deepEqual(
      [episode!.title, episode!.detail, episode!.watched],
      ['The Lucy Show', 'S02 E14 · Lucy Gets Trapped', { views: 2, positionMs: 0 }],
    );
    assert.deepEqual(await all(source, '3'), []);
  });

  test('versions and parts are files of their own, and what a server does not say is not made up', async () => {
    const section = plex.library.addSection({ title: 'Films', folders: ['/f'] });
    const two = plex.library.add(section, { title: 'Ran', year: 1985, file: '/f/Ran.mkv', size: 5 });
    plex.library.addVersion(two, '/f/Ran.4k.mkv', 9, 'hevc');
    plex.library.add(section, { title: 'Ben-Hur', file: ['/f/cd1.mkv', '/f/cd2.mkv'], size: 6 });
    const source = open();
    const shown = (items: SourceItem[]): unknown => items.map(({ path, parts, versions, codec }) => [path, parts, versions, codec]);
    const expected = [
      ['/f/Ran.mkv', 1, 2, 'h264'],
      ['/f/Ran.4k.mkv', 1, 2, 'hevc'],
      ['/f/cd1.mkv', 2, 1, 'h264'],
      ['/f/cd2.mkv', 2, 1, 'h264'],
    ];
    assert.deepEqual(shown(await all(source, '1')), expected);
    assert.deepEqual(shown(await source.readItem(two.ratingKey, signal)), expected.slice(0, 2));
    assert.deepEqual(await source.readItem('77', signal), []);
    plex.behaves.bare = true;
    const [bare] = await all(source, '1');
    assert.deepEqual([bare!.codec, bare!.sizeBytes, bare!.title], [null, null, 'Ran']);
  });

  test('a listing gets every item once, whatever the server makes of pages', async () => {
    const section = plex.library.addSection({ type: 'show', title: 'Shows', folders: ['/tv'] });
    plex.library.fill(section, 450);
    const source = open();
    const refs = section.items.map(({ ratingKey }) => ratingKey);
    const listed = async (): Promise<string[]> => (await all(source, '1')).map(({ ref }) => ref);
    for (const paging of ['asked', 'ignored', 7, 1000] as const) {
      for (const totals of [true, false]) {
        Object.assign(plex.behaves, { paging, totals, loose: !totals });
        assert.deepEqual(await listed(), refs, `${paging} ${totals}`);
        assert.equal(await source.countItems('1', signal), totals || paging === 'ignored' ? 450 : null);
      }
    }
    Object.assign(plex.behaves, { paging: 'asked', totals: true });
    let page = 0;
    // an item of the first page goes while the second is asked for: all behind it move up by one
    plex.behaves.onPage = () => void (++page === 2 && section.items.splice(3, 1));
    assert.equal(new Set(await listed()).size, 450, 'the one that went was listed before');
    page = 0;
    plex.behaves.onPage = () => {
      if (++page !== 2) return;
      section.items.splice(5, 1);
      plex.library.add(section, { title: 'New', file: '/tv/new.mkv', size: 1, show: 'New', season: 1, episode: 1 });
    };
    const before = section.items.map(({ ratingKey }) => ratingKey);
    const found = await listed();
    assert.deepEqual(
      before.filter((ref) => !found.includes(ref)),
      [],
      'also when the count stays the same',
    );
    assert.equal(new Set(found).size, found.length);
  });

  test('a listing that ends before its own count is an error and no end', async () => {
    const section = plex.library.addSection({ title: 'Films', folders: ['/f'] });
    for (let n = 0; n < 300; n++) plex.library.add(section, { title: `Film ${n}`, file: `/f/${n}.mkv`, size: n });
    plex.behaves.guest = true;
    await assert.rejects(all(open(), '1'), code('source-odd', /only its owner/));
    Object.assign(plex.behaves, { guest: false, paging: 'empty' });
    await assert.rejects(all(open(), '1'), code('source-odd', /says it has 300 but lists 200/));
  });

  test('fifty thousand episodes come in pages, and the caller may stop between them', async () => {
    const section = plex.library.addSection({ type: 'show', title: 'Shows', folders: ['/tv'] });
    plex.library.fill(section, 50_000);
    const source = open();
    assert.equal(await source.countItems('1', signal), 50_000);
    let seen = 0;
    for await (const page of source.listItems('1', signal)) {
      seen += page.length;
      if (seen > 1000) break;
    }
    assert.ok(seen < 1400);
    plex.behaves.bare = true;
    assert.equal((await all(source, '1')).length, 50_000);
  });

  test('odd answers each have their reason', async () => {
    plex.library.addRecorded();
    const reasons = {
      'html-401': 'source-refuses',
      'html-500': 'source-away',
      'html-200': 'source-odd',
      redirect: 'source-odd',
      'wrong-shape': 'source-odd',
    };
    for (const [broken, reason] of Object.entries(reasons)) {
      plex.behaves.broken = broken as keyof typeof reasons;
      const source = open();
      await assert.rejects(source.listLibraries(signal), code(reason), broken);
      await assert.rejects(all(source, '1'), code(reason), broken);
      await assert.rejects(source.readItem('9881', signal), code(reason), broken);
      assert.equal((await source.inUse({ ref: '9881', part: null, path: '' }, signal)).use, 'unknown', broken);
    }
    plex.behaves.broken = null;
    await assert.rejects(open({ credential: 'old-token' }).listLibraries(signal), code('source-refuses'));
    await assert.rejects(open({ url: 'http://127.0.0.1:1' }).listLibraries(signal), code('source-away', /^Living room does not answer/));
    await assert.rejects(open({ url: 'http://169.254.169.254' }).listLibraries(signal), code('address-forbidden'));
  });

  test('nobody but the pinned server gets the token, and the proof lasts a minute', async () => {
    plex.library.addRecorded();
    const source = open();
    await source.listLibraries(signal);
    await source.readItem('9881', signal);
    await open({ url: `${plex.url}//?X-Plex-Token=${plex.token}#x` }).identify(signal);
    assert.deepEqual(plex.inAddress(plex.token), [], 'not even when it was typed into the address');
    assert.equal(plex.asked().pop(), 'GET /identity');
    plex.heard.pop();
    assert.deepEqual(plex.asked(), ['GET /identity', 'GET /library/sections', 'GET /library/metadata/9881']);
    plex.heard.length = 0;
    clock += 61_000;
    plex.behaves.claims = 'somebody-else';
    await assert.rejects(source.listLibraries(signal), code('source-is-another'));
    await assert.rejects(
      source.follow!(() => {}, signal),
      code('source-is-another'),
    );
    assert.equal((await source.inUse({ ref: '9881', part: null, path: '' }, signal)).use, 'unknown');
    assert.deepEqual(new Set(plex.asked()), new Set(['GET /identity']));
    assert.ok(plex.heard.every(({ headers }) => headers['x-plex-token'] === undefined));
    assert.deepEqual(await open({ identity: null }).identify(signal), {
      id: 'somebody-else',
      name: 'Den',
      version: '1.40.2.8395-c67dce28e',
    });
  });

  test('who plays, pauses or downloads a film is known by its key, in JSON and XML', async () => {
    const section = plex.library.addRecorded();
    const film = section.items[1]!;
    const source = open();
    const use = (part: string | null = null): Promise<unknown> => source.inUse({ ref: film.ratingKey, part, path: 'x' }, signal);
    assert.deepEqual(await use(), { use: 'no' });
    plex.sessions.push({ ratingKey: '1', state: 'playing', user: 'Ann', player: 'TV' });
    assert.deepEqual(await use(), { use: 'no' });
    plex.sessions.push({ ratingKey: film.ratingKey, state: 'paused', user: 'Bob & "Co" <b>', player: 'Kitchen' });
    for (const how of ['json', 'xml'] as const) {
      plex.behaves.sessions = how;
      assert.deepEqual(await use(), { use: 'yes', who: 'Bob & "Co" <b>', how: 'paused' }, how);
    }
    plex.sessions[1]!.state = 'buffering';
    assert.deepEqual(await use(), { use: 'yes', who: 'Bob & "Co" <b>', how: 'playing' });
    plex.sessions.length = 0;
    assert.deepEqual(await use(), { use: 'no' });
    plex.sessions.push({ ratingKey: '2', state: 'playing', user: 'Ann', player: 'TV' });
    assert.deepEqual(await use('4631'), { use: 'yes', who: 'Ann', how: 'playing' }, 'the recorded session has that part');
    plex.sessions.length = 0;
    plex.background.push(film.ratingKey);
    assert.deepEqual(await use(), { use: 'yes', who: 'A download', how: 'downloading' });
    plex.behaves.background = false;
    assert.deepEqual(await use(), { use: 'no' }, 'an older server has no list of downloads');
    for (const how of ['broken', 'forbidden', 'no-keys'] as const) {
      plex.behaves.sessions = how;
      assert.equal(((await use()) as { use: string }).use, 'unknown', how);
    }
  });

  test('a replaced file: told once, seen after the scan, analyzed, and nothing else is asked', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'plex-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'Ran.mkv'), 'a long original');
    plex.library.mount('/f/Ran (1985)', folder);
    plex.library.codecOf = () => 'hevc';
    const section = plex.library.addSection({ title: 'Films', folders: ['/films', '/f'] });
    const film = plex.library.add(section, { title: 'Ran', file: '/f/Ran (1985)/Ran.mkv', viewOffset: 5000 });
    Object.assign(plex.behaves, { scans: 'queued', refreshVerbs: ['POST'] });
    const source = open();
    const change = {
      libraryKey: '1',
      folder: '/f/Ran (1985)',
      before: '/f/Ran (1985)/Ran.mkv',
      after: '/f/Ran (1985)/Ran.mkv',
      ref: film.ratingKey,
    };
    const seen = async (): Promise<unknown> =>
      (await source.readItem(film.ratingKey, signal)).map(({ sizeBytes, codec, watched }) => [sizeBytes, codec, watched!.positionMs]);
    writeFileSync(join(folder, 'Ran.mkv'), 'short copy');
    await source.tellChanged(change, signal);
    assert.deepEqual(plex.queued, [{ section: '1', folder: '/f/Ran (1985)' }]);
    assert.deepEqual(await seen(), [[15, 'h264', 5000]]);
    plex.runScans();
    assert.deepEqual(await seen(), [[10, 'h264', 5000]]);
    await source.analyze(film.ratingKey, signal);
    assert.deepEqual(await seen(), [[10, 'hevc', 5000]]);
    assert.deepEqual(source.learnt(), { refreshVerb: 'POST' });
    const refresh = 'POST /library/sections/1/refresh';
    const item = `GET /library/metadata/${film.ratingKey}`;
    assert.deepEqual(plex.asked(), [
      'GET /identity',
      'GET /library/sections',
      'GET /library/sections/1/refresh',
      refresh,
      item,
      item,
      `PUT /library/metadata/${film.ratingKey}/analyze`,
      item,
    ]);
    plex.heard.length = 0;
    await open({ learnt: source.learnt() }).tellChanged({ ...change, libraryKey: null }, signal);
    assert.deepEqual(plex.asked(), ['GET /identity', 'GET /library/sections', refresh], 'what was learnt is tried first');
    assert.equal(plex.heard.at(-1)!.query['path'], '/f/Ran (1985)');
    assert.ok(plex.heard.at(-1)!.raw.includes('%20'), 'not every server takes a plus for a blank');
    plex.heard.length = 0;
    for (const elsewhere of [{ folder: '/films2/x' }, { folder: '/other' }, { libraryKey: '9' }]) {
      await assert.rejects(source.tellChanged({ ...change, ...elsewhere }, signal), code('source-unmapped'));
    }
    plex.behaves.refreshVerbs = [];
    await assert.rejects(source.tellChanged(change, signal), code('source-odd'));
    assert.ok(!plex.asked().some((asked) => asked.includes('Trash')));
  });

  test('live messages become news until the caller ends it, and a broken line rejects', async () => {
    const news: SourceNews[] = [];
    const stop = new AbortController();
    const followed = open().follow!((one) => {
      news.push(one);
      if (one.kind === 'item-gone') stop.abort();
    }, stop.signal);
    await plex.listened();
    const timeline = (more: Record<string, unknown>): unknown => ({
      identifier: 'com.plexapp.plugins.library',
      sectionID: '2',
      type: 4,
      state: 5,
      ...more,
    });
    plex.notify({
      NotificationContainer: { type: 'playing', size: 1, PlaySessionStateNotification: [{ ratingKey: '9725', state: 'paused' }] },
    });
    plex.notify({ NotificationContainer: { type: 'activity', ActivityNotification: [{}] } });
    plex.notify('nonsense');
    const TimelineEntry = [
      timeline({ itemID: '5' }),
      timeline({ itemID: '6', state: 0 }),
      timeline({ itemID: '7', type: 2 }),
      timeline({ itemID: '8', identifier: 'com.plexapp.dvr' }),
      timeline({ itemID: 9, state: 9, sectionID: '-1' }),
    ];
    plex.notify({ NotificationContainer: { type: 'timeline', TimelineEntry } });
    await followed;
    assert.deepEqual(news, [
      { kind: 'playing', ref: '9725', state: 'paused' },
      { kind: 'item-changed', ref: '5', libraryKey: '2' },
      { kind: 'library-changed', libraryKey: '2' },
      { kind: 'item-gone', ref: '9' },
    ]);
    await assert.rejects(
      open({ credential: 'wrong' }).follow!(() => {}, signal),
      code('source-away'),
    );
    assert.deepEqual(plex.inAddress(plex.token), []);
  });

  function open(change: Partial<SourceParts> = {}): Source {
    const parts = { kind: 'plex', name: 'Living room', url: plex.url, credential: plex.token, identity: plex.identity } as const;
    return openSource({ ...parts, outgoing, clientId: 'client-of-the-test', now: () => clock, ...change });
  }
});

async function all(source: Source, key: string): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  for await (const page of source.listItems(key, signal)) items.push(...page);
  return items;
}

function code(reason: string, message = /./): (error: unknown) => boolean {
  return (error) => error instanceof PlainError && error.reason?.code === reason && message.test(error.message);
}
