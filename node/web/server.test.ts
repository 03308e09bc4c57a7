import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { brotliCompressSync } from 'node:zlib';
import { createEvents } from '../events.ts';
import { createLog } from '../log.ts';
import { PlainError } from '../errors.ts';
import type { Commands } from '../core/commands.ts';
import { freshDatabase, havePostgres } from '../testing/database.ts';
import { fillSample } from '../testing/sample.ts';
import { emptyBooks, startWeb } from '../testing/web.ts';
import { openHouse } from './auth/auth.ts';
import { createWeb } from './server.ts';

test('a port that is taken is one sentence that names the port', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  t.after(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const web = createWeb({
    db: emptyBooks,
    commands: {} as Commands,
    events: createEvents(() => {}),
    log: createLog({ level: 'silent', pretty: false }),
    host: '127.0.0.1',
    port,
    node: { id: 'n', name: 'n', version: '0' },
    settings: () => ({}),
    auth: openHouse,
    secret: 's',
  });
  await assert.rejects(web.start(), (error) => error instanceof PlainError && error.message.includes(`Port ${port} is already in use`));
  await web.stop();
});

test('stopping ends open streams and idle connections, and the port is free at once', async (t) => {
  const web = await startWeb({ after: (fn) => t.after(fn) }, { db: emptyBooks });
  const streams = await Promise.all([1, 2, 3].map(() => fetch(`${web.url}/events?view=shell`)));
  assert.deepEqual(
    streams.map((s) => s.headers.get('content-type')),
    Array(3).fill('text/event-stream; charset=utf-8'),
  );
  await (await fetch(`${web.url}/healthz`)).text();
  const ended = Promise.all(streams.map((s) => s.text()));
  await web.stop();
  for (const text of await ended) assert.match(text, /event: build/);
  await web.start();
  assert.equal(await (await fetch(`${web.url}/healthz`)).text(), 'ok');
});

test('browsers that come and go leave no stream behind', async (t) => {
  const web = await startWeb({ after: (fn) => t.after(fn) }, { db: emptyBooks });
  // one more than may be open at once (live.ts)
  for (let i = 0; i < 257; i++) {
    const gone = new AbortController();
    const stream = await fetch(`${web.url}/events?view=shell`, { signal: gone.signal });
    if (stream.status === 429 && i === 256) assert.fail('streams pile up');
    await stream.body!.getReader().read();
    gone.abort();
  }
});

describe('what a first visit weighs', () => {
  const cleanups: (() => Promise<void> | void)[] = [];
  const suite = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };
  let url = '';
  let html = '';
  before(async () => {
    const db = await freshDatabase(suite, havePostgres() ? 'postgres' : 'embedded');
    await fillSample(await db.lead());
    const web = await startWeb({ after: (fn) => void cleanups.push(fn) }, { db });
    url = web.url;
    html = await (await fetch(url)).text();
  });
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });

  // Bytes over the wire. research/ux §7; the styles are those of every page together.
  for (const [name, pattern, budget] of [
    ['script', /\/static\/app\.\w+\.js/, 18_000],
    ['styles', /\/static\/app\.\w+\.css/, 12_000],
    ['icons', /\/static\/icons\.\w+\.svg/, 3_000],
  ] as const) {
    test(`the ${name} come in one compressed file that is kept for ever`, async () => {
      const address = pattern.exec(html)![0];
      const answer = await fetch(url + address, { headers: { 'accept-encoding': 'br' } });
      assert.equal(answer.headers.get('content-encoding'), 'br');
      assert.match(answer.headers.get('cache-control') ?? '', /immutable/);
      const body = await (await fetch(url + address, { headers: { 'accept-encoding': 'identity' } })).arrayBuffer();
      const sent = await rawLength(url + address);
      assert.ok(sent < body.byteLength);
      assert.ok(sent <= budget, `${name}: ${sent} bytes, at most ${budget}`);
      assert.equal((await fetch(url + address.replace(/\.\w{12}\./, '.000000000000.'))).status, 404, 'an old address is not another file');
    });
  }

  test('the Overview is at most 20 KB when a proxy compresses it, and names nothing from elsewhere', () => {
    assert.ok(brotliCompressSync(html).length <= 20_000);
    assert.doesNotMatch(html, /(?:src|href|action|url)\s*=\s*"(?:https?:)?\/\//);
    assert.doesNotMatch(html, /\sstyle=|<script(?![^>]+src=)|\son\w+=/);
  });
});

/** fetch decodes; what counts is what was sent. */
async function rawLength(address: string): Promise<number> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    request(address, { headers: { 'accept-encoding': 'br' } }, (res) => {
      let n = 0;
      res.on('data', (chunk: Buffer) => (n += chunk.length)).on('end', () => resolve(n));
    })
      .on('error', reject)
      .end();
  });
}
