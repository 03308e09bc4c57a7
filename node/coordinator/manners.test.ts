import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { defaultManners } from '../core/manner-wishes.ts';
import { nodeRefusal } from '../core/refusals.ts';
import { sentence } from '../core/reasons.ts';
import { forgiveLost, readAttempt } from '../db/attempts.ts';
import type { Run } from '../db/claims.ts';
import { reapExpired } from '../db/run-ends.ts';
import type { Database } from '../db/connect.ts';
import { readJobRow } from '../db/job-lists.ts';
import { readNode } from '../db/nodes.ts';
import { schedulingNodes } from '../db/schedule-facts.ts';
import { createEvents, type Events } from '../events.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { ConductReport } from '../mesh/messages.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { alone } from '../testing/alone.ts';
import { oneDatabase, freshDatabase, type DatabaseKind } from '../testing/database.ts';
import { helloOf, presenceOf } from '../testing/mesh-samples.ts';
import { nextEvent } from '../testing/next-event.ts';
import { aLibrary, claimed, someJobs, testNode } from '../testing/records.ts';
import { createCoordinator } from './coordinator.ts';
import { giveBack } from './excused.ts';

/** What a machine does out of consideration, and what a sleep does to its work, in the books of a real database. */
const log = createLog({ level: 'fatal', pretty: true });
const ada = { name: 'Ada', via: 'page' } as const;

async function withRun(t: TestContext, kind: DatabaseKind): Promise<{ db: Database; run: Run; again: () => Promise<Run> }> {
  const db = await (await freshDatabase(t, kind)).lead();
  const library = await aLibrary(db);
  await someJobs(db, library.id, 1);
  const again = async (): Promise<Run> => {
    await db.query(`update jobs set retry_at = null where state = 'available'`);
    return claimed(db);
  };
  return { db, run: await again(), again };
}

async function leading(t: TestContext, kind: DatabaseKind) {
  const database = await freshDatabase(t, kind);
  const events = createEvents((error) => assert.fail(String(error)));
  const mesh = createLocalMesh(testNode, log);
  const coordinator = createCoordinator({
    ...alone(),
    ...{ mesh, db: database, events },
  });
  const elected = nextEvent(events, 'coordinator.changed', ({ term }) => term !== null);
  coordinator.start();
  t.after(() => coordinator.stop());
  const { term } = await elected;
  await mesh.request(testNode, 'hello', helloOf(testNode, { name: 'laptop' }));
  return { mesh, events, coordinator, db: database.withTerm(term!) };
}

async function tell(s: { mesh: Mesh; events: Events }, conduct: ConductReport | null): Promise<void> {
  const heard = nextEvent(s.events, 'node.changed');
  s.mesh.publish('presence', { ...presenceOf({ id: testNode, name: 'laptop' }), ...(conduct ? { conduct } : {}) });
  await heard;
}

const onBattery: ConductReport = {
  ...{ does: 'pause', atOnce: null, reason: { code: 'on-battery', params: { percent: 64 } } },
  ...{ onBattery: true, batteryPercent: 64, celsius: null, lacks: [] },
};

oneDatabase((kind) => {
  test('what a machine told of itself keeps the scheduler from it, in words, until it tells something else', async (t) => {
    const s = await leading(t, kind);
    const refusal = async () => {
      const nodes = await schedulingNodes(s.db, { slots: 1, mbps: 0, minFreeBytes: 0 }, { now: Date.now(), present: [testNode] });
      return nodeRefusal({ ...nodes.find((n) => n.id === testNode)!, slots: 1 });
    };
    assert.equal(await refusal(), null);
    await tell(s, onBattery);
    const found = await refusal();
    assert.equal(found?.code, 'on-battery');
    assert.equal(sentence(found!), 'Paused: on battery (64 %). Goes on when plugged in.');
    await tell(s, { ...onBattery, does: 'run', atOnce: 1, reason: { code: 'machine-shared', params: { minutes: 5 } } });
    assert.equal(await refusal(), null, 'with one encode at once it works');
    await tell(s, onBattery);
    await tell(s, null);
    assert.equal(await refusal(), null, 'a machine of the version before tells nothing');
  });

  test('a wish changes what it names and nothing else, and the machine learns it with its next hello', async (t) => {
    const s = await leading(t, kind);
    const change = (manners: object) => s.coordinator.commands.changeNode(testNode, { manners }, ada);
    await change({ whenUsed: 'pause', idleMinutes: 10 });
    await change({ niceness: 'idle' });
    await assert.rejects(change({ niceness: 'rude' }), /is one of normal, low, idle/);
    await s.coordinator.commands.changeNode(testNode, { paused: true }, ada);
    const { wishes } = await s.mesh.request(testNode, 'hello', helloOf(testNode, { name: 'laptop' }));
    assert.deepEqual(wishes.manners, { ...defaultManners, whenUsed: 'pause', idleMinutes: 10, niceness: 'idle' });
    assert.equal(wishes.paused, true);
    assert.equal((await readNode(s.db, testNode))?.paused, true);
  });

  test('of two people who change a machine at once, neither undoes what the other changed', async (t) => {
    const s = await leading(t, kind);
    const change = (wishes: object) => s.coordinator.commands.changeNode(testNode, wishes, ada);
    for (let i = 0; i < 10; i++) {
      await Promise.all([change({ paused: true }), change({ draining: true }), change({ slots: i }), change({ mbps: i + 1 })]);
      const row = await readNode(s.db, testNode);
      assert.deepEqual([row?.paused, row?.draining, row?.slotsWished, row?.mbps], [true, true, i, i + 1]);
      await change({ paused: false, draining: false });
    }
  });

  test('what a pause or a sleep broke is excused three times; the fourth time is a failure', async (t) => {
    const { db, run, again } = await withRun(t, kind);
    let last = run;
    for (const code of ['session-lost', 'machine-slept', 'session-lost'] as const) {
      const ended = await giveBack(db, last, { code });
      assert.deepEqual([ended?.state, ended?.failures], ['available', 0]);
      assert.notEqual(ended?.retryAt, null, 'a driver gets a moment');
      last = await again();
    }
    const ended = await giveBack(db, last, { code: 'session-lost' });
    assert.deepEqual([ended?.state, ended?.failures], ['available', 1]);
    assert.equal(await giveBack(db, last, { code: 'session-lost' }), null, 'told twice it is counted once');
    const other = await giveBack(db, await again(), { code: 'shut-down' });
    assert.deepEqual([other?.failures, other?.retryAt], [1, null]);
  });

  test('a run that was lost while its machine slept is no failure of the film once the machine is back', async (t) => {
    const { db, run } = await withRun(t, kind);
    await db.query(`update jobs set lease_until = now() - interval '1 minute' where id = $1`, [run.jobId]);
    assert.equal((await reapExpired(db, { code: 'lost-node' }))[0]?.failures, 1);
    assert.deepEqual(await forgiveLost(db, 'another-node', [run.attemptId]), []);
    assert.deepEqual(await forgiveLost(db, testNode, [run.attemptId]), [run.jobId]);
    const job = await readJobRow(db, run.jobId);
    assert.deepEqual([job?.state, job?.failures, job?.retryAt], ['available', 0, null]);
    const attempt = await readAttempt(db, run.attemptId);
    assert.deepEqual([attempt?.state, attempt?.reason?.code], ['lost', 'came-back']);
    assert.deepEqual(await forgiveLost(db, testNode, [run.attemptId]), [], 'only once');
  });
});
