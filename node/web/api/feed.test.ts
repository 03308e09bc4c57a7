import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createEvents, type Progress } from '../../events.ts';
import { listener } from '../../testing/event-stream.ts';
import { member, serveTunnel, startFront } from '../../testing/front.ts';
import { emptyBooks, webParts } from '../../testing/web.ts';
import { createApp } from '../server.ts';
import { createFeed, type FeedOptions, type FeedWish } from './feed.ts';

const atlas = { node: 'node-atlas', name: 'atlas' };

function feedOf(t: TestContext, options: Partial<FeedOptions> = {}) {
  const events = createEvents((error) => assert.fail(String(error)));
  const feed = createFeed({ events, tickMs: 5, ...options });
  t.after(() => feed.stop());
  const open = (wish: Partial<FeedWish> = {}) => {
    const stream = feed.open({ key: 'one', after: '', types: null, signal: new AbortController().signal, onEnd: () => {}, ...wish });
    assert.ok(stream);
    return listener(stream);
  };
  return { events, feed, open };
}

const progress = (jobId: number, percent: number): Progress => ({
  ...{ jobId, attemptId: 70 + jobId, nodeId: 'n', phase: 'encoding', percent, fps: 31, speed: 1.2, leftMs: 1000 },
  ...{ outputBytes: null, expectedBytes: null, paused: false },
});

describe('the event stream', () => {
  test('begins with an id, tells each event with the next one, and goes on where a reader was', async (t) => {
    const { events, open } = feedOf(t);
    const first = open();
    assert.equal((await first.next())!.event, 'hello');
    events.emit('job.changed', { jobId: 7, fileId: 8, libraryId: 9 });
    assert.deepEqual((await first.next())!.data, { jobId: 7, fileId: 8, libraryId: 9 });
    events.emit('job.changed', { jobId: 0, fileId: 8, libraryId: 9 });
    assert.deepEqual((await first.next())!.data, { jobId: null, fileId: 8, libraryId: 9 }, 'of a file, and no job');
    const { lastId } = first;
    events.emit('library.changed', { libraryId: 1 });
    events.emit('node.changed', { nodeId: 'tower' });
    const second = open({ after: lastId! });
    const told = [await second.next(), await second.next(), await second.next()];
    assert.deepEqual(
      told.map((one) => one!.event),
      ['hello', 'library.changed', 'node.changed'],
    );
    assert.equal(told[0]!.id, lastId);
    assert.equal(new Set(told.map((one) => one!.id)).size, 3);
  });

  test('the id of its greeting leads back to where the reader was, not to now', async (t) => {
    const { events, open } = feedOf(t);
    const first = open();
    await first.next();
    events.emit('library.changed', { libraryId: 1 });
    const late = open({ after: first.lastId! });
    assert.equal((await late.next())!.event, 'hello');
    const onlyGreeted = open({ after: late.lastId! });
    await onlyGreeted.next();
    assert.equal((await onlyGreeted.next())!.event, 'library.changed', 'cut off right after the greeting, nothing is missed');
  });

  test('whoever was away for too long, or comes from another process, is told to read anew', async (t) => {
    const { events, open } = feedOf(t, { ring: 3 });
    const first = open();
    await first.next();
    const { lastId } = first;
    for (let n = 1; n <= 5; n++) events.emit('library.changed', { libraryId: n });
    for (const after of [lastId!, 'abcdef0123-4', '../../etc', `${lastId!.split('-')[0]}-99`]) {
      const late = open({ after });
      await late.next();
      assert.equal((await late.next())!.event, 'resync', after);
      events.emit('node.changed', { nodeId: after });
      assert.deepEqual((await late.next())!.data, { nodeId: after });
    }
  });

  test('a reader that does not read costs no memory: it is left behind, told so, and goes on', async (t) => {
    const { events, feed } = feedOf(t, { ring: 50 });
    const stream = feed.open({ key: 'slow', after: '', types: null, signal: new AbortController().signal, onEnd: () => {} })!;
    const long = 'x'.repeat(1000);
    for (let n = 0; n < 5000; n++) events.emit('queue.changed', { why: `${n} ${long}` });
    const reader = listener(stream);
    let [resync, told, last] = [0, 0, ''];
    for (;;) {
      const one = await reader.next();
      if (one!.event === 'resync') {
        resync += 1;
        events.emit('queue.changed', { why: 'after' });
      } else if (one!.event === 'queue.changed') {
        told += 1;
        last = (one!.data as { why: string }).why;
      }
      if (last === 'after') break;
    }
    assert.equal(resync, 1);
    assert.ok(told < 200, `${told} of 5000 were kept for it`);
  });

  test('one that takes nothing at all is sent away after a while', async (t) => {
    let ended = 0;
    const { events, feed } = feedOf(t, { heartbeatMs: 5, stuckMs: 20 });
    const stream = feed.open({ key: 'stuck', after: '', types: null, signal: new AbortController().signal, onEnd: () => void ended++ })!;
    for (let n = 0; n < 200; n++) events.emit('queue.changed', { why: 'x'.repeat(1000) });
    await t.waitFor(() => assert.equal(feed.readers, 0), { interval: 5, timeout: 60_000 });
    assert.equal(ended, 1);
    await assert.rejects(async () => {
      for await (const _ of stream);
    });
  });

  test('progress is told at most once in a while, the newest of each job, without an id', async (t) => {
    const { events, open } = feedOf(t);
    const reader = open({ types: new Set(['job.progressed']) });
    await reader.next();
    const { lastId } = reader;
    for (let percent = 1; percent <= 40; percent++) events.emit('job.progressed', progress(1, percent));
    events.emit('job.progressed', progress(2, 3));
    events.emit('library.changed', { libraryId: 1 });
    const [one, two] = [await reader.next(), await reader.next()];
    assert.deepEqual(
      [one!.data, two!.data].map((d) => (d as Progress).percent),
      [40, 3],
    );
    assert.equal(one!.id, null);
    assert.equal(reader.lastId, lastId, 'progress moves no place, and what was not asked for is not told');
  });

  test('so many readers of one, and so many in all', (t) => {
    const { feed } = feedOf(t, { maxReaders: 3, maxPerKey: 2 });
    const open = (key: string) => feed.open({ key, after: '', types: null, signal: new AbortController().signal, onEnd: () => {} });
    assert.deepEqual(
      ['a', 'a', 'a', 'b', 'b'].map((key) => open(key) !== null),
      [true, true, false, true, false],
    );
  });
});

