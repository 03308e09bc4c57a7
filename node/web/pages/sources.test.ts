import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { PlainError } from '../../errors.ts';
import { fillNodeSample } from '../../testing/node-sample.ts';
import { fillSourceSample } from '../../testing/source-sample.ts';
import { asked, visit as open } from '../../testing/visit.ts';
import { webSuite } from '../../testing/web-suite.ts';

// Media servers as a browser without scripts sees them; commands are only written down.

const house = webSuite({
  browser: false,
  fill: async (leader, sample) => ({ ...(await fillNodeSample(leader, sample)), ...(await fillSourceSample(leader, sample)) }),
});
const visit = (t: TestContext, answer?: (name: string, args: unknown[]) => unknown) => open(t, house.db, answer);
const page = (more = ''): string => `/sources/${house.more.plex}${more}`;
const token = 'a-token-that-nobody-may-read-again';

describe('the list', () => {
  test('says of each server how it stands, what can be done about it, and what waits', async (t) => {
    const html = await (await visit(t)).get('/sources');
    for (const words of [
      'Connected',
      'Attic does not answer: connection refused.',
      'Sign in again',
      'Enter the key again',
      '3 libraries, 1 watched',
      '1 message waits, 1 not confirmed',
    ])
      assert.ok(html.includes(words), words);
    assert.match(html, /Away since \d\d:\d\d/);
  });

  test('is reached from the library, from all files and from the first page of an empty house', async (t) => {
    const { get } = await visit(t);
    for (const path of ['/library', '/files']) assert.match(await get(path), /href="\/sources">Media servers/);
    assert.match(await get(`/library/${house.sample.libraries.tv}`), /A plain folder\..*href="\/sources"/s);
  });
});

describe('one server', () => {
  test('shows its libraries with counts and folders, which folders are known, paths and messages, and nothing secret', async (t) => {
    const { get } = await visit(t);
    const html = await get(page());
    for (const words of [
      '14,988 films, 18.9\u00a0TB',
      'Home videos',
      'Not counted yet',
      '/data/more &lt;movies&gt;',
      'saved without proof',
      'proved on sample files',
      'Tell again',
      'not confirmed yet',
    ])
      assert.ok(html.includes(words), words);
    assert.equal(html.match(/is known here</g)?.length, 2);
    assert.equal(html.match(/is not known here yet</g)?.length, 2);
    for (const path of ['/sources', page(), page('/paths'), `/jobs/${house.more.job}`, `/files/${house.more.file}`, '/history'])
      for (const secret of house.more.secrets) assert.ok(!(await get(path)).includes(secret), path);
  });

  test('a click asks for exactly one command and comes back', async (t) => {
    const { web, post } = await visit(t);
    const { plex, messages } = house.more;
    for (const [path, name, args, back] of [
      [page('/refresh'), 'refreshSource', [plex], page()],
      [page('/disable'), 'changeSource', [plex, { enabled: false }], page()],
      [page('/enable'), 'changeSource', [plex, { enabled: true }], page()],
      [`/sources/messages/${messages.unconfirmed}/tell-again`, 'tellSourceAgain', [messages.unconfirmed], `/jobs/${house.more.job}`],
    ] as const) {
      web.asked.length = 0;
      const answer = await post(path, [['back', back]]);
      assert.deepEqual([answer.status, answer.to], [303, back], path);
      assert.deepEqual(asked(web), [{ name, args }], path);
    }
    web.asked.length = 0;
    for (const path of [
      '/sources/999',
      '/sources/999/refresh',
      '/sources/x',
      '/sources/99999999999/watch',
      '/sources/messages/999/tell-again',
      '/sources/add/kodi',
    ])
      assert.equal((await post(path)).status, 404, path);
    assert.deepEqual(web.asked, []);
  });

  test('name, address and key change one by one; an empty key stays as it is and none is ever shown', async (t) => {
    let problem = '';
    const { web, post } = await visit(t, () => {
      if (problem) throw new PlainError(problem);
    });
    const send = (name: string, url: string, credential: string) =>
      post(page('/change'), [
        ['name', name],
        ['url', url],
        ['credential', credential],
      ]);
    assert.equal((await send('Living room', 'http://192.168.1.10:32400', '')).to, page());
    assert.deepEqual(asked(web), [], 'nothing was changed');
    await send('Cinema', 'http://192.168.1.11:32400', ` ${token} `);
    assert.deepEqual(asked(web), [
      { name: 'changeSource', args: [house.more.plex, { name: 'Cinema', url: 'http://192.168.1.11:32400', credential: token }] },
    ]);
    problem = 'Another server answers at this address.';
    const refused = await send('Cinema', 'http://192.168.1.12:32400', token);
    assert.equal(refused.status, 422);
    assert.ok(
      refused.html.includes(problem) && refused.html.includes('value="http://192.168.1.12:32400"') && !refused.html.includes(token),
    );
    assert.equal((await send('', 'x', '')).status, 422);
  });

  test('is removed only when its name was typed, and the question says what stays', async (t) => {
    const { web, get, post } = await visit(t);
    assert.match(await get(page('/remove')), /Its library stays here as plain folders.*2 messages .* are forgotten.*No file is touched/);
    assert.equal((await post(page('/remove'), [['typed', 'Living']])).status, 422);
    assert.deepEqual(web.asked, []);
    assert.equal((await post(page('/remove'), [['typed', 'Living room']])).to, '/sources');
    assert.deepEqual(asked(web), [{ name: 'removeSource', args: [house.more.plex] }]);
  });

  test('the address of its webhook is shown once, with where to paste it', async (t) => {
    const { get, post } = await visit(t, (name) =>
      name === 'makeHook' ? { path: '/hooks/abc-def', user: 'codecshift', password: 'abc-def' } : undefined,
    );
    const { status, html } = await post(page('/hook'));
    assert.equal(status, 200);
    assert.match(html, /http:\/\/(localhost|127\.0\.0\.1):\d+\/hooks\/abc-def/);
    assert.match(html, /Add Webhook/);
    assert.ok(!(await get(page())).includes('abc-def'));
  });
});

