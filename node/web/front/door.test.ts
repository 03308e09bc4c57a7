import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createAccess } from '../../coordinator/access.ts';
import { emptyHouse, hashedPassword, PASSWORD } from '../../testing/guarded.ts';
import { member, serveTunnel, startFront, type TestFront } from '../../testing/front.ts';
import { webSuite } from '../../testing/web-suite.ts';
import { webParts } from '../../testing/web.ts';
import { builtInEngine, createPasswords } from '../auth/password.ts';
import { createSetupToken } from '../auth/setup-token.ts';
import { createApp } from '../server.ts';

// A machine's own pages for people in the same network: a stranger must not change to which cluster it belongs.

const house = webSuite({ browser: false });
const atlas = { node: 'node-atlas', name: 'atlas' };
const by = { name: 'test', via: 'system' } as const;
const from = { address: '', agent: '' };
const token = createSetupToken({});
const access = { open: false, token };
const attic = { node: 'n1', name: 'attic', cluster: { id: 'cluster-attic', name: 'Attic', established: true, nodes: 2 } };

/** A browser at one front: keeps cookies, and sends forms as a page would. */
function browser(front: TestFront) {
  const cookies = new Map<string, string>();
  const send = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(front.url + path, {
      ...init,
      redirect: 'manual',
      headers: { accept: 'text/html', cookie, ...init.headers },
    });
    for (const line of answer.headers.getSetCookie())
      cookies.set(line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).split(';')[0]!);
    return answer;
  };
  return {
    get: (path: string) => send(path),
    async post(path: string, fields: Record<string, string>, page = path) {
      const csrf = /name="csrf" value="([\w-]+)"/.exec(await (await send(page)).text())?.[1] ?? 'none';
      return send(path, { method: 'POST', body: new URLSearchParams({ csrf, ...fields }), headers: { origin: front.url } });
    },
  };
}

async function twoMachines(t: TestContext): Promise<{ atlas: TestFront; tower: TestFront }> {
  await emptyHouse(house.leader);
  const passwords = createPasswords(async () => (wish) => builtInEngine({ ...wish, memory: 64 }));
  const made = webParts({
    db: house.db,
    auth: (events) => ({ access: createAccess({ db: house.leader, events }), open: false, setup: token, passwords }),
  });
  const password = await hashedPassword();
  await made.parts.auth.access.decide(
    { method: 'local', user: { name: 'ada', displayName: '', role: 'admin', password, oneTime: false } },
    by,
    from,
  );
  await made.parts.auth.access.addUser({ name: 'ben', displayName: '', role: 'viewer', password, oneTime: false }, by, from);
  const app = await createApp(made.parts);
  t.after(() => app.stop());
  const { tunnel } = await serveTunnel(t, () => app.fetch);
  const here = await startFront(t, 'atlas', { standing: member(atlas, 'postgres'), local: app.fetch }, { access });
  const tower = await startFront(t, 'tower', { standing: member(atlas), tunnel, neighbours: [attic] }, { access });
  return { atlas: here, tower };
}

