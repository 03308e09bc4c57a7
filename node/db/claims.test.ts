import assert from 'node:assert/strict';
import { test } from 'node:test';
import postgres from 'postgres';
import { defaultProfile } from '../core/profile.ts';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aJob, aLibrary, aNode, aWish, because, claimed, someFiles, someJobs, testNode } from '../testing/records.ts';
import type { Verdict } from '../core/verdict.ts';
import { advance, awaitLooker, openAttempts, overAttempts, readAttempt, saveEncoded, saveLooker, saveVerdict } from './attempts.ts';
import { claim, claimOne, renewLeases, type ClaimedJob, type Run } from './claims.ts';
import { cancelAttempt, failAttempt, holdAttempt, reapExpired, releaseAttempt } from './run-ends.ts';
import { countsByState, foldCounters } from './counters.ts';
import { readHeads, readWaiting, waitingClasses, type HeadsWish } from './heads.ts';
import { listWaiting, readJob, runningJobs } from './job-lists.ts';
import { clearAvailable, enqueue, pinJobs, prioritiseJobs, removeJobs, setPaused, unholdJob } from './jobs.ts';
import { changeLibrary } from './libraries.ts';
import { readFile } from './media-files.ts';
import { keepersOf, setNodeRoots, setProved } from './roots.ts';

const nothing = { libraryId: null, search: null, codec: null, priority: null };

/** A run as its worker tells of it. */
function said(run: ClaimedJob, node = testNode): Run & { node: string } {
  return { jobId: run.jobId, attemptId: run.attemptId, node };
}

