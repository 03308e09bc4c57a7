import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import type { ClusterSettings } from '../config/schema.ts';
import { defaultProfile } from '../core/profile.ts';
import { titleClass } from '../core/quality.ts';
import { sentence } from '../core/reasons.ts';
import { whereItCanRun } from '../core/schedule.ts';
import { failAttempt } from '../db/run-ends.ts';
import type { Database } from '../db/connect.ts';
import { recordSpeed } from '../db/node-speeds.ts';
import { recordFinding } from '../db/quality-findings.ts';
import { schedulingFactsFor } from '../db/schedule-facts.ts';
import { setNodeRoots } from '../db/roots.ts';
import { createEvents, type Events, type Progress } from '../events.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { oneDatabase, freshDatabase, quietLog, type DatabaseKind } from '../testing/database.ts';
import { aLibrary, aNode, aPlan, aProbe, someJobs, testNode } from '../testing/records.ts';
import { createDispatcher, type Dispatcher } from './dispatcher.ts';
import { createSettingsStore } from './settings.ts';

/** The dispatcher on a real database, with a clock of its own; the nodes are this test. */
interface Stage {
  db: Database;
  events: Events;
  dispatcher: Dispatcher;
  mesh: ReturnType<typeof createLocalMesh>;
  settings: { -readonly [K in keyof ClusterSettings]?: ClusterSettings[K] };
  present: string[];
  clock: { ms: number };
  library: { id: number; rootId: string };
  ask(node: string, change?: Partial<Wish>): Promise<Answer>;
  /** asks and expects no job; the reason in words */
  refused(node: string, change?: Partial<Wish>): Promise<string | null>;
  /** a row changed by hand, as a command would */
  change(sql: string, params?: unknown[]): Promise<void>;
}
type Wish = ProtocolRequest<'claim'>;
type Answer = ProtocolResponse<'claim'>;

const FILM_PIXELS = 1920 * 1080 * 25 * 60;
const sunday = Date.UTC(2026, 10, 22, 12, 0);

async function stage(t: TestContext, kind: DatabaseKind, nodes: string[] = [testNode]): Promise<Stage> {
  const db = await (await freshDatabase(t, kind)).lead();
  const library = await aLibrary(db);
  for (const node of nodes) await aNode(db, node);
  const events = createEvents((error) => assert.fail(String(error)));
  const log = quietLog();
  const mesh = createLocalMesh(testNode, log);
  const clock = { ms: sunday };
  const present = [...new Set([testNode, ...nodes])];
  const settings: Stage['settings'] = {};
  const defaults = createSettingsStore();
  const dispatcher = createDispatcher({
    mesh,
    db,
    term: 1,
    settings: () => ({ ...defaults.current(), ...settings }),
    events,
    roster: { present: () => present, granted: () => {} },
    tickets: {
      source: (about) => (about.holder === about.reader ? null : { payload: JSON.stringify(about), signature: 'signed' }),
    },
    log,
    now: () => clock.ms,
  });
  t.after(() => dispatcher.stop());
  const sessions = new Map<string, string>();
  const ask: Stage['ask'] = (node, change = {}) => {
    const session = sessions.get(node) ?? randomUUID();
    sessions.set(node, session);
    return dispatcher.claim({ node, session, classes: [0, 1, 2], freeSlots: 1, freeBytes: 1e12, ahead: false, ...change }, node);
  };
  return {
    ...{ db, events, dispatcher, mesh, settings, present, clock, library, ask },
    async refused(node, change) {
      const { granted, why } = await ask(node, change);
      assert.equal(granted, null);
      return why && sentence(why);
    },
    async change(sql, params) {
      await db.query(sql, params);
      dispatcher.worldChanged();
    },
  };
}

