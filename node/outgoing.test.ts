import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, before, suite, test } from 'node:test';
import { PlainError } from './errors.ts';
import { createOutgoing, type Outgoing } from './outgoing.ts';
import { createFrameReader } from './outgoing-socket.ts';
import { testAuthority, testCertificate, testCertificateKey } from './testing/certificate.ts';

const SECRET = 'token-that-nobody-may-read';
const names: Record<string, string[]> = {
  'server.test': ['127.0.0.1'],
  'cloud.test': ['169.254.169.254'],
  'mixed.test': ['fe80::1', '127.0.0.1'],
};
let asked: string[] = [];
let looked: string[] = [];
let open: Socket[] = [];
let servers: Server[] = [];
let plain: Server;
let secure: Server;
let outgoing: Outgoing;
let ownPort = 0;
let port = 0;

suite('18. requests to typed addresses', () => {
  before(async () => {
    plain = createServer(answer).on('upgrade', upgrade).listen(0, '127.0.0.1');
    secure = createSecureServer({ cert: testCertificate, key: testCertificateKey }, answer).listen(0, '127.0.0.1');
    const own: Server = createServer(answer).listen(0, '0.0.0.0');
    await Promise.all([plain, secure, own].map((server) => new Promise((resolve) => server.once('listening', resolve))));
    port = (plain.address() as AddressInfo).port;
    ownPort = (own.address() as AddressInfo).port;
    const resolve = async (host: string): Promise<string[]> => {
      looked.push(host);
      return names[host] ?? Promise.reject(Object.assign(new Error(`no ${host}`), { code: 'ENOTFOUND' }));
    };
    outgoing = createOutgoing({ ownPorts: () => [ownPort], resolve });
    servers = [plain, secure, own];
  });
  after(() => {
    for (const socket of open) socket.destroy();
    for (const server of servers) server.close().closeAllConnections();
  });

  const forbidden = [
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:169.254.169.254]/',
    'http://2852039166/',
    'http://0xa9fea9fe/',
    'http://0251.0376.0251.0376/',
    'http://[fe80::1]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[2002:a9fe:a9fe::]/',
    'http://[::169.254.169.254]/',
    'http://[fd00:ec2::254]/',
    'http://0.0.0.0/',
    'http://0/',
    'http://[::]/',
    'http://224.0.0.251/',
    'http://[ff02::fb]/',
    'http://255.255.255.255/',
    'http://cloud.test/',
    'file:///etc/passwd',
    'ftp://server.test/',
    'gopher://server.test/',
    'http://user:password@server.test/',
    'no address at all',
  ];
  for (const url of forbidden) {
    test(`${url} is never asked`, () => assert.rejects(outgoing.fetch(url, {}), code('address-forbidden')));
  }

  test('the ports of this program are closed by every name of this machine', async () => {
    names['self.test'] = ['127.0.0.1'];
    const lan = Object.values(networkInterfaces()).flatMap((cards) => (cards ?? []).filter(({ family }) => family === 'IPv4'));
    const own = ['127.0.0.1', '127.1.2.3', '[::1]', '[::ffff:127.0.0.1]', 'self.test', ...lan.map(({ address }) => address)];
    asked = [];
    for (const host of own) await assert.rejects(outgoing.fetch(`http://${host}:${ownPort}/`, {}), code('address-forbidden'), host);
    assert.deepEqual(asked, []);
    assert.equal((await outgoing.fetch(`http://127.0.0.1:${port}/hello`, {})).status, 200, 'a media server beside it may be asked');
  });

  test('a name is looked up once, and only what was allowed of it is connected to', async () => {
    looked = [];
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const changing = createOutgoing({
      ownPorts: () => [],
      resolve: async (host) => {
        looked.push(host);
        return answers.shift()!;
      },
    });
    assert.equal((await changing.fetch(`http://rebinding.test:${port}/hello`, {})).status, 200);
    assert.deepEqual(looked, ['rebinding.test']);
    await assert.rejects(changing.fetch(`http://rebinding.test:${port}/hello`, {}), code('address-forbidden'));
    assert.equal((await outgoing.fetch(`http://mixed.test:${port}/hello`, {})).status, 200, 'the link-local one of two is left out');
    names['both.test'] = ['::1', '127.0.0.1'];
    assert.equal((await outgoing.fetch(`http://both.test:${port}/hello`, {})).status, 200, 'nothing listens at the first of two');
  });

  test('a redirect is an answer, and nobody goes there', async () => {
    asked = [];
    const { status, headers } = await outgoing.fetch(`http://server.test:${port}/redirect`, { headers: { 'x-plex-token': SECRET } });
    assert.deepEqual([status, headers['location']], [302, `http://127.0.0.1:${ownPort}/`]);
    assert.deepEqual(asked, ['GET /redirect']);
  });

  test('who only wants to know the status has it, however long or slow the rest is, unless he gave up himself', async () => {
    const ask = (path: string, more: object): Promise<{ status: number; body: Uint8Array }> =>
      outgoing.fetch(`http://server.test:${port}${path}`, { cutBody: true, ...more });
    const [long, slow, half] = [
      await ask('/endless', { maxBytes: 10_000 }),
      await ask('/drip', { timeoutMs: 200 }),
      await ask('/half', {}),
    ];
    assert.deepEqual([long.status, slow.status, half.status], [200, 200, 200]);
    assert.ok(long.body.length <= 10_000);
    await assert.rejects(ask('/silent', { timeoutMs: 50 }), /no answer within/);
    await assert.rejects(ask('/drip', { signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' });
  });

  test('answers are bounded in size, headers and time, and nothing secret is in the errors', async () => {
    const ask = (path: string, more = {}): Promise<unknown> =>
      outgoing.fetch(`http://server.test:${port}${path}?X-Plex-Token=${SECRET}`, { headers: { authorization: SECRET }, ...more });
    const seen: unknown[] = [];
    const fails = async (work: Promise<unknown>, words: RegExp): Promise<void> => {
      const error = await work.then(
        () => assert.fail('it should have failed'),
        (error: unknown) => error,
      );
      assert.ok(code('source-away')(error));
      assert.match((error as Error).message, words);
      seen.push(error);
    };
    await fails(ask('/endless', { maxBytes: 10_000 }), /longer than 10 KB/);
    await fails(ask('/headers'), /too many headers/);
    await fails(ask('/silent', { timeoutMs: 50 }), /no answer within/);
    await fails(ask('/drip', { timeoutMs: 50 }), /no answer within/);
    await fails(ask('/half'), /broke off/);
    await fails(ask('/odd'), /does not speak HTTP/);
    await fails(outgoing.fetch('http://127.0.0.1:1/', { headers: { authorization: SECRET } }), /nothing listens/);
    await fails(outgoing.fetch('http://unknown.test/', { headers: { authorization: SECRET } }), /name is not known/);
    await fails(
      outgoing.fetch(`http://server.test:${port}/`, { headers: { authorization: `${SECRET}\nhost: x` } }),
      /the connection broke/,
    );
    for (const error of seen) assert.doesNotMatch(everythingOf(error), new RegExp(SECRET));
    const nearly = { ...(await outgoing.fetch(`http://server.test:${port}/hello`, { maxBytes: 5 })) };
    assert.equal(Buffer.from(nearly.body).toString(), 'hello');
  });

  test('a caller who gives up gets his own reason back', async () => {
    const stop = new AbortController();
    const asking = outgoing.fetch(`http://server.test:${port}/silent`, { signal: stop.signal });
    stop.abort(new Error('shutting down'));
    await assert.rejects(asking, /shutting down/);
    await assert.rejects(outgoing.fetch(`http://server.test:${port}/hello`, { signal: stop.signal }), /shutting down/);
  });

  test('a certificate is verified against the name, whatever address it has', async () => {
    const at = (host: string): string => `https://${host}:${(secure.address() as AddressInfo).port}/hello`;
    names['192-168-1-9.0123456789abcdef0123456789abcdef.plex.direct'] = ['127.0.0.1'];
    names['another.test'] = ['127.0.0.1'];
    const ca = testAuthority;
    assert.equal((await outgoing.fetch(at('server.test'), { ca })).status, 200);
    assert.equal((await outgoing.fetch(at('192-168-1-9.0123456789abcdef0123456789abcdef.plex.direct'), { ca })).status, 200);
    await assert.rejects(outgoing.fetch(at('another.test'), { ca }), /certificate is not good/);
    await assert.rejects(outgoing.fetch(at('server.test'), {}), /certificate is not good/);
    await assert.rejects(outgoing.fetch(`https://server.test:${port}/hello`, { ca }), /does not answer/);
  });

  test('a socket brings text in pieces, answers pings, and ends when the caller does', async () => {
    const stop = new AbortController();
    const texts: string[] = [];
    const listening = outgoing.listen(
      `ws://server.test:${port}/socket`,
      { signal: stop.signal, headers: { 'x-plex-token': SECRET } },
      (text) => {
        texts.push(text);
        if (text === 'last') stop.abort();
      },
    );
    await listening;
    assert.deepEqual(texts, ['first', 'in three pieces', 'last']);
  });

  test('a socket that breaks, lies or talks too much rejects', async () => {
    const listen = (path: string, init = {}): Promise<void> => outgoing.listen(`http://server.test:${port}${path}`, init, () => {});
    await assert.rejects(listen('/socket-ends'), code('source-away'));
    await assert.rejects(listen('/socket-odd'), code('source-away'));
    await assert.rejects(listen('/socket-wrong-key'), code('source-away'));
    await assert.rejects(listen('/hello'), code('source-away'));
    await assert.rejects(listen('/socket-quiet', { timeoutMs: 40 }), code('source-away'));
    await assert.rejects(
      outgoing.listen('ws://169.254.169.254/', {}, () => {}),
      code('address-forbidden'),
    );
  });
});

test('frames that no decent server sends are refused', () => {
  const read = (...bytes: number[]): void => createFrameReader(100, { text() {}, ping() {}, close() {} })(Buffer.from(bytes));
  assert.doesNotThrow(() => read(0x81, 2, 104, 105, 0x8a, 0));
  assert.throws(() => read(0x81, 0x80), /masked/);
  assert.throws(() => read(0xc1, 0), /extension/);
  assert.throws(() => read(0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0), /too long/);
  assert.throws(() => read(0x01, 60, ...Array<number>(60).fill(65), 0x80, 60, ...Array<number>(60).fill(65)), /too long/);
  assert.throws(() => read(0x80, 0), /out of order/);
  assert.throws(() => read(0x01, 0, 0x81, 0), /out of order/);
  assert.throws(() => read(0x09, 0), /in pieces/);
  assert.throws(() => read(0x8b, 0), /unknown/);
  assert.throws(() => read(0x81, 1, 0xff), /./);
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = new URL(request.url!, 'http://x').pathname;
  asked.push(`${request.method} ${path}`);
  open.push(request.socket);
  if (path === '/hello') response.end('hello');
  else if (path === '/redirect') response.writeHead(302, { location: `http://127.0.0.1:${ownPort}/` }).end();
  else if (path === '/endless') for (let at = 0; at < 100; at++) response.write(Buffer.alloc(1000));
  else if (path === '/headers') response.writeHead(200, { 'x-long': 'x'.repeat(40_000) }).end();
  else if (path === '/drip') response.write('x');
  else if (path === '/half') request.socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n${SECRET}`);
  else if (path === '/odd') request.socket.end(`${SECRET} is not HTTP\r\n\r\n`);
  else if (path !== '/silent') response.writeHead(404).end();
}

function upgrade(request: IncomingMessage, socket: Socket): void {
  open.push(socket);
  socket.on('error', () => {});
  const path = request.url!;
  const key = path === '/socket-wrong-key' ? 'another' : request.headers['sec-websocket-key']!;
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  if (!path.startsWith('/socket')) return void socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  if (path === '/socket-ends') socket.write(Buffer.from([0x88, 0]));
  if (path === '/socket-odd') socket.write(Buffer.from([0x81, 0x81]));
  if (path !== '/socket') return;
  assert.equal(request.headers['x-plex-token'], SECRET);
  const part = (first: number, text: string): Buffer => Buffer.concat([Buffer.from([first, text.length]), Buffer.from(text)]);
  socket.write(Buffer.concat([part(0x81, 'first'), part(0x01, 'in '), part(0x00, 'three '), part(0x89, 'hi'), part(0x80, 'pieces')]));
  socket.once('data', (pong: Buffer) => {
    assert.deepEqual([pong[0], pong[1]], [0x8a, 0x82]);
    const mask = pong.subarray(2, 6);
    assert.equal(Buffer.from([pong[6]! ^ mask[0]!, pong[7]! ^ mask[1]!]).toString(), 'hi');
    socket.write(part(0x81, 'last'));
  });
}

function code(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof PlainError && error.reason?.code === reason;
}

/** Also what hides in bytes: a parser keeps the packet it could not read. */
function everythingOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = Object.getOwnPropertyNames(error).map((name) => (error as unknown as Record<string, unknown>)[name]);
  const texts = own.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : JSON.stringify(value)));
  return [error.message, error.stack, ...texts, everythingOf(error.cause)].join('\n');
}
