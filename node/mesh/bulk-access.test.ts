import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get as getPlain, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, get as getHttps } from 'node:https';
import { connect as connectPlain, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { createLog } from '../log.ts';
import { requestOver, type BulkAddress } from './bulk-client.ts';
import { createBulkServer } from './bulk-server.ts';
import { bulkStage, MIB } from './bulk-stage.ts';
import { tlsSettings } from './bulk-tls.ts';

test('without the key of an offer nobody gets a byte: no key, a wrong one, the one of another reader, plain TLS, plain HTTP', async (t) => {
  const stage = await bulkStage(t);
  const [mine, other] = [stage.address(), stage.address()];
  const { host, port } = mine;
  await assert.rejects(read({ ...mine, key: randomBytes(32).toString('base64url') }));
  await assert.rejects(read({ ...mine, key: other.key }), 'the right name with the key of another');
  await assert.rejects(read({ ...mine, identity: 'x'.repeat(24) }));
  await assert.rejects(answer(getHttps({ host, port, rejectUnauthorized: false })));
  await assert.rejects(answer(getPlain({ host, port })));
  const raw = connectPlain(port, host);
  raw.write('GET / HTTP/1.1\r\n\r\n');
  const heard = Buffer.concat(await raw.toArray().catch(() => []));
  // at most a TLS alert
  assert.ok(heard.length < 10, heard.toString());
});

test('a session is never resumed: the key has to be shown every time', async (t) => {
  const stage = await bulkStage(t);
  const { host, port, identity, key } = stage.address();
  const pskCallback = () => ({ psk: Buffer.from(key, 'base64url'), identity });
  const first = connect({ ...tlsSettings, host, port, pskCallback, checkServerIdentity: () => undefined });
  const session = once(first, 'session');
  await once(first, 'secureConnect');
  first.write('GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n');
  const [ticket] = (await session) as [Buffer];
  first.destroy();
  const again = connect({ ...tlsSettings, host, port, session: ticket, rejectUnauthorized: false });
  again.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await assert.rejects(again.toArray());
});

test('a server that has a good certificate but not the key is not believed', async (t) => {
  const stage = await bulkStage(t);
  const [cert, key] = [join(stage.folder, 'cert.pem'), join(stage.folder, 'key.pem')];
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'];
  const made = spawnSync('openssl', [...make, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert]);
  if (made.status !== 0) return t.skip('no openssl program here to make a certificate');
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_request, response) => response.end('not yours'));
  server.listen(0);
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // a process that trusts this certificate as it trusts those of the web
  const address = { ...stage.address(), port: (server.address() as AddressInfo).port };
  const script = `
    import { get } from 'node:https';
    import { requestOver } from ${JSON.stringify(join(import.meta.dirname, 'bulk-client.ts'))};
    const heard = (request) => new Promise((resolve) => request.once('response', () => resolve('answered')).once('error', () => resolve('refused')));
    const address = ${JSON.stringify(address)};
    const web = heard(get({ host: address.host, port: address.port }));
    const ours = requestOver(address, { method: 'GET', path: '/', headers: {} });
    const told = heard(ours);
    ours.end();
    console.log(await web, await told);
    process.exit();`;
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: cert };
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile(process.execPath, ['--input-type=module', '-e', script], { env }, (_error, stdout, stderr) => resolve(stdout || stderr));
  assert.equal((await promise).trim(), 'answered refused');
});

test('connections with different keys at the same time never mix', async (t) => {
  const stage = await bulkStage(t);
  const names = Array.from({ length: 8 }, (_one, index) => `offer ${index}`);
  const addresses = names.map((name) => ({
    ...stage.address(),
    ...stage.server.offerHttp({ handler: (request, response) => response.end(`${name} ${request.url}`), reader: name, seconds: 60 }),
  }));
  const asked = Array.from({ length: 25 }, (_one, round) => names.map((name, index) => ({ name, index, round }))).flat();
  const heard = await Promise.all(asked.map(({ index, round }) => read(addresses[index]!, `/${round}`)));
  assert.deepEqual(
    heard.map(String),
    asked.map(({ name, round }) => `${name} /${round}`),
  );
});

