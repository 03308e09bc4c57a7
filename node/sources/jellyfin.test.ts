import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { PlainError } from '../errors.ts';
import { createOutgoing } from '../outgoing.ts';
import { startJellyfin, type TestJellyfin } from '../testing/jellyfin-server.ts';
import { openSource } from './open.ts';
import type { Source, SourceItem, SourceParts } from './source.ts';

const outgoing = createOutgoing({ ownPorts: () => [] });
const { signal } = new AbortController();

for (const kind of ['jellyfin', 'emby'] as const) {
  suite(`${kind}`, () => {
    test('lists libraries, versions and episodes with what is known of their codec', async (t) => {
      const server = await startJellyfin(t, kind);
      fill(server);
      const source = open(server);
      assert.deepEqual(await source.identify(signal), { id: server.identity, name: 'Attic', version: '10.11.2' });
      assert.deepEqual(await source.listLibraries(signal), [
        { key: 'L1', title: 'Films', kind: 'movies', folders: ['/media/films', '/more/films'], changeMark: null },
        { key: 'L2', title: 'Shows', kind: 'shows', folders: ['/media/tv'], changeMark: null },
        { key: 'L3', title: 'Mixed', kind: 'other', folders: ['/media/mixed'], changeMark: null },
      ]);
      assert.equal(await source.countItems('L1', signal), 452);
      for (const paging of ['asked', 'ignored'] as const) {
        server.behaves.paging = paging;
        const films = await all(source, 'L1');
        assert.deepEqual([films.length, new Set(films.map(({ part }) => part)).size], [453, 453]);
      }
      const [ran, better, cut] = await all(source, 'L1');
      assert.deepEqual(ran, {
        ref: 'ran',
        part: 'ran-1',
        path: '/media/films/Ran (1985)/Ran.mkv',
        sizeBytes: 5000,
        title: 'Ran',
        detail: '1985',
        parts: 1,
        versions: 2,
        codec: 'h264',
        addedAt: Date.parse('2024-09-19T10:00:00Z'),
        watched: null,
      });
      assert.deepEqual([better!.part, better!.codec], ['ran-2', 'hevc']);
      assert.equal(cut!.parts, 2);
      const episodes = await all(source, 'L2');
      assert.deepEqual(
        episodes.map(({ title, detail }) => [title, detail]),
        [['Dark', 'S01 E03 · Past and Present']],
        'an episode that nobody has is no file',
      );
      assert.deepEqual(await source.readItem('ran', signal), [ran, better]);
      assert.deepEqual(await source.readItem('gone', signal), []);
      assert.deepEqual(server.inAddress(server.key), []);
    });

    test('is told of a changed file, asked to probe it anew, and asked who plays it', async (t) => {
      const server = await startJellyfin(t, kind);
      fill(server);
      const source = open(server);
      const path = '/media/films/Ran (1985)/Ran.mkv';
      const change = { libraryKey: 'L1', folder: '/media/films/Ran (1985)', before: path, after: path, ref: 'ran' };
      await source.tellChanged(change, signal);
      await source.tellChanged({ ...change, before: '/media/films/Ran (1985)/Ran.avi' }, signal);
      assert.deepEqual(server.reported, [
        { Path: path, UpdateType: kind === 'emby' ? 'Created' : 'Modified' },
        { Path: path, UpdateType: 'Created' },
        { Path: '/media/films/Ran (1985)/Ran.avi', UpdateType: 'Deleted' },
      ]);
      await source.analyze('ran', signal);
      assert.deepEqual(server.refreshed, ['ran']);
      assert.equal(server.heard.at(-1)!.query['metadataRefreshMode'], 'FullRefresh');
      const use = (): Promise<unknown> => source.inUse({ ref: 'ran', part: 'ran-1', path }, signal);
      server.sessions.push({ DeviceName: 'Tablet' }, { UserName: 'Ann', NowPlayingItem: { Id: 'other', Path: '/x' }, PlayState: {} });
      assert.deepEqual(await use(), { use: 'no' });
      for (const playing of [{ Id: 'ran' }, { Id: 'of-a-collection', Path: path }]) {
        server.sessions[1] = { UserName: 'Ann', NowPlayingItem: playing, PlayState: { IsPaused: true } };
        assert.deepEqual(await use(), { use: 'yes', who: 'Ann', how: 'paused' });
      }
      server.sessions[1] = { DeviceName: 'TV', NowPlayingItem: { Id: 'x' }, PlayState: { MediaSourceId: 'ran-1' } };
      assert.deepEqual(await use(), { use: 'yes', who: 'TV', how: 'playing' });
      for (const broken of ['html-401', 'html-500', 'html-200', 'wrong-shape'] as const) {
        server.behaves.broken = broken;
        assert.equal(((await use()) as { use: string }).use, 'unknown', broken);
      }
    });

    test('gets the key only after the pinned server has answered, and odd answers have their reasons', async (t) => {
      const server = await startJellyfin(t, kind);
      fill(server);
      server.behaves.claims = 'somebody-else';
      await assert.rejects(open(server).listLibraries(signal), code('source-is-another'));
      await assert.rejects(open(server).analyze('ran', signal), code('source-is-another'));
      assert.ok(server.heard.every(({ path, headers }) => path === '/System/Info/Public' && !JSON.stringify(headers).includes(server.key)));
      server.behaves.claims = null;
      const reasons = { 'html-401': 'source-refuses', 'html-500': 'source-away', 'html-200': 'source-odd', 'wrong-shape': 'source-odd' };
      for (const [broken, reason] of Object.entries(reasons)) {
        server.behaves.broken = broken as keyof typeof reasons;
        await assert.rejects(open(server).listLibraries(signal), code(reason), broken);
        await assert.rejects(all(open(server), 'L1'), code(reason), broken);
      }
      await assert.rejects(open(server, { credential: 'wrong' }).listLibraries(signal), code('source-refuses'));
    });
  });

  function open(server: TestJellyfin, change: Partial<SourceParts> = {}): Source {
    const parts = { kind, name: 'Attic', url: server.url, credential: server.key, identity: server.identity, outgoing, clientId: 'client' };
    return openSource({ ...parts, ...change });
  }
}

