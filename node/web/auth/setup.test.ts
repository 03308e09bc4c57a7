import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { readSetup, listUsers } from '../../db/users.ts';
import { listAudit } from '../../db/audit.ts';
import { emptyHouse, PASSWORD, startGuarded, type Guarded } from '../../testing/guarded.ts';
import { webSuite } from '../../testing/web-suite.ts';
import { createSetupToken } from './setup-token.ts';

// The first visit: nothing is open until somebody who has the machine decided who comes in.

const house = webSuite({ browser: false });
const admin = { name: 'ada', password: PASSWORD, again: PASSWORD };

async function fresh(t: TestContext): Promise<Guarded> {
  await emptyHouse(house.leader);
  return startGuarded(t, house);
}

describe('first run', () => {
  test('1: nothing but the set-up answers while nobody decided', async (t) => {
    const web = await fresh(t);
    const stranger = web.browser();
    for (const path of [
      '/',
      '/queue',
      '/library',
      '/nodes',
      '/settings/general',
      '/people',
      '/audit',
      '/sign-in',
      '/account',
      '/events?view=shell',
      '/api/v1/status',
      '/no-such-page',
    ]) {
      const answer = await stranger.get(path);
      assert.equal(answer.status, 503, path);
      assert.ok(!answer.body.includes('/jobs/') && !answer.body.includes('Waiting'), `${path} shows nothing of the house`);
      assert.ok(!answer.body.includes(web.token.current()), path);
    }
    assert.match((await stranger.get('/')).body, /setup-token/);
    assert.equal((await stranger.get('/healthz')).status, 200);
    const csrf = await stranger.csrf();
    for (const path of ['/pause', '/people', '/sign-in', '/settings/general', '/nodes/tokens'])
      assert.equal((await stranger.post(path, { csrf })).status, 503, path);
    assert.deepEqual(web.asked, []);
    // the command line of the machine is somebody who has it
    assert.equal((await stranger.get('/api/v1/status', { authorization: 'Bearer a-secret-of-this-test' })).status, 200);
  });

  test('1: without the token, or with a wrong one, nobody becomes anything', async (t) => {
    const web = await fresh(t);
    const stranger = web.browser();
    assert.equal((await stranger.post('/setup', admin)).status, 403);
    assert.equal((await stranger.post('/setup', { ...admin, token: 'AAAAA-AAAAA-AAAAA-AAAAA-AAAAAA' })).status, 403);
    assert.equal((await stranger.post('/setup/token', { token: 'wrong' })).status, 403);
    assert.equal((await stranger.post('/setup/none', { confirm: 'open to everybody' })).status, 403);
    assert.equal(await readSetup(house.db), null);
    assert.deepEqual(await listUsers(house.db), []);
  });

  test('1: of twenty who send the right token at the same moment exactly one becomes the first admin', async (t) => {
    const web = await fresh(t);
    const asked = web.browser();
    assert.equal((await asked.post('/setup/token', { token: web.token.current().toLowerCase().replaceAll('-', ' ') })).status, 303);
    // the tries of one address are limited, so all of them bring the proof of the first
    const proof = [...asked.cookies].find(([name]) => name.startsWith('cs_setup'))!;
    const rivals = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const rival = web.browser();
        rival.cookies.set(...proof);
        return { rival, csrf: await rival.csrf() };
      }),
    );
    const answers = await Promise.all(rivals.map(({ rival, csrf }, at) => rival.post('/setup', { ...admin, name: `rival${at}`, csrf })));
    const winners = answers.filter(({ headers }) => headers['location'] === '/');
    assert.equal(winners.length, 1, answers.map(({ status }) => status).join());
    const people = await listUsers(house.db);
    assert.equal(people.length, 1);
    assert.equal(people[0]!.role, 'admin');
    assert.equal((await readSetup(house.db))?.method, 'local');
    const first = rivals[answers.indexOf(winners[0]!)]!.rival;
    assert.equal((await first.get('/')).status, 200, 'and is signed in at once');
    assert.equal((await web.browser().get('/setup')).headers['location'], '/', 'and nobody sets it up again');
    const again = web.browser();
    assert.equal((await again.post('/setup', admin)).status, 409);
    assert.equal((await listUsers(house.db)).length, 1);
  });

  test('a weak password, a strange name, or two that differ change nothing', async (t) => {
    const web = await fresh(t);
    const visitor = web.browser();
    assert.equal((await visitor.post('/setup/token', { token: web.token.current() })).status, 303);
    for (const wish of [
      { password: 'short', again: 'short' },
      { name: '<b>' },
      { again: 'something else here' },
      { name: '' },
      { password: 'password2024', again: 'password2024' },
    ])
      assert.equal((await visitor.post('/setup', { ...admin, ...wish })).status, 422, JSON.stringify(wish));
    assert.equal(await readSetup(house.db), null);
  });

  test('a house without a door needs the words, says so on every page, and still keeps strangers’ pages out', async (t) => {
    const web = await fresh(t);
    const visitor = web.browser();
    await visitor.post('/setup/token', { token: web.token.current() });
    assert.equal((await visitor.post('/setup/none', { confirm: 'yes' })).status, 422);
    assert.equal((await visitor.post('/setup/none', { confirm: 'Open to everybody' })).status, 303);
    const other = web.browser();
    for (const path of ['/', '/queue', '/settings/general']) assert.match((await other.get(path)).body, /Nobody signs in here/, path);
    assert.equal(
      (await other.post('/pause', { csrf: (/name="csrf" value="([\w-]+)"/.exec((await other.get('/')).body) ?? [])[1]! })).status,
      303,
    );
    assert.equal((await other.post('/pause', { csrf: 'x' })).status, 403);
    assert.equal((await other.get('/', { host: 'evil.test' })).status, 421);
    // a door is put in later, by whoever is there
    assert.equal((await other.post('/setup', admin)).status, 303);
    assert.equal((await web.browser().get('/')).headers['location'], '/sign-in');
    assert.equal((await listUsers(house.db)).length, 1);
    assert.deepEqual(
      (await listAudit(house.db, null)).slice(0, 3).map((row) => [row.action, row.object, row.result]),
      [
        ['signed in', 'password', 'ok'],
        ['set up', 'local', 'ok'],
        ['set up', 'none', 'ok'],
      ],
    );
  });
});

describe('the set-up token', () => {
  test('is taken as a person types it, ten times a minute from one address, and is another one after fifty', () => {
    const made: string[] = [];
    let now = 0;
    const token = createSetupToken({ onNew: (text) => made.push(text), now: () => now });
    const first = token.current();
    assert.match(first, /^([0-9A-Z]{5}-){4}[0-9A-Z]{6}$/);
    assert.equal(token.check(` ${first.toLowerCase().replaceAll('-', '')} `, 'a'), 'right');
    for (let n = 0; n < 9; n++) assert.equal(token.check('wrong', 'a'), 'wrong');
    assert.equal(token.check(first, 'a'), 'too-many', 'even the right one has to wait');
    assert.equal(token.check(first, 'b'), 'right');
    now = 61_000;
    assert.equal(token.check(first, 'a'), 'right');
    const proof = token.proof('secret');
    assert.equal(token.proves('secret', proof), true);
    assert.equal(token.proves('other', proof), false);
    for (let n = 0; n < 41; n++) token.check('wrong', `place ${n}`);
    assert.notEqual(token.current(), first);
    assert.deepEqual(made, [first, token.current()]);
    assert.equal(token.check(first, 'c'), 'wrong');
    assert.equal(token.proves('secret', proof), false, 'what was proved with the old one is void');
  });
});