test('a stream of events comes through one by one and for as long as it lasts; revoking ends it', async (t) => {
  const stage = await bulkStage(t);
  let say: (text: string) => void = () => undefined;
  let gone = false;
  const key = stage.server.offerHttp({
    handler(request, response) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      say = (text) => void response.write(`data: ${text}\n\n`);
      request.socket.once('close', () => (gone = true));
    },
    reader: 'tower',
    seconds: 60,
  });
  const response = await begin({ ...stage.address(), ...key }, '/live');
  response.setEncoding('utf8');
  for (const text of ['one', 'two', 'three']) {
    say(text);
    const [chunk] = (await once(response, 'data')) as [string];
    assert.equal(chunk, `data: ${text}\n\n`);
  }
  stage.server.revoke(key.identity);
  await assert.rejects(once(response, 'end'), { code: 'ECONNRESET' });
  await assert.rejects(read({ ...stage.address(), ...key }, '/live'));
  assert.equal(gone, true);
});

test('a handler that throws is an answer, not an end', async (t) => {
  const stage = await bulkStage(t);
  const handler = (): never => {
    throw new Error('broken');
  };
  const key = stage.server.offerHttp({ handler, reader: 'r', seconds: 60 });
  const response = await begin({ ...stage.address(), ...key }, '/');
  assert.equal(response.statusCode, 500);
  response.resume();
});

test('a fifth connection to one file makes the oldest give way; strangers who say nothing cannot keep members out', async (t) => {
  const stage = await bulkStage(t, { bytes: 40 * MIB });
  const address = stage.address();
  // each address object has its own connections
  const first = await begin({ ...address }, '/');
  const others = [];
  for (let i = 0; i < 3; i++) others.push(await begin({ ...address }, '/'));
  // listened to from the beginning: the oldest may be gone before the fifth has its answer
  const ended = assert.rejects(once(first.resume(), 'end'), { code: 'ECONNRESET' });
  const fifth = await begin({ ...address }, '/');
  await ended;
  for (const response of [...others, fifth]) response.destroy();

  const strangers = Array.from({ length: 100 }, () => connectPlain(address.port, address.host).on('error', () => undefined));
  await Promise.all(strangers.map((socket) => once(socket, 'connect')));
  assert.ok((await read(stage.address())).length > 40 * MIB);
  for (const socket of strangers) socket.destroy();
});

test('a taken port is no obstacle: another one is used', async (t) => {
  const stage = await bulkStage(t);
  const second = createBulkServer({ port: stage.server.port(), mbps: () => 0, log: createLog({ level: 'silent', pretty: false }) });
  const port = await second.start();
  t.after(() => second.stop());
  assert.ok(port > 0 && port !== stage.server.port());
});

test('a machine that was removed loses what it is reading in the middle of it, and the others go on', async (t) => {
  const stage = await bulkStage(t);
  const handler = (_request: IncomingMessage, response: ServerResponse): void => void response.writeHead(200).write('the first half');
  const { host, port } = stage.address();
  const dashboard = (reader: string): BulkAddress => ({ host, port, ...stage.server.offerHttp({ handler, reader, seconds: 60 }) });
  const [removed, staying] = [dashboard('removed'), dashboard('staying')];
  const open = [await begin(removed), await begin(staying)];
  for (const response of open) response.on('error', () => undefined).resume();
  const cut = new Promise((resolve) => open[0]!.once('close', resolve));
  stage.server.keepOnly((reader) => reader !== 'removed');
  await cut;
  await assert.rejects(read(removed), 'nor does it come back with the key that it had');
  assert.equal(open[1]!.destroyed, false);
  open[1]!.destroy();
});

async function begin(address: BulkAddress, path = '/'): Promise<IncomingMessage> {
  const asked = requestOver(address, { method: 'GET', path, headers: {} });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  asked.on('error', () => undefined);
  return response;
}

async function read(address: BulkAddress, path = '/'): Promise<Buffer> {
  return Buffer.concat(await (await begin(address, path)).toArray());
}

async function answer(asked: ReturnType<typeof getPlain>): Promise<unknown> {
  return once(asked, 'response');
}