describe('adding', () => {
  const libraries = [{ key: '1', title: '<i>Films', kind: 'movies', folders: ['/a'], items: 3 }];
  const fields: [string, string][] = [
    ['url', 'http://attic.lan:8096'],
    ['credential', token],
    ['name', ''],
  ];

  test('by address and key: tried first, kept by a second click, and the key is in no answer', async (t) => {
    const { web, post } = await visit(t, (name) =>
      name === 'trySource' ? { draft: 'd-1', identity: 'i', name: 'attic', version: '10.11', libraries } : 9,
    );
    const tried = await post('/sources/add/jellyfin', fields);
    assert.equal(tried.status, 200);
    for (const words of ['It answers', 'Jellyfin 10.11, called “attic”', '&lt;i&gt;Films', 'name="draft" value="d-1"'])
      assert.ok(tried.html.includes(words), words);
    assert.ok(!tried.html.includes(token));
    assert.equal(
      (
        await post('/sources/keep', [
          ['kind', 'jellyfin'],
          ['draft', 'd-1'],
          ['name', 'Attic'],
        ])
      ).to,
      '/sources/9',
    );
    assert.deepEqual(asked(web), [
      { name: 'trySource', args: [{ kind: 'jellyfin', url: 'http://attic.lan:8096', credential: token }] },
      { name: 'addSource', args: [{ draft: 'd-1', name: 'Attic' }] },
    ]);
  });

  test('one that only fetches films is asked next where its folders are, and is told nothing before', async (t) => {
    const { sonarr } = house.more;
    const { get, post } = await visit(t, (name) => (name === 'addSource' ? sonarr : name === 'proposePaths' ? [] : undefined));
    const kept = await post('/sources/keep', [
      ['kind', 'sonarr'],
      ['draft', 'd-1'],
      ['name', 'Sonarr'],
    ]);
    assert.equal(kept.to, `/sources/${sonarr}/paths`);
    assert.match(await get(kept.to!), /Take the folders from <bdi>Sonarr<\/bdi> itself.*value="save".*Sonarr is known now/s);
    await house.leader.query(`update sources set problem = null where id = $1`, [sonarr]);
    assert.match(await get('/sources'), /Until then it is told nothing/);
    await house.leader.query(`update sources set problem = '{"code":"source-refuses","params":{"source":"Sonarr"}}' where id = $1`, [
      sonarr,
    ]);
  });

  test('what does not answer is said beside what was typed, except for the key', async (t) => {
    const { web, post } = await visit(t, () => {
      throw new PlainError('Nobody answers at attic.lan:8096.');
    });
    for (const kind of ['plex', 'emby', 'sonarr', 'radarr']) {
      const { status, html } = await post(`/sources/add/${kind}`, fields);
      assert.equal(status, 422);
      assert.ok(
        html.includes('Nobody answers at attic.lan:8096.') && html.includes('value="http://attic.lan:8096"') && !html.includes(token),
        kind,
      );
    }
    web.asked.length = 0;
    for (const missing of ['url', 'credential'])
      assert.equal(
        (
          await post(
            '/sources/add/emby',
            fields.filter(([name]) => name !== missing),
          )
        ).status,
        422,
      );
    assert.deepEqual(web.asked, []);
  });

  test('by a sign-in at plex.tv: a link, waiting, servers to choose, and one that belongs to somebody else cannot be chosen', async (t) => {
    let state: object = { state: 'waiting' };
    const { web, get, post, ask } = await visit(t, (name) => {
      if (name === 'beginPlexSignIn')
        return { signIn: 'pin-1', url: 'https://app.plex.tv/auth#?code=<x>', code: 'W7QK', expiresAt: Date.now() + 1e6 };
      return name === 'askPlexSignIn' ? state : 9;
    });
    assert.equal((await post('/sources/sign-in')).to, '/sources/sign-in/pin-1');
    const begun = web.asked[0]!.args[0] as { returnTo: string; flow: string };
    assert.deepEqual([begun.flow, new URL(begun.returnTo).pathname], ['token', '/sources/signed-in']);
    const waiting = await get('/sources/sign-in/pin-1');
    assert.match(waiting, /href="https:\/\/app\.plex\.tv\/auth#\?code=(&lt;|%3C)x(&gt;|%3E)" target="_blank" rel="noopener noreferrer"/);
    assert.match(waiting, /<noscript><meta http-equiv="refresh"/);
    assert.equal((await ask('/sources/sign-in/pin-1/state')).status, 204);
    assert.equal((await ask('/sources/sign-in')).headers.get('location'), '/sources/sign-in/pin-1');
    const server = { id: 's', name: 'Den', version: '1.43', owned: true, addresses: [] };
    state = { state: 'signed-in', account: 'ada', servers: [server, { ...server, id: 'g', name: 'Grandma', owned: false }] };
    assert.equal((await ask('/sources/sign-in/pin-1/state')).headers.get('hx-redirect'), '/sources/sign-in/pin-1');
    const choose = await get('/sources/sign-in/pin-1');
    assert.ok(choose.includes('name="server" value="s"') && choose.includes('Grandma') && !choose.includes('name="server" value="g"'));
    assert.doesNotMatch(choose, /http-equiv="refresh"/);
    assert.equal((await post('/sources/sign-in/pin-1', [['server', 's']])).to, '/sources/9');
    assert.deepEqual(asked(web).at(-1), { name: 'addSource', args: [{ signIn: 'pin-1', server: 's' }] });
    state = { state: 'expired' };
    assert.match(await get('/sources/sign-in/pin-1'), /This sign-in is over.*Begin again/s);
  });

  test('an outage of plex.tv ends no sign-in', async (t) => {
    const { get } = await visit(t, () => {
      throw new PlainError('plex.tv does not answer.', { reason: { code: 'source-away' } });
    });
    const html = await get('/sources/sign-in/pin-2');
    assert.match(html, /plex\.tv does not answer\..*Waiting for plex\.tv/s);
  });
});

