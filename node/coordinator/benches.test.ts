import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import type { Actor } from '../core/commands.ts';
import { defaultProfile } from '../core/profile.ts';
import { sentence } from '../core/reasons.ts';
import { listActivity } from '../db/activity.ts';
import { readAttempt } from '../db/attempts.ts';
import { listBenched } from '../db/benched.ts';
import type { Database } from '../db/connect.ts';
import { readJobRow } from '../db/job-lists.ts';
import { dueOriginals, originalOfAttempt } from '../db/originals.ts';
import { badCopies } from '../db/rechecks.ts';
import { listNodeRoots, setNodeRoots, setProved } from '../db/roots.ts';
import { createEvents } from '../events.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, ProtocolRequest } from '../mesh/messages.ts';
import type { Report } from '../mesh/outbox.ts';
import { alone } from '../testing/alone.ts';
import { oneDatabase, freshDatabase, quietLog, type DatabaseKind } from '../testing/database.ts';
import { helloOf } from '../testing/mesh-samples.ts';
import { aFingerprint, aLibrary, aNode, aProbe, someJobs, testNode } from '../testing/records.ts';
import { createCoordinator, type Coordinator } from './coordinator.ts';

/** The coordinator for real, on a real database; the machines are this test. */
interface Stage {
  coordinator: Coordinator;
  db: Database;
  /** what was asked of which machine */
  asked: { to: string; op: string; attempt: number; low?: boolean }[];
  /** machines that the coordinator reaches, besides itself */
  connected: string[];
  library: { id: number; rootId: string };
  hello(build: string): Promise<void>;
  claim(): Promise<GrantedJob | null>;
  say(report: Report, from?: string): Promise<boolean>;
}
type Ids = { job: number; attempt: number };

const ada: Actor = { name: 'Ada', via: 'page' };
const sha256 = 'a'.repeat(64);

async function stage(t: TestContext, kind: DatabaseKind, profile = defaultProfile, films = 4): Promise<Stage> {
  const database = await freshDatabase(t, kind);
  const events = createEvents((error) => assert.fail(String(error)));
  const local = createLocalMesh(testNode, quietLog());
  const asked: Stage['asked'] = [];
  const connected: string[] = [];
  let reported: (report: Report, from: string) => Promise<{ accepted: boolean }> = () => Promise.reject(new Error('no coordinator'));
  const mesh: Mesh = {
    ...local,
    handle(protocol, handler) {
      if (protocol === 'report') reported = handler as unknown as typeof reported;
      local.handle(protocol, handler);
    },
    async request(to, protocol, body, options) {
      if (protocol === 'grant') {
        if (to !== testNode && !connected.includes(to)) throw new Error(`${to} is away`);
        asked.push({ to, ...(body as ProtocolRequest<'grant'>) });
        return { accepted: true, why: null } as never;
      }
      return local.request(to, protocol, body, options);
    },
  };
  mesh.handle('control', async () => ({ accepted: true }));
  mesh.handle('inspect', async () => ({ op: 'refused', reason: { code: 'root-not-mounted' } }));
  const coordinator = createCoordinator({
    ...alone(),
    mesh,
    db: database,
    events,
    network: { connected: () => connected, hostOf: () => null, clockOf: () => null },
  });
  const elected = new Promise<number>((resolve) => events.on('coordinator.changed', ({ term }) => term !== null && resolve(term)));
  coordinator.start();
  t.after(() => coordinator.stop());
  const db = database.withTerm(await elected);
  const library = await aLibrary(db);
  await someJobs(db, library.id, films, { profile });
  const session = randomUUID();
  const s: Stage = {
    ...{ coordinator, db, asked, connected, library },
    async hello(build) {
      const nvenc = { name: 'hevc_nvenc', device: '0', works: true, tenBit: true, hardware: true, reason: null, testedAt: '', build };
      const roots = (await listNodeRoots(db, testNode)).map((r) => ({ root: r.rootId, path: r.path, writable: true, problem: null }));
      await mesh.request(testNode, 'hello', helloOf(testNode, { session, name: 'atlas', classes: [0, 1, 2], encoders: [nvenc], roots }));
    },
    async claim() {
      const wish = { node: testNode, session, classes: [0, 1, 2], freeSlots: 1, ahead: false, freeBytes: 1e12 };
      return (await mesh.request(testNode, 'claim', wish)).granted;
    },
    say: async (report, from = testNode) => (await reported(report, from)).accepted,
  };
  await s.hello('driver 1');
  return s;
}

