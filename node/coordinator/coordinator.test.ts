import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import type { Actor } from '../core/commands.ts';
import { activityForJob, listActivity } from '../db/activity.ts';
import { openAttempts, readAttempt } from '../db/attempts.ts';
import type { Database } from '../db/connect.ts';
import { readJobRow, runningJobs } from '../db/job-lists.ts';
import { readLibrary } from '../db/libraries.ts';
import { readFile } from '../db/media-files.ts';
import { listOriginals } from '../db/originals.ts';
import { setNodeRoots } from '../db/roots.ts';
import { totals } from '../db/stats.ts';
import { createEvents, type EventMap, type Events } from '../events.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { alone } from '../testing/alone.ts';
import { oneDatabase, freshDatabase, type DatabaseKind } from '../testing/database.ts';
import { helloOf } from '../testing/mesh-samples.ts';
import { aFingerprint, aLibrary, aNode, aProbe, someJobs, testNode } from '../testing/records.ts';
import { createCoordinator, type Coordinator } from './coordinator.ts';
import { createFinisher } from './finisher.ts';
import { createSettingsStore, type SettingsStore } from './settings.ts';

/**
 * The coordinator for real, on a real database; worker and keeper are this test, answering over the mesh.
 */
interface Stage {
  mesh: Mesh;
  events: Events;
  coordinator: Coordinator;
  settings: SettingsStore;
  db: Database;
  /** everything the coordinator asked of the keeper and the worker */
  asked: (ProtocolRequest<'grant'> | ProtocolRequest<'control'>)[];
  next<K extends keyof EventMap>(type: K, when?: (event: EventMap[K]) => boolean): Promise<EventMap[K]>;
}

const ada: Actor = { name: 'Ada', via: 'page' };
const session = randomUUID();
const log = createLog({ level: 'fatal', pretty: true });

async function stage(t: TestContext, kind: DatabaseKind): Promise<Stage> {
  const database = await freshDatabase(t, kind);
  const events = createEvents((error) => assert.fail(String(error)));
  const mesh = createLocalMesh(testNode, log);
  const asked: Stage['asked'] = [];
  mesh.handle('grant', async (grant) => (asked.push(grant), { accepted: true, why: null }));
  mesh.handle('control', async (wish) => (asked.push(wish), { accepted: true }));
  mesh.handle('inspect', async (ask) =>
    ask.op === 'end-list' ? { op: 'ended' } : { op: 'refused', reason: { code: 'root-not-mounted' } },
  );
  const settings = createSettingsStore();
  const coordinator = createCoordinator({
    ...alone(),
    mesh,
    db: database,
    settings,
    events,
  });
  const next: Stage['next'] = (type, when = () => true) =>
    new Promise((resolve) => {
      const off = events.on(type, (event) => {
        if (!when(event)) return;
        off();
        resolve(event);
      });
    });
  const elected = next('coordinator.changed', ({ term }) => term !== null);
  coordinator.start();
  t.after(() => coordinator.stop());
  const { term } = await elected;
  return { mesh, events, coordinator, settings, db: database.withTerm(term!), asked, next };
}

async function hello(s: Stage, attempts: number[] = [], by = session): Promise<number[]> {
  const roots = (
    await s.db.query<{ root: string; path: string }>(`select root_id as root, path from node_roots where node_id = $1`, [testNode])
  ).map((r) => ({ ...r, writable: true, problem: null }));
  const facts = helloOf(testNode, { session: by, name: 'a', classes: [0, 1, 2], roots, attempts });
  const welcome = await s.mesh.request(testNode, 'hello', facts);
  return welcome.drop;
}

/** The node of the tests asks for work. */
function asked(s: Stage, freeBytes = 1e12): Promise<ProtocolResponse<'claim'>> {
  return s.mesh.request(testNode, 'claim', { node: testNode, session, classes: [0, 1, 2], freeSlots: 1, ahead: false, freeBytes });
}

async function granted(s: Stage): Promise<{ job: number; attempt: number }> {
  const { granted: grant } = await asked(s);
  assert.ok(grant, 'a job was granted');
  return { job: grant.job, attempt: grant.attempt };
}

async function withJob(t: TestContext, kind: DatabaseKind): Promise<Stage & { ids: { job: number; attempt: number } }> {
  const s = await stage(t, kind);
  const library = await aLibrary(s.db);
  await someJobs(s.db, library.id, 1);
  await hello(s);
  return { ...s, ids: await granted(s) };
}