describe('a machine’s own pages', () => {
  test('while nobody is reached a stranger sees that it waits, is offered nothing, and may do nothing', async (t) => {
    const front = await startFront(
      t,
      'tower',
      { standing: { state: 'rejected', cluster: { id: 'c', name: 'Home' }, why: 'no' }, neighbours: [attic] },
      { access },
    );
    const stranger = browser(front);
    const page = await (await stranger.get('/')).text();
    assert.match(page, /Show its token/);
    assert.ok(!page.includes('action="/node/'), 'no button');
    assert.equal((await stranger.get('/node')).headers.get('location'), '/node/token');
    assert.equal((await stranger.get('/node/events?view=node')).status, 401);
    assert.equal((await stranger.get('/api/v1/node')).status, 401);
    assert.equal((await stranger.get('/api/v1/node/logs')).status, 401);
    assert.equal((await stranger.get('/node/logs')).headers.get('location'), '/node/token');
    const forms = [
      ['/node/own', {}],
      ['/node/ask', { cluster: 'c' }],
      ['/node/peers', { address: '192.0.2.9:8266' }],
      ['/node/leave', { cluster: 'cluster-attic' }],
    ] as const;
    for (const [path, fields] of forms) await stranger.post(path, fields, '/node/token');
    assert.deepEqual(front.asked, []);
    const stream = await fetch(`${front.url}/node/events?view=waiting`);
    const first = new TextDecoder().decode((await stream.body!.getReader().read()).value);
    assert.ok(!first.includes('action="/node/'), 'nor by the stream');
  });

  test('whoever has the machine shows its token once, and its command line needs none', async (t) => {
    const front = await startFront(
      t,
      'tower',
      { standing: { state: 'rejected', cluster: { id: 'c', name: 'Home' }, why: 'no' } },
      { access },
    );
    const person = browser(front);
    assert.equal((await person.post('/node/token', { token: 'AAAAA-AAAAA-AAAAA-AAAAA-AAAAAA' })).status, 403);
    const shown = await person.post('/node/token', { token: token.current() });
    assert.equal(shown.headers.get('location'), '/node');
    const cookie = shown.headers.getSetCookie().find((line) => line.startsWith('cs_machine_'))!;
    assert.match(cookie, /HttpOnly; SameSite=Strict$/);
    assert.ok(!cookie.includes(token.current()));
    assert.equal((await person.get('/node')).status, 200);
    await person.post('/node/own', {}, '/node');
    assert.deepEqual(front.asked, [['foundOwn']]);
    const cli = await fetch(`${front.url}/api/v1/node`, { headers: { authorization: `Bearer ${front.secret}` } });
    assert.equal(cli.status, 200);
    // another page of this host must not use it
    await fetch(`${front.url}/node/own`, { method: 'POST', headers: { cookie: cookie.split(';')[0]!, origin: 'http://127.0.0.1:1' } });
    assert.equal(front.asked.length, 1);
  });

  test('at every machine people sign in through the coordinator: an admin acts, a viewer looks, a stranger is sent to the sign-in', async (t) => {
    const { tower, atlas: coordinating } = await twoMachines(t);
    for (const front of [tower, coordinating]) {
      const stranger = browser(front);
      assert.equal((await stranger.get('/')).headers.get('location'), '/sign-in');
      assert.equal((await stranger.get('/node')).headers.get('location'), '/sign-in?back=%2Fnode');
      const ben = browser(front);
      assert.equal((await ben.post('/sign-in', { name: 'ben', password: PASSWORD, back: '/node' })).headers.get('location'), '/node');
      const seen = await (await ben.get('/node')).text();
      assert.ok(!seen.includes('method="post" action="/node/') && !seen.includes('/node/leave'), 'nothing to press');
      assert.equal((await ben.post('/node/peers', { address: '192.0.2.9:8266' }, '/node/token')).status, 403);
      const ada = browser(front);
      await ada.post('/sign-in', { name: 'ada', password: PASSWORD });
      assert.equal((await ada.post('/node/peers', { address: '192.0.2.9:8266' }, '/node')).status, 303);
      assert.deepEqual(front.asked, [['addPeer', '192.0.2.9:8266']]);
    }
    // the audit log knows from where, through the tunnel too
    const rows = await house.db.query<{ address: string }>(`select distinct address from audit where action = 'signed in' order by 1`);
    assert.deepEqual(
      rows.map(({ address }) => address),
      ['127.0.0.1'],
    );
  });

  test('an admin whose proof is old is asked again before a machine leaves its cluster', async (t) => {
    const { tower } = await twoMachines(t);
    const ada = browser(tower);
    await ada.post('/sign-in', { name: 'ada', password: PASSWORD });
    assert.equal((await ada.get('/node/leave?cluster=cluster-attic')).status, 200);
    await house.leader.query(`update sessions set authenticated_at = now() - interval '16 minutes'`);
    await ada.post('/theme', { theme: 'dark' }, '/account');
    const other = browser(tower);
    await other.post('/sign-in', { name: 'ben', password: PASSWORD });
    assert.equal(
      (await ada.get('/node/leave?cluster=cluster-attic')).headers.get('location'),
      '/prove?back=%2Fnode%2Fleave%3Fcluster%3Dcluster-attic',
    );
    await ada.post('/node/leave', { cluster: 'cluster-attic', confirm: 'Home' }, '/node');
    assert.deepEqual(tower.asked, []);
  });

  test('the secret of another machine is no master key: it gives nobody a password', async (t) => {
    const { tower, atlas: coordinating } = await twoMachines(t);
    const reset = (front: TestFront): Promise<Response> =>
      fetch(`${front.url}/api/v1/admin/reset`, {
        method: 'POST',
        body: '{"name": "ada"}',
        headers: { authorization: `Bearer ${front.secret}`, 'content-type': 'application/json' },
      });
    assert.equal((await reset(tower)).status, 403);
    const answer = await reset(coordinating);
    assert.equal(answer.status, 200);
    assert.match(((await answer.json()) as { password: string }).password, /^[a-z0-9]{5}(-[a-z0-9]{5}){3}$/);
  });
});
