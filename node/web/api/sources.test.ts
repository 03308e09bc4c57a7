import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillSourceSample } from '../../testing/source-sample.ts';
import { startWeb } from '../../testing/web.ts';
import { webSuite } from '../../testing/web-suite.ts';

const house = webSuite({ browser: false, fill: fillSourceSample });

test('media servers by the API: whole, well-formed wishes reach the coordinator, and no token comes out', async (t) => {
  const { plex, filmsRoot, messages, secrets } = house.more;
  const { films } = house.sample.libraries;
  const answers: Record<string, unknown> = {
    trySource: { draft: 'd', identity: 'i', name: 'n', version: '1', libraries: [] },
    provePaths: [
      {
        prefix: '/a',
        rootId: filmsRoot,
        folder: '',
        nodes: [{ nodeId: 'n', name: 'atlas', found: 2, otherSize: 0, of: 2, problem: null }],
        samples: [],
      },
    ],
    proposePaths: [{ prefix: '/a', rootId: filmsRoot, folder: '', matched: 1, of: 2 }],
    watchLibraries: [4],
    addSource: 9,
    makeHook: { path: '/hooks/x', user: 'codecshift', password: 'x' },
  };
  const web = await startWeb({ after: (fn) => t.after(fn) }, { db: house.db, answer: (name) => answers[name] });
  // oxlint-disable-next-line typescript/no-explicit-any -- JSON of every shape
  const ask = async (method: string, path: string, body?: object): Promise<{ status: number; body: Record<string, any> }> => {
    const headers = { 'content-type': 'application/json', authorization: 'Bearer a-secret-of-this-test' };
    const answer = await fetch(`${web.url}/api/v1${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    const text = await answer.text();
    for (const secret of [...secrets, 'the-token']) assert.ok(!text.includes(secret), path);
    return { status: answer.status, body: JSON.parse(text) };
  };
  const rules = [{ prefix: '/a', root: filmsRoot, folder: '' }];
  const wanted = [{ prefix: '/a', rootId: filmsRoot, folder: '' }];
  const reached = { kind: 'plex', url: 'http://nas:32400', credential: 'the-token' };
  for (const [path, body, status, ...commands] of [
    ['/sources/try', reached, 200, ['trySource', reached]],
    ['/sources', { ...reached, name: 'A' }, 201, ['trySource', reached], ['addSource', { draft: 'd', name: 'A' }]],
    ['/sources', { signIn: 'p', server: 's' }, 201, ['addSource', { signIn: 'p', server: 's' }]],
    ['/sources', { ...reached, kind: 'kodi' }, 422],
    ['/sources', { ...reached, token: 'x' }, 422],
    [`/sources/${plex}`, { renames: true }, 200, ['changeSource', plex, { renames: true }]],
    [`/sources/${plex}`, { name: 'B', credential: 'the-token' }, 200, ['changeSource', plex, { name: 'B', credential: 'the-token' }]],
    [`/sources/${plex}/refresh`, {}, 200, ['refreshSource', plex]],
    [`/sources/${plex}/watch`, { keys: ['1'] }, 200, ['watchLibraries', plex, ['1'], { lookFirst: false }]],
    [`/sources/${plex}/paths/propose`, {}, 200, ['proposePaths', plex]],
    [`/sources/${plex}/paths/prove`, { rules }, 200, ['provePaths', plex, wanted]],
    [`/sources/${plex}/paths`, { rules, anyway: true }, 200, ['savePaths', plex, wanted, true]],
    [`/sources/${plex}/paths`, { rules: [{ prefix: '/a', root: '../x' }] }, 422],
    [`/sources/messages/${messages.unconfirmed}/tell-again`, {}, 200, ['tellSourceAgain', messages.unconfirmed]],
    [`/sources/${plex}/hook`, {}, 201, ['makeHook', plex]],
    [`/sources/${plex}/remove`, {}, 422],
    [`/sources/${plex}/remove`, { confirm: true }, 200, ['removeSource', plex]],
    ['/sources/999/refresh', {}, 404],
    [
      `/libraries/${films}`,
      { schedule: { atHour: 3 }, watch: false },
      200,
      ['changeLibrary', films, { watch: false, schedule: { atHour: 3 } }],
    ],
    [`/libraries/${films}`, { schedule: { atHour: 24 } }, 422],
    [`/libraries/${films}`, { profile: { minSizeMb: -1 } }, 422],
    ['/libraries/999', { watch: true }, 404],
  ] as [string, object, number, ...unknown[][]][]) {
    web.asked.length = 0;
    assert.equal((await ask('POST', path, body)).status, status, `${path} ${JSON.stringify(body)}`);
    assert.deepEqual(
      web.asked.map(({ name, args }) => [name, ...args]),
      commands,
      path,
    );
  }

  const { items } = (await ask('GET', '/sources')).body;
  const [attic] = items as { name: string; problem: { sentence: string }; url: string }[];
  assert.deepEqual(
    [attic!.name, attic!.problem.sentence, attic!.url],
    ['Attic', 'Attic does not answer: connection refused.', 'http://attic.lan:8096'],
  );
  const one = (await ask('GET', `/sources/${plex}`)).body;
  assert.deepEqual([one['items'].length, one['paths'].length, one['paths'][0].root], [3, 2, filmsRoot]);
  const told = (await ask('GET', `/sources/${plex}/messages?open=true&limit=1`)).body;
  assert.equal(told['items'][0].state, 'unconfirmed');
  assert.equal((await ask('GET', `/sources/${plex}/messages?open=true&limit=1&after=${told['after']}`)).body['items'][0].state, 'waiting');
  assert.equal((await ask('POST', `/sources/${plex}/paths/prove`, { rules })).body['items'][0].proved, true);
  assert.deepEqual(web.complaints, []);
});
