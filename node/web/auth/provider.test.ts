import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { listUsers, userByIdentity, userByName } from '../../db/users.ts';
import { createOutgoing } from '../../outgoing.ts';
import { emptyHouse, hashedPassword, PASSWORD, startGuarded, type Caller, type Guarded } from '../../testing/guarded.ts';
import { startProvider, type TestProvider } from '../../testing/oidc-provider.ts';
import { webSuite } from '../../testing/web-suite.ts';

// Signing in through a real provider and through a reverse proxy, as a browser without JavaScript does it.

const house = webSuite({
  browser: false,
  async fill(leader) {
    web = await startGuarded(t, { db: house.db, leader }, undefined, { outgoing: createOutgoing({ ownPorts: () => [] }) });
    const here = `http://localhost:${web.port}`;
    provider = await startProvider(
      { after: (fn) => t.after(fn) },
      { redirectUris: [`${here}/sign-in/oidc/callback`], logoutUris: [`${here}/signed-out`] },
    );
    secretOf = async (text) =>
      (await web.signedIn('admin', `keeper-${text.length}-${Date.now()}`)).post('/settings/provider/secret', { secret: text });
  },
});
const cleanups: (() => Promise<void> | void)[] = [];
const t = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };
let web: Guarded;
let provider: TestProvider;
let secretOf: (text: string) => Promise<unknown>;

after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

beforeEach(async () => {
  await emptyHouse(house.leader);
  await house.leader.query(`insert into access_setup (method, decided_by) values ('local', 'test')`);
  web.events.emit('access.changed', { what: 'setup' });
  for (const key of Object.keys(web.settings)) if (/^(oidc|proxy|web)\./.test(key)) delete web.settings[key];
  Object.assign(web.settings, {
    'web.url': `http://localhost:${web.port}`,
    'web.proxies': '127.0.0.1',
    'oidc.enabled': true,
    'oidc.label': 'Home',
    'oidc.issuer': provider.issuer,
    'oidc.clientId': provider.client.id,
    'oidc.allowHttp': true,
    'oidc.scopes': 'openid profile email groups',
    'oidc.adminGroups': 'media-admins',
    'oidc.viewerGroups': 'family',
  });
  provider.people.clear();
  provider.people.set('ann', {
    name: 'Ann B.',
    preferred_username: 'ann',
    email: 'ann@example.org',
    email_verified: true,
    groups: ['media-admins'],
  });
  await secretOf(provider.client.secret);
});

let visitors = 0;
/** A browser at an address of its own: from one alone only twenty sign-ins a minute are begun. */
function fresh(): Caller {
  return web.browser({ 'x-forwarded-for': `198.51.100.${++visitors}` });
}

/** There and back; resolves with the answer to the callback. */
async function through(
  visitor: Caller,
  account: string | null,
  begin = '/sign-in/oidc',
): Promise<{ status: number; to: string; callback: string }> {
  const sent = await visitor.get(begin);
  assert.match(String(sent.headers['location']), /^http/, `${sent.body} ${await said(visitor)} ${web.complaints.join(' ')}`);
  const back = await provider.visit(String(sent.headers['location']), account);
  const callback = back.pathname + back.search;
  const answer = await visitor.get(callback);
  return { status: answer.status, to: String(answer.headers['location'] ?? ''), callback };
}

/** What the page says at the top. */
async function said(visitor: Caller, path = '/sign-in'): Promise<string> {
  return (await visitor.get(path)).body.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');
}

const isIn = async (visitor: Caller): Promise<boolean> => (await visitor.get('/queue')).status === 200;

