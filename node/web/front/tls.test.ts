import assert from 'node:assert/strict';
import { utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { request as plainRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { createLog } from '../../log.ts';
import { member, serveTunnel, startFront } from '../../testing/front.ts';
import { emptyBooks, webParts } from '../../testing/web.ts';
import { createApp } from '../server.ts';
import type { LocalApp } from './parts.ts';
import { makeCertificate, ownCertificate } from './own-certificate.ts';
import { openListener } from './tls.ts';

const atlas = { node: 'node-atlas', name: 'atlas' };

async function directory(t: TestContext): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'cs-tls-'));
  // a listener that is closed only after this hook may make a new certificate there meanwhile
  t.after(() => rm(made, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  return made;
}

/** An application that says what it heard, and streams events that a test sends. */
function listener(): { app: LocalApp; say: (text: string) => void } {
  const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  return {
    say: (text) => streams.forEach((stream) => stream.enqueue(Buffer.from(`data: ${text}\n\n`))),
    async app(asked, { visitor }) {
      if (new URL(asked.url).pathname === '/events')
        return new Response(new ReadableStream({ start: (stream) => void streams.push(stream) }), {
          headers: { 'content-type': 'text/event-stream' },
        });
      const heard = {
        method: asked.method,
        host: asked.headers.get('host') ?? new URL(asked.url).host,
        body: await asked.text(),
        secure: visitor.secure,
        tunnelled: visitor.tunnelled,
      };
      return Response.json(heard, { headers: { 'set-cookie': 'a=b' } });
    },
  };
}

async function over2(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number; text: string }> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const status = await new Promise<number>((resolve, reject) =>
    stream.once('response', (h) => resolve(Number(h[':status']))).once('error', reject),
  );
  let text = '';
  for await (const chunk of stream as AsyncIterable<Buffer>) text += String(chunk);
  return { status, text };
}

for (const way of ['on the coordinator', 'through the tunnel of another node'] as const) {
  test(`over TLS a browser gets pages, forms and live streams by HTTP/2, and by HTTP/1.1 if it wishes, ${way}`, async (t) => {
    const { app, say } = listener();
    const knows = way === 'on the coordinator' ? { local: app } : { tunnel: (await serveTunnel(t, () => app)).tunnel };
    const front = await startFront(
      t,
      'tower',
      { standing: member(atlas), ...knows },
      { tls: { kind: 'own', dataDir: await directory(t) } },
    );
    const ca = front.certificate()!;
    assert.match(front.url, /^https:\/\/localhost:/);
    const session = connect(front.url, { ca });
    t.after(() => session.destroy());
    const tunnelled = way !== 'on the coordinator';
    const host = `localhost:${front.port}`;
    const got = await over2(session, { ':path': '/queue' });
    assert.deepEqual(JSON.parse(got.text), { method: 'GET', host, body: '', secure: true, tunnelled });
    const posted = await over2(session, { ':path': '/x', ':method': 'POST' }, 'a=b');
    assert.deepEqual(JSON.parse(posted.text), { method: 'POST', host, body: 'a=b', secure: true, tunnelled });
    const deleted = await over2(session, { ':path': '/x', ':method': 'DELETE' }, 'body without a length');
    assert.equal((JSON.parse(deleted.text) as { body: string }).body, 'body without a length');
    assert.equal((await over2(session, { ':path': '/', ':authority': 'evil.test' })).status, 421);
    assert.equal((await over2(session, { ':path': '/node' })).status, 200);

    const stream = session.request({ ':path': '/events' });
    await new Promise((resolve) => stream.once('response', resolve));
    say('one');
    const first = await new Promise<string>((resolve) => stream.once('data', (chunk: Buffer) => resolve(String(chunk))));
    assert.equal(first, 'data: one\n\n');
    const ended = new Promise((resolve) => stream.once('close', resolve));
    assert.deepEqual(JSON.parse(await over1(front.url, ca)), { method: 'GET', host, body: '', secure: true, tunnelled });
    await front.stop();
    await ended;
  });
}

test('a certificate made here is a server of these names and nothing else, and is kept until it is about to end', async (t) => {
  const dataDir = await directory(t);
  const names = ['nas', 'localhost', '192.168.1.10', 'fd00::1:2', '::ffff:10.0.0.1'];
  const now = new Date('2048-06-01T00:00:00Z');
  const made = await ownCertificate(dataDir, names, now);
  const read = new X509Certificate(made.cert);
  assert.equal(
    read.subjectAltName,
    'DNS:nas, DNS:localhost, IP Address:192.168.1.10, IP Address:FD00:0:0:0:0:0:1:2, IP Address:0:0:0:0:0:FFFF:A00:1',
  );
  assert.deepEqual([read.ca, read.verify(read.publicKey), read.keyUsage], [false, true, ['1.3.6.1.5.5.7.3.1']]);
  assert.equal(new Date(read.validTo).toISOString(), '2050-08-10T00:00:00.000Z', 'past the year in which the short form of a date ends');
  assert.equal((await stat(path.join(dataDir, 'dashboard.key'))).mode & 0o777, 0o600);
  assert.equal((await ownCertificate(dataDir, names, new Date('2050-07-01T00:00:00Z'))).cert, made.cert);
  assert.notEqual((await ownCertificate(dataDir, names, new Date('2050-07-20T00:00:00Z'))).cert, made.cert);
  await writeFile(path.join(dataDir, 'dashboard.key'), makeCertificate(names, now).key);
  assert.notEqual((await ownCertificate(dataDir, names, now)).cert, made.cert, 'a key of something else');
});