describe('GET /api/v1/events', () => {
  for (const tls of [false, true])
    test(
      `comes through the front of another machine ${tls ? 'over TLS and HTTP/2' : 'too'}, and ends when the coordinator changes`,
      { timeout: 120_000 },
      async (t) => {
        const { parts, events } = webParts({ db: emptyBooks });
        const app = await createApp(parts);
        t.after(() => app.stop());
        const { tunnel } = await serveTunnel(t, () => app.fetch);
        const dataDir = await mkdtemp(path.join(tmpdir(), 'cs-feed-'));
        t.after(() => rm(dataDir, { recursive: true, force: true }));
        const more = tls ? ({ tls: { kind: 'own', dataDir } } as const) : {};
        const tower = await startFront(t, 'tower', { standing: member(atlas), tunnel }, more);
        const reader = listener(tls ? overHttp2(t, tower.url, tower.certificate()!) : await overHttp(t, tower.port));
        assert.equal((await reader.next())!.event, 'hello');
        events.emit('node.changed', { nodeId: 'tower' });
        assert.deepEqual((await reader.next())!.data, { nodeId: 'tower' });
        tower.knows.standing = member({ node: 'node-nuc', name: 'nuc' });
        tower.changed();
        assert.equal(await reader.next(), null);
      },
    );
});

function overHttp(t: TestContext, port: number): Promise<AsyncIterable<Buffer>> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path: '/api/v1/events' }, resolve).on('error', reject);
    t.after(() => void req.destroy());
    req.end();
  });
}

function overHttp2(t: TestContext, url: string, ca: string): AsyncIterable<Buffer> {
  const session = connect(url, { ca });
  t.after(() => session.destroy());
  return session.request({ ':path': '/api/v1/events' }, { endStream: true });
}
