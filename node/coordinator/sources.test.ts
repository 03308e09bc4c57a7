import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { openSecretKey } from '../assembly/secret-key.ts';
import type { Actor } from '../core/commands.ts';
import { listActivity } from '../db/activity.ts';
import { readAttempt } from '../db/attempts.ts';
import type { Database } from '../db/connect.ts';
import { jobsOfFile, readJobRow } from '../db/job-lists.ts';
import { listLibraries } from '../db/libraries.ts';
import { findFile, readFile } from '../db/media-files.ts';
import { listOriginals } from '../db/originals.ts';
import { listScans } from '../db/scans.ts';
import { listSourceLibraries } from '../db/source-libraries.ts';
import { messagesOfFile } from '../db/source-messages.ts';
import { listSources, readSource } from '../db/sources.ts';
import { createEvents, type EventMap, type Events } from '../events.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';
import { createOutgoing } from '../outgoing.ts';
import { alone } from '../testing/alone.ts';
import { startArr } from '../testing/arr-server.ts';
import { freshDatabase, quietLog, temporaryDirectory } from '../testing/database.ts';
import { helloOf } from '../testing/mesh-samples.ts';
import { startPlexServer, type TestPlexServer } from '../testing/plex-server.ts';
import type { TestItem, TestSection } from '../testing/plex-library.ts';
import { aFingerprint, aLibrary, aProbe, someFiles, testNode } from '../testing/records.ts';
import { createCoordinator, type Coordinator } from './coordinator.ts';
import { createSettingsStore } from './settings.ts';

/**
 * The coordinator and a Plex server on a real port; keeper and worker are this test, answering over the mesh. One story,
 * told in order: added, matched, watched, scanned, asked before a film is exchanged, told afterwards, away, another.
 */