test('a certificate that lacks a name of this machine is made anew, with the same key and the names of before', async (t) => {
  const dataDir = await directory(t);
  const now = new Date('2030-01-01T00:00:00Z');
  const home = await ownCertificate(dataDir, ['nas', '192.168.1.10', 'fd00::1'], now);
  assert.equal(
    (await ownCertificate(dataDir, ['nas', '192.168.1.10', 'fd00::2'], now)).cert,
    home.cert,
    'such an address changes every day',
  );
  const away = await ownCertificate(dataDir, ['nas', '10.0.0.5', 'fd00::2'], now);
  assert.notEqual(away.cert, home.cert);
  assert.equal(away.key, home.key);
  assert.equal(
    new X509Certificate(away.cert).subjectAltName,
    'DNS:nas, IP Address:10.0.0.5, IP Address:FD00:0:0:0:0:0:0:2, IP Address:192.168.1.10',
  );
  assert.equal((await ownCertificate(dataDir, ['nas', '192.168.1.10'], now)).cert, away.cert, 'back home nobody is asked again');
  const many = Array.from({ length: 70 }, (_, n) => `10.1.0.${n}`);
  const full = await ownCertificate(dataDir, many, now);
  assert.equal((await ownCertificate(dataDir, many, now)).cert, full.cert, 'more names than one certificate has are no reason');
  await writeFile(path.join(dataDir, 'dashboard.key'), 'no key at all');
  assert.notEqual((await ownCertificate(dataDir, ['nas'], now)).key, home.key);
});

test('a new address is in the certificate without a restart, and connections stay', async (t) => {
  const names = { all: ['localhost'], called: ['localhost'] };
  const renewed = Promise.withResolvers<void>();
  const open = await openListener({ kind: 'own', dataDir: await directory(t) }, (_incoming, outgoing) => outgoing.end('here'), {
    log: createLog({ level: 'fatal', pretty: true }),
    lookMs: 20,
    names: () => names,
    onRenewed: renewed.resolve,
  });
  t.after(() => open.close());
  await new Promise<void>((resolve) => open.server.listen(0, '127.0.0.1', resolve));
  const { port } = open.server.address() as { port: number };
  const first = open.certificate()!;
  const session = connect(`https://localhost:${port}`, { ca: first });
  t.after(() => session.destroy());
  assert.equal((await over2(session, { ':path': '/' })).text, 'here');
  Object.assign(names, { all: ['localhost', '127.0.0.1'], called: ['localhost', '127.0.0.1'] });
  await renewed.promise;
  const second = open.certificate()!;
  assert.equal((await over2(session, { ':path': '/' })).text, 'here', 'the connection of before goes on');
  assert.ok(new X509Certificate(second).checkIP('127.0.0.1') && !new X509Certificate(first).checkIP('127.0.0.1'));
  const again = connect(`https://127.0.0.1:${port}`, { ca: second });
  t.after(() => again.destroy());
  assert.equal((await over2(again, { ':path': '/' })).text, 'here');
});

test('files that are renewed are shown without a restart, and a pair that does not fit changes nothing', async (t) => {
  const dir = await directory(t);
  const files = { cert: path.join(dir, 'tls.crt'), key: path.join(dir, 'tls.key') };
  const put = async (pair: { cert: string; key: string }): Promise<void> => {
    await writeFile(files.cert, pair.cert);
    await writeFile(files.key, pair.key);
  };
  const [one, two] = [makeCertificate(['localhost'], new Date()), makeCertificate(['localhost'], new Date())];
  const lines: string[] = [];
  const heard = Promise.withResolvers<void>();
  const refused = Promise.withResolvers<void>();
  const log = createLog({
    level: 'info',
    pretty: false,
    write: (line) => void (lines.push(line), line.includes('cannot be used') && refused.resolve()),
  });
  await put(one);
  await assert.rejects(
    openListener({ kind: 'files', cert: files.cert, key: files.cert }, () => {}, { log }),
    /cannot be used/,
  );
  const open = await openListener({ kind: 'files', ...files }, (_request, answer) => void answer.end('x'), {
    log,
    lookMs: 20,
    onRenewed: () => heard.resolve(),
  });
  t.after(() => open.close());
  await new Promise<void>((resolve) => open.server.listen(0, '127.0.0.1', resolve));
  const { port } = open.server.address() as { port: number };
  assert.equal(await shown(port), new X509Certificate(one.cert).fingerprint256);
  await writeFile(files.cert, two.cert);
  await refused.promise;
  assert.equal(await shown(port), new X509Certificate(one.cert).fingerprint256);
  await writeFile(files.key, two.key);
  await heard.promise;
  assert.equal(await shown(port), new X509Certificate(two.cert).fingerprint256);
  assert.equal(open.certificate(), two.cert);
});

