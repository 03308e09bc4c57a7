import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, test, type TestContext } from 'node:test';
import type { Queryable } from '../db/connect.ts';
import { ask } from '../testing/plain-request.ts';
import { emptyBooks, startWeb, type TestWeb } from '../testing/web.ts';
import { fromOurPage, isOurName } from './security.ts';
import { safeBack } from './routes.ts';

// No page here needs rows: a database that knows nothing is enough.
const serve = (t: TestContext, allowedHosts: string[] = []): Promise<TestWeb> =>
  startWeb({ after: (fn) => t.after(fn) }, { db: emptyBooks, allowedHosts });

/** A visit: the cookie and the token that a form of this visitor holds. */
async function visit(web: TestWeb): Promise<{ cookie: string; csrf: string }> {
  const page = await ask(web, 'GET', '/');
  const cookie = String(page.headers['set-cookie']).split(';')[0]!;
  return { cookie, csrf: /name="csrf" value="([^"]+)"/.exec(page.body)![1]! };
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };

describe('the Host gate', () => {
  test('names of this machine and addresses in numbers are known, others are not', () => {
    const extra = new Set(['media.example.org']);
    for (const name of [
      'localhost',
      '127.0.0.1',
      '192.168.1.20',
      '[::1]',
      '[fe80::1]',
      'nas.local',
      'media.example.org',
      hostname().toLowerCase(),
    ])
      assert.ok(isOurName(name, extra), name);
    for (const name of ['evil.example', 'localhost.evil.example', 'local', '127.0.0.1.evil.example', 'media.example.org.evil', ''])
      assert.ok(!isOurName(name, extra), name);
  });

  test('a stranger’s name that was pointed at this machine gets nothing, not even the stream or the files', async (t) => {
    const web = await serve(t, ['media.example.org']);
    for (const path of ['/', '/events?view=shell', '/healthz', '/api/v1/status']) {
      assert.equal((await ask(web, 'GET', path, { host: 'evil.example' })).status, 421, path);
    }
    assert.equal((await ask(web, 'GET', '/healthz', { host: 'MEDIA.example.org:8080' })).status, 200);
    assert.equal((await ask(web, 'GET', '/healthz', { host: 'films.example.net' })).status, 421);
    web.settings['web.hosts'] = 'x.example, films.example.net';
    assert.equal((await ask(web, 'GET', '/healthz', { host: 'films.example.net' })).status, 200, 'a setting applies at once');
    assert.equal((await ask(web, 'GET', '/healthz', { host: 'a b' })).status, 400, 'what is no host at all is refused by Node.js itself');
  });
});

describe('the Origin gate', () => {
  test('only this very page may change something', () => {
    const cases: [string | undefined, string | undefined, string | undefined, boolean][] = [
      ['same-origin', 'http://nas:8080', 'nas:8080', true],
      ['same-site', 'http://nas:9000', 'nas:8080', false],
      ['cross-site', 'https://evil.example', 'nas:8080', false],
      ['none', undefined, 'nas:8080', false],
      [undefined, 'http://nas:8080', 'nas:8080', true],
      [undefined, 'https://nas', 'nas', true],
      [undefined, 'http://nas:9000', 'nas:8080', false],
      [undefined, 'null', 'nas:8080', false],
      [undefined, undefined, 'nas:8080', false],
      [undefined, 'http://nas:8080', undefined, false],
      [undefined, 'not an origin', 'nas:8080', false],
    ];
    for (const [site, origin, host, wanted] of cases) assert.equal(fromOurPage(site, origin, host), wanted, `${site} ${origin} ${host}`);
  });

  test('a post needs the page’s origin and the token of this visitor, in a form or a header', async (t) => {
    const web = await serve(t);
    const { cookie, csrf } = await visit(web);
    const origin = `http://127.0.0.1:${web.port}`;
    const post = (headers: Record<string, string>, body = '') => ask(web, 'POST', '/pause', { ...form, ...headers }, body);

    assert.equal((await post({ origin, cookie }, `csrf=${csrf}`)).status, 303);
    assert.equal((await post({ origin, cookie, 'x-csrf-token': csrf })).status, 303);
    assert.equal(web.asked.length, 2);

    assert.equal((await post({ cookie }, `csrf=${csrf}`)).status, 403, 'no origin at all');
    assert.equal((await post({ origin: 'null', cookie }, `csrf=${csrf}`)).status, 403);
    assert.equal(
      (await post({ origin: `http://127.0.0.1:${web.port + 1}`, cookie }, `csrf=${csrf}`)).status,
      403,
      'another port of this machine',
    );
    assert.equal((await post({ 'sec-fetch-site': 'same-site', origin, cookie }, `csrf=${csrf}`)).status, 403);
    assert.equal((await post({ origin, cookie })).status, 403, 'no token');
    assert.equal((await post({ origin, cookie: '' }, `csrf=${csrf}`)).status, 403, 'the token of somebody else');
    assert.equal((await post({ origin, cookie: `codecshift_form=${'A'.repeat(22)}` }, `csrf=${csrf}`)).status, 403);
    assert.equal(web.asked.length, 2, 'nothing was done');
  });

  test('a program that shows no token is told that it needs one, and a page of somebody else that it is one', async (t) => {
    const web = await serve(t);
    const bare = await ask(web, 'POST', '/api/v1/pause');
    assert.equal(bare.status, 403);
    assert.match(bare.body, /this one showed none/);
    const foreign = await ask(web, 'POST', '/api/v1/pause', { origin: 'https://evil.example' });
    assert.equal(foreign.status, 403);
    assert.match(foreign.body, /Another page tried/);
    assert.equal(web.asked.length, 0, 'nothing was done');
  });

  test('every method but GET and HEAD passes the gate', async (t) => {
    const web = await serve(t);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
      assert.equal((await ask(web, method, '/pause')).status, 403, method);
  });

  test('the command line needs its secret and no browser', async (t) => {
    const web = await serve(t);
    assert.equal((await ask(web, 'POST', '/pause', { ...form, authorization: 'Bearer a-secret-of-this-test' })).status, 303);
    assert.deepEqual(web.asked[0]?.by, { name: 'the command line', via: 'cli' });
    assert.equal((await ask(web, 'POST', '/pause', { ...form, authorization: 'Bearer wrong' })).status, 403);
  });

  test('a form stays valid when the program was restarted meanwhile', async (t) => {
    const web = await serve(t);
    const { cookie, csrf } = await visit(web);
    await web.stop();
    await web.start();
    assert.equal(
      (await ask(web, 'POST', '/pause', { ...form, origin: `http://127.0.0.1:${web.port}`, cookie }, `csrf=${csrf}`)).status,
      303,
    );
  });
});