function fill(server: TestJellyfin): void {
  const film = { type: 'Movie' as const, year: 1985 };
  const ran = ['Ran.mkv', 'Ran.4k.mkv'].map((file, at) => ({
    id: `ran-${at + 1}`,
    path: `/media/films/Ran (1985)/${file}`,
    size: 5000 + at,
    codec: at === 0 ? 'h264' : 'hevc',
  }));
  const many = Array.from({ length: 450 }, (_, at) => ({
    ...film,
    id: `f${at}`,
    name: `F${at}`,
    sources: [{ id: `s${at}`, path: `/more/films/${at}.mkv`, size: at }],
  }));
  const tv = { type: 'Episode' as const, series: 'Dark', season: 1 };
  server.libraries.push(
    {
      key: 'L1',
      title: 'Films',
      kind: 'movies',
      folders: ['/media/films', '/more/films'],
      items: [
        { ...film, id: 'ran', name: 'Ran', sources: ran },
        { ...film, id: 'cut', name: 'Cut', parts: 2, sources: [{ id: 'cut', path: '/media/films/cut1.mkv' }] },
        ...many,
      ],
    },
    {
      key: 'L2',
      title: 'Shows',
      kind: 'tvshows',
      folders: ['/media/tv'],
      items: [
        { ...tv, id: 'e3', episode: 3, name: 'Past and Present', sources: [{ id: 'e3', path: '/media/tv/Dark/S01E03.mkv', size: 3 }] },
        { ...tv, id: 'e4', episode: 4, name: 'Double Lives', virtual: true, sources: [] },
      ],
    },
    { key: 'L3', title: 'Mixed', kind: null, folders: ['/media/mixed'], items: [] },
  );
}

async function all(source: Source, key: string): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  for await (const page of source.listItems(key, signal)) items.push(...page);
  return items;
}

function code(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof PlainError && error.reason?.code === reason;
}
