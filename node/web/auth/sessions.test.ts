import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { listSessions } from '../../db/sessions.ts';
import { listAudit } from '../../db/audit.ts';
import { userByName } from '../../db/users.ts';
import { createEvents } from '../../events.ts';
import { quietLog } from '../../testing/database.ts';
import { emptyHouse, hashedPassword, PASSWORD, startGuarded, type Caller, type Guarded } from '../../testing/guarded.ts';
import { createSessions } from './sessions.ts';
import { webSuite } from '../../testing/web-suite.ts';

// Being signed in: how it begins, what it survives, what ends it.

const house = webSuite({ browser: false });
const by = { name: 'test', via: 'system' } as const;
const from = { address: '', agent: '' };
const next = 'another row of quiet words';

async function serve(t: TestContext): Promise<Guarded> {
  await emptyHouse(house.leader);
  const web = await startGuarded(t, house);
  const password = await hashedPassword();
  await web.access.decide(
    { method: 'local', user: { name: 'ada', displayName: 'Ada', role: 'admin', password, oneTime: false } },
    by,
    from,
  );
  return web;
}

async function signIn(web: Guarded, name = 'ada', visitor = web.browser()): Promise<Caller> {
  const answer = await visitor.post('/sign-in', { name, password: PASSWORD });
  assert.equal(answer.status, 303, answer.body);
  return visitor;
}

const session = (visitor: Caller): string =>
  [...visitor.cookies].find(([name]) => name.startsWith('cs_session') || name.includes('Host-cs_session'))?.[1] ?? '';
const isIn = async (visitor: Caller): Promise<boolean> => (await visitor.get('/')).status === 200;