/** One film is claimed, encoded, and checked by its keeper; with a yes and no second look it is replaced. */
async function film(s: Stage, code: string | null): Promise<Ids> {
  const granted = await s.claim();
  assert.ok(granted, 'a film was given');
  const ids = { job: granted.job, attempt: granted.attempt };
  const output = { node: testNode, sizeBytes: 400_000, sha256, frames: 50 };
  const stats = { encodeMs: 1, device: '0', build: 'driver 1' };
  await s.say({ event: 'encoded', ...ids, output, encoder: 'hevc_nvenc', command: ['ffmpeg'], stderrTail: '', stats });
  await until(async () => (await readAttempt(s.db, ids.attempt))?.state === 'verifying');
  const verdict = code === null ? { accepted: true, checks: [] } : { accepted: false, checks: [], reason: { code } };
  await s.say({ event: 'verified', ...ids, verdict, outputProbe: aProbe('hevc') as never, outputBytes: 400_000 });
  return ids;
}

async function replaced(s: Stage, ids: Ids): Promise<Ids> {
  const path = (await readJobRow(s.db, ids.job))!.path;
  const original = { path, trashPath: `.codecshift/trash/2026-11-22/${ids.attempt}/${path}`, fingerprint: aFingerprint('original') };
  assert.ok(await s.say({ event: 'replaced', ...ids, path, fingerprint: aFingerprint('output', 400_000), probe: null, original }));
  return ids;
}