const sha256 = 'a'.repeat(64);

function encoded(s: Stage, ids: { job: number; attempt: number }) {
  return s.mesh.request(testNode, 'report', {
    event: 'encoded',
    ...ids,
    output: { node: testNode, sizeBytes: 400_000, sha256, frames: 50 },
    encoder: 'libx265',
    command: ['ffmpeg'],
    stderrTail: '',
    stats: { encodeMs: 1 },
  });
}

function verified(s: Stage, ids: { job: number; attempt: number }, verdict: object) {
  return s.mesh.request(testNode, 'report', {
    event: 'verified',
    ...ids,
    verdict: { checks: [], ...verdict },
    outputProbe: aProbe('hevc') as never,
    outputBytes: 400_000,
  });
}

function replaced(s: Stage, ids: { job: number; attempt: number }, placed = ids.attempt) {
  const original = {
    path: 'film-00001.mkv',
    trashPath: `.codecshift/trash/2026-11-22/${placed}/film-00001.mkv`,
    fingerprint: aFingerprint('original'),
  };
  return s.mesh.request(testNode, 'report', {
    event: 'replaced',
    ...ids,
    path: 'film-00001.mkv',
    fingerprint: aFingerprint('output', 400_000),
    probe: null,
    original,
  });
}

async function until(s: Stage, done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(s);
}