describe('watching libraries', () => {
  test('whose folders are known is one click; an unknown folder is asked for first', async (t) => {
    const { web, post } = await visit(t);
    const { movies, shows } = house.more.keys;
    assert.equal(
      (
        await post(page('/watch'), [
          ['key', movies],
          ['key', 'no such'],
        ])
      ).to,
      page(),
    );
    assert.deepEqual(asked(web), [{ name: 'watchLibraries', args: [house.more.plex, [movies], { lookFirst: false }] }]);
    web.asked.length = 0;
    assert.equal(
      (
        await post(page('/watch'), [
          ['key', movies],
          ['key', shows],
        ])
      ).to,
      page(`/paths?watch=${movies}%2C${shows}`),
    );
    assert.deepEqual(web.asked, []);
  });

  const rows = (root: string): [string, string][] => [
    ['prefix-0', '/data/movies'],
    ['root-0', root],
    ['folder-0', ''],
    ['prefix-1', '/data/tv'],
    ['root-1', root],
    ['folder-1', 'TV'],
    ['watch', '2'],
  ];
  const rules = () => [
    { prefix: '/data/movies', rootId: house.more.filmsRoot, folder: '' },
    { prefix: '/data/tv', rootId: house.more.filmsRoot, folder: 'TV' },
  ];
  const proof = (found: number) => (_: unknown, index: number) => ({
    ...rules()[index]!,
    nodes: [{ nodeId: 'n', name: 'atlas', found, otherSize: 0, of: 20, problem: null }],
    samples: [{ path: '/data/tv/<b>x.mkv', file: 'TV/x.mkv', state: found === 20 ? 'found' : 'missing' }],
  });

  test('guessed rows are looked at on the disks before they are saved, and then what was ticked is watched', async (t) => {
    const { web, get, post } = await visit(t, (name, args) => {
      if (name === 'proposePaths') return [{ ...rules()[1]!, matched: 14, of: 20 }];
      return name === 'provePaths' ? (args[1] as object[]).map(proof(20)) : undefined;
    });
    const html = await get(page('/paths?watch=2'));
    for (const words of ['value="/data/tv"', '14 of 20 sample files point there', 'TV Shows', 'Nothing could be guessed'])
      assert.ok(html.includes(words), words);
    web.asked.length = 0;
    const looked = await post(page('/paths'), [...rows(house.more.filmsRoot), ['do', 'prove']]);
    assert.equal(looked.status, 200);
    for (const words of ['all 20 sample files found', 'Every row is proved', '/data/tv/&lt;b&gt;x.mkv', 'Save and watch'])
      assert.ok(looked.html.includes(words), words);
    assert.equal((await post(page('/paths'), [...rows(house.more.filmsRoot), ['do', 'save']])).to, page());
    assert.deepEqual(asked(web), [
      { name: 'provePaths', args: [house.more.plex, rules()] },
      { name: 'savePaths', args: [house.more.plex, rules(), false] },
      { name: 'watchLibraries', args: [house.more.plex, ['2'], { lookFirst: false }] },
    ]);
  });

  test('what is not proved is saved only after another tick', async (t) => {
    const { web, post } = await visit(t, (name, args) => {
      if (name === 'provePaths') return (args[1] as object[]).map(proof(7));
      if (name === 'savePaths' && args[2] !== true) throw new PlainError('Not every row is proved, so nothing was saved.');
    });
    const looked = await post(page('/paths'), [...rows(house.more.filmsRoot), ['do', 'prove']]);
    assert.ok(looked.html.includes('7 of 20 found, 13 missing') && looked.html.includes('name="sure"'));
    const refused = await post(page('/paths'), [...rows(house.more.filmsRoot), ['do', 'save']]);
    assert.equal(refused.status, 422);
    assert.ok(
      refused.html.includes('Not every row is proved, so nothing was saved.') && refused.html.includes('name="sure" aria-invalid="true"'),
    );
    assert.ok(!web.asked.some(({ name }) => name === 'watchLibraries'), 'nothing is watched before its paths are saved');
    assert.equal((await post(page('/paths'), [...rows(house.more.filmsRoot), ['do', 'save'], ['sure', 'on']])).to, page());
    assert.deepEqual(asked(web).at(-2), { name: 'savePaths', args: [house.more.plex, rules(), true] });
  });

  test('a folder that nobody knows yet is named here, and nothing of it is converted before it is watched', async (t) => {
    const { web, post } = await visit(t, (name) => (name === 'proposePaths' ? [] : undefined));
    const answer = await post(page('/folder'), [
      ['node', house.more.tower],
      ['path', '/srv/tv'],
      ['watch', '2'],
    ]);
    assert.equal(answer.to, page('/paths?watch=2'));
    assert.deepEqual(asked(web), [
      { name: 'addLibrary', args: [{ path: '/srv/tv', node: house.more.tower, name: 'TV Shows', lookFirst: true }] },
    ]);
    assert.equal((await post(page('/folder'), [['path', ' ']])).status, 422);
  });
});

