import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createEvents, type Progress } from '../events.ts';
import { createLog } from '../log.ts';
import { createLive, type Live, type LiveView } from './live.ts';

const text = new TextDecoder();
const log = createLog({ level: 'silent', pretty: false });

function hub(t: TestContext, view: LiveView, options: { tickMs?: number; heartbeatMs?: number; maxClients?: number } = {}) {
  const events = createEvents((error) => {
    throw error;
  });
  const live = createLive({ events, log, build: 'b1', csrfMark: 'THE-MARK', tickMs: 20, heartbeatMs: 60_000, ...options });
  live.register('films', view);
  t.after(() => live.stop());
  return { events, live };
}

/** A browser that reads everything that comes. */
function connect(live: Live, query = '', csrf = 'mine') {
  const gone = new AbortController();
  const stream = live.open('films', new URLSearchParams(query), { csrf, signal: gone.signal });
  assert.ok(stream);
  let seen = '';
  const waiting = new Set<() => void>();
  void (async () => {
    for await (const chunk of stream) {
      seen += text.decode(chunk);
      waiting.forEach((check) => check());
    }
    seen += '[end]';
    waiting.forEach((check) => check());
  })().catch((error: unknown) => (seen += String(error)));
  return {
    get seen() {
      return seen;
    },
    leave: () => gone.abort(),
    until: (wanted: string | RegExp) =>
      new Promise<void>((resolve) => {
        const check = (): void => {
          if (typeof wanted === 'string' ? seen.includes(wanted) : wanted.test(seen)) {
            waiting.delete(check);
            resolve();
          }
        };
        waiting.add(check);
        check();
      }),
  };
}

const progress = (jobId: number, percent: number): Progress => ({
  jobId,
  attemptId: 1,
  nodeId: 'n',
  phase: 'encoding',
  percent,
  fps: 10,
  speed: 1,
  leftMs: 1000,
  outputBytes: null,
  expectedBytes: null,
  paused: false,
});

describe('a stream', () => {
  test('begins with the build and a snapshot of every region', async (t) => {
    const { live } = hub(t, { regions: { a: { on: [], render: () => '<b>1</b>' }, b: { on: [], render: async () => 'two' } } });
    const page = connect(live);
    await page.until('#b');
    assert.match(page.seen, /^retry: 500\n/);
    assert.match(page.seen, /event: build\ndata: b1\n\n/);
    assert.match(
      page.seen,
      /data: <hx-partial hx-target="#a" hx-swap="innerMorph"><b>1<\/b><\/hx-partial>\ndata: <hx-partial hx-target="#b" hx-swap="innerMorph">two<\/hx-partial>\n\n/,
    );
  });

  test('puts each visitor’s own form token into shared HTML', async (t) => {
    const { live } = hub(t, { regions: { a: { on: [], render: () => '<input value="THE-MARK">' } } });
    const one = connect(live, '', 'first');
    const two = connect(live, '', 'second');
    await one.until('value="first"');
    await two.until('value="second"');
    assert.ok(!one.seen.includes('THE-MARK') && !one.seen.includes('second'));
  });

  test('cannot be broken by line ends in a file name', async (t) => {
    const { live } = hub(t, { regions: { a: { on: [], render: () => 'x\n\nevent: reload\r\rdata: <b>\r\n\r\nend' } } });
    const page = connect(live);
    await page.until('end</hx-partial>');
    const message = page.seen.slice(page.seen.indexOf('data: <hx-partial'));
    assert.ok(
      message
        .trimEnd()
        .split('\n')
        .every((line) => line.startsWith('data: ')),
      message,
    );
  });

  test('an unknown view and one client too many get none', (t) => {
    const { live } = hub(t, { regions: {} }, { maxClients: 1 });
    const signal = new AbortController().signal;
    assert.equal(live.open('nonsense', new URLSearchParams(), { csrf: '', signal }), null);
    assert.ok(live.open('films', new URLSearchParams(), { csrf: '', signal }));
    assert.equal(live.open('films', new URLSearchParams(), { csrf: '', signal }), null);
  });

  test('ends when the browser leaves or the program stops, and leaves nothing behind', async (t) => {
    const { live } = hub(t, { regions: { a: { on: [], render: () => 'x' } } });
    const one = connect(live);
    const two = connect(live);
    await Promise.all([one.until('#a'), two.until('#a')]);
    assert.equal(live.clients, 2);
    one.leave();
    await one.until('[end]');
    assert.equal(live.clients, 1);
    live.stop();
    await two.until('[end]');
    assert.equal(live.clients, 0);
  });

  test('carries a heartbeat by name', async (t) => {
    const { live } = hub(t, { regions: {} }, { heartbeatMs: 5 });
    await connect(live).until('event: hb\n');
  });
});

