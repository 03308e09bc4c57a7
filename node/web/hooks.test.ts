import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { Queryable } from '../db/connect.ts';
import { member, serveTunnel, startFront } from '../testing/front.ts';
import { emptyBooks, webParts, type TestWebParts } from '../testing/web.ts';
import { createLimit } from './hooks.ts';
import { createApp } from './server.ts';

// A webhook arrives at a machine that only shows the page of another one; both ways are real.

const secret = 'the-secret-of-a-webhook-0123456789';
const hash = createHash('sha256').update(secret).digest('hex');
const books: Queryable = {
  query: async (sql, params) =>
    (/hook_hash = \$1/.test(sql) ? (params?.[0] === hash ? [{ id: 7, name: 'Attic' }] : []) : emptyBooks.query(sql, params)) as never,
};

interface House extends TestWebParts {
  /** at the machine that coordinates, and at another one */
  urls: string[];
  send(path: string, init?: RequestInit & { at?: number }): Promise<number>;
}

async function house(t: TestContext, answer?: (name: string) => unknown): Promise<House> {
  const made = webParts({ db: books, ...(answer ? { answer } : {}) });
  const app = await createApp(made.parts);
  t.after(() => app.stop());
  const { tunnel } = await serveTunnel(t, () => app.fetch);
  const atlas = await startFront(t, 'atlas', { standing: member({ node: 'node-atlas', name: 'atlas' }, 'postgres'), local: app.fetch });
  const tower = await startFront(t, 'tower', { standing: member({ node: 'node-atlas', name: 'atlas' }), tunnel });
  const urls = [atlas.url, tower.url];
  const json = { 'content-type': 'application/json' };
  return {
    ...made,
    urls,
    async send(path, { at = 1, ...init } = {}) {
      return (await fetch(urls[at] + path, { method: 'POST', body: '{"eventType":"Test"}', headers: json, ...init })).status;
    },
  };
}

const got = (h: House): unknown[] => h.asked.filter(({ name }) => name === 'hookCame').map(({ args, by }) => [args, by]);
/** the test's commands take the last argument for the person; a webhook is nobody */
const message = (json: unknown): unknown => [[secret], { json }];

describe('25. a webhook', () => {
  test('is taken at every machine by its secret alone, in the address, as a password or in a header', async (t) => {
    const h = await house(t);
    const basic = (password: string) => ({ authorization: `Basic ${Buffer.from(`codecshift:${password}`).toString('base64')}` });
    for (const at of [0, 1]) {
      assert.equal(await h.send(`/hooks/${secret}`, { at }), 200);
      assert.equal(await h.send('/hooks', { at, headers: basic(secret) }), 200);
      assert.equal(await h.send('/hooks', { at, headers: { 'x-webhook-secret': secret } }), 200);
      assert.equal(await h.send('/hooks', { at, headers: basic('another-secret-that-nobody-has') }), 404);
    }
    assert.deepEqual(got(h), Array(6).fill(message({ eventType: 'Test' })));
    for (const path of ['/hooks', '/hooks/short', `/hooks/${secret}x`, `/hooks/${secret}/x`])
      assert.notEqual(await h.send(path), 200, path);
    assert.equal(h.asked.length, 6);
    assert.doesNotMatch(h.complaints.join(), new RegExp(secret));
  });

  test('of Plex is multipart: only its payload is read, whatever lies beside it', async (t) => {
    const h = await house(t);
    const form = new FormData();
    form.set('payload', JSON.stringify({ event: 'library.new' }));
    form.set('thumb', new Blob([new Uint8Array(300_000)]), 'thumb.jpg');
    assert.equal(await h.send(`/hooks/${secret}`, { body: form, headers: {} }), 200);
    assert.deepEqual(got(h), [message({ event: 'library.new' })]);
  });

  test('that is no JSON, or a file where a field should be, is answered and led nowhere', async (t) => {
    const h = await house(t);
    const file = new FormData();
    file.set('payload', new Blob(['{}']), 'payload.json');
    for (const body of ['', '{', 'event=x', '\0\0']) assert.equal(await h.send(`/hooks/${secret}`, { body }), 200);
    assert.equal(await h.send(`/hooks/${secret}`, { body: file, headers: {} }), 200);
    assert.equal(await h.send(`/hooks/${secret}`, { body: 'x', headers: { 'content-type': 'multipart/form-data' } }), 200);
    assert.deepEqual(h.asked, []);
  });

  test('larger than two megabytes is cut off, and one that its reader fails at is answered all the same', async (t) => {
    const h = await house(t, () => {
      throw new Error(`a failure that would say ${secret}`);
    });
    assert.equal(await h.send(`/hooks/${secret}`, { body: JSON.stringify('x'.repeat(2_000_001)), at: 0 }), 413);
    assert.equal(await h.send(`/hooks/${secret}`), 200);
    assert.deepEqual(got(h), [message({ eventType: 'Test' })]);
    assert.equal(h.complaints.length, 1);
    assert.doesNotMatch(h.complaints[0]!, new RegExp(secret));
  });

  test('comes under whatever name its server calls us; a page does not, and no page comes without the gates', async (t) => {
    const h = await house(t);
    const as = async (method: string, path: string): Promise<string> => {
      const socket = connect(Number(new URL(h.urls[1]!).port), '127.0.0.1');
      socket.write(`${method} ${path} HTTP/1.1\r\nhost: host.docker.example\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`);
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      await once(socket, 'close');
      return Buffer.concat(chunks).toString().split('\r\n')[0]!;
    };
    assert.match(await as('POST', `/hooks/${secret}`), / 200 /);
    assert.match(await as('GET', `/hooks/${secret}`), / 421 /);
    assert.match(await as('POST', '/pause'), / 421 /);
    for (const path of ['/hooks/../pause', '/hooks//pause', '/hooks/%2e%2e/pause', '/hooks\\..\\pause'])
      assert.match(await as('POST', path), / 4(00|21) /, path);
    assert.equal(h.asked.length, 1);
  });

  test('comes thirty times a minute from one address and no more', async (t) => {
    const h = await house(t);
    const statuses = await Promise.all(Array.from({ length: 33 }, () => h.send(`/hooks/${secret}`)));
    assert.deepEqual(
      [200, 429].map((status) => statuses.filter((s) => s === status).length),
      [30, 3],
    );
  });
});

test('a limit counts for each key alone, forgets after a minute, and its memory is bounded', () => {
  const limit = createLimit(2, 3);
  assert.deepEqual([limit('a', 0), limit('a', 1), limit('a', 2), limit('b', 2), limit('a', 60_001)], [true, true, false, true, true]);
  for (const key of ['c', 'd', 'e']) limit(key, 60_002);
  assert.ok(limit('a', 60_003), 'the oldest key was forgotten');
});

test('the page that plex.tv leads back to carries no cookie, no form and nothing from elsewhere', async (t) => {
  const h = await house(t);
  const answer = await fetch(`${h.urls[1]}/sources/signed-in?x=%22%3E`);
  assert.equal(answer.headers.get('set-cookie'), null);
  const html = await answer.text();
  assert.match(html, /url=\/sources\/sign-in"/);
  assert.doesNotMatch(html, /<form|<script|%22/);
});