describe('a library', () => {
  test('says where it comes from and how often it is looked through, and takes another schedule', async (t) => {
    const { web, get, post } = await visit(t);
    const path = `/library/${house.sample.libraries.films}`;
    const html = await get(path);
    for (const words of [
      'Where it comes from',
      'Living room',
      'Library “<bdi>Movies</bdi>”',
      'every 60 minutes',
      'Notice changes on a local disk at once',
    ])
      assert.ok(html.includes(words), words);
    assert.match(await get('/library'), /<span class="chip">Plex<\/span>/);
    assert.equal(
      (
        await post(`${path}/scanning`, [
          ['how', 'hour'],
          ['hour', '3'],
          ['minutes', ''],
        ])
      ).to,
      `${path}#scanning`,
    );
    assert.deepEqual(asked(web), [
      { name: 'changeLibrary', args: [house.sample.libraries.films, { schedule: { atHour: 3 }, watch: false }] },
    ]);
    web.asked.length = 0;
    await post(`${path}/scanning`, [
      ['how', 'minutes'],
      ['minutes', '99999'],
    ]);
    assert.match(await get(path), /Say how many minutes, from 0 to 10,080\./);
    assert.deepEqual(web.asked, []);
  });

  test('a film and its job say what its server was told', async (t) => {
    const { get } = await visit(t);
    for (const path of [`/jobs/${house.more.job}`, `/files/${house.more.file}`]) {
      const html = await get(path);
      for (const words of [
        'Media servers',
        'Living room shows the new file.',
        'was told of the new file but still shows the old one',
        'Tell again',
      ])
        assert.ok(html.includes(words), `${path}: ${words}`);
    }
  });
});

