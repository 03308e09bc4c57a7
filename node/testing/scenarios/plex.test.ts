import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { startArr } from '../arr-server.ts';
import { temporaryDirectory } from '../database.ts';
import { clip } from '../media.ts';
import { startPlexServer } from '../plex-server.ts';
import { startProgram, until } from '../program.ts';

/**
 * A film of a Plex library, from the first address that a person types to the moment at which Plex shows the new file: the
 * program itself, its real keeper and encoder, and a Plex server that sees the same disk under another name.
 */
interface Rule {
  prefix: string;
  root: string;
  folder: string;
}

interface Message {
  state: string;
  kind: string;
  reason: { code: string } | null;
}

suite('a library of a Plex server', () => {
  test('is converted: nobody loses the film that he watches, and Plex is told, read back and made to read the streams anew', async (t) => {
    const disk = temporaryDirectory(t);
    const film = join(disk, 'Films', 'Metropolis (1927)', 'Metropolis (1927).mkv');
    mkdirSync(join(film, '..'), { recursive: true });
    copyFileSync(await clip('film'), film);
    const size = statSync(film).size;

    const plex = await startPlexServer(t);
    plex.library.mount('/data', join(disk, 'Films'));
    plex.library.codecOf = (path) => (statSync(path).size === size ? 'h264' : 'hevc');
    const section = plex.library.addSection({ key: '1', title: 'Films', folders: ['/data'] });
    const file = '/data/Metropolis (1927)/Metropolis (1927).mkv';
    const item = plex.library.add(section, { title: 'Metropolis', year: 1927, file, viewCount: 1, viewOffset: 1000 });
    plex.sessions.push({ ratingKey: item.ratingKey, state: 'playing', user: 'Grace', player: 'TV' });
    const radarr = await startArr(t, 'radarr');
    radarr.owned.push({ id: 7, title: 'Metropolis', path: '/data/Metropolis (1927)' });

    const env = { CODECSHIFT_SOURCES_REST: '0', CODECSHIFT_SCAN_EVERY: '0' };
    const program = await startProgram({ dataDir: temporaryDirectory(t), env });
    t.after(async () => void (await program.stop()));
    const api = <T>(path: string, body?: unknown) => program.api<T>(path, body);

    await api('/libraries', { path: join(disk, 'Films'), lookFirst: true });
    const { id } = await api<{ id: number }>('/sources', { kind: 'plex', url: plex.url, credential: plex.token, name: 'House' });
    const propose = async (source: number) => (await api<{ items: Rule[] }>(`/sources/${source}/paths/propose`, {})).items;
    await until('a guess where the folder is', async () => (await propose(id)).length > 0);
    const rules = (await propose(id)).map(({ prefix, root, folder }) => ({ prefix, root, folder }));
    assert.deepEqual(
      rules.map(({ prefix, folder }) => [prefix, folder]),
      [['/data', '']],
    );
    await api(`/sources/${id}/paths`, { rules });
    const fetcher = await api<{ id: number }>('/sources', { kind: 'radarr', url: radarr.url, credential: radarr.key });
    assert.deepEqual(
      (await propose(fetcher.id)).map(({ prefix }) => prefix),
      ['/data'],
      'a fetcher is likely to see the same disk',
    );
    await api(`/sources/${fetcher.id}/paths`, { rules, anyway: true });
    await api(`/sources/${id}/watch`, { keys: ['1'] });

    const jobs = async () => (await api<{ items: { reason: { code: string } | null }[] }>('/jobs?state=running')).items;
    await until('the copy to wait for whoever watches', async () => (await jobs()).some(({ reason }) => reason?.code === 'playing'));
    assert.equal(statSync(film).size, size, 'the film is untouched');
    const before = plex.heard.length;
    plex.sessions.length = 0;
    plex.notify({
      NotificationContainer: {
        type: 'playing',
        size: 1,
        PlaySessionStateNotification: [{ sessionKey: '1', ratingKey: item.ratingKey, state: 'stopped' }],
      },
    });
    const messages = async (source: number) => (await api<{ items: Message[] }>(`/sources/${source}/messages`)).items;
    await until('Plex to show the new file', async () => (await messages(id))[0]?.state === 'confirmed');
    assert.deepEqual(
      (await messages(id)).map(({ kind, reason }) => [kind, reason]),
      [['replaced', null]],
      'it still knows that it was watched',
    );
    assert.ok(statSync(film).size < size);
    assert.deepEqual([item.media[0]!.videoCodec, item.media[0]!.parts[0]!.size], ['hevc', statSync(film).size]);

    const about = plex.heard.slice(before).filter(({ path }) => /refresh|metadata|analyze|[Tt]rash/.test(path));
    const story = about.map(({ method, path }) => `${method} ${path.replace(item.ratingKey, 'N')}`);
    assert.deepEqual(story, [
      'GET /library/sections/1/refresh',
      'GET /library/metadata/N',
      'PUT /library/metadata/N/analyze',
      'GET /library/metadata/N',
    ]);
    assert.equal(about[0]!.query['path'], '/data/Metropolis (1927)', 'its folder and not the whole library');
    const writes = plex.heard.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(writes, [`PUT /library/metadata/${item.ratingKey}/analyze`]);
    assert.deepEqual(plex.inAddress(plex.token), []);
    assert.ok(!program.output().includes(plex.token), 'the log does not tell it');

    await until('Radarr to have looked', async () => (await messages(fetcher.id))[0]?.state === 'confirmed');
    assert.deepEqual(
      radarr.commands.map(({ name, on }) => [name, on]),
      [['RescanMovie', 7]],
    );
  });
});