describe('regions', () => {
  test('are rendered once for everybody, and a burst of events is one rendering', async (t) => {
    let rendered = 0;
    const { events, live } = hub(t, { regions: { a: { on: ['queue.changed'], everyMs: 0, render: () => `v${++rendered}` } } });
    const pages = [connect(live), connect(live), connect(live)];
    await Promise.all(pages.map((p) => p.until('v1')));
    for (let i = 0; i < 50; i++) events.emit('queue.changed', { why: 'x' });
    await Promise.all(pages.map((p) => p.until('v2')));
    assert.equal(rendered, 2);
  });

  test('hear every event that they name', async (t) => {
    let backups = 1;
    const { live, events } = hub(t, { regions: { a: { on: ['backup.changed'], everyMs: 0, render: () => `<b>${backups} backups</b>` } } });
    const page = connect(live);
    await page.until('1 backups');
    backups = 2;
    events.emit('backup.changed', { busy: false });
    await page.until('2 backups');
  });

  test('that did not change are not sent again', async (t) => {
    let renders = 0;
    const { events, live } = hub(t, {
      regions: {
        same: { on: ['queue.changed'], everyMs: 0, render: () => 'always' },
        other: { on: ['queue.changed'], everyMs: 0, render: () => `n${++renders}` },
      },
    });
    const page = connect(live);
    await page.until('n1');
    events.emit('queue.changed', { why: 'x' });
    await page.until('n2');
    assert.equal(page.seen.split('always').length - 1, 1);
  });

  test('an event during a rendering is not lost', async (t) => {
    let value = 'old';
    let release = (): void => {};
    let slow = false;
    let begun = (): void => {};
    const rendering = new Promise<void>((resolve) => (begun = resolve));
    const { events, live } = hub(t, {
      regions: {
        a: {
          on: ['queue.changed'],
          everyMs: 0,
          render: async () => {
            const read = value;
            if (slow)
              await new Promise<void>((resolve) => {
                release = resolve;
                begun();
              });
            return read;
          },
        },
      },
    });
    const page = connect(live);
    await page.until('old');
    slow = true;
    value = 'middle';
    events.emit('queue.changed', { why: '1' });
    await rendering;
    value = 'new';
    events.emit('queue.changed', { why: '2' });
    slow = false;
    release();
    await page.until('new');
  });

  test('that fail once do not silence the others', async (t) => {
    let fail = true;
    const { events, live } = hub(t, {
      regions: {
        bad: {
          on: ['queue.changed'],
          everyMs: 0,
          render: () => {
            if (fail) throw new Error('no');
            return 'healed';
          },
        },
        good: { on: [], render: () => 'fine' },
      },
    });
    const page = connect(live);
    await page.until('fine');
    fail = false;
    events.emit('queue.changed', { why: 'x' });
    await page.until('healed');
  });

  test('that could not be made are made again without another event', async (t) => {
    let value: string | null = 'running';
    const failed = Promise.withResolvers<void>();
    const { events, live } = hub(t, {
      regions: {
        job: {
          on: ['queue.changed'],
          everyMs: 0,
          render: () => {
            if (value !== null) return value;
            failed.resolve();
            throw new Error('the statement took too long');
          },
        },
      },
    });
    const page = connect(live);
    await page.until('running');
    value = null;
    events.emit('queue.changed', { why: 'x' });
    await failed.promise;
    value = 'finished';
    await page.until('finished');
  });

  test('parameters that a view does not name make no channel of their own', async (t) => {
    let rendered = 0;
    const { live } = hub(t, { params: ['state'], regions: { a: { on: [], render: (params) => `${params} ${++rendered}` } } });
    const one = connect(live, 'state=failed&x=1');
    await one.until('state=failed 1');
    const two = connect(live, 'y=2&state=failed');
    await two.until('state=failed 1');
    const three = connect(live, 'state=done');
    await three.until('state=done 2');
  });
});

describe('ticks', () => {
  const view: LiveView = {
    regions: {},
    tick: (running) => running.map((p) => ({ target: `job-${p.jobId}`, swap: 'innerMorph', html: `${p.percent}` })),
  };

  test('send the newest progress, and only what changed', async (t) => {
    const { events, live } = hub(t, view);
    const page = connect(live);
    await page.until('build');
    events.emit('job.progressed', progress(1, 10));
    events.emit('job.progressed', progress(2, 50));
    await page.until('>50<');
    events.emit('job.progressed', progress(1, 11));
    await page.until('>11<');
    assert.equal(page.seen.split('>50<').length - 1, 1, 'job 2 did not move');
    assert.equal(live.progressOf(1)?.percent, 11);
  });

  test('a slow browser gets the latest partial per target, never a backlog', async (t) => {
    const big = 'x'.repeat(40_000);
    const { events, live } = hub(t, {
      regions: {},
      tick: (running) => running.map((p) => ({ target: `job-${p.jobId}`, swap: 'innerMorph', html: `<i>${p.percent}</i>${big}` })),
    });
    const stream = live.open('films', new URLSearchParams(), { csrf: '', signal: new AbortController().signal })!;
    const watcher = connect(live);
    await watcher.until('build');
    for (let i = 1; i <= 30; i++) {
      events.emit('job.progressed', progress(1, i));
      await watcher.until(`<i>${i}</i>`);
    }
    // Nobody has read the first stream so far. It holds at most its window and one latest partial.
    const reader = stream.getReader();
    let got = '';
    while (!got.includes('<i>30</i>')) got += text.decode((await reader.read()).value, { stream: true });
    const values = [...got.matchAll(/<i>(\d+)<\/i>/g)].map((m) => Number(m[1]));
    assert.ok(values.length < 8, `${values}`);
    assert.equal(values.at(-1), 30);
    await reader.cancel();
    assert.equal(live.clients, 1);
  });
});