describe('answers', () => {
  test('every answer carries the headers, errors too', async (t) => {
    const web = await serve(t);
    for (const [path, status] of [
      ['/', 200],
      ['/no-such-page', 404],
      ['/static/app.js', 404],
      ['/healthz', 200],
    ] as const) {
      const { headers, status: got } = await ask(web, 'GET', path);
      assert.equal(got, status, path);
      const csp = String(headers['content-security-policy']);
      assert.match(csp, /^default-src 'none'; script-src 'self'; style-src 'self';/);
      assert.ok(!csp.includes('unsafe'), csp);
      assert.match(csp, /frame-ancestors 'none'/);
      assert.match(csp, /require-trusted-types-for 'script'/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['referrer-policy'], 'same-origin');
      assert.ok(headers['x-request-id'], path);
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
  });

  test('a path out of the assets leads nowhere', async (t) => {
    const web = await serve(t);
    for (const path of ['/static/../package.json', '/static/..%2f..%2fetc/passwd', '/static/%2e%2e/package.json', '/static/css/base.css']) {
      assert.equal((await ask(web, 'GET', path)).status, 404, path);
    }
  });

  test('a body of more than a megabyte is refused', async (t) => {
    const web = await serve(t);
    const { cookie } = await visit(web);
    const answer = await ask(
      web,
      'POST',
      '/pause',
      { ...form, origin: `http://127.0.0.1:${web.port}`, cookie },
      `csrf=${'x'.repeat(1_100_000)}`,
    );
    assert.equal(answer.status, 413);
    assert.equal(web.asked.length, 0);
  });

  test('an error of ours shows a number and no detail; the log has both', async (t) => {
    const broken: Queryable = {
      query: async () => {
        throw new Error('secret detail');
      },
    };
    const web = await startWeb({ after: (fn) => t.after(fn) }, { db: broken });
    const page = await ask(web, 'GET', '/');
    assert.equal(page.status, 500);
    assert.ok(!page.body.includes('secret detail'));
    const id = String(page.headers['x-request-id']);
    assert.ok(page.body.includes(id));
    assert.ok(web.complaints.some((line) => line.includes(id) && line.includes('secret detail')));
  });

  test('a database that does not answer is a 503 that says so', async (t) => {
    const away: Queryable = {
      query: async () => {
        throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
      },
    };
    const web = await startWeb({ after: (fn) => t.after(fn) }, { db: away });
    const page = await ask(web, 'GET', '/');
    assert.equal(page.status, 503);
    assert.match(page.body, /The database does not answer/);
  });

  test('errors of the API are JSON, of a button a toast', async (t) => {
    const web = await serve(t);
    const api = await ask(web, 'GET', '/api/v1/no-such-thing');
    assert.equal(api.status, 404);
    assert.equal((JSON.parse(api.body) as { error: { status: number } }).error.status, 404);
    const toast = await ask(web, 'GET', '/no-such-page', { 'hx-request': 'true' });
    assert.match(toast.body, /^<hx-partial hx-target="#toasts"/);
  });
});

test('a form sends a person back only to a path of this site', () => {
  assert.equal(safeBack('/queue?state=failed', '/'), '/queue?state=failed');
  for (const evil of [
    '//evil.example',
    'https://evil.example',
    'javascript:alert(1)',
    '/\\evil.example',
    '/a\r\nSet-Cookie: x',
    '',
    null,
    7,
  ])
    assert.equal(safeBack(evil, '/'), '/', String(evil));
});
