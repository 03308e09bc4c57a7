import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlainError } from '../errors.ts';
import { createOutgoing } from '../outgoing.ts';
import { sonarrHooks, startArr, type TestArr } from '../testing/arr-server.ts';
import { readHook } from './hooks.ts';
import { openSource } from './open.ts';
import type { Source, SourceParts } from './source.ts';

const outgoing = createOutgoing({ ownPorts: () => [] });
const { signal } = new AbortController();

for (const [kind, rescan] of [
  ['sonarr', 'RescanSeries'],
  ['radarr', 'RescanMovie'],
] as const) {
  test(`${kind} is told by a rescan of what owns the folder, and looked after until that is done`, async (t) => {
    const server = await startArr(t, kind);
    server.owned.push(
      { id: 1, title: 'All', path: '/data' },
      { id: 7, title: 'Dark', path: '/data/Dark/' },
      { id: 8, title: 'Darker', path: '/data/Darker' },
    );
    const source = open(server, kind);
    assert.equal((await open(server, kind, { identity: null }).identify(signal)).id, `${kind}@127.0.0.1:${server.port}`);
    assert.equal((await open(server, kind, { identity: 'as first seen' }).identify(signal)).id, 'as first seen', 'its address may change');
    await source.tellChanged(change('/data/Dark/Season 1/e.mkv'), signal);
    assert.deepEqual(server.commands, [{ id: 1, name: rescan, on: 7, looks: 2 }]);
    await assert.rejects(source.tellChanged(change('/elsewhere/e.mkv'), signal), code('source-unmapped'));
    assert.equal(server.commands.length, 1);
    server.behaves.ends = 'failed';
    await assert.rejects(source.tellChanged(change('/data/Darker/e.mkv'), signal), code('source-away'));
    assert.equal(server.commands[1]!.on, 8);
    assert.deepEqual(await source.listLibraries(signal), []);
    assert.deepEqual(server.inAddress(server.key), []);
  });

  test(`${kind} renames what changed where a person wished it, and only if its own rules say so`, async (t) => {
    const server = await startArr(t, kind);
    server.owned.push({ id: 7, title: 'Dark', path: '/data/Dark/' }, { id: 8, title: 'Ran', path: 'D:\\Films\\Ran' });
    server.misnamed.push(
      { of: 7, file: 70, existingPath: 'Season 1/e1 [x264].mkv', newPath: 'Season 1/e1 [x265].mkv' },
      { of: 7, file: 71, existingPath: 'Season 1/e2 [x264].mkv', newPath: 'Season 1/e2 [x265].mkv' },
      { of: 7, file: 72, existingPath: 'Season 1/not converted [x264].mkv', newPath: 'Season 1/other.mkv' },
      { of: 8, file: 80, existingPath: 'D:\\Films\\Ran\\a.mkv', newPath: 'b.mkv' },
    );
    const told = { ...change('/data/Dark/Season 1/e1 [x264].mkv'), names: ['/data/Dark/Season 1/e2 [x264].mkv'] };
    await open(server, kind).tellChanged(told, signal);
    assert.deepEqual(
      server.commands.map(({ name }) => name),
      [rescan],
      'nobody wished it',
    );
    const renaming = open(server, kind, { renames: true });
    await renaming.tellChanged(told, signal);
    assert.deepEqual(
      server.commands.slice(1).map(({ name, on, files }) => [name, on, files]),
      [
        [rescan, 7, undefined],
        ['RenameFiles', 7, [70, 71]],
      ],
    );
    await renaming.tellChanged(change('/data/Dark/Season 1/well named.mkv'), signal);
    assert.equal(server.commands.length, 4, 'what has its name already is left alone');
    await renaming.tellChanged(change('D:\\Films\\Ran\\a.mkv'), signal);
    assert.deepEqual(server.commands.at(-1)!.files, [80]);
  });

  test(`${kind} that is another program, refuses or makes no sense is told nothing`, async (t) => {
    const server = await startArr(t, kind);
    server.owned.push({ id: 1, title: 'All', path: '/data' });
    const told = (parts: Partial<SourceParts> = {}): Promise<void> => open(server, kind, parts).tellChanged(change('/data/x.mkv'), signal);
    await assert.rejects(told({ credential: 'wrong' }), code('source-refuses'));
    for (const [broken, reason] of Object.entries({ 'html-401': 'source-refuses', 'html-500': 'source-away', 'html-200': 'source-odd' })) {
      server.behaves.broken = broken as 'html-401';
      await assert.rejects(told(), code(reason), broken);
    }
    server.behaves.broken = null;
    server.behaves.appName = 'Lidarr';
    await assert.rejects(told(), code('source-odd'));
    assert.deepEqual(server.commands, []);
  });
}