oneDatabase((kind) => {
  test('an encoded output is verified, granted, replaced and counted once, whoever repeats what', async (t) => {
    const s = await withJob(t, kind);
    assert.equal((await encoded(s, s.ids)).accepted, true);
    await until(s, async () => s.asked.some((a) => 'op' in a && a.op === 'verify'));
    assert.equal((await encoded(s, s.ids)).accepted, false, 'a repeated report is not wanted once the check runs');
    assert.equal((await verified(s, s.ids, { accepted: true })).accepted, true);
    await until(s, async () => s.asked.some((a) => 'op' in a && a.op === 'replace'));
    assert.equal((await replaced(s, s.ids, s.ids.attempt + 1)).accepted, false, 'another original would expire in its name');
    assert.equal((await replaced(s, s.ids)).accepted, true);
    assert.equal((await replaced(s, s.ids)).accepted, false);
    const job = await readJobRow(s.db, s.ids.job);
    assert.deepEqual([job?.state, job?.outcome, job?.attemptState], ['completed', 'replaced', 'succeeded']);
    const file = await readFile(s.db, job!.fileId);
    assert.deepEqual([file?.status, file?.sizeBytes, file?.originalBytes, file?.codec], ['done', 400_000, 1_000_000, 'hevc']);
    assert.equal((await listOriginals(s.db, job!.fileId)).length, 1);
    assert.deepEqual((({ replaced: n, bytesIn, bytesOut }) => [n, bytesIn, bytesOut])(await totals(s.db)), [1, 1_000_000, 400_000]);
    assert.ok(
      s.asked.some((a) => 'want' in a && a.want === 'forget' && a.attempt === s.ids.attempt),
      'the worker may forget the output',
    );
    assert.ok(
      s.asked.some((a) => 'op' in a && a.op === 'discard'),
      'the keeper may forget the journal',
    );
  });

  test('an output that saves too little keeps the original, with the reason', async (t) => {
    const s = await withJob(t, kind);
    await encoded(s, s.ids);
    await until(s, async () => (await readAttempt(s.db, s.ids.attempt))?.state === 'verifying');
    await verified(s, s.ids, { accepted: false, reason: { code: 'small-saving', params: { saved: 3, limit: 10 } } });
    const job = await readJobRow(s.db, s.ids.job);
    assert.deepEqual([job?.state, job?.outcome, job?.reason?.code], ['completed', 'kept', 'small-saving']);
    assert.equal((await readFile(s.db, job!.fileId))?.status, 'kept');
    assert.ok(!s.asked.some((a) => 'op' in a && a.op === 'replace'));
  });

  test('an output that differs is encoded once more, and after the second time the original is kept', async (t) => {
    const s = await withJob(t, kind);
    const refuse = async (ids: { job: number; attempt: number }): Promise<void> => {
      await encoded(s, ids);
      await until(s, async () => (await readAttempt(s.db, ids.attempt))?.state === 'verifying');
      await verified(s, ids, { accepted: false, reason: { code: 'frames-differ', params: { original: 50, output: 49 } } });
    };
    await refuse(s.ids);
    assert.equal((await readJobRow(s.db, s.ids.job))?.state, 'available');
    await s.db.query('update jobs set retry_at = null');
    const again = await granted(s);
    assert.notEqual(again.attempt, s.ids.attempt);
    await refuse(again);
    const job = await readJobRow(s.db, s.ids.job);
    assert.deepEqual([job?.state, job?.outcome, job?.reason?.code], ['completed', 'kept', 'frames-differ']);
  });

  test('a report of an attempt that is over changes nothing', async (t) => {
    const s = await withJob(t, kind);
    await s.mesh.request(testNode, 'report', { event: 'released', ...s.ids, reason: { code: 'shut-down' } });
    const second = await granted(s);
    assert.equal((await encoded(s, s.ids)).accepted, false);
    assert.equal((await verified(s, s.ids, { accepted: true })).accepted, false);
    assert.equal((await replaced(s, s.ids)).accepted, false);
    assert.equal((await readJobRow(s.db, s.ids.job))?.attemptId, second.attempt);
  });

  test('an original that changed meanwhile is looked at again instead of being replaced', async (t) => {
    const s = await withJob(t, kind);
    await encoded(s, s.ids);
    await s.mesh.request(testNode, 'report', { event: 'not-verified', ...s.ids, reason: { code: 'file-changed' }, retry: false });
    const job = await readJobRow(s.db, s.ids.job);
    assert.equal(job?.state, 'cancelled');
    assert.equal((await readFile(s.db, job!.fileId))?.status, 'new');
  });

  test('a source that changed before its encode is looked at again and counts as no failure', async (t) => {
    const s = await withJob(t, kind);
    await s.mesh.request(testNode, 'report', {
      event: 'failed',
      ...s.ids,
      reason: { code: 'file-changed' },
      retry: false,
      encoder: null,
      command: null,
      stderrTail: '',
    });
    const job = await readJobRow(s.db, s.ids.job);
    assert.deepEqual([job?.state, job?.failures], ['cancelled', 0]);
    assert.equal((await readFile(s.db, job!.fileId))?.status, 'new');
  });

  test('a finished output waits for a library that is away or full: nothing has failed and nothing is thrown away', async (t) => {
    const s = await withJob(t, kind);
    await encoded(s, s.ids);
    await until(s, async () => (await readAttempt(s.db, s.ids.attempt))?.state === 'verifying');
    for (const code of ['root-not-mounted', 'no-space', 'disk-full']) {
      await s.mesh.request(testNode, 'report', { event: 'not-verified', ...s.ids, reason: { code }, retry: true });
      const job = await readJobRow(s.db, s.ids.job);
      assert.deepEqual([job?.state, job?.failures, job?.reason?.code], ['running', 0, code]);
    }
    assert.ok(!s.asked.some((a) => 'op' in a && a.op === 'discard'));
    await verified(s, s.ids, { accepted: true });
    assert.equal((await readJobRow(s.db, s.ids.job))?.reason, null);
    await s.mesh.request(testNode, 'report', { event: 'not-replaced', ...s.ids, reason: { code: 'root-not-mounted' }, retry: true });
    assert.equal((await readAttempt(s.db, s.ids.attempt))?.state, 'replacing');
    await replaced(s, s.ids);
    assert.equal((await readJobRow(s.db, s.ids.job))?.outcome, 'replaced');
  });

  test('a job whose disk is away when it begins goes back and counts no failure', async (t) => {
    const s = await withJob(t, kind);
    const reason = { code: 'root-not-mounted' };
    await s.mesh.request(testNode, 'report', {
      event: 'failed',
      ...s.ids,
      reason,
      retry: true,
      encoder: null,
      command: null,
      stderrTail: '',
    });
    const job = await readJobRow(s.db, s.ids.job);
    assert.deepEqual([job?.state, job?.failures, job?.reason], ['available', 0, reason]);
    assert.ok(job!.retryAt, 'not at once, or it would be claimed again in the same second');
  });

  test('a file that changed under work is looked at by a scan of its own', async (t) => {
    const s = await withJob(t, kind);
    await s.coordinator.commands.saveSettings([{ key: 'scan.settleSeconds', value: 0, version: 0 }], ada);
    await encoded(s, s.ids);
    const scanned = s.next('scan.progressed', ({ done }) => done);
    await s.mesh.request(testNode, 'report', { event: 'not-verified', ...s.ids, reason: { code: 'missing' }, retry: false });
    assert.equal((await readJobRow(s.db, s.ids.job))?.reason?.code, 'original-gone');
    await scanned;
  });

  test('an emptied queue stays empty until a person asks for a scan', async (t) => {
    const s = await stage(t, kind);
    const library = await aLibrary(s.db);
    const jobs = await someJobs(s.db, library.id, 3);
    assert.equal(await s.coordinator.commands.clearQueue(ada), 3);
    const fileId = jobs[0]!.fileId;
    assert.deepEqual([(await readFile(s.db, fileId))?.status, (await readFile(s.db, fileId))?.reason?.code], ['skipped', 'cleared']);
    const scanned = s.next('scan.progressed', ({ done }) => done);
    await s.coordinator.commands.scan(library.id, ada);
    await scanned;
    assert.equal((await readFile(s.db, fileId))?.status, 'new');
  });

  test('a node that was started anew gives its cut-off run back at once, and keeps what it still holds', async (t) => {
    const s = await withJob(t, kind);
    await hello(s, [s.ids.attempt], randomUUID());
    assert.equal((await runningJobs(s.db)).length, 1, 'an attempt that the new process still holds goes on');
    await hello(s, [], randomUUID());
    assert.equal((await runningJobs(s.db)).length, 0);
    const job = await readJobRow(s.db, s.ids.job);
    assert.deepEqual([job?.state, job?.failures], ['available', 0]);
    assert.deepEqual(await hello(s, [s.ids.attempt]), [s.ids.attempt], 'and hears that the old attempt is over');
  });

  test('a film is left alone after eight crashes in the middle of it; orderly stops do not count', async (t) => {
    const s = await withJob(t, kind);
    let run = s.ids;
    for (let n = 0; n < 8; n++) {
      await s.mesh.request(testNode, 'report', { event: 'released', ...run, reason: { code: 'shut-down' } });
      run = await granted(s);
    }
    for (let crash = 1; crash <= 8; crash++) {
      await hello(s, [], randomUUID());
      assert.equal((await readJobRow(s.db, s.ids.job))?.state, crash < 8 ? 'available' : 'failed');
      if (crash < 8) await granted(s);
    }
  });

  test('a hello that crosses a fresh grant does not take the grant back', async (t) => {
    const s = await withJob(t, kind);
    await hello(s, []);
    assert.deepEqual(
      (await openAttempts(s.db)).map((a) => a.id),
      [s.ids.attempt],
    );
  });

  test('cancelling a running encode reaches the worker, and its answer ends the job', async (t) => {
    const s = await withJob(t, kind);
    await s.coordinator.commands.cancelJob(s.ids.job, ada);
    assert.ok(s.asked.some((a) => 'want' in a && a.want === 'cancel' && a.attempt === s.ids.attempt));
    await s.mesh.request(testNode, 'report', { event: 'cancelled', ...s.ids });
    const job = await readJobRow(s.db, s.ids.job);
    assert.deepEqual([job?.state, job?.reason?.params?.['by']], ['cancelled', 'Ada']);
    await assert.rejects(s.coordinator.commands.cancelJob(s.ids.job, ada), /over already/);
  });

  test('cancelling during the check ends the job at once and throws the output away', async (t) => {
    const s = await withJob(t, kind);
    await encoded(s, s.ids);
    await until(s, async () => (await readAttempt(s.db, s.ids.attempt))?.state === 'verifying');
    await s.coordinator.commands.cancelJob(s.ids.job, ada);
    assert.equal((await readJobRow(s.db, s.ids.job))?.state, 'cancelled');
    assert.ok(s.asked.some((a) => 'op' in a && a.op === 'discard'));
    assert.equal((await verified(s, s.ids, { accepted: true })).accepted, false, 'a late verdict replaces nothing');
  });

  test('a copy that grew too large is no failure: the original is kept, once and for all, and nobody is alarmed', async (t) => {
    const s = await withJob(t, kind);
    const reason = { code: 'output-too-large', params: { limit: 1000 } };
    const report = { event: 'failed' as const, ...s.ids, reason, retry: false, encoder: 'libx265', command: ['ffmpeg'], stderrTail: 'bye' };
    assert.equal((await s.mesh.request(testNode, 'report', report)).accepted, true);
    const job = await readJobRow(s.db, s.ids.job);
    assert.deepEqual([job?.state, job?.outcome, job?.failures, job?.reason], ['completed', 'kept', 0, reason]);
    assert.equal((await readFile(s.db, job!.fileId))?.status, 'kept');
    const attempt = await readAttempt(s.db, s.ids.attempt);
    assert.deepEqual([attempt?.state, attempt?.encoder, attempt?.command], ['rejected', 'libx265', ['ffmpeg']]);
    const [event] = await activityForJob(s.db, s.ids.job);
    assert.deepEqual([event?.kind, event?.severity], ['kept', 0]);
    assert.equal((await s.mesh.request(testNode, 'report', report)).accepted, false, 'told twice, it ends once');
  });

  test('a job that fails for good is told with the name of its film and the reason', async (t) => {
    const s = await withJob(t, kind);
    await s.mesh.request(testNode, 'report', {
      event: 'failed',
      ...s.ids,
      reason: { code: 'ffmpeg-failed' },
      retry: false,
      encoder: 'libx265',
      command: null,
      stderrTail: '',
    });
    const [event] = await activityForJob(s.db, s.ids.job);
    const file = await readFile(s.db, event!.fileId!);
    assert.deepEqual([event?.kind, event?.severity, event?.libraryId], ['failed', 2, file!.libraryId]);
    assert.deepEqual(event?.params, { reason: { code: 'ffmpeg-failed' }, title: `${file!.title} ${file!.detail}`.trim() });
  });

  test('a file that cannot be looked at now keeps what was known of it when a person asks for it again', async (t) => {
    const s = await withJob(t, kind);
    const { fileId } = (await readJobRow(s.db, s.ids.job))!;
    assert.equal(await s.coordinator.commands.retryFile(fileId, ada), s.ids.job, 'a live job is the answer');
    await s.coordinator.commands.cancelJob(s.ids.job, ada);
    await s.mesh.request(testNode, 'report', { event: 'cancelled', ...s.ids });
    const before = await readFile(s.db, fileId);
    await assert.rejects(s.coordinator.commands.retryFile(fileId, ada), /not mounted|not there/);
    const after = await readFile(s.db, fileId);
    assert.deepEqual([after?.status, after?.reason], [before?.status, before?.reason]);
    await assert.rejects(s.coordinator.commands.retryFile(999_999, ada), /not known/);
  });

  test('saving a library again without a change leaves priorities and the story alone', async (t) => {
    const s = await stage(t, kind);
    const library = await aLibrary(s.db);
    const [job] = await someJobs(s.db, library.id, 1);
    await s.coordinator.commands.prioritise({ ids: [job!.jobId] }, 'high', ada);
    const told = (await listActivity(s.db)).rows.length;
    const { profile } = (await readLibrary(s.db, library.id))!;
    await s.coordinator.commands.changeLibrary(library.id, { name: 'Films', enabled: true, priority: 'normal', profile }, ada);
    assert.equal((await readJobRow(s.db, job!.jobId))?.priority, 0);
    assert.equal((await listActivity(s.db)).rows.length, told);
    await s.coordinator.commands.changeLibrary(library.id, { name: 'Films', enabled: false }, ada);
    const { kind: last, params } = (await listActivity(s.db)).rows[0]!;
    assert.deepEqual([last, params], ['library-changed', { library: 'Films', enabled: false }]);
    await s.coordinator.commands.changeLibrary(library.id, { schedule: { atHour: 3 }, watch: false }, ada);
    const changed = await readLibrary(s.db, library.id);
    assert.deepEqual([changed?.schedule, changed?.watch, changed?.enabled], [{ atHour: 3 }, false, false]);
    await assert.rejects(s.coordinator.commands.changeLibrary(library.id, { schedule: { atHour: 24 } }, ada), /at an hour from 0 to 23/);
  });

  test('a paused queue grants nothing and says why; resuming grants again', async (t) => {
    const s = await stage(t, kind);
    const library = await aLibrary(s.db);
    await someJobs(s.db, library.id, 1);
    await hello(s);
    await s.coordinator.commands.pauseAll(ada);
    const refused = await asked(s);
    assert.deepEqual([refused.granted, refused.why?.code], [null, 'paused']);
    await s.coordinator.commands.resumeAll(ada);
    await granted(s);
  });

  test('a node without room for the output gets nothing and is told so, and the job waits untouched for one with room', async (t) => {
    const s = await stage(t, kind);
    const library = await aLibrary(s.db);
    const [first] = await someJobs(s.db, library.id, 1);
    await hello(s);
    const answer = await asked(s, 2_000_100_000);
    assert.deepEqual([answer.granted, answer.why?.code], [null, 'no-space']);
    const job = await readJobRow(s.db, first!.jobId);
    assert.deepEqual([job?.state, job?.retryAt, job?.reason, job?.failures], ['available', null, null, 0]);
  });

  test('settings are validated as a group, conflicts are told, and take effect at once', async (t) => {
    const s = await stage(t, kind);
    const { saveSettings } = s.coordinator.commands;
    const bad = await saveSettings(
      [
        { key: 'trash.keepDays', value: '7', version: 0 },
        { key: 'jobs.atOnce', value: '900', version: 0 },
        { key: 'no.such', value: 1, version: 0 },
      ],
      ada,
    );
    assert.deepEqual(
      bad.map((p) => p.key),
      ['jobs.atOnce', 'no.such'],
    );
    assert.equal(s.settings.current()['trash.keepDays'], 14, 'nothing of a group with a mistake is saved');
    assert.deepEqual(await saveSettings([{ key: 'trash.keepDays', value: '7', version: 0 }], ada), []);
    assert.equal(s.settings.current()['trash.keepDays'], 7);
    const conflict = await saveSettings([{ key: 'trash.keepDays', value: '9', version: 0 }], { name: 'Ben', via: 'page' });
    assert.equal(conflict[0]?.current, 7);
    assert.match(conflict[0]!.problem, /Ada/);
    const twice = [3, 4].map((value) => ({ key: 'backup.hour', value, version: 0 }));
    assert.deepEqual(
      (await saveSettings(twice, ada)).map(({ problem }) => problem),
      ['is named twice', 'is named twice'],
    );
    const [never] = await saveSettings([{ key: 'history.keepDays', value: 9, version: 77 }], ada);
    assert.deepEqual([never?.problem, never?.current], ['was never changed, so it has no such version', null]);
    assert.deepEqual(await saveSettings([{ key: 'queue.order', value: 'smallest', version: 0 }], ada), [], 'what waits gets the new order');
  });

  test('what became of an original is believed from a keeper of its root only', async (t) => {
    const s = await withJob(t, kind);
    const library = (await s.db.query<{ root: string }>(`select root_id as root from libraries`))[0]!;
    await aNode(s.db, 'liar');
    const finisher = createFinisher({
      mesh: s.mesh,
      db: s.db,
      term: s.coordinator.term()!,
      settings: s.settings.current,
      events: s.events,
      tickets: { source: () => null, output: () => null },
      offer: () => {},
      lookAgain: () => {},
      restored: async () => ({ accepted: true, why: null }),
      log,
    });
    const gone = { event: 'expired', ...s.ids } as const;
    assert.equal((await finisher.report(gone, testNode)).accepted, true);
    // to say hello with the id of a root is easy
    await setNodeRoots(s.db, 'liar', [{ root: library.root, path: '/nowhere', writable: true, problem: null }]);
    assert.equal((await finisher.report(gone, 'liar')).accepted, false);
    assert.equal((await finisher.report({ event: 'cancelled', ...s.ids }, 'liar')).accepted, false);
  });

  test('a restore is granted to the keeper and, once done, keeps the file from being queued again', async (t) => {
    const s = await withJob(t, kind);
    await encoded(s, s.ids);
    await until(s, async () => (await readAttempt(s.db, s.ids.attempt))?.state === 'verifying');
    await verified(s, s.ids, { accepted: true });
    await replaced(s, s.ids);
    const fileId = (await readJobRow(s.db, s.ids.job))!.fileId;
    const [original] = await listOriginals(s.db, fileId);
    // pressed twice: asked of the keeper once, answered twice
    const restoring = Promise.all([1, 2].map(() => s.coordinator.commands.restore(original!.id, ada)));
    await until(s, async () => s.asked.some((a) => 'op' in a && a.op === 'restore'));
    await s.mesh.request(testNode, 'report', {
      event: 'restored',
      ...s.ids,
      path: 'film-00001.mkv',
      fingerprint: aFingerprint('original'),
      probe: null,
    });
    await restoring;
    const file = await readFile(s.db, fileId);
    assert.deepEqual([file?.status, file?.reason?.code, file?.sizeBytes], ['kept', 'restored', 1_000_000]);
    assert.equal((await readJobRow(s.db, s.ids.job))?.outcome, 'restored');
    await assert.rejects(s.coordinator.commands.restore(original!.id, ada), /not in the trash/);
  });
});