const progress = (run: { job: number; attempt: number }, nodeId: string, change: Partial<Progress> = {}): Progress => ({
  jobId: run.job,
  attemptId: run.attempt,
  nodeId,
  phase: 'encoding',
  percent: 1,
  fps: null,
  speed: null,
  leftMs: null,
  outputBytes: null,
  expectedBytes: null,
  paused: false,
  ...change,
});

oneDatabase((kind) => {
  test('a granted job names its keeper, with a ticket when the film is on another machine', async (t) => {
    const s = await stage(t, kind, [testNode, 'node-b']);
    await someJobs(s.db, s.library.id, 2);
    const own = (await s.ask(testNode)).granted!;
    assert.deepEqual([own.keeper, own.ticket, own.term], [testNode, null, 1]);
    const far = (await s.ask('node-b')).granted!;
    assert.equal(far.keeper, testNode);
    const { fingerprint, ...about } = JSON.parse(far.ticket!.payload) as Record<string, unknown>;
    assert.deepEqual(about, {
      job: far.job,
      attempt: far.attempt,
      holder: testNode,
      reader: 'node-b',
      root: s.library.rootId,
      path: far.path,
    });
    assert.deepEqual(fingerprint, far.fingerprint);
    await assert.rejects(
      s.dispatcher.claim({ node: testNode, session: randomUUID(), classes: [1], freeSlots: 1, freeBytes: 1e12, ahead: false }, 'node-b'),
      /only in its own name/,
    );
  });

  test('a grant carries what the node found for films of that kind, where the job has a goal of quality', async (t) => {
    const s = await stage(t, kind);
    const profile = { ...defaultProfile, target: 'good' as const };
    await someJobs(s.db, s.library.id, 1, { profile });
    const titles = titleClass(aProbe(), aPlan(), profile);
    const found = { metric: 'vmaf' as const, quality: 24.5, score: 92.3 };
    await recordFinding(s.db, { nodeId: testNode, encoder: 'libx265', device: null, titleClass: titles, target: 'good', ...found });
    const { granted } = await s.ask(testNode);
    assert.deepEqual(granted?.findings, [{ encoder: 'libx265', device: null, ...found, runs: 1 }]);
    await someJobs(s.db, s.library.id, 1, {}, 'plain');
    assert.equal((await s.ask(testNode, { freeSlots: 1 })).granted?.findings, undefined);
  });

  test('a node that shall not work is told why in words, and gets work once that has changed', async (t) => {
    const s = await stage(t, kind);
    await someJobs(s.db, s.library.id, 1);
    const row = (set: string): Promise<void> => s.change(`update nodes set ${set}`);
    await row(`paused = true`);
    assert.equal(await s.refused(testNode), 'node-a is paused.');
    assert.equal(await s.refused(testNode, { ahead: true, freeSlots: 0 }), 'node-a is paused.');
    await row(`paused = false, draining = true`);
    assert.equal(await s.refused(testNode), 'node-a finishes what it has and begins nothing new.');
    await row(`draining = false, standing = 'pending'`);
    assert.equal(await s.refused(testNode), 'node-a waits until a person approves it.');
    await row(`standing = 'revoked'`);
    assert.equal(await s.refused(testNode), 'node-a was removed from this cluster.');
    await row(`standing = 'approved', slots_wished = 0`);
    assert.equal(await s.refused(testNode), 'node-a is set to encode nothing.');
    await row(`slots_wished = null`);
    assert.equal(await s.refused(testNode, { freeSlots: 0 }), 'node-a is busy: all of its slots (1) are taken.');
    assert.match((await s.refused(testNode, { classes: [2] }))!, /^node-a has no working encoder for it; one for 10 bit is needed/);
    assert.match((await s.refused(testNode, { freeBytes: 2_000_100_000 }))!, /workspace of node-a: 1.0 MB needed, 100 KB free/);
    assert.equal(await s.refused('node-z'), 'node-z waits until a person approves it.');
    s.settings['queue.paused'] = true;
    assert.equal(await s.refused(testNode), 'Work is paused.');
    s.settings['queue.paused'] = false;
    assert.ok((await s.ask(testNode)).granted);
    assert.equal(await s.refused(testNode), null, 'nothing waits any more');
  });

  test('hours are those of the node’s own clock', async (t) => {
    const s = await stage(t, kind);
    await someJobs(s.db, s.library.id, 2);
    const nights = JSON.stringify([{ days: [1], from: '22:00', to: '07:00' }]);
    await s.change(`update nodes set schedule = $1, utc_offset = 120`, [nights]);
    assert.equal(await s.refused(testNode), 'node-a works Mon 22:00-07:00; it begins again Mon 22:00.');
    s.clock.ms = Date.UTC(2026, 10, 23, 19, 59);
    assert.match((await s.refused(testNode))!, /begins again/);
    s.clock.ms = Date.UTC(2026, 10, 23, 20, 0);
    const run = (await s.ask(testNode)).granted!;
    s.events.emit('job.progressed', progress(run, testNode));
    s.clock.ms = Date.UTC(2026, 10, 24, 5, 0);
    assert.match((await s.refused(testNode))!, /begins again/);
  });

  test('without a keeper that is here and has shown its disk nothing is given, and the reason is the keeper', async (t) => {
    const s = await stage(t, kind, [testNode, 'node-b']);
    const [job] = await someJobs(s.db, s.library.id, 1);
    s.present.splice(0, 2, 'node-b');
    assert.equal(await s.refused('node-b'), 'The machine that holds the file is not reachable.');
    await setNodeRoots(s.db, 'node-b', [{ root: s.library.rootId, path: '/copy', writable: true, problem: null }]);
    await s.change(`delete from node_roots where node_id = $1`, [testNode]);
    assert.match((await s.refused('node-b'))!, /not yet shown to be the same disk and not a copy/);
    const facts = await schedulingFactsFor(s.db, job!.jobId, { slots: 1, mbps: 0, minFreeBytes: 0 }, s.clock.ms);
    assert.deepEqual(
      whereItCanRun(facts!, facts!.job).map((w) => [w.node, w.local, w.reason?.code]),
      [
        ['node-a', false, 'keeper-unproved'],
        ['node-b', true, 'keeper-unproved'],
      ],
    );
    await s.change(`update node_roots set proved_at = now()`);
    assert.ok((await s.ask('node-b')).granted);
  });

  test('a machine with little space gets the small films behind the large ones', async (t) => {
    const s = await stage(t, kind, [testNode, 'node-b']);
    await someJobs(s.db, s.library.id, 30, { inputBytes: 50e9, rank: -1000 });
    const [small] = await someJobs(s.db, s.library.id, 1, { inputBytes: 3e9, rank: -1 }, 'small');
    assert.match((await s.refused('node-b', { freeBytes: 7e9 }))!, /100 GB needed, 5.0 GB free/);
    assert.equal((await s.ask('node-b', { freeBytes: 9e9 })).granted?.job, small!.jobId);
  });

  test('many nodes asking at once get different jobs, the best first', async (t) => {
    const nodes = Array.from({ length: 8 }, (_, i) => `node-${i}`);
    const s = await stage(t, kind, nodes);
    const jobs = await someJobs(s.db, s.library.id, 40);
    await s.db.query(`update jobs set rank = id`);
    const answers = await Promise.all([...nodes, ...nodes, ...nodes].map((node) => s.ask(node)));
    assert.deepEqual(
      answers.map((a) => a.granted?.job),
      jobs.slice(0, 24).map((j) => j.jobId),
    );
  });

  test('a film is fetched ahead only from elsewhere, never among the last ones, and one for each slot', async (t) => {
    const s = await stage(t, kind, [testNode, 'node-b']);
    await someJobs(s.db, s.library.id, 6);
    const ahead = { ahead: true, freeSlots: 0 };
    assert.equal(await s.refused(testNode, ahead), null, 'its films are here already');
    s.settings['network.fetchAhead'] = false;
    assert.equal(await s.refused('node-b', ahead), 'Files are not fetched early, as the settings wish.');
    s.settings['network.fetchAhead'] = true;
    for (const speed of [testNode, 'node-b']) await recordSpeed(s.db, speed, 'libx265', 1e6);
    s.dispatcher.worldChanged();
    assert.ok((await s.ask('node-b')).granted);
    assert.ok((await s.ask('node-b', ahead)).granted, 'five wait for two slots');
    assert.match((await s.refused('node-b', ahead))!, /is busy/);
    assert.ok((await s.ask(testNode)).granted);
    await s.change(`update attempts set state = 'delivering' where node_id = 'node-b'`);
    assert.ok((await s.ask('node-b')).granted);
    assert.equal(
      await s.refused('node-b', ahead),
      'So few files wait that none is fetched early: whichever machine is free first takes it.',
    );
    await s.change(`update nodes set draining = true where id = 'node-b'`);
    assert.match((await s.refused('node-b', ahead))!, /begins nothing new/);
  });

  test('of the last files the slow machine leaves those that a fast one ends sooner, but not for ever', async (t) => {
    const s = await stage(t, kind, ['fast', 'slow']);
    await encoders(s);
    await recordSpeed(s.db, 'fast', 'libx265', FILM_PIXELS / 100);
    await recordSpeed(s.db, 'slow', 'libx265', FILM_PIXELS / 1000);
    await s.change(`update nodes set mbps = 10000`);
    await someJobs(s.db, s.library.id, 2);
    const run = (await s.ask('fast')).granted!;
    s.events.emit('job.progressed', progress(run, 'fast', { leftMs: 50_000 }));
    assert.equal(await s.refused('slow'), 'It is left to fast, where it will be finished in 3 min instead of 17 min on slow.');
    s.events.emit('job.progressed', progress(run, 'fast', { leftMs: 50_000, paused: true }));
    const [, second] = await someJobs(s.db, s.library.id, 1, {}, 'more').then(() =>
      s.db.query<{ id: number }>(`select id from jobs order by id`),
    );
    assert.equal((await s.ask('slow')).granted?.job, second!.id, 'the fast one stands still now');
    s.events.emit('job.progressed', progress(run, 'fast', { leftMs: 50_000 }));
    assert.match((await s.refused('slow'))!, /^It is left to fast/);
    s.clock.ms += 7 * 60_000;
    s.events.emit('job.progressed', progress(run, 'fast', { leftMs: 50_000 }));
    assert.ok((await s.ask('slow')).granted, 'it was promised to be finished by now');
  });

  test('three machines of different speed end together, not when the slowest ends', async (t) => {
    const s = await stage(t, kind, ['x1', 'x5', 'x10']);
    await encoders(s);
    await s.change(`update nodes set mbps = 100000`);
    const seconds = { x10: 100, x5: 200, x1: 1000 };
    await someJobs(s.db, s.library.id, 8);
    const blind = await playOut(s, seconds);
    assert.equal(Math.round(blind / 100) * 100, 1000, 'whoever does not know the speeds ends with the slowest');
    for (const [node, film] of Object.entries(seconds)) await recordSpeed(s.db, node, 'libx265', FILM_PIXELS / film);
    s.dispatcher.worldChanged();
    await someJobs(s.db, s.library.id, 8, {}, 'again');
    const knowing = await playOut(s, seconds);
    assert.ok(knowing <= 610, `eight films took ${knowing} s`);
  });

  test('an answer that got lost is given again, once', async (t) => {
    const s = await stage(t, kind);
    await someJobs(s.db, s.library.id, 4);
    const first = (await s.ask(testNode)).granted!;
    const second = (await s.ask(testNode)).granted!;
    assert.notEqual(first.attempt, second.attempt, 'two slots may ask at once');
    s.events.emit('job.progressed', progress(second, testNode));
    s.clock.ms += 6000;
    assert.deepEqual((await s.ask(testNode)).granted, first);
    const third = (await s.ask(testNode)).granted!;
    assert.ok(third.attempt > second.attempt);
    await failAttempt(s.db, { jobId: third.job, attemptId: third.attempt }, { reason: { code: 'stalled' }, retry: false });
    s.clock.ms += 6000;
    assert.ok((await s.ask(testNode)).granted!.attempt > third.attempt, 'what is over is not given again');
  });

  test('a node hears which of its encoders failed with this very film, another node hears nothing of it', async (t) => {
    const s = await stage(t, kind, [testNode, 'other']);
    await someJobs(s.db, s.library.id, 1);
    await s.change('update jobs set max_failures = 9');
    const fails = async (node: string, failure: Parameters<typeof failAttempt>[2]): Promise<void> => {
      const granted = (await s.ask(node)).granted!;
      await failAttempt(s.db, { jobId: granted.job, attemptId: granted.attempt }, failure);
      await s.change('update jobs set retry_at = null');
    };
    const broken = { reason: { code: 'encoder-failed' }, retry: true, encoder: 'hevc_nvenc', device: '0' } as const;
    await fails(testNode, broken);
    await fails(testNode, { ...broken, reason: { code: 'disk-full' } });
    const elsewhere = (await s.ask('other')).granted!;
    assert.deepEqual(elsewhere.failed, []);
    await failAttempt(s.db, { jobId: elsewhere.job, attemptId: elsewhere.attempt }, { ...broken, reason: { code: 'input-output-error' } });
    await s.change('update jobs set retry_at = null');
    assert.deepEqual((await s.ask(testNode)).granted?.failed, [{ name: 'hevc_nvenc', device: '0' }]);
  });

  test('an offer names what waits, and nothing is offered when nothing does', async (t) => {
    const s = await stage(t, kind);
    const heard = new Promise<number[]>((resolve) => s.mesh.subscribe('offers', (offer) => resolve(offer.classes)));
    s.dispatcher.offer();
    await someJobs(s.db, s.library.id, 1, { class: 1 });
    await someJobs(s.db, s.library.id, 1, { class: 2 }, 'other');
    s.dispatcher.offer();
    const again = setInterval(() => s.dispatcher.offer(), 100);
    const classes = await heard;
    clearInterval(again);
    assert.ok(classes.includes(1));
  });
});