eachDatabase((kind) => {
  test('a claim gives the whole job once, with an attempt, a lease and a keeper', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 1);
    const job = await claimed(q);
    assert.equal(job.keeperId, testNode);
    assert.equal(job.rootId, library.rootId);
    assert.equal(job.path, 'film-00001.mkv');
    assert.equal(job.number, 1);
    assert.equal(job.probe.container, 'matroska');
    assert.equal(job.fingerprint.hash.length, 64);
    assert.equal(job.plan.expectedBytes, 400_000);
    assert.ok(job.leaseUntil.getTime() > Date.now() - 60_000);
    assert.equal(await claim(q, aWish()), null);
    assert.equal((await readAttempt(q, job.attemptId))?.state, 'running');
    const [row] = await runningJobs(q);
    assert.equal(row?.attemptState, 'running');
    assert.equal(row?.nodeId, testNode);
  });

  test('queueing the same files twice makes one job each, and an excluded or missing file gets none', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const files = await someFiles(q, library.id, 20);
    assert.equal(
      (
        await enqueue(
          q,
          files.map((id) => aJob(id)),
        )
      ).length,
      20,
    );
    assert.equal(
      (
        await enqueue(
          q,
          files.map((id) => aJob(id)),
        )
      ).length,
      0,
    );
    assert.equal((await readFile(q, files[0]!))?.status, 'queued');
    const others = await someFiles(q, library.id, 2, 'other');
    await q.query(`update media_files set excluded_by = 'Ada' where id = $1`, [others[0]]);
    await q.query(`update media_files set status = 'missing' where id = $1`, [others[1]]);
    assert.equal(
      (
        await enqueue(
          q,
          others.map((id) => aJob(id)),
        )
      ).length,
      0,
    );
  });

  test('jobs come by priority, then pin, then saving, and only of the classes that the node can run', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const [a, b, c, d] = await someFiles(q, library.id, 4);
    const made = await enqueue(q, [
      aJob(a!, { priority: 1, rank: -100 }),
      aJob(b!, { priority: 1, rank: -900 }),
      aJob(c!, { priority: 0, rank: -1 }),
      aJob(d!, { priority: 1, rank: -1, class: 2 }),
    ]);
    const jobOf = (file: number): number => made.find((m) => m.fileId === file)!.jobId;
    assert.equal(await pinJobs(q, { ids: [jobOf(a!)] }, 'top'), 1);
    assert.deepEqual(
      (await listWaiting(q)).rows.map((r) => r.fileId),
      [c, a, b, d],
    );
    assert.equal((await claimed(q, { classes: [2] })).fileId, d);
    assert.equal((await claimed(q, { classes: [0, 1] })).fileId, c);
    assert.equal((await claimed(q, { classes: [0, 1] })).fileId, a);
    assert.equal(await claim(q, aWish({ classes: [0] })), null);
    assert.equal((await claimed(q)).fileId, b);
  });

  test('pins keep the order they found, and a later pin goes before an earlier one', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const jobs = await someJobs(q, library.id, 5);
    const ids = jobs.map((j) => j.jobId);
    const order = async (): Promise<number[]> => (await listWaiting(q)).rows.map((r) => ids.indexOf(r.id) + 1);
    await pinJobs(q, { ids: [ids[2]!, ids[3]!] }, 'top');
    assert.deepEqual(await order(), [3, 4, 1, 2, 5]);
    await pinJobs(q, { ids: [ids[4]!] }, 'top');
    assert.deepEqual(await order(), [5, 3, 4, 1, 2]);
    await pinJobs(q, { ids: [ids[4]!, ids[0]!] }, 'end');
    assert.deepEqual(await order(), [3, 4, 2, 5, 1]);
    assert.equal(await prioritiseJobs(q, { filter: { ...nothing, search: 'film_00002' } }, 'high'), 0);
    assert.equal(await prioritiseJobs(q, { filter: { ...nothing, search: 'FILM-00002' } }, 'high'), 1);
    assert.deepEqual(await order(), [2, 3, 4, 5, 1]);
  });

  test('a job whose root nobody present can write to, or whose library is off, is not given', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 1);
    await aNode(q, 'node-b');
    assert.equal(await claim(q, aWish({ node: 'node-b', keepers: ['node-b'] })), null);
    await changeLibrary(q, library.id, { enabled: false });
    assert.equal(await claim(q, aWish()), null);
    await changeLibrary(q, library.id, { enabled: true });
    const path = `/films/${library.rootId}`;
    await setNodeRoots(q, testNode, [{ root: library.rootId, path, writable: true, problem: 'root-missing' }]);
    assert.equal(await claim(q, aWish()), null);
    await setNodeRoots(q, testNode, [{ root: library.rootId, path, writable: true, problem: null }]);
    assert.equal((await claimed(q, { node: 'node-b', keepers: [testNode, 'node-b'] })).keeperId, testNode);
  });

  test('an attempt that is not current can change nothing, while the current one can', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 1);
    const old = await claimed(q);
    assert.equal((await releaseAttempt(q, old, because('node-stopped')))?.state, 'available');
    const current = await claimed(q);
    assert.notEqual(old.attemptId, current.attemptId);
    const before = await q.query('select * from jobs');
    const facts = { outputBytes: 1, sha256: 'a'.repeat(64), encoder: 'libx265', command: [], stderrTail: '', stats: {} };
    assert.deepEqual(await renewLeases(q, [said(old)], 600), []);
    assert.equal(await advance(q, old, ['running'], 'delivering', 600), null);
    assert.equal(await saveEncoded(q, old, facts, 600), null);
    assert.equal(await saveVerdict(q, old, { verdict: { accepted: true, checks: [] }, outputProbe: null, outputBytes: 1 }, 600), null);
    assert.equal(await failAttempt(q, old, { reason: because('late'), retry: true }), null);
    assert.equal(await releaseAttempt(q, old, because('late')), null);
    assert.equal(await cancelAttempt(q, old, because('late')), null);
    assert.equal(await holdAttempt(q, old, because('late')), false);
    assert.deepEqual(await q.query('select * from jobs'), before);
    assert.deepEqual(await overAttempts(q, [old.attemptId, current.attemptId, 987_654]), [old.attemptId, 987_654]);
    assert.equal((await renewLeases(q, [said(current), said(old)], 600)).length, 1);
    assert.equal((await saveEncoded(q, current, facts, 600))?.state, 'delivering');
    assert.equal((await saveEncoded(q, current, facts, 600))?.state, 'delivering');
    assert.equal((await advance(q, current, ['delivering'], 'verifying', 600, testNode))?.state, 'verifying');
    assert.equal(await advance(q, current, ['delivering'], 'verifying', 600), null);
    assert.equal(
      (await saveVerdict(q, current, { verdict: { accepted: true, checks: [] }, outputProbe: null, outputBytes: 1 }, 600))?.verdict
        ?.accepted,
      true,
    );
    assert.deepEqual(
      (await openAttempts(q)).map((a) => a.id),
      [current.attemptId],
    );
  });

  test('a question for a second look that its answer overtook changes nothing of what the answer wrote', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await aNode(q, 'node-b');
    await aNode(q, 'node-c');
    await someJobs(q, library.id, 1);
    const run = await claimed(q);
    await advance(q, run, ['running'], 'verifying', 60);
    const verdict: Verdict = { accepted: true, checks: [] };
    assert.ok(await saveLooker(q, run, 'node-b', verdict, 60));
    assert.equal(await awaitLooker(q, run, 'node-b', 60), true);
    const answered: Verdict = {
      accepted: true,
      checks: [{ name: 'second-look', original: 'wished', output: 'nobody could look', passed: true }],
    };
    assert.ok(await saveLooker(q, run, null, answered, 60));
    assert.equal(await awaitLooker(q, run, 'node-b', 60), false);
    assert.deepEqual((({ lookerId, verdict: words }) => ({ lookerId, words }))((await readAttempt(q, run.attemptId))!), {
      lookerId: null,
      words: answered,
    });
    assert.ok(await saveLooker(q, run, 'node-c', answered, 60));
    assert.equal(await awaitLooker(q, run, 'node-b', 60), false, 'another one looks now');
  });

  test('a run lives on the word of its worker and of its keeper, and of nobody else', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    for (const node of ['worker', 'stranger']) await aNode(q, node);
    await someJobs(q, library.id, 1);
    const run = await claimed(q, { node: 'worker' });
    await q.query(`update jobs set lease_until = now() - interval '1 second' where id = $1`, [run.jobId]);
    assert.deepEqual(await renewLeases(q, [said(run, 'stranger')], 600), []);
    assert.equal((await renewLeases(q, [said(run, 'worker')], 600)).length, 1);
    assert.equal((await renewLeases(q, [said(run, testNode)], 600)).length, 1);
    assert.equal((await renewLeases(q, [said(run, 'stranger'), said(run, testNode), said(run, 'worker')], 600)).length, 1);
    assert.deepEqual(await reapExpired(q, because('lease-expired')), []);
  });

  test('holding, letting go, pausing, removing and clearing each do what they say', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const jobs = await someJobs(q, library.id, 6);
    assert.equal(await unholdJob(q, jobs[1]!.jobId), false);
    const running = await claimed(q);
    assert.equal((await setPaused(q, running.jobId, true))?.attemptId, running.attemptId);
    assert.equal((await renewLeases(q, [said(running)], 60))[0]?.paused, true);
    assert.equal(await setPaused(q, jobs[3]!.jobId, true), null);
    assert.equal(
      await removeJobs(q, { ids: [jobs[2]!.jobId, running.jobId] }, { reason: because('removed'), excludedBy: 'Ada', fileStatus: 'new' }),
      1,
    );
    const excluded = await readFile(q, jobs[2]!.fileId);
    assert.deepEqual([excluded?.status, excluded?.excludedBy], ['skipped', 'Ada']);
    assert.equal(await clearAvailable(q, { reason: because('cleared'), excludedBy: null, fileStatus: 'new' }), 4);
    assert.equal((await readFile(q, jobs[5]!.fileId))?.status, 'new');
    assert.equal(await holdAttempt(q, running, because('needs-a-person')), true);
    assert.equal((await readJob(q, running.jobId))?.state, 'held');
    assert.equal(await unholdJob(q, running.jobId), true);
    assert.equal((await readJob(q, running.jobId))?.state, 'available');
  });

  test('counters equal a count of the rows, before and after they are folded', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 30);
    await failAttempt(q, await claimed(q), { reason: because('x'), retry: false });
    await claimed(q);
    const counted = async (): Promise<Record<string, number>> => {
      const rows = await q.query<{ state: string; n: number }>('select state, count(*) as n from jobs group by 1');
      return {
        available: 0,
        running: 0,
        completed: 0,
        failed: 0,
        cancelled: 0,
        held: 0,
        ...Object.fromEntries(rows.map((r) => [r.state, r.n])),
      };
    };
    assert.deepEqual(await countsByState(q), await counted());
    await foldCounters(q);
    assert.deepEqual(await countsByState(q), await counted());
    await claimed(q);
    assert.deepEqual(await countsByState(q), await counted());
    assert.equal((await q.query('select 1 from job_deltas')).length, 2);
  });

  test('a root that was not shown to be the same disk makes nobody its keeper', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const [job] = await someJobs(q, library.id, 1);
    await aNode(q, 'node-b');
    const keepers = [testNode, 'node-b'];
    await setNodeRoots(q, 'node-b', [{ root: library.rootId, path: '/copy', writable: true, problem: null }]);
    await q.query(`update node_roots set proved_at = null where node_id = 'node-b'`);
    assert.deepEqual(await readHeads(q, { able: [{ class: 1, encoder: 'auto' }], keepers: ['node-b'], limit: 5 }), []);
    assert.equal(await claimOne(q, aWish({ node: 'node-b', keepers: ['node-b'] }), [job!.jobId]), null);
    assert.equal((await claimOne(q, aWish({ node: 'node-b', keepers }), [job!.jobId]))?.keeperId, testNode);
  });

  test('a copy that waits to be proved does not take the place of a disk that moved to another path of its machine', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { rootId: root } = await aLibrary(q);
    await aNode(q, 'backup');
    const at = (path: string, more = {}) => [{ root, path, writable: true, problem: null, ...more }];
    const keepers = async (): Promise<string[]> => (await keepersOf(q, root)).map((k) => `${k.nodeId} ${k.path}`);
    await setNodeRoots(q, 'backup', at('/copy'));
    await setNodeRoots(q, testNode, at('/moved'));
    assert.deepEqual(await keepers(), [`${testNode} /moved`]);
    // where another path is proved, that one can show what the new one is
    await setProved(q, 'backup', root);
    await setNodeRoots(q, testNode, at('/moved/again'));
    assert.deepEqual(await keepers(), ['backup /copy']);
  });

  test('a path that was proved while it could only be read is proved anew before anything is replaced there', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const { rootId: root } = await aLibrary(q);
    await aNode(q, 'desk');
    const at = (more: object) => [{ root, path: '/nfs', writable: true, problem: null, ...more }];
    const keepers = async (): Promise<string[]> => (await keepersOf(q, root)).map((k) => k.nodeId).toSorted();
    await setNodeRoots(q, 'desk', at({ writable: false }));
    await setProved(q, 'desk', root);
    await setNodeRoots(q, 'desk', at({}));
    assert.deepEqual(await keepers(), [testNode]);
    await setProved(q, 'desk', root);
    // a disk that was away is the same one when it is back
    await setNodeRoots(q, 'desk', at({ writable: false, problem: 'root-not-mounted' }));
    await setNodeRoots(q, 'desk', at({}));
    assert.deepEqual(await keepers(), [testNode, 'desk'].toSorted());
  });

  test('the keeper of a run is the one that had the root first, whoever runs it, and the next one while that is away', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const ids = (await someJobs(q, library.id, 3)).map((job) => job.jobId);
    for (const node of ['node-0', 'node-b']) {
      await aNode(q, node);
      await setNodeRoots(q, node, [{ root: library.rootId, path: '/same', writable: true, problem: null }]);
      await q.query(`update node_roots set proved_at = now() where node_id = $1`, [node]);
    }
    const keeperFor = async (keepers: string[], index: number): Promise<string | undefined> =>
      (await claimOne(q, aWish({ node: 'node-b', keepers }), [ids[index]!]))?.keeperId;
    assert.equal(await keeperFor([testNode, 'node-0', 'node-b'], 0), testNode);
    assert.equal(await keeperFor(['node-b', 'node-0'], 1), 'node-0');
    assert.equal(await keeperFor(['node-b'], 2), 'node-b');
  });

  test('heads are what a node can encode, under the roots it wants, of the size that fits', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const [films, series] = [await aLibrary(q, 'Films'), await aLibrary(q, 'Series')];
    await changeLibrary(q, series.id, { profile: { ...defaultProfile, encoder: 'hardware' } });
    const [a, b] = await someJobs(q, films.id, 2, { inputBytes: 9000, rank: -9 });
    await q.query('update jobs set input_bytes = 10 where id = $1', [b!.jobId]);
    const [c] = await someJobs(q, series.id, 1, { profile: { ...defaultProfile, encoder: 'hardware' }, priority: 0 });
    const heads = async (change: Partial<HeadsWish>): Promise<number[]> => {
      const able = [{ class: 1, encoder: 'auto' }];
      return (await readHeads(q, { able, keepers: [testNode], limit: 5, ...change })).map((head) => head.id);
    };
    assert.deepEqual(await heads({}), [a!.jobId, b!.jobId]);
    assert.deepEqual(await heads({ limit: 1 }), [a!.jobId]);
    assert.deepEqual(await heads({ able: [{ class: 1, encoder: 'hardware' }] }), [c!.jobId]);
    assert.deepEqual(await heads({ able: [{ class: 0, encoder: 'auto' }] }), []);
    assert.deepEqual(await heads({ notUnder: [films.rootId] }), []);
    assert.deepEqual(await heads({ maxBytes: 500 }), [b!.jobId]);
    const [head] = await readHeads(q, { able: [{ class: 1, encoder: 'hardware' }], keepers: [testNode], limit: 5 });
    assert.deepEqual([head?.root, head?.encoder, head?.pixels], [series.rootId, 'hardware', 1920 * 1080 * 25 * 60]);
    assert.deepEqual(
      (await readWaiting(q, 5)).map((w) => w.id),
      [c!.jobId, a!.jobId, b!.jobId],
    );
    assert.deepEqual(await waitingClasses(q, [0, 1, 2]), [1]);
  });

  test('a claim takes the first of its list that still waits', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const [a, b, c] = (await someJobs(q, library.id, 3)).map((job) => job.jobId);
    assert.equal((await claimOne(q, aWish(), [c!, a!]))?.jobId, c);
    assert.equal((await claimOne(q, aWish(), [c!, b!, a!]))?.jobId, b);
    assert.equal(await claimOne(q, aWish(), [c!, b!, 987_654]), null);
    assert.equal(await claimOne(q, aWish(), []), null);
    assert.equal((await claimOne(q, aWish(), [b!, a!]))?.number, 1);
  });

  test('sixteen claims at once give sixteen workers different jobs, the best ones first', async (t) => {
    const db = await freshDatabase(t, kind);
    const q = await db.lead();
    const library = await aLibrary(q);
    const files = await someFiles(q, library.id, 200);
    await enqueue(
      q,
      files.map((id, i) => aJob(id, { priority: i % 3, rank: -i })),
    );
    const given: ClaimedJob[] = [];
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let job = await claim(q, aWish()); job; job = await claim(q, aWish())) given.push(job);
      }),
    );
    assert.equal(given.length, 200);
    assert.equal(new Set(given.map((g) => g.jobId)).size, 200);
    assert.deepEqual(
      given.slice(0, 30).map((g) => g.priority),
      Array.from({ length: 30 }, () => 0),
    );
    assert.deepEqual(
      given.slice(-30).map((g) => g.priority),
      Array.from({ length: 30 }, () => 2),
    );
    if (db.url === null) return;
    // the books as a second, independent client sees them
    const sql = postgres(db.url, { max: 1, onnotice: () => {} });
    t.after(() => sql.end());
    const [books] = await sql`select (select count(*)::int from attempts where ended_at is null) as open,
      (select count(distinct attempt_id)::int from jobs where state = 'running') as running`;
    assert.deepEqual({ ...books }, { open: 200, running: 200 });
  });
});