describe('through a provider', () => {
  test('the page of signing in has its button, and whoever has the group comes in as what the group says', async () => {
    const visitor = fresh();
    assert.match((await visitor.get('/sign-in?back=/queue')).body, /href="\/sign-in\/oidc\?back=%2Fqueue"[^]*Sign in with Home/);
    assert.deepEqual((await through(visitor, 'ann', '/sign-in/oidc?back=/queue')).to, '/queue');
    const user = (await userByIdentity(house.db, provider.issuer, 'ann'))!;
    assert.deepEqual([user.name, user.displayName, user.role, user.hasPassword], ['ann', 'Ann B.', 'admin', false]);
    assert.equal((await visitor.get('/people')).status, 200, 'an admin, freshly proved');
    const rows = await house.db.query<{ token: string }>(`select id_token as token from sessions where user_id = ${user.id}`);
    assert.match(rows[0]!.token, /^s1\./, 'sealed');
  });

  test('13. the callback once more, in another browser, cancelled, or without anything begun signs nobody in', async () => {
    const visitor = fresh();
    const { callback } = await through(visitor, 'ann');
    const other = fresh();
    assert.equal((await other.get(callback)).headers['location'], '/sign-in');
    assert.match(await said(other), /already used/);
    assert.ok(!(await isIn(other)));
    const mine = fresh();
    const sent = await mine.get('/sign-in/oidc');
    const back = await provider.visit(String(sent.headers['location']), 'ann');
    const thief = fresh();
    await thief.get('/sign-in/oidc');
    await thief.get(back.pathname + back.search);
    assert.match(await said(thief), /another browser/);
    assert.ok(!(await isIn(thief)));
    const tired = fresh();
    assert.equal((await through(tired, null)).to, '/sign-in');
    assert.match(await said(tired), /cancelled at the provider/);
    assert.equal((await fresh().get('/sign-in/oidc/callback?code=x&state=y')).headers['location'], '/sign-in');
  });

  test('14. no group, an unverified address, the same address or name, the same subject elsewhere: nobody is let in or merged', async () => {
    const stranger = fresh();
    provider.people.set('bob', { preferred_username: 'bob', email: 'bob@example.org', groups: ['cooks'] });
    await through(stranger, 'bob');
    assert.match(await said(stranger), /not among those that may sign in here/);
    assert.equal(
      (await listUsers(house.db)).some(({ name }) => name === 'bob'),
      false,
    );
    web.settings['oidc.viewerEmails'] = '@example.org';
    await through(stranger, 'bob');
    assert.match(await said(stranger), /not verified \(Authentik since 2025\.10 always does\)/);

    await web.signedIn('viewer', 'ann');
    const local = (await userByName(house.db, 'ann'))!;
    await web.access.linkIdentity(
      { userId: local.id, issuer: 'https://elsewhere.test', subject: 'ann', label: 'ann@example.org' },
      { name: 'test', via: 'system' },
      { address: '', agent: '' },
    );
    const ann = fresh();
    await through(ann, 'ann');
    const made = (await userByIdentity(house.db, provider.issuer, 'ann'))!;
    assert.notEqual(made.id, local.id);
    assert.deepEqual([made.name, made.role], ['ann-2', 'admin']);
    assert.equal((await userByName(house.db, 'ann'))!.role, 'viewer', 'whoever was here stays what he is');
  });

  test('14. what somebody may is decided anew at each sign-in, and ends what was open when it became less', async () => {
    const [first, second] = [fresh(), fresh()];
    await through(first, 'ann');
    assert.equal((await first.get('/audit')).status, 200);
    await web.signedIn('admin', 'other');
    provider.people.get('ann')!['groups'] = ['family'];
    await through(second, 'ann');
    assert.ok(!(await isIn(first)), 'the admin’s session of before is over');
    assert.equal((await second.get('/audit')).status, 403);
    provider.people.get('ann')!['groups'] = [];
    const third = fresh();
    await through(third, 'ann');
    assert.match(await said(third), /named no group of yours/);
    assert.ok(!(await isIn(third)) && !(await isIn(second)));
  });

  test('15. a provider that is down costs its own button only: the page is there and a password works', async () => {
    await provider.stop();
    const visitor = fresh();
    web.settings['oidc.allowHttp'] = true;
    web.settings['oidc.issuer'] = `${provider.issuer}/`;
    assert.equal((await visitor.get('/sign-in/oidc')).headers['location'], '/sign-in');
    assert.match(await said(visitor), /does not answer: nothing listens there/);
    assert.equal((await (await web.signedIn('admin')).get('/queue')).status, 200);
    await provider.start();
  });

  test('16. the way back leads to own paths only', async () => {
    for (const back of ['//evil.test', '/\\evil.test', 'https://evil.test/', '/%0d%0aLocation:x', 'javascript:alert(1)', '/\u2025/x']) {
      const visitor = fresh();
      const { to } = await through(visitor, 'ann', `/sign-in/oidc?back=${encodeURIComponent(back)}`);
      assert.equal(new URL(to, 'http://here.test').origin, 'http://here.test', back);
    }
  });

  test('an account is linked only by a form of somebody who is signed in, who keeps the role of here', async () => {
    const viewer = await web.signedIn('viewer', 'vic');
    const vic = (await userByName(house.db, 'vic'))!;
    assert.equal((await viewer.post('/account/link', { csrf: 'wrong' })).status, 403);
    const onward = await viewer.post('/account/link');
    assert.equal(onward.status, 200, onward.body);
    const href = /href="(http:\/\/localhost:[^"]+)"/.exec(onward.body)![1]!.replaceAll('&amp;', '&');
    const back = await provider.visit(href, 'ann');
    assert.equal((await viewer.get(back.pathname + back.search)).headers['location'], '/account');
    assert.equal((await userByIdentity(house.db, provider.issuer, 'ann'))!.id, vic.id);
    const again = fresh();
    await through(again, 'ann');
    assert.ok(await isIn(again));
    assert.equal((await again.get('/audit')).status, 403, 'the group makes nobody an admin who was made here');
    assert.equal((await viewer.post('/account/unlink', { issuer: provider.issuer, subject: 'ann' })).status, 303);
    assert.equal(await userByIdentity(house.db, provider.issuer, 'ann'), null);
  });

  test('what is dangerous is proved at the provider again, by the same person and by nobody else', async () => {
    const visitor = fresh();
    await through(visitor, 'ann');
    const before = new Map(visitor.cookies);
    await house.leader.query(`update sessions set authenticated_at = now() - interval '16 minutes'`);
    web.events.emit('access.changed', { what: 'sessions' });
    assert.equal((await visitor.get('/people')).headers['location'], '/prove?back=%2Fpeople');
    assert.match((await visitor.get('/prove?back=/people')).body, /href="\/prove\/oidc\?back=%2Fpeople"/);
    provider.people.set('bob', { preferred_username: 'bob', groups: ['media-admins'] });
    assert.match((await through(visitor, 'bob', '/prove/oidc?back=/people')).to, /^\/prove/);
    assert.match(await said(visitor, '/prove?back=/people'), /another account than the one you are signed in with/);
    assert.equal((await visitor.get('/people')).status, 303);
    assert.equal((await through(visitor, 'ann', '/prove/oidc?back=/people')).to, '/people');
    assert.equal((await visitor.get('/people')).status, 200);
    const old = fresh();
    for (const [name, value] of before) old.cookies.set(name, value);
    assert.ok(!(await isIn(old)), 'the session has another id now');
  });

  test('signing out leads on to the provider, with its own hint and back to here', async () => {
    const visitor = fresh();
    await through(visitor, 'ann');
    const page = await visitor.post('/sign-out');
    const out = new URL(/href="(http:\/\/localhost:[^"]+)"/.exec(page.body)![1]!.replaceAll('&amp;', '&'));
    assert.equal(out.origin, provider.issuer);
    assert.equal(out.searchParams.get('post_logout_redirect_uri'), `http://localhost:${web.port}/signed-out`);
    assert.equal(out.searchParams.get('id_token_hint')!.split('.').length, 3);
    assert.ok(!(await isIn(visitor)));
  });

  test('the settings show the return address and the test, never the secret; a trial signs nobody in', async () => {
    const admin = await web.signedIn('admin', 'root');
    const page = await admin.get('/settings/provider');
    assert.equal(page.status, 200, page.body);
    assert.match(page.body, new RegExp(`http://localhost:${web.port}/sign-in/oidc/callback`));
    const tested = await admin.post('/settings/provider/test');
    assert.match(tested.body, /calls itself by that name/);
    const onward = await admin.post('/settings/provider/trial');
    const href = /href="(http:\/\/localhost:[^"]+)"/.exec(onward.body)![1]!.replaceAll('&amp;', '&');
    const back = await provider.visit(href, 'ann');
    assert.match(String((await admin.get(back.pathname + back.search)).headers['location']), /^\/settings\/provider/);
    const shown = await admin.get('/settings/provider');
    assert.match(shown.body, /ann@example\.org[^]*Would be let in as an admin/);
    assert.equal(await userByIdentity(house.db, provider.issuer, 'ann'), null);
    for (const body of [page.body, tested.body, shown.body, (await admin.get('/audit')).body, ...web.complaints])
      assert.ok(!body.includes(provider.client.secret));
    const stored = await house.db.query<{ sealed: string }>('select sealed from secrets');
    assert.ok(stored.length === 1 && !stored[0]!.sealed.includes(provider.client.secret));
    const viewer = await web.signedIn('viewer');
    for (const path of ['/settings/provider', '/settings/proxy']) assert.equal((await viewer.get(path)).status, 403);
    admin.cookies.clear();
    assert.notEqual((await admin.post('/settings/provider/secret', { secret: 'x' })).status, 200);
  });
});