suite('a Plex server whose libraries are watched', () => {
  const cleanups: (() => Promise<void> | void)[] = [];
  const later = { after: (fn: () => Promise<void> | void) => void cleanups.unshift(fn) };
  const ada: Actor = { name: 'Ada', via: 'page' };
  const disk = new Map<string, number>([1, 2, 3, 4].map((n) => [`film-0000${n}.mkv`, 1_000_000]));
  const asked: ProtocolRequest<'grant'>[] = [];
  let plex: TestPlexServer;
  let section: TestSection;
  let metropolis: TestItem;
  let db: Database;
  let mesh: Mesh;
  let events: Events;
  let coordinator: Coordinator;
  let library: { id: number; rootId: string };
  let source: number;

  before(async () => {
    plex = await startPlexServer(later);
    section = plex.library.addSection({ key: '1', title: 'Films', folders: ['/data'] });
    const size = 1_000_000;
    metropolis = plex.library.add(section, { title: 'Metropolis', year: 1927, file: '/data/film-00001.mkv', size, viewCount: 1 });
    plex.library.add(section, { title: 'Napoléon', file: ['/data/film-00002.mkv', '/data/film-00003.mkv'], size });
    const database = await freshDatabase(later, 'embedded');
    events = createEvents((error) => assert.fail(String(error)));
    mesh = createLocalMesh(testNode, quietLog());
    mesh.handle('grant', async (grant) => (asked.push(grant), { accepted: true, why: null }));
    mesh.handle('control', async () => ({ accepted: true }));
    mesh.handle('inspect', async (ask) => keeper(ask));
    const settings = createSettingsStore();
    coordinator = createCoordinator({
      ...alone(),
      mesh,
      db: database,
      settings,
      events,
      outside: {
        outward: { outgoing: createOutgoing({ ownPorts: () => [] }), pace: { quietSeconds: 0, gatherMs: 10 } },
        secretKey: await openSecretKey({ dataDir: temporaryDirectory(later), file: null, log: quietLog() }),
      },
    });
    const elected = next('coordinator.changed', ({ term }) => term !== null);
    coordinator.start();
    later.after(() => coordinator.stop());
    db = database.withTerm((await elected).term!);
    // a disk that is known, and was only looked at so far
    library = await aLibrary(db, 'Disk');
    await someFiles(db, library.id, 4);
    await db.query(`update libraries set looking = true, enabled = false, profile = profile || '{"minBitsPerPixel": 0}'`);
  });
  after(async () => {
    for (const fn of cleanups) await fn();
  });

  function keeper(
    ask: ProtocolRequest<'inspect'>,
  ): ReturnType<Parameters<typeof mesh.handle<'inspect'>>[1]> extends Promise<infer A> ? A : never {
    switch (ask.op) {
      case 'list': {
        const below = ask.folder === '' ? '' : `${ask.folder}/`;
        const files = [...disk].filter(([path]) => path.startsWith(below));
        return {
          op: 'listed',
          files: files.map(([path, sizeBytes]) => ({
            path,
            sizeBytes,
            mtimeMs: 1_700_000_000_000,
            inode: '7',
            links: 1,
            changedAgoMs: 1e9,
          })),
          problems: [],
          last: true,
        };
      }
      case 'look-at':
        return { op: 'looked', sizes: ask.paths.map((path) => disk.get(path) ?? null) };
      case 'probe':
        return { op: 'probed', fingerprint: printOf(ask.path, disk.get(ask.path)!), probe: aProbe('h264') as never, readOnly: false };
      default:
        return { op: 'ended' };
    }
  }

  function next<K extends keyof EventMap>(type: K, when: (event: EventMap[K]) => boolean = () => true): Promise<EventMap[K]> {
    return new Promise((resolve) => {
      const off = events.on(type, (event) => {
        if (!when(event)) return;
        off();
        resolve(event);
      });
    });
  }

  /** Looks again whenever anything happened. */
  async function until(done: () => Promise<boolean>): Promise<void> {
    for (const began = Date.now(); !(await done());) {
      assert.ok(Date.now() - began < 240_000, 'it never came');
      const offs: (() => void)[] = [];
      await new Promise<void>((resolve) => {
        for (const type of ['source.changed', 'job.changed', 'library.changed', 'scan.progressed', 'queue.changed'] as const)
          offs.push(events.on(type, () => resolve()));
        const timer = setTimeout(resolve, 250);
        offs.push(() => clearTimeout(timer));
      });
      for (const off of offs) off();
    }
  }

  const file = async (n: number) => (await findFile(db, library.id, `film-0000${n}.mkv`))!;

  async function scanned(): Promise<void> {
    const done = next('scan.progressed', (event) => event.done && event.libraryId === library.id);
    await coordinator.commands.scan(library.id, ada);
    await done;
  }

  test('is tried and added; its token is kept sealed and goes into a header only', async () => {
    const { commands } = coordinator;
    const wish = { kind: 'plex' as const, url: `${plex.url}/web/index.html`, credential: ` ${plex.token} ` };
    await assert.rejects(commands.trySource({ ...wish, credential: 'wrong' }, ada), {
      reason: { code: 'source-refuses', params: { source: 'Plex' } },
    });
    const tried = await commands.trySource(wish, ada);
    assert.deepEqual(
      [tried.identity, tried.libraries.map(({ key, title, folders, items }) => ({ key, title, folders, items }))],
      [plex.identity, [{ key: '1', title: 'Films', folders: ['/data'], items: 2 }]],
    );
    source = await commands.addSource({ draft: tried.draft, name: 'House' }, ada);
    await until(async () => (await listSourceLibraries(db, source))[0]?.listedAt !== null);
    const rows = JSON.stringify(await db.query(`select * from sources`));
    assert.ok(!rows.includes(plex.token), 'the database does not hold it');
    assert.deepEqual(plex.inAddress(plex.token), []);
    assert.equal((await listSourceLibraries(db, source))[0]!.items, 2);
  });

  test('cannot be watched before its folders are matched; they are guessed, proved on the disk and saved', async () => {
    const { commands } = coordinator;
    await assert.rejects(commands.watchLibraries(source, ['1'], { lookFirst: false }, ada), /nobody has said yet where that is here/);
    const [guess, ...more] = await commands.proposePaths(source, ada);
    assert.deepEqual([guess, more], [{ prefix: '/data', rootId: library.rootId, folder: '', matched: 3, of: 3 }, []]);
    const rule = { prefix: '/data', rootId: library.rootId, folder: '' };
    const wrong = { ...rule, folder: 'elsewhere' };
    const [proof] = await commands.provePaths(source, [rule], ada);
    assert.deepEqual(
      proof!.nodes.map(({ found, otherSize, of, problem }) => [found, otherSize, of, problem]),
      [[3, 0, 3, null]],
    );
    await assert.rejects(commands.savePaths(source, [wrong], false, ada), /has 0/);
    await commands.savePaths(source, [rule], false, ada);
  });

  test('is scanned: films have its names, parts of a film and what it does not know are left alone', async () => {
    const done = next('scan.progressed', (event) => event.done && event.libraryId === library.id);
    assert.deepEqual(await coordinator.commands.watchLibraries(source, ['1'], { lookFirst: false }, ada), [library.id]);
    await done;
    const [row] = await listLibraries(db);
    assert.deepEqual([row!.source, row!.enabled, row!.looking], ['plex', true, false]);
    const said = await Promise.all([1, 2, 3, 4].map(file));
    assert.deepEqual(
      said.map((f) => [f.title, f.detail, f.status, f.reason?.code]),
      [
        ['Metropolis', '1927', 'queued', said[0]!.reason?.code],
        ['Napoléon', '', 'skipped', 'multi-part'],
        ['Napoléon', '', 'skipped', 'multi-part'],
        ['film-00004', '', 'skipped', 'not-in-source'],
      ],
    );
    assert.deepEqual((await listScans(db, library.id))[0]!.listed, 2);
    await assert.rejects(coordinator.commands.retryFile(said[1]!.id, ada), /one film in 2 files/);
  });

  test('may be looked at first: nothing of it is converted then, and to tick its libraries once more starts nothing', async () => {
    const watch = (lookFirst: boolean): Promise<number[]> => coordinator.commands.watchLibraries(source, ['1'], { lookFirst }, ada);
    const looking = async (): Promise<boolean> => (await listLibraries(db))[0]!.looking;
    await db.query('update source_libraries set watched = false');
    await db.query(`update libraries set looking = true, enabled = false, source = 'folder', source_library_id = null`);
    await watch(true);
    assert.equal(await looking(), true);
    await watch(false);
    assert.equal(await looking(), true, 'it was watched already');
    await db.query(`update libraries set source = 'folder', source_library_id = null`);
    await db.query('update source_libraries set watched = false');
    await watch(false);
    assert.equal(await looking(), false, 'a folder that was only made known begins');
  });

  test('says when it knows a film: a webhook has its folder looked at, once, and only with the right secret', async () => {
    const { commands } = coordinator;
    const item = plex.library.add(section, { title: 'Faust', year: 1926, file: '/data/film-00004.mkv', size: 1_000_000 });
    const { password } = await commands.makeHook(source, ada);
    const body = (uuid: string) => ({
      json: {
        event: 'library.new',
        Server: { uuid },
        Metadata: { type: 'movie', ratingKey: item.ratingKey, librarySectionID: 1, addedAt: 1 },
      },
    });
    await assert.rejects(commands.hookCame('another secret', body(plex.identity)), /Nobody here/);
    await assert.rejects(commands.hookCame(password, body('another server')), /Another server/);
    assert.equal(await commands.hookCame(password, body(plex.identity)), 1);
    assert.equal(await commands.hookCame(password, body(plex.identity)), 0, 'the same message counts once');
    await until(async () => (await file(4)).status === 'queued');
    assert.equal((await file(4)).title, 'Faust');
  });

  test('is asked before a film is exchanged: while somebody watches it the copy waits, and nobody loses it', async () => {
    await db.query(`update jobs set state = 'cancelled', retry_at = null, finished_at = now() where file_id = $1`, [(await file(4)).id]);
    plex.sessions.push({ ratingKey: metropolis.ratingKey, state: 'paused', user: 'Grace', player: 'TV' });
    const ids = await encodedJob();
    await until(async () => (await readJobRow(db, ids.job))?.reason?.code === 'playing');
    const waiting = (await readJobRow(db, ids.job))!;
    assert.deepEqual([waiting.reason?.params?.['how'], waiting.reason?.params?.['source']], ['has paused', 'House']);
    assert.equal((await readAttempt(db, ids.attempt))!.state, 'verifying', 'a person can still cancel it');
    assert.ok(!asked.some(({ op }) => op === 'replace'));
    plex.sessions.length = 0;
    await plex.listened();
    plex.notify(playing(metropolis.ratingKey, 'stopped'));
    await until(async () => (await readJobRow(db, ids.job))?.reason?.code === 'watched-lately');
    const current = { key: 'sources.restMinutes', value: 0, version: 0 };
    assert.deepEqual(await coordinator.commands.saveSettings([current], ada), []);
    plex.notify(playing(metropolis.ratingKey, 'paused'));
    await until(async () => asked.some(({ op, ...grant }) => op === 'replace' && 'attempt' in grant && grant.attempt === ids.attempt));
  });

  test('is told of the new file and read back; a fresh message of it brings no second conversion', async () => {
    const one = await file(1);
    const [job] = await jobsOfFile(db, one.id);
    disk.set(one.path, 400_000);
    Object.assign(metropolis.media[0]!, { videoCodec: 'hevc' });
    metropolis.media[0]!.parts[0]!.size = 400_000;
    const before = plex.heard.length;
    await report('replaced', { job: job!.id, attempt: job!.attemptId! });
    assert.equal((await messagesOfFile(db, one.id))[0]!.state, 'waiting', 'its folder may not be done yet');
    await coordinator.commands.tellSourceAgain((await messagesOfFile(db, one.id))[0]!.id, ada);
    await until(async () => (await messagesOfFile(db, one.id))[0]?.state === 'told');
    await db.query(`update source_messages set next_at = now()`);
    plex.notify({ NotificationContainer: { type: 'timeline', TimelineEntry: [timeline(metropolis.ratingKey)] } });
    await until(async () => (await messagesOfFile(db, one.id))[0]?.state === 'confirmed');
    const said = plex.heard.slice(before).filter(({ method, path }) => method !== 'GET' || /refresh|metadata/.test(path));
    const known = new Set(['/library/sections/1/refresh', `/library/metadata/${metropolis.ratingKey}`]);
    assert.deepEqual(
      said.filter(({ path }) => !known.has(path)),
      [],
      'nothing else was asked of it',
    );
    assert.equal(said[0]!.path, '/library/sections/1/refresh');
    assert.equal(said[0]!.query['path'], '/data');
    await scanned();
    assert.deepEqual([(await file(1)).status, (await jobsOfFile(db, one.id)).length], ['done', 1]);
  });

  test('is not the only one who tells: what a fetcher says of our own new file is no news, another file is', async () => {
    const { commands } = coordinator;
    const radarr = await startArr(later, 'radarr');
    const { draft } = await commands.trySource({ kind: 'radarr', url: radarr.url, credential: radarr.key }, ada);
    const fetcher = await commands.addSource({ draft }, ada);
    await assert.rejects(commands.watchLibraries(fetcher, ['1'], { lookFirst: false }, ada), /no libraries to watch/);
    const [rule] = await commands.proposePaths(fetcher, ada);
    await commands.savePaths(fetcher, [{ prefix: '/data', rootId: rule!.rootId, folder: '' }], true, ada);
    const { password } = await commands.makeHook(fetcher, ada);
    const imported = (size: number) => {
      const movieFile = { id: 1, relativePath: 'film-00001.mkv', path: '/data/film-00001.mkv', size };
      return { json: { eventType: 'Download', movie: { id: 7, title: 'Metropolis', folderPath: '/data' }, movieFile } };
    };
    assert.equal(await commands.hookCame(password, imported(400_000)), 0, 'it is the file that we made');
    assert.equal(await commands.hookCame(password, imported(900_000)), 1);
    assert.equal(await commands.hookCame(password, imported(900_000)), 0, 'the same import comes more than once');
    await assert.rejects(commands.changeSource(source, { renames: true }, ada), /Only Sonarr and Radarr rename/);
    assert.equal((await readSource(db, fetcher))!.renames, false, 'nothing is renamed before a person wishes it');
    await commands.changeSource(fetcher, { renames: true }, ada);
    assert.equal((await readSource(db, fetcher))!.renames, true);
    await commands.removeSource(fetcher, ada);
  });

  test('is asked before an original is put back, and told of that too', async () => {
    const one = await file(1);
    const [original] = await listOriginals(db, one.id);
    plex.sessions.push({ ratingKey: metropolis.ratingKey, state: 'playing', user: 'Grace', player: 'TV' });
    await assert.rejects(coordinator.commands.restore(original!.id, ada), /Grace plays it on House/);
    plex.sessions.length = 0;
    const restoring = coordinator.commands.restore(original!.id, ada);
    await until(async () => asked.some(({ op }) => op === 'restore'));
    const ids = { job: original!.jobId, attempt: original!.attemptId };
    const back = { path: one.path, fingerprint: printOf(one.path, 1_000_000), probe: null };
    disk.set(one.path, 1_000_000);
    await mesh.request(testNode, 'report', { event: 'restored', ...ids, ...back });
    await restoring;
    const [message] = await messagesOfFile(db, one.id);
    assert.deepEqual([message!.kind, message!.after.size, message!.jobId], ['restored', 1_000_000, original!.jobId]);
  });

  test('that is away stops no scan, which says so; somebody else at its address gets no token', async () => {
    plex.behaves.broken = 'html-500';
    await scanned();
    const [scan] = await listScans(db, library.id);
    assert.deepEqual([scan!.state, scan!.note?.code, scan!.listed], ['completed', 'source-listing-old', null]);
    await coordinator.commands.refreshSource(source, ada);
    assert.equal((await readSource(db, source))!.problem?.code, 'source-away');
    plex.behaves.broken = null;
    await coordinator.commands.refreshSource(source, ada);
    assert.equal((await readSource(db, source))!.problem, null);
    const kinds = (await listActivity(db)).rows.map(({ kind }) => kind).filter((kind) => /problem|recovered/.test(kind));
    assert.deepEqual(kinds, ['source-recovered', 'source-problem'], 'each is told once');

    await until(async () => (await listSourceLibraries(db, source)).every(({ listedAt }) => listedAt! > scan!.startedAt));
    plex.behaves.claims = 'somebody else';
    const before = plex.heard.length;
    await coordinator.commands.changeSource(source, { enabled: false }, ada);
    await coordinator.commands.changeSource(source, { enabled: true }, ada);
    await until(async () => (await readSource(db, source))!.problem?.code === 'source-is-another');
    const withToken = plex.heard
      .slice(before)
      .filter(({ headers, path }) => headers['x-plex-token'] && path !== '/:/websockets/notifications');
    assert.deepEqual(
      withToken.map(({ path }) => path),
      [],
    );
    plex.behaves.claims = null;
  });

  test('that is forgotten leaves plain folders and every film as it is', async () => {
    await coordinator.commands.removeSource(source, ada);
    assert.deepEqual(await listSources(db), []);
    const [row] = await listLibraries(db);
    assert.deepEqual([row!.source, row!.sourceLibraryId, row!.enabled], ['folder', null, true]);
    assert.equal((await readFile(db, (await file(1)).id))!.status, 'kept');
  });

  async function encodedJob(): Promise<{ job: number; attempt: number }> {
    const session = randomUUID();
    const roots = [{ root: library.rootId, path: `/films/${library.rootId}`, writable: true, problem: null }];
    await mesh.request(testNode, 'hello', helloOf(testNode, { session, name: 'a', classes: [0, 1, 2], roots, attempts: [] }));
    const claim = { node: testNode, session, classes: [0, 1, 2], freeSlots: 1, ahead: false, freeBytes: 1e12 };
    const { granted } = await mesh.request(testNode, 'claim', claim);
    assert.ok(granted);
    const ids = { job: granted.job, attempt: granted.attempt };
    const output = { node: testNode, sizeBytes: 400_000, sha256: 'a'.repeat(64), frames: 50 };
    const how = { encoder: 'libx265', command: ['ffmpeg'], stderrTail: '', stats: { encodeMs: 1 } };
    await mesh.request(testNode, 'report', { event: 'encoded', ...ids, output, ...how });
    await until(async () => (await readAttempt(db, ids.attempt))?.state === 'verifying');
    const verdict = { accepted: true, checks: [] };
    await mesh.request(testNode, 'report', {
      event: 'verified',
      ...ids,
      verdict,
      outputProbe: aProbe('hevc') as never,
      outputBytes: 400_000,
    });
    return ids;
  }

  async function report(event: 'replaced', ids: { job: number; attempt: number }): Promise<void> {
    const original = {
      path: 'film-00001.mkv',
      trashPath: `.codecshift/trash/2026-11-22/${ids.attempt}/film-00001.mkv`,
      fingerprint: printOf('film-00001.mkv', 1_000_000),
    };
    const facts = { path: 'film-00001.mkv', fingerprint: printOf('film-00001.mkv', 400_000), probe: aProbe('hevc') as never, original };
    const answer = await mesh.request(testNode, 'report', { event, ...ids, ...facts });
    assert.equal(answer.accepted, true, answer.why ?? '');
  }
});

function printOf(path: string, sizeBytes: number) {
  return aFingerprint(`${path} ${sizeBytes}`, sizeBytes);
}

function playing(ratingKey: string, state: string): unknown {
  return { NotificationContainer: { type: 'playing', size: 1, PlaySessionStateNotification: [{ sessionKey: '1', ratingKey, state }] } };
}

function timeline(itemID: string): unknown {
  return { identifier: 'com.plexapp.plugins.library', sectionID: '1', itemID, type: 1, title: '', state: 5 };
}