/** Speeds are known by encoder, so these nodes need one. */
async function encoders(s: Stage): Promise<void> {
  const report = { name: 'libx265', device: null, works: true, tenBit: true, hardware: false, reason: null, testedAt: '' };
  await s.change(`update nodes set encoders = $1`, [JSON.stringify([report])]);
}

/** Plays the queue through with the clock of the test: each node asks whenever it is free. Seconds until the last film is done. */
async function playOut(s: Stage, seconds: Record<string, number>): Promise<number> {
  const began = s.clock.ms;
  const running = new Map<string, { job: number; attempt: number; until: number }>();
  for (;;) {
    for (const node of Object.keys(seconds)) {
      if (running.has(node)) continue;
      for (const [other, run] of running) s.events.emit('job.progressed', progress(run, other, { leftMs: run.until - s.clock.ms }));
      const { granted } = await s.ask(node);
      if (granted) running.set(node, { job: granted.job, attempt: granted.attempt, until: s.clock.ms + seconds[node]! * 1000 });
    }
    const next = [...running].toSorted((a, b) => a[1].until - b[1].until)[0];
    if (!next) return (s.clock.ms - began) / 1000;
    const [node, run] = next;
    running.delete(node);
    s.clock.ms = run.until;
    await failAttempt(s.db, { jobId: run.job, attemptId: run.attempt }, { reason: { code: 'stalled' }, retry: false });
  }
}