test('a renewal is seen that neither the size nor the time of the files tells, as one right after the start', async (t) => {
  const dir = await directory(t);
  const files = { cert: path.join(dir, 'tls.crt'), key: path.join(dir, 'tls.key') };
  const one = makeCertificate(['localhost'], new Date());
  let two = makeCertificate(['localhost'], new Date());
  // the signature in it has now 70, now 72 bytes
  while (two.cert.length !== one.cert.length) two = makeCertificate(['localhost'], new Date());
  const put = (pair: { cert: string; key: string }): void => {
    for (const kind of ['cert', 'key'] as const) {
      writeFileSync(files[kind], pair[kind]);
      utimesSync(files[kind], 1_000_000_000, 1_000_000_000);
    }
  };
  put(one);
  const renewed = Promise.withResolvers<void>();
  const open = await openListener({ kind: 'files', ...files }, () => {}, {
    log: createLog({ level: 'fatal', pretty: true }),
    lookMs: 20,
    onRenewed: renewed.resolve,
  });
  t.after(() => open.close());
  put(two);
  await renewed.promise;
  assert.equal(open.certificate(), two.cert);
});

function over1(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca, agent: false }, (answer) => {
      assert.equal(answer.httpVersion, '1.1');
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += String(chunk))).once('end', () => resolve(text));
    });
    asked.once('error', reject).end();
  });
}

function shown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'localhost' }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.end();
    });
    socket.once('error', reject);
  });
}

test('over HTTP/2, where the host is in a field of its own, a browser that says no more than the origin may send a form', async (t) => {
  const { parts, asked } = webParts({ db: emptyBooks });
  const app = await createApp(parts);
  t.after(() => app.stop());
  const front = await startFront(
    t,
    'atlas',
    { standing: member(atlas), local: app.fetch },
    { tls: { kind: 'own', dataDir: await directory(t) } },
  );
  const session = connect(front.url, { ca: front.certificate()! });
  t.after(() => session.destroy());
  const page = session.request({ ':path': '/' });
  const headers = await new Promise<IncomingHttpHeaders>((resolve) => page.once('response', resolve));
  const cookie = String(headers['set-cookie']).split(';')[0]!;
  let html = '';
  for await (const chunk of page as AsyncIterable<Buffer>) html += String(chunk);
  const body = `csrf=${/name="csrf" value="([^"]+)"/.exec(html)![1]!}`;
  const form = { ':method': 'POST', ':path': '/pause', 'content-type': 'application/x-www-form-urlencoded', cookie };
  assert.equal((await over2(session, { ...form, origin: 'https://evil.test' }, body)).status, 403);
  assert.equal((await over2(session, { ...form, origin: front.url }, body)).status, 303);
  assert.deepEqual(
    asked.map(({ name }) => name),
    ['pauseAll'],
  );
});

test('a request that trickles in ends after its time, and a backup that is sent over a slow line does not', async (t) => {
  const log = createLog({ level: 'silent', pretty: false });
  const counts = (incoming: IncomingMessage, answer: ServerResponse): void => {
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => (bytes += chunk.length)).once('end', () => answer.end(String(bytes)));
    incoming.on('error', () => {});
  };
  const open = await openListener({ kind: 'off' }, counts, { log, requestMs: 200 });
  t.after(() => open.close());
  await new Promise<void>((resolve) => open.server.listen(0, '127.0.0.1', resolve));
  const { port } = open.server.address() as { port: number };
  const backup = trickle(port, '/settings/backup/upload?csrf=x');
  // whoever still writes may see the broken line before the words
  assert.ok([408, 0].includes((await trickle(port, '/queue').answer).status));
  const sent = backup.finish();
  assert.deepEqual(await backup.answer, { status: 200, text: String(sent) });
});

/** Sends a byte now and then until it is told to finish. */
function trickle(port: number, to: string): { answer: Promise<{ status: number; text: string }>; finish: () => number } {
  const asked = plainRequest({ port, host: '127.0.0.1', path: to, method: 'POST' });
  let bytes = 0;
  const timer = setInterval(() => void (asked.write('x'), bytes++), 10);
  const answer = new Promise<{ status: number; text: string }>((resolve) => {
    asked.on('error', ({ message }) => (clearInterval(timer), resolve({ status: 0, text: message })));
    asked.once('response', (told) => {
      clearInterval(timer);
      let text = '';
      told.on('data', (chunk: Buffer) => (text += String(chunk))).once('close', () => resolve({ status: told.statusCode ?? 0, text }));
    });
  });
  return { answer, finish: () => (clearInterval(timer), asked.end(), bytes) };
}
