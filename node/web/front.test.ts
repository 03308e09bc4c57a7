import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { createLog } from '../log.ts';
import { requestOver } from '../mesh/bulk-client.ts';
import { createBulkServer } from '../mesh/bulk-server.ts';
import { member, serveTunnel, startFront, tunnelTo, type TestFront } from '../testing/front.ts';
import { ask, type Answer } from '../testing/plain-request.ts';
import { emptyBooks, readyBooks, webParts, type TestWebParts } from '../testing/web.ts';
import { tunnelEntrance } from './front/proxy.ts';
import { createApp, type App } from './server.ts';

// Two nodes in one process: atlas has the application, tower shows it through a tunnel. All sockets are real.

const atlas = { node: 'node-atlas', name: 'atlas' };
const form = { 'content-type': 'application/x-www-form-urlencoded' };

interface Pair extends TestWebParts {
  app: App;
  atlas: TestFront;
  tower: TestFront;
  tunnelPort: number;
}

async function twoNodes(t: TestContext): Promise<Pair> {
  const made = webParts({ db: readyBooks });
  const app = await createApp(made.parts);
  t.after(() => app.stop());
  const { tunnel, port } = await serveTunnel(t, () => app.fetch);
  const at = await startFront(t, 'atlas', { standing: member(atlas, 'postgres'), local: app.fetch });
  const tower = await startFront(t, 'tower', { standing: member(atlas), tunnel });
  return { ...made, app, atlas: at, tower, tunnelPort: port };
}

async function visit(front: TestFront, path = '/'): Promise<{ origin: string; cookie: string; csrf: string; page: Answer }> {
  const page = await ask(front, 'GET', path);
  const cookie = String(page.headers['set-cookie']).split(';')[0]!;
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '';
  return { origin: `http://127.0.0.1:${front.port}`, cookie, csrf, page };
}