describe('sessions', () => {
  test('9: a session that is ended while its row is being read is not remembered', async (t) => {
    const events = createEvents((error) => assert.fail(String(error)));
    const now = new Date();
    const times = { createdAt: now, seenAt: now, authenticatedAt: now };
    const answers = [Promise.withResolvers<unknown[]>(), Promise.withResolvers<unknown[]>()];
    const reads = answers.values();
    const sessions = createSessions({
      db: { query: () => reads.next().value!.promise } as never,
      access: {} as never,
      events,
      cookies: { read: () => 'A'.repeat(43) } as never,
      settings: () => ({}) as never,
      now: () => now,
      log: quietLog(),
    });
    t.after(() => sessions.stop());
    const first = sessions.of({} as never);
    events.emit('access.changed', { what: 'sessions' });
    answers[0]!.resolve([{ id: 'x', userId: 1, name: 'eve', role: 'admin', disabled: false, method: 'password', ...times }]);
    await first;
    answers[1]!.resolve([]);
    assert.equal(await sessions.of({} as never), null);
  });

  test('9: the id is another one after signing in and after proving, the old one is dead, and no raw id is in the database', async (t) => {
    const web = await serve(t);
    const ada = await signIn(web);
    const first = session(ada);
    assert.match(first, /^[\w-]{43}$/);
    // fixation: an id that somebody else planted is not taken over
    const victim = web.browser();
    victim.cookies.set(
      [...ada.cookies.keys()].find((name) => name.startsWith('cs_session'))!,
      first,
    );
    await signIn(web, 'ada', victim);
    assert.notEqual(session(victim), first);
    assert.equal(await isIn(ada), false, 'the planted one is over');
    const before = session(victim);
    web.later(16 * 60_000);
    assert.equal((await victim.get('/people')).headers['location'], '/prove?back=%2Fpeople');
    assert.equal((await victim.post('/prove', { password: 'wrong wrong wrong' })).status, 401);
    const dump = JSON.stringify(await house.db.query('select * from sessions'));
    assert.ok(!dump.includes(before) && !dump.includes(first));
    const old = web.browser();
    victim.cookies.forEach((value, name) => old.cookies.set(name, value));
    assert.equal((await victim.post('/prove', { password: PASSWORD, back: '/people' })).headers['location'], '/people');
    assert.notEqual(session(victim), before);
    assert.equal(await isIn(old), false);
    assert.equal(await isIn(victim), true);
  });

  test('9: signing out, another password, another role, keeping out and removing end sessions at once', async (t) => {
    const web = await serve(t);
    const ada = await signIn(web);
    await web.access.addUser({ name: 'ben', displayName: '', role: 'viewer', password: await hashedPassword(), oneTime: false }, by, from);
    const ben = (await userByName(house.db, 'BEN'))!;
    const out = await signIn(web, 'ben');
    assert.equal((await out.post('/sign-out')).headers['location'], '/signed-out');
    assert.equal(await isIn(out), false);
    assert.equal((await out.get('/signed-out')).status, 200);

    const [here, there] = [await signIn(web, 'ben'), await signIn(web, 'ben')];
    assert.equal((await here.post('/account/password', { old: 'wrong wrong wrong', password: next, again: next })).status, 422);
    assert.equal(await isIn(there), true, 'a wrong password changes nothing');
    assert.equal((await here.post('/account/password', { old: PASSWORD, password: next, again: next })).status, 303);
    assert.equal(await isIn(there), false, 'the others are out');
    assert.equal(await isIn(here), true, 'and this one goes on');
    await web.access.setPassword({ userId: ben.id, password: await hashedPassword(), oneTime: false, except: null }, by, from);
    assert.equal(await isIn(here), false);

    const deeds = [
      `/people/${ben.id}/role`,
      `/people/${ben.id}/disable`,
      `/people/${ben.id}/enable`,
      `/people/${ben.id}/end-sessions`,
      `/people/${ben.id}/remove`,
    ];
    for (const deed of deeds) {
      const visitor = deed.endsWith('/enable') ? null : await signIn(web, 'ben');
      assert.equal((await ada.post(deed, deed.endsWith('/role') ? { role: 'admin' } : {})).status, 303, deed);
      if (visitor) assert.equal(await isIn(visitor), false, deed);
      if (deed.endsWith('/disable')) assert.equal((await web.browser().post('/sign-in', { name: 'ben', password: PASSWORD })).status, 401);
    }
    assert.equal(await userByName(house.db, 'ben'), null);
    const audit = (await listAudit(house.db, null)).map((row) => row.action);
    for (const action of [
      'user removed',
      'sessions ended',
      'user changed',
      'password changed',
      'signed out',
      'signed in',
      'sign-in refused',
    ])
      assert.ok(audit.includes(action), action);
  });

  test('9: everybody sees where he is signed in, and ends it there', async (t) => {
    const web = await serve(t);
    const [here, there] = [
      await signIn(web, 'ada', web.browser({ 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0' })),
      await signIn(web),
    ];
    const page = (await here.get('/account')).body;
    assert.match(page, /Firefox on Linux/);
    const other = (await listSessions(house.db, null)).find(({ agent }) => agent === '')!;
    assert.equal((await here.post('/account/sessions/end', { session: other.id })).status, 303);
    assert.equal(await isIn(there), false);
    const third = await signIn(web);
    assert.equal((await here.post('/account/sessions/end-others')).status, 303);
    assert.equal(await isIn(third), false);
    assert.equal(await isIn(here), true);
    // a stranger's session is not his to end
    const ben = await web.signedIn('viewer');
    const mine = (await listSessions(house.db, null)).find(({ name }) => name === 'ada')!;
    await ben.post('/account/sessions/end', { session: mine.id });
    assert.equal(await isIn(here), true);
  });

  test('the only admin stays one, and a password that was given out is changed first', async (t) => {
    const web = await serve(t);
    const ada = await signIn(web);
    const me = (await userByName(house.db, 'ada'))!;
    for (const deed of ['role', 'disable', 'remove']) await ada.post(`/people/${me.id}/${deed}`, { role: 'viewer' });
    assert.deepEqual({ ...(await userByName(house.db, 'ada')), lastSignInAt: null }, { ...me, lastSignInAt: null });
    const added = await ada.post('/people', { name: 'eve', displayName: 'Eve', role: 'viewer' });
    const given = /id="made-secret">([a-z0-9-]{23})</.exec(added.body)?.[1];
    assert.ok(given, added.body);
    const eve = web.browser();
    assert.equal((await eve.post('/sign-in', { name: 'Eve', password: given, back: '/queue' })).headers['location'], '/account');
    for (const path of ['/', '/queue', '/nodes']) assert.equal((await eve.get(path)).headers['location'], '/account', path);
    assert.equal((await eve.post('/account/password', { password: next, again: next })).headers['location'], '/');
    assert.equal(await isIn(eve), true);
    assert.equal((await web.browser().post('/sign-in', { name: 'eve', password: given })).status, 401);
  });

  test('10: a page that only stands open is signed out, its stream ends, and htmx is led to the sign-in', async (t) => {
    const web = await serve(t);
    const ada = await signIn(web);
    const cookie = [...ada.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const stream = await fetch(`${web.url}/events?view=shell`, { headers: { cookie } });
    assert.equal(stream.status, 200);
    const ended = stream.text();
    web.later(23 * 3_600_000);
    // looking at a stream, a picture or a part of a page by itself does not count
    assert.equal((await ada.send('GET', '/events?view=nothing', { accept: 'text/event-stream' })).status, 429);
    assert.equal((await ada.send('GET', '/jobs/1/barcode/1', { accept: 'image/*' })).status, 404);
    web.later(2 * 3_600_000);
    assert.equal((await ada.get('/')).headers['location'], '/sign-in');
    const button = await ada.get('/pause', { 'hx-request': 'true', 'hx-current-url': `${web.url}/queue?state=failed` });
    assert.equal(button.status, 401);
    assert.equal(button.headers['hx-redirect'], '/sign-in?back=%2Fqueue%3Fstate%3Dfailed');
    assert.equal((await ada.send('GET', '/events?view=shell', { accept: 'text/event-stream' })).status, 401);
    web.events.emit('access.changed', { what: 'sessions' });
    assert.match(await ended, /event: build/, 'and the stream is over');
  });

  test('10: what somebody does keeps him in, for thirty days at the most', async (t) => {
    const web = await serve(t);
    const ada = await signIn(web);
    for (let day = 0; day < 31; day++) {
      web.later(22 * 3_600_000);
      assert.equal(await isIn(ada), true, `day ${day}`);
    }
    web.later(22 * 3_600_000);
    assert.equal(await isIn(ada), true);
    web.later(22 * 3_600_000);
    assert.equal(await isIn(ada), false, 'thirty days are over');
  });

  test('looking at pages writes nothing, and somebody who does something is written down once a minute', async (t) => {
    const web = await serve(t);
    const ada = await signIn(web);
    const seen = async (): Promise<string> => JSON.stringify(await house.db.query('select seen_at, xmin::text from sessions'));
    const first = await seen();
    for (let n = 0; n < 5; n++) await ada.get('/');
    assert.equal(await seen(), first);
    web.later(61_000);
    await ada.get('/');
    for (;;) if ((await seen()) !== first) break;
    const second = await seen();
    for (let n = 0; n < 5; n++) await ada.get('/');
    assert.equal(await seen(), second);
  });

  test('11: the cookies over http, over TLS, and through a proxy that ends it', async (t) => {
    const web = await serve(t);
    const cookieOf = async (headers: Record<string, string>): Promise<string> => {
      const visitor = web.browser();
      const csrf = await visitor.csrf();
      const form = { host: headers['host'] ?? `127.0.0.1:${web.port}`, origin: headers['origin'] ?? `http://127.0.0.1:${web.port}` };
      const answer = await visitor.post('/sign-in', { name: 'ada', password: PASSWORD, csrf }, form);
      assert.equal(answer.status, 303, answer.body);
      return ([answer.headers['set-cookie']].flat() as string[]).find((line) => line.includes('cs_session'))!;
    };
    assert.match(await cookieOf({}), /^cs_session_[0-9a-f]{8}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
    web.settings['web.url'] = 'https://films.example.org';
    web.settings['web.hosts'] = 'films.example.org';
    const outside = await cookieOf({ host: 'films.example.org', origin: 'https://films.example.org' });
    assert.match(outside, /^__Host-cs_session=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    assert.match(await cookieOf({}), /^cs_session_/, 'by the address in the house it is as before');
    web.settings['web.url'] = 'http://films.example.org';
    assert.match(await cookieOf({ host: 'films.example.org', origin: 'http://films.example.org' }), /^cs_session_/);
  });

  test('16: after signing in a person stays on this site, whatever the address says', async (t) => {
    const web = await serve(t);
    for (const back of [
      '//evil.test',
      '/\\evil.test',
      'https://evil.test/',
      'javascript:alert(1)',
      '/a\r\nSet-Cookie: x=1',
      '\u2025/evil',
      '/\t/evil.test',
      'evil.test',
      '/%09/evil.test',
      '///evil.test',
      'http:evil.test',
    ]) {
      const visitor = web.browser();
      const page = await visitor.get(`/sign-in?back=${encodeURIComponent(back)}`);
      assert.ok(!page.body.includes('evil.test') || back.startsWith('/%09'), back);
      const answer = await visitor.post('/sign-in', { name: 'ada', password: PASSWORD, back });
      const to = String(answer.headers['location']);
      assert.equal(new URL(to, web.url).origin, web.url, `${back} led to ${to}`);
      assert.equal(answer.headers['set-cookie']?.includes('x=1'), false);
    }
    const good = await web.browser().post('/sign-in', { name: 'ada', password: PASSWORD, back: '/queue?state=failed' });
    assert.equal(good.headers['location'], '/queue?state=failed');
  });
});