describe('passwords switched off beside a provider', () => {
  const enter = async (visitor: Caller, name: string, password: string): ReturnType<Caller['send']> => {
    const csrf = /name="csrf" value="([\w-]+)"/.exec((await visitor.get('/sign-in?with=password')).body)![1]!;
    return visitor.post('/sign-in', { csrf, name, password });
  };

  test('let nobody in, but for a one-time password, which whoever has the machine can always make', async () => {
    const early = await web.signedIn('admin', 'ada');
    web.settings['oidc.passwords'] = false;
    const visitor = fresh();
    const page = await said(visitor);
    assert.doesNotMatch(page, /Password/);
    assert.match(page, /Sign in with Home.*one-time password/);
    const answer = await enter(visitor, 'ada', PASSWORD);
    assert.equal(answer.status, 401);
    assert.match(answer.body, /Passwords are switched off here/);
    const by = { name: 'test', via: 'system' } as const;
    const user = { name: 'kim', displayName: '', role: 'admin', password: await hashedPassword(), oneTime: true } as const;
    await web.access.addUser(user, by, { address: '', agent: '' });
    const kim = fresh();
    assert.equal((await enter(kim, 'kim', 'something else')).status, 401);
    assert.equal((await enter(kim, 'kim', PASSWORD)).headers['location'], '/account');
    // who came in with a password before can prove with it; who came through the provider cannot
    assert.match(await said(early, '/account'), /ada/);
    assert.ok((await through(fresh(), 'ann')).to);
  });

  test('is a wish that only somebody who came through the provider may have', async () => {
    const wish = async (visitor: Caller): Promise<string> => {
      const csrf = /name="csrf" value="([\w-]+)"/.exec((await visitor.get('/settings/provider')).body)![1]!;
      const body = new URLSearchParams({ csrf, 'v:oidc.enabled': '0', 'oidc.enabled': 'true', 'v:oidc.passwords': '0' }).toString();
      const form = { 'content-type': 'application/x-www-form-urlencoded', origin: `http://127.0.0.1:${web.port}`, accept: 'text/html' };
      return (await visitor.send('POST', '/settings/provider', form, body)).body.replaceAll(/<[^>]+>/g, ' ');
    };
    assert.match(await wish(await web.signedIn('admin', 'ada')), /only by somebody who signed in through the provider/);
    const ann = fresh();
    await through(ann, 'ann');
    assert.doesNotMatch(await wish(ann), /only by somebody who signed in through the provider/);
    assert.deepEqual(
      web.asked.splice(0).map(({ name }) => name),
      ['saveSettings'],
    );
  });
});