test('8: what a server says of itself, its libraries and its films is only text, and so is what a person is called', async (t) => {
  const evil = '"><img src=x onerror=alert(1)><button hx-get=/x hx-trigger=load>{{7*7}}';
  const turned = `${evil}\u202e`;
  const { leader } = house;
  await leader.query(`update sources set name = $1, account = $1, version = $1 where id = $2`, [evil.slice(0, 100), house.more.plex]);
  await leader.query(`update source_libraries set title = $1, folders = $2::jsonb`, [evil, JSON.stringify([`/data/${turned}`])]);
  await leader.query(`update media_files set title = $1, detail = $1 where id = $2`, [evil, house.more.file]);
  await leader.query(
    `update source_messages set before = jsonb_build_object('path', $1::text), after = jsonb_build_object('path', $1::text)`,
    [evil],
  );
  const { get } = await visit(t);
  for (const path of [
    '/sources',
    page(),
    page('/paths'),
    page('/remove'),
    `/files/${house.more.file}`,
    `/jobs/${house.more.job}`,
    '/library',
    '/files',
  ]) {
    const html = await get(path);
    assert.doesNotMatch(html, /<img src=x|<button hx-get=\/x/, path);
    assert.ok(!html.includes('\u202e'), `${path} turns the direction of the line`);
  }
  assert.match(await get('/sources'), /&lt;img src=x onerror/, 'and it is shown');
});