async function until(done: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The second machine of the house: it sees the same library, proved to be the same disk. */
async function another(s: Stage): Promise<string> {
  const node = await aNode(s.db, 'node-b');
  await setNodeRoots(s.db, node, [{ root: s.library.rootId, path: '/mnt/films', writable: true, problem: null }]);
  await setProved(s.db, node, s.library.rootId);
  s.connected.push(node);
  return node;
}

const words = async (s: Stage, attempt: number): Promise<string | undefined> =>
  (await readAttempt(s.db, attempt))?.verdict?.checks.find((check) => check.name === 'second-look')?.output;

oneDatabase((kind) => {
  test('an encoder with two bad copies gets no film, what it made is looked at again, and a bad copy keeps its original', async (t) => {
    const s = await stage(t, kind);
    const node = await another(s);
    const [good, doubtful] = [await replaced(s, await film(s, null)), await replaced(s, await film(s, null))];
    await film(s, 'pictures-differ');
    assert.deepEqual(await listBenched(s.db), [], 'one bad film is not enough');
    await film(s, 'frames-differ');
    const [benched] = await listBenched(s.db);
    assert.deepEqual([benched?.encoder, benched?.device, benched?.build], ['hevc_nvenc', '0', 'driver 1']);
    assert.match(sentence(benched!.reason), /hevc_nvenc on 0 on atlas made 2 bad copies among its last 4, the last one: frames differ/);
    assert.ok((await listActivity(s.db)).rows.some((row) => row.kind === 'encoder-benched' && row.severity === 1));
    await s.db.query(`update jobs set retry_at = null`);
    assert.equal(await s.claim(), null, 'two films wait for another try, and nothing may make them');

    // neither may expire before it was looked at; each is asked of the machine that did not make it, one at a time
    await s.db.query(`update originals set expires_at = now() - interval '1 day'`);
    assert.deepEqual(await dueOriginals(s.db), []);
    const looked = (): Stage['asked'] => s.asked.filter((a) => a.op === 'recheck');
    await until(() => looked().length === 1);
    assert.deepEqual(looked()[0], { ...looked()[0], to: node, attempt: good.attempt, low: true });
    assert.equal(await s.say({ event: 'rechecked', ...good, verdict: { accepted: true, checks: [] } }, 'node-c'), false, 'no keeper of it');
    assert.ok(await s.say({ event: 'rechecked', ...good, verdict: { accepted: true, checks: [] } }, node));
    assert.deepEqual(
      (await dueOriginals(s.db)).map((o) => o.attemptId),
      [good.attempt],
    );
    await until(() => looked().length === 2);
    assert.equal(looked()[1]?.attempt, doubtful.attempt);
    const no = { accepted: false, checks: [], reason: { code: 'pictures-differ', params: { at: '0:00:10' } } };
    assert.ok(await s.say({ event: 'rechecked', ...doubtful, verdict: no }, node));
    assert.equal((await dueOriginals(s.db)).length, 1, 'a bad copy keeps its original until a person decides');
    assert.deepEqual(
      (await badCopies(s.db)).map((c) => [c.jobId, c.note?.code]),
      [[doubtful.job, 'pictures-differ']],
    );
    const original = (await originalOfAttempt(s.db, doubtful.attempt))!;
    await s.coordinator.commands.acceptCopy(original.id, ada);
    assert.equal((await dueOriginals(s.db)).length, 2);
    await assert.rejects(s.coordinator.commands.acceptCopy(original.id, ada), /Nothing about this copy/);

    await s.hello('driver 1');
    assert.equal((await listBenched(s.db)).length, 1, 'the same build stays benched');
    await s.coordinator.commands.liftBench(benched!.id, ada);
    assert.ok(await s.claim(), 'another chance');
    assert.deepEqual(await listBenched(s.db), []);
  });

  test('another driver gives a benched encoder another chance by itself, counted from anew', async (t) => {
    const s = await stage(t, kind);
    await film(s, 'decode-errors');
    await film(s, 'pictures-differ');
    assert.equal((await listBenched(s.db)).length, 1);
    await s.hello('driver 2');
    assert.deepEqual(await listBenched(s.db), []);
    await film(s, 'pictures-differ');
    assert.deepEqual(await listBenched(s.db), [], 'what the former driver did counts no more');
  });

  const wished = { ...defaultProfile, verification: 'second-look' as const };

  test('where a second look is wished, another machine looks before anything is replaced, and its no counts', async (t) => {
    const s = await stage(t, kind, wished);
    const node = await another(s);
    const first = await film(s, null);
    await until(() => s.asked.some((a) => a.op === 'recheck'));
    assert.deepEqual(
      s.asked.filter((a) => a.op === 'recheck' || a.op === 'replace').map(({ to, op, low }) => [to, op, low]),
      [[node, 'recheck', false]],
    );
    assert.equal(await s.say({ event: 'rechecked', ...first, verdict: { accepted: true, checks: [] } }, testNode), false, 'its own word');
    assert.ok(await s.say({ event: 'rechecked', ...first, verdict: { accepted: true, checks: [] } }, node));
    await until(() => s.asked.some((a) => a.op === 'replace'));
    assert.match((await words(s, first.attempt))!, /node-b looked too, and found the same/);
    await replaced(s, first);

    const second = await film(s, null);
    const no = { accepted: false, checks: [], reason: { code: 'pictures-differ' } };
    assert.ok(await s.say({ event: 'rechecked', ...second, verdict: no }, node));
    const job = await readJobRow(s.db, second.job);
    assert.deepEqual([job?.state, job?.reason?.code], ['available', 'pictures-differ']);
    assert.match((await words(s, second.attempt))!, /found it different/);
    assert.equal(s.asked.filter((a) => a.op === 'replace').length, 1);
  });

  test('a second look waits for nobody for ever: without another machine, or with one that cannot, the job says so', async (t) => {
    const s = await stage(t, kind, wished);
    const alone = await film(s, null);
    assert.equal((await readAttempt(s.db, alone.attempt))?.state, 'replacing');
    assert.equal(await words(s, alone.attempt), 'no other machine could look');
    await replaced(s, alone);
    const node = await another(s);
    const failed = await film(s, null);
    assert.equal((await readAttempt(s.db, failed.attempt))?.state, 'verifying');
    assert.ok(await s.say({ event: 'not-rechecked', ...failed, reason: { code: 'root-not-mounted' }, retry: true }, node));
    assert.equal((await readAttempt(s.db, failed.attempt))?.state, 'replacing');
    assert.match((await words(s, failed.attempt))!, /no other machine could look: /);
    await replaced(s, failed);

    const other = await film(s, null);
    assert.ok(await s.say({ event: 'not-rechecked', ...other, reason: { code: 'hash-mismatch' }, retry: true }, node));
    const job = await readJobRow(s.db, other.job);
    assert.deepEqual([job?.state, job?.reason?.code], ['held', 'not-enough-trust'], 'other bytes there than here are for a person');
  });
});