describe('through the tunnel', () => {
  test('another node shows the same page, and its forms work there', async (t) => {
    const { atlas: at, tower, asked } = await twoNodes(t);
    const here = await ask(at, 'GET', '/');
    const { page, origin, cookie, csrf } = await visit(tower);
    assert.equal(page.status, 200);
    assert.match(page.body, /Where are your films\?/);
    const plain = (html: string): string => html.replaceAll(/value="[\w-]{43}"/g, '');
    assert.equal(plain(page.body), plain(here.body));
    assert.match(String(page.headers['content-security-policy']), /^default-src 'none'/);

    const done = await ask(tower, 'POST', '/pause', { ...form, origin, cookie }, `csrf=${csrf}&back=/queue`);
    assert.equal(done.status, 303);
    assert.equal(done.headers['location'], '/queue');
    assert.deepEqual(asked, [{ name: 'pauseAll', args: [], by: { name: 'the dashboard', via: 'page' } }]);
    const flash = String(done.headers['set-cookie']).split(';')[0]!;
    assert.match((await ask(tower, 'GET', '/queue', { cookie: `${cookie}; ${flash}` })).body, /Paused\. Running jobs finish/);
  });

  test('the frame leads to this machine’s own page, and names another cluster that is around', async (t) => {
    const { parts } = webParts({ db: emptyBooks });
    const app = await createApp({ ...parts, around: () => ['Attic'] });
    t.after(() => app.stop());
    const front = await startFront(t, 'atlas', { standing: member(atlas), local: app.fetch });
    assert.match((await ask(front, 'GET', '/')).body, /href="\/node">This machine<span>Another cluster is around: <bdi>Attic</);
  });

  test('Origin and token are checked there as everywhere', async (t) => {
    const { tower, asked } = await twoNodes(t);
    const { origin, cookie, csrf } = await visit(tower);
    const post = async (headers: Record<string, string>, token = csrf): Promise<number> =>
      (await ask(tower, 'POST', '/pause', { ...form, cookie, ...headers }, `csrf=${token}`)).status;
    assert.equal(await post({ origin: 'https://evil.example' }), 403);
    assert.equal(await post({ origin, 'sec-fetch-site': 'cross-site' }), 403);
    assert.equal(await post({}), 403);
    assert.equal(await post({ origin }, 'x'), 403);
    assert.equal((await ask(tower, 'GET', '/', { host: 'evil.example' })).status, 421);
    assert.deepEqual(asked, []);
  });

  test('nobody outside can say that he is the command line', async (t) => {
    const { atlas: at, tower, asked } = await twoNodes(t);
    for (const front of [at, tower]) {
      const { origin, cookie } = await visit(front);
      const claims = { 'x-codecshift-asks': 'cli', 'X-CodecShift-Visitor': '127.0.0.1', ...form };
      assert.equal((await ask(front, 'POST', '/pause', claims)).status, 403);
      assert.equal((await ask(front, 'POST', '/pause', { ...claims, origin, cookie })).status, 403);
      assert.equal((await ask(front, 'POST', '/pause', { ...claims, connection: 'x-codecshift-asks, close' })).status, 403);
    }
    assert.deepEqual(asked, []);
  });

  test('the secret of a node opens this node, and no other', async (t) => {
    const { atlas: at, tower, tunnelPort, asked, parts } = await twoNodes(t);
    const bearer = (secret: string): Record<string, string> => ({ ...form, authorization: `Bearer ${secret}` });
    assert.equal((await ask(tower, 'POST', '/pause', bearer(tower.secret))).status, 303);
    assert.deepEqual(asked[0]?.by, { name: 'the command line', via: 'cli' });
    assert.equal((await ask(tower, 'POST', '/pause', bearer(at.secret))).status, 403);
    assert.equal((await ask(at, 'POST', '/pause', bearer(tower.secret))).status, 403);
    assert.equal((await ask(tower, 'POST', '/pause', bearer(parts.secret))).status, 403, 'the secret of the forms is none');
    assert.equal((await ask({ port: tunnelPort }, 'POST', '/pause', bearer(at.secret))).status, 403, 'the tunnel knows no secrets');
    assert.equal(asked.length, 1);
  });

  test('a form stays valid when another node coordinates, and at whichever node it is sent', async (t) => {
    const { atlas: at, tower } = await twoNodes(t);
    const { cookie, csrf } = await visit(tower);
    const next = webParts({ db: emptyBooks });
    const app = await createApp(next.parts);
    t.after(() => app.stop());
    at.knows.local = app.fetch;
    const origin = `http://127.0.0.1:${at.port}`;
    assert.equal((await ask(at, 'POST', '/resume', { ...form, origin, cookie }, `csrf=${csrf}`)).status, 303);
    assert.equal(next.asked[0]?.name, 'resumeAll');
  });

  test('what is too large is refused, what is large arrives', async (t) => {
    const { tower } = await twoNodes(t);
    const { origin, cookie, csrf } = await visit(tower);
    const post = async (bytes: number): Promise<number> =>
      (await ask(tower, 'POST', '/pause', { ...form, origin, cookie }, `csrf=${csrf}&more=${'x'.repeat(bytes)}`)).status;
    assert.equal(await post(900_000), 303);
    assert.equal(await post(1_100_000), 413);
  });

  test('a second request hidden in the body of a first stays a body', async (t) => {
    const urls: string[] = [];
    const upstream = createServer((req, res) => {
      urls.push(`${req.method} ${req.url}`);
      req.resume().on('end', () => res.end('ok'));
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => upstream.once('listening', resolve));
    t.after(() => void upstream.close());
    const tower = await startFront(t, 'tower', {
      standing: member(atlas),
      tunnel: tunnelTo((upstream.address() as AddressInfo).port),
    });
    const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\nx-codecshift-asks: cli\r\n\r\n';
    const head = (more: string): string => `DELETE /x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close, ${more}\r\n`;
    const said = await raw(
      tower.port,
      `${head('te')}Transfer-Encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
    );
    assert.match(said, /^HTTP\/1\.1 200/);
    assert.match(await raw(tower.port, `${head('content-length')}Content-Length: ${hidden.length}\r\n\r\n${hidden}`), /^HTTP\/1\.1 200/);
    assert.deepEqual(urls, ['DELETE /x', 'DELETE /x']);
    assert.match(
      await raw(tower.port, 'GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n'),
      /^HTTP\/1\.1 404/,
    );
  });

  test('half an answer is not taken for a whole one', async (t) => {
    const upstream = createServer((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/html' }).write('<p>half');
      setImmediate(() => res.destroy());
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => upstream.once('listening', resolve));
    t.after(() => void upstream.close());
    const tunnel = tunnelTo((upstream.address() as AddressInfo).port);
    const tower = await startFront(t, 'tower', { standing: member(atlas), tunnel });
    await assert.rejects(ask(tower, 'GET', '/'), { code: 'ECONNRESET' });
  });

  test('many live pages leave room for the others, and programs leave room for pages', async (t) => {
    const { tower, app } = await twoNodes(t);
    const programs = await Promise.all(Array.from({ length: 4 }, () => readStream(`${tower.url}/api/v1/events`)));
    const refused = await fetch(`${tower.url}/api/v1/events`);
    assert.equal(refused.status, 429);
    assert.equal(((await refused.json()) as { error: { code: string } }).error.code, 'too-many');
    const streams = await Promise.all(Array.from({ length: 20 }, () => readStream(`${tower.url}/events?view=shell`)));
    const more = await fetch(`${tower.url}/events?view=shell`);
    assert.equal(more.status, 429);
    assert.equal((await ask(tower, 'GET', '/')).status, 200);
    assert.deepEqual([app.web.live.clients, app.web.feed.readers], [20, 4]);
    await tower.stop();
    await Promise.all([...streams, ...programs].map((s) => s.until('[end]')));
  });

  test('over the real data plane: page, form, stream, and an end when its key is taken back', async (t) => {
    const { app, asked } = await twoNodes(t);
    const log = createLog({ level: 'silent', pretty: false });
    const plane = createBulkServer({ port: 0, mbps: () => 0, log });
    const port = await plane.start();
    t.after(() => plane.stop());
    const { identity, key } = plane.offerHttp({ handler: tunnelEntrance(() => app.fetch), reader: 'node-tower', seconds: 60 });
    const address = { host: '127.0.0.1', port, identity, key };
    const tower = await startFront(t, 'tower', { standing: member(atlas), tunnel: (options) => requestOver(address, options) });
    const { origin, cookie, csrf } = await visit(tower);
    assert.equal((await ask(tower, 'POST', '/pause', { ...form, origin, cookie }, `csrf=${csrf}&x=${'x'.repeat(700_000)}`)).status, 303);
    assert.deepEqual(asked[0]?.by, { name: 'the dashboard', via: 'page' });
    const live = await readStream(`${tower.url}/events?view=shell`);
    await live.until('Running jobs finish, no new one begins');
    plane.revoke(identity);
    await live.until('[end]');
    assert.match((await ask(tower, 'GET', '/')).body, /atlas does not answer/);
  });

  test('a page is live, and leaves nothing behind when it is closed', async (t) => {
    const { tower, events, settings, app } = await twoNodes(t);
    const gone = new AbortController();
    const stream = await readStream(`${tower.url}/events?view=shell`, gone.signal);
    await stream.until('hx-target="#banner"');
    settings['queue.paused'] = true;
    events.emit('settings.changed', { keys: ['queue.paused'] });
    await stream.until('Running jobs finish, no new one begins');
    assert.equal(app.web.live.clients, 1);
    gone.abort();
    await until(() => app.web.live.clients === 0);
  });
});

describe('when nobody coordinates', () => {
  test('every address says so, in the form that was asked for, and goes on by itself', async (t) => {
    const { tower, app, asked } = await twoNodes(t);
    const { origin, cookie, csrf } = await visit(tower);
    const { tunnel } = tower.knows;
    Object.assign(tower.knows, { standing: member(null), tunnel: null });
    tower.changed();

    const page = await ask(tower, 'GET', '/queue?state=failed');
    assert.equal(page.status, 503);
    assert.match(page.body, /Nobody coordinates Home right now/);
    assert.match(page.body, /Coordinated last<\/dt><dd title="">atlas</);
    assert.match(page.body, /Films that are being encoded go on/);
    assert.match(page.body, /<noscript><meta http-equiv="refresh"/);
    assert.doesNotMatch(page.body, /\sstyle=|<script(?![^>]+src=)|\son\w+=/);
    const api = await ask(tower, 'GET', '/api/v1/status');
    assert.equal(api.status, 503);
    assert.equal((JSON.parse(api.body) as { error: { code: string } }).error.code, 'no-coordinator');
    const button = await ask(tower, 'POST', '/pause', { ...form, 'hx-request': 'true', origin, cookie }, `csrf=${csrf}`);
    assert.equal(button.status, 503);
    assert.match(decodeURIComponent(String(button.headers['x-says'])), /Nothing was changed/);
    const post = await ask(tower, 'POST', '/pause', { ...form, origin, cookie, referer: `${origin}/queue?q=a` }, `csrf=${csrf}`);
    assert.match(post.body, /Nothing was changed[\s\S]+href="\/queue\?q=a"/);
    assert.doesNotMatch(post.body, /http-equiv="refresh"|id="live"/, 'loading it again would send the form again');
    assert.deepEqual(asked, []);
    for (const [path, status] of Object.entries({ '/healthz': 200, '/readyz': 503, '/node': 200, '/static/app.000000000000.js': 404 }))
      assert.equal((await ask(tower, 'GET', path)).status, status, path);
    assert.equal((await ask(tower, 'GET', /\/static\/app\.\w+\.js/.exec(page.body)![0])).status, 200, 'its own look is always there');

    const waits = await readStream(`${tower.url}/node/events?view=waiting`);
    await waits.until('Nobody coordinates');
    Object.assign(tower.knows, { standing: member(atlas), tunnel });
    tower.changed();
    await waits.until(/event: build\ndata: ready\n\n\[end\]$/);
    assert.equal((await ask(tower, 'GET', '/queue?state=failed')).status, 200);
    assert.equal((await ask(tower, 'GET', '/readyz')).status, 200);
    assert.equal(app.web.live.clients, 0);
  });

  test('an open page hears of it in its own stream, and is live again with the next coordinator', async (t) => {
    const { tower } = await twoNodes(t);
    const { tunnel } = tower.knows;
    const before = await readStream(`${tower.url}/events?view=shell`);
    await before.until('hx-target="#banner"');
    Object.assign(tower.knows, { standing: member(null), tunnel: null });
    tower.changed();
    await before.until('[end]');
    const away = await readStream(`${tower.url}/events?view=shell`);
    await away.until(/event: away\n[\s\S]+hx-target="#banner"[\s\S]+Nobody coordinates Home right now/);
    Object.assign(tower.knows, { standing: member({ node: 'node-nas', name: 'nas' }), tunnel });
    await away.until('[end]');
    await (await readStream(`${tower.url}/events?view=shell`)).until('event: build');
  });

  test('a coordinator that does not answer is named; it is asked until it does', async (t) => {
    const { tower, tunnelPort } = await twoNodes(t);
    let to = 1; // nothing listens there
    tower.knows.tunnel = (options) => tunnelTo(to)(options);
    const page = await ask(tower, 'GET', '/');
    assert.equal(page.status, 503);
    assert.match(page.body, /atlas does not answer/);
    const post = await ask(tower, 'POST', '/pause', form, 'csrf=x');
    assert.match(post.body, /Nothing was changed/);
    const waits = await readStream(`${tower.url}/node/events?view=waiting`);
    to = tunnelPort;
    await waits.until('data: ready');
    assert.equal((await ask(tower, 'GET', '/')).status, 200);
  });

  test('a frozen coordinator holds nobody up once another one is known; what it may have done is not called undone', async (t) => {
    const { tower } = await twoNodes(t);
    const { tunnel } = tower.knows;
    let heard = (_what: string): void => {};
    const both = new Promise<void>((resolve) => {
      const came = new Set<string>();
      heard = (what) => void (came.add(what), came.has('GET /') && came.has('POST /pause') && resolve());
    });
    const frozen = createServer((req) => void req.resume().on('end', () => heard(`${req.method} ${req.url}`))).listen(0, '127.0.0.1');
    await new Promise((resolve) => frozen.once('listening', resolve));
    t.after(() => {
      frozen.close();
      frozen.closeAllConnections();
    });
    tower.knows.tunnel = tunnelTo((frozen.address() as AddressInfo).port);
    const page = ask(tower, 'GET', '/');
    const post = ask(tower, 'POST', '/pause', form, 'csrf=x');
    await both;
    Object.assign(tower.knows, { standing: member({ node: 'node-nas', name: 'nas' }), tunnel });
    tower.changed();
    assert.equal((await page).status, 200, 'what can be repeated is answered by the next one');
    assert.match((await post).body, /It is not known whether this was still done/);
  });

  test('a node that was coordinator a moment ago sends nobody to its old books', async (t) => {
    const { tunnel } = await serveTunnel(t, () => null);
    const tower = await startFront(t, 'tower', { standing: member(atlas), tunnel });
    const page = await ask(tower, 'GET', '/');
    assert.equal(page.status, 503);
    assert.match(page.body, /atlas does not answer/);
    tower.knows.tunnel = (options) => tunnel(options);
    tower.knows.standing = member({ node: 'node-nas', name: 'nas' });
    assert.match((await ask(tower, 'POST', '/pause', form, 'csrf=x')).body, /Nothing was changed/);
  });

  test('nothing outlives a stop: streams end and the port is free', async (t) => {
    const { tower } = await twoNodes(t);
    const live = await readStream(`${tower.url}/events?view=shell`);
    const own = await readStream(`${tower.url}/node/events?view=node`);
    await tower.stop();
    await live.until('[end]');
    await own.until('[end]');
    await assert.rejects(ask(tower, 'GET', '/healthz'), { code: 'ECONNREFUSED' });
  });
});

/** Sends bytes as they are and reads until the other side closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket
      .setEncoding('latin1')
      .on('data', (chunk) => (said += String(chunk)))
      .on('close', () => resolve(said))
      .on('error', reject);
  });
}

async function readStream(url: string, signal?: AbortSignal): Promise<{ until(wanted: string | RegExp): Promise<void> }> {
  const answer = await fetch(url, signal ? { signal } : {});
  assert.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  let seen = '';
  const decoder = new TextDecoder();
  void (async () => {
    for await (const chunk of answer.body!) seen += decoder.decode(chunk, { stream: true });
    seen += '[end]';
  })().catch((error: unknown) => (seen += String(error)));
  return {
    until: (wanted) =>
      until(
        () => (typeof wanted === 'string' ? seen.includes(wanted) : wanted.test(seen)),
        () => `the stream did not say ${wanted} but ${seen}`,
      ),
  };
}

async function until(check: () => boolean, why: () => string = () => 'it did not happen'): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!check()) {
    if (performance.now() > deadline) assert.fail(why());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
