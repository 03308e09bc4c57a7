import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Profile } from '../core/profile.ts';
import { readCluster } from '../db/cluster.ts';
import { listWaiting, readJobRow } from '../db/job-lists.ts';
import { readLibrary } from '../db/libraries.ts';
import { readFile } from '../db/media-files.ts';
import { createEvents } from '../events.ts';
import { createLocalMesh } from '../mesh/local.ts';
import { alone } from '../testing/alone.ts';
import { freshDatabase, oneDatabase, quietLog, type DatabaseKind } from '../testing/database.ts';
import { helloOf } from '../testing/mesh-samples.ts';
import { nextEvent } from '../testing/next-event.ts';
import { aFingerprint, aLibrary, aProbe, claimed, someJobs, testNode } from '../testing/records.ts';
import { createCoordinator } from './coordinator.ts';

/** What a person presses, down to the rows of a real database; the machine with the films answers like one. */
const ada = { name: 'Ada', via: 'page' } as const;

async function house(t: TestContext, kind: DatabaseKind) {
  const database = await freshDatabase(t, kind);
  const events = createEvents((error) => assert.fail(String(error)));
  const mesh = createLocalMesh(testNode, quietLog());
  const asked: { want: string; attempt: number }[] = [];
  mesh.handle('control', async ({ want, attempt }) => {
    asked.push({ want, attempt });
    return { accepted: true };
  });
  mesh.handle('inspect', async (ask) => {
    if (ask.op !== 'probe') return { op: 'refused', reason: { code: 'root-not-mounted' } };
    return { op: 'probed', fingerprint: aFingerprint(ask.path), probe: { ...aProbe(), sizeBytes: 1e9 }, readOnly: false };
  });
  const coordinator = createCoordinator({ ...alone(), ...{ mesh, db: database, events } });
  const elected = nextEvent(events, 'coordinator.changed', ({ term }) => term !== null);
  coordinator.start();
  t.after(() => coordinator.stop());
  const db = database.withTerm((await elected).term!);
  await mesh.request(testNode, 'hello', helloOf(testNode, { name: 'laptop' }));
  const library = await aLibrary(db, 'Films');
  const jobs = await someJobs(db, library.id, 4);
  const order = async (): Promise<number[]> =>
    (await listWaiting(db)).rows.map(({ id }) => jobs.findIndex(({ jobId }) => jobId === id) + 1);
  return { db, events, asked, library, jobs, order, ids: jobs.map(({ jobId }) => jobId), press: coordinator.commands };
}

oneDatabase((kind) => {
  test('jobs are moved, given a priority, taken off and asked for again, one by one and many at once', async (t) => {
    const s = await house(t, kind);
    const [one, two, three, four] = s.ids as [number, number, number, number];
    assert.equal(await s.press.moveJobs({ ids: [four] }, 'top', ada), 1);
    assert.equal(await s.press.moveJobs({ ids: [one] }, 'end', ada), 1);
    assert.deepEqual(await s.order(), [4, 2, 3, 1]);
    assert.equal(await s.press.prioritise({ ids: [one, three] }, 'high', ada), 2);
    assert.deepEqual(
      (await s.order()).slice(0, 2).toSorted((a, b) => a - b),
      [1, 3],
    );
    assert.equal(await s.press.removeJobs({ ids: [two] }, true, ada), 1);
    const file = s.jobs[1]!.fileId;
    assert.deepEqual([(await readFile(s.db, file))?.status, (await readFile(s.db, file))?.excludedBy], ['skipped', 'Ada']);
    await s.press.includeFile(file, ada);
    assert.deepEqual([(await readFile(s.db, file))?.status, (await readFile(s.db, file))?.excludedBy], ['queued', null]);
    await s.press.excludeFile(file, ada);
    assert.equal((await readFile(s.db, file))?.reason?.code, 'excluded-by-person');
    await s.press.cancelJob(three, ada);
    assert.equal((await readJobRow(s.db, three))?.state, 'cancelled');
    const again = await s.press.retryJob(three, ada);
    assert.equal((await readJobRow(s.db, again))?.state, 'available');
    assert.equal(await s.press.retryFile(s.jobs[2]!.fileId, ada), again, 'what waits is not queued twice');
    assert.equal(await s.press.clearQueue(ada), 3);
    assert.deepEqual(await s.order(), []);
  });

  test('what runs is paused, goes on and is cancelled, and its machine is told each time', async (t) => {
    const s = await house(t, kind);
    await assert.rejects(s.press.pauseJob(s.ids[0]!, ada), /Only a running file can be paused/);
    const run = await claimed(s.db);
    await s.press.pauseJob(run.jobId, ada);
    assert.equal((await readJobRow(s.db, run.jobId))?.paused, true);
    await s.press.resumeJob(run.jobId, ada);
    await s.press.cancelJob(run.jobId, ada);
    const told = s.asked.filter(({ attempt }) => attempt === run.attemptId).map(({ want }) => want);
    assert.deepEqual(told, ['pause', 'resume', 'cancel']);
    await assert.rejects(s.press.removeLibrary(s.library.id, ada), /One file of "Films" is being worked on/);
    await s.press.detectEncoders(testNode, ada);
    assert.equal(s.asked.at(-1)?.want, 'detect');
  });

  test('new rules of a library are those of everything that waits, and a library that goes takes its queue with it', async (t) => {
    const s = await house(t, kind);
    const planned = nextEvent(s.events, 'queue.changed', ({ why }) => why === 'a profile changed');
    await s.press.changeLibrary(s.library.id, { name: 'Movies', profile: { minSizeMb: 5000 } }, ada);
    await planned;
    assert.deepEqual(await s.order(), []);
    const file = await readFile(s.db, s.jobs[0]!.fileId);
    assert.deepEqual([file?.status, file?.reason?.code], ['skipped', 'too-small']);
    await s.press.measureLibrary(s.library.id, ada).catch(() => undefined);
    await s.press.cancelMeasure(s.library.id, ada);
    await s.press.cancelScan(s.library.id, ada);
    await s.press.removeLibrary(s.library.id, ada);
    assert.equal(await readLibrary(s.db, s.library.id), null);
    assert.equal(await readFile(s.db, s.jobs[0]!.fileId), null);
  });

  test('two people who change two rules of a library at once both get theirs', async (t) => {
    const s = await house(t, kind);
    const change = (profile: Partial<Profile>): Promise<void> => s.press.changeLibrary(s.library.id, { profile }, ada);
    await Promise.all([change({ minSizeMb: 5000 }), change({ minSavingPercent: 33 })]);
    const { minSizeMb, minSavingPercent } = (await readLibrary(s.db, s.library.id))!.profile;
    assert.deepEqual({ minSizeMb, minSavingPercent }, { minSizeMb: 5000, minSavingPercent: 33 });
  });

  test('the house gets another name, and a token that is taken back opens nothing', async (t) => {
    const s = await house(t, kind);
    await s.press.renameCluster('  Attic ', ada);
    assert.equal((await readCluster(s.db))?.name, 'Attic');
    await assert.rejects(s.press.renameCluster(' ', ada), /needs a name/);
    const { id } = await s.press.createJoinToken({ label: 'nas', uses: 1, hours: 1 }, ada);
    await s.press.revokeJoinToken(id, ada);
    await assert.rejects(s.press.revokeJoinToken(id, ada), /does not exist any more/);
  });
});