describe('the first admin', () => {
  test('can be somebody of a provider that the environment names, once the set-up token was shown', async () => {
    await emptyHouse(house.leader);
    web.events.emit('access.changed', { what: 'setup' });
    const stranger = fresh();
    assert.equal((await stranger.get('/setup/oidc')).headers['location'], '/setup');
    assert.equal((await stranger.post('/setup/token', { token: web.token.current() })).status, 303);
    web.settings['oidc.enabled'] = false;
    web.settings['oidc.adminGroups'] = '';
    web.settings['oidc.clientAuth'] = 'none';
    assert.match((await stranger.get('/setup')).body, /Begin with Home/);
    // a public client, because nobody could enter a secret yet
    const sent = await stranger.get('/setup/oidc');
    assert.match(String(sent.headers['location']), /code_challenge_method=S256/);
  });
});

describe('through a reverse proxy', () => {
  const speaks = { 'remote-user': 'cleo', 'remote-groups': 'family,media-admins', 'remote-email': 'cleo@example.org' };

  test('17. its word counts only from its own address, with its secret where one is kept, and with every request', async () => {
    Object.assign(web.settings, { 'proxy.signIn': true, 'proxy.networks': '192.0.2.10', 'oidc.enabled': false });
    const spoof = web.browser({ ...speaks, 'x-forwarded-for': '192.0.2.10' });
    assert.ok(!(await isIn(spoof)), 'not from there');
    web.settings['proxy.networks'] = '127.0.0.1';
    for (const headers of [{ ...speaks, 'remote-user': 'cleo, root' }, { 'x-remote-user': 'cleo' }, { 'remote-groups': 'media-admins' }])
      assert.ok(!(await isIn(web.browser(headers as Record<string, string>))), JSON.stringify(headers));
    assert.equal(await userByName(house.db, 'cleo'), null);
    const cleo = web.browser(speaks);
    assert.ok(await isIn(cleo));
    assert.equal((await userByName(house.db, 'cleo'))!.role, 'admin');
    assert.ok(await isIn(cleo), 'the same session');
    const sessions = await house.db.query(`select 1 from sessions where method = 'proxy'`);
    assert.equal(sessions.length, 1);
    const stolen = fresh();
    for (const [name, value] of cleo.cookies) stolen.cookies.set(name, value);
    assert.ok(!(await isIn(stolen)), 'the cookie alone, past the proxy, is nobody');
    const mixed = web.browser({ ...speaks, 'remote-user': 'dora' });
    for (const [name, value] of cleo.cookies) mixed.cookies.set(name, value);
    assert.ok(await isIn(mixed));
    assert.notEqual((await userByName(house.db, 'dora'))?.id, undefined, 'somebody else at the same browser is somebody else');
    const nobody = web.browser({ 'remote-user': 'eve', 'remote-groups': 'cooks' });
    assert.match(await said(nobody), /not among those that may sign in here/);
    assert.equal((await (await web.signedIn('admin', 'boss')).post('/settings/proxy/secret', { secret: 'between us' })).status, 303);
    assert.ok(!(await isIn(cleo)), 'without the secret');
    assert.ok(await isIn(web.browser({ ...speaks, 'x-codecshift-proxy-secret': 'between us' })));
  });

  test('17. it is switched on only by a request that came through it', async () => {
    const admin = await web.signedIn('admin', 'boss');
    const save = async (networks: string): Promise<string> => {
      const fields = {
        'v:proxy.signIn': '0',
        'was:proxy.signIn': '',
        'proxy.signIn': 'on',
        'v:proxy.networks': '0',
        'was:proxy.networks': '',
        'proxy.networks': networks,
      };
      const answer = await admin.post('/settings/proxy', fields);
      return `${answer.status} ${answer.body.includes('did not come to you through such a proxy')}`;
    };
    assert.equal(await save('192.0.2.10'), '422 true');
    assert.deepEqual(
      web.asked.filter(({ name }) => name === 'saveSettings'),
      [],
    );
    assert.equal(await save('127.0.0.1'), '303 false');
    const wrong = await admin.post('/settings/proxy', {
      'v:proxy.networks': '0',
      'was:proxy.networks': '',
      'proxy.networks': 'everywhere',
    });
    assert.equal(wrong.status, 422);
  });
});

test('a password of somebody here is still right beside all of this', async () => {
  await web.signedIn('viewer', 'plain');
  const visitor = fresh();
  assert.equal((await visitor.post('/sign-in', { name: 'plain', password: PASSWORD })).status, 303);
});