test('a season that was imported is one hint for each file, however many messages say it', () => {
  const files = [1, 2].map((n) => ({ path: `/tv/Westworld/Season 1/${n}.mkv`, size: n * 100 }));
  const single = files.flatMap(({ path, size }) => readHook('sonarr', 'x', sonarrHooks.imported(path, size)));
  const complete = readHook('sonarr', 'x', sonarrHooks.complete(files));
  assert.deepEqual(complete, single);
  assert.deepEqual(
    single.map(({ what, path, sizeBytes }) => [what, path, sizeBytes]),
    files.map(({ path, size }) => ['new', path, size]),
  );
  assert.equal(new Set(single.map(({ key }) => key)).size, 2);
  assert.ok(single.every(({ key }) => key.length <= 100));
  assert.deepEqual(readHook('sonarr', 'x', sonarrHooks.test), []);
});

test('what was renamed, replaced or deleted says so, also with relative paths', () => {
  const series = { id: 1, path: 'D:\\tv\\Dark' };
  assert.deepEqual(
    readHook('sonarr', 'x', {
      eventType: 'Rename',
      series,
      renamedEpisodeFiles: [
        { previousRelativePath: 'a [x264].mkv', previousPath: 'D:\\tv\\Dark\\a [x264].mkv', relativePath: 'a [x265].mkv', size: 4 },
      ],
    }).map((hint) => ({ ...hint, key: '' })),
    [
      {
        key: '',
        what: 'renamed',
        libraryKey: null,
        ref: null,
        path: 'D:\\tv\\Dark\\a [x265].mkv',
        before: 'D:\\tv\\Dark\\a [x264].mkv',
        sizeBytes: 4,
      },
    ],
  );
  const upgrade = {
    eventType: 'Download',
    isUpgrade: true,
    movie: { folderPath: '/films/Ran' },
    movieFile: { relativePath: 'new.mkv', size: 9 },
    deletedFiles: [{ id: 3, relativePath: 'old.mkv' }],
  };
  assert.deepEqual(
    readHook('radarr', 'x', upgrade).map(({ what, path }) => [what, path]),
    [
      ['new', '/films/Ran/new.mkv'],
      ['gone', '/films/Ran/old.mkv'],
    ],
  );
  assert.deepEqual(
    readHook('radarr', 'x', {
      eventType: 'MovieFileDelete',
      movie: { folderPath: '/films/Ran' },
      movieFile: { id: 2, path: '/films/Ran/x.mkv' },
    }).map(({ what }) => what),
    ['gone'],
  );
  for (const eventType of ['Grab', 'Health', 'SeriesAdd', 'constructor']) assert.deepEqual(readHook('sonarr', 'x', { eventType }), []);
  for (const hostile of [null, [], 'x', 7, {}]) assert.throws(() => readHook('sonarr', 'x', hostile), code('source-odd'));
  assert.deepEqual(
    readHook('sonarr', 'x', { eventType: 'Download', episodeFile: 'x', episodeFiles: [null, 3, { path: {} }], deletedFiles: {} }),
    [],
  );
});

test('a webhook of Plex counts only from the pinned server, and names no film it cannot know', () => {
  const hook = (event: string, more = {}, uuid = 'mine'): unknown => ({
    event,
    Server: { title: 'Vis', uuid },
    Metadata: { librarySectionID: 5, ratingKey: '57612', type: 'episode', addedAt: 1_686_923_355, ...more },
  });
  const [hint] = readHook('plex', 'mine', hook('library.new'));
  assert.deepEqual([hint!.what, hint!.ref, hint!.libraryKey], ['new', '57612', '5']);
  assert.deepEqual(readHook('plex', 'mine', hook('library.new')), [hint]);
  assert.equal(readHook('plex', 'mine', hook('library.new', { type: 'show' }))[0]!.ref, null, 'several episodes at once');
  assert.deepEqual(readHook('plex', 'mine', hook('media.play')), []);
  assert.throws(() => readHook('plex', 'mine', hook('library.new', {}, 'other')), code('source-is-another'));
  assert.throws(() => readHook('plex', 'mine', { event: 'library.new' }), code('source-odd'));
  assert.equal(readHook('jellyfin', 'mine', { NotificationType: 'ItemAdded', ServerId: 'mine', ItemId: 'abc' })[0]!.ref, 'abc');
  assert.throws(
    () => readHook('jellyfin', 'mine', { NotificationType: 'ItemAdded', ServerId: 'other', ItemId: 'abc' }),
    code('source-is-another'),
  );
  const emby = { Event: 'library.new', Server: { Id: 'mine' }, Item: { Id: '7', Path: '/tv/x.mkv' } };
  assert.equal(readHook('emby', 'mine', emby)[0]!.path, '/tv/x.mkv');
});

function open(server: TestArr, kind: 'sonarr' | 'radarr', parts: Partial<SourceParts> = {}): Source {
  const identity = `${kind}@127.0.0.1:${server.port}`;
  return openSource({
    kind,
    name: kind,
    url: server.url,
    credential: server.key,
    identity,
    outgoing,
    clientId: 'client',
    lookEveryMs: 1,
    ...parts,
  });
}

function change(path: string): Parameters<Source['tellChanged']>[0] {
  return { libraryKey: null, folder: path.slice(0, path.lastIndexOf('/')), before: path, after: path, ref: null };
}

function code(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof PlainError && error.reason?.code === reason;
}
