import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aJob, aLibrary, aWish, because, claimed, someJobs, testNode } from '../testing/records.ts';
import { advance, readAttempt } from './attempts.ts';
import { claim, graceLeases, promoteDue, renewLeases } from './claims.ts';
import { listWaiting, readJob } from './job-lists.ts';
import { enqueue, requestCancel } from './jobs.ts';
import { readFile } from './media-files.ts';
import { cancelAttempt, failAttempt, reapExpired } from './run-ends.ts';

eachDatabase((kind) => {
  test('failures back off, then the job fails for good and its file can be queued anew', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const [job] = await someJobs(q, library.id, 1, { maxFailures: 2 });
    const first = await claimed(q);
    const failed = await failAttempt(q, first, {
      reason: because('encoder-failed'),
      retry: true,
      stderrTail: 'x'.repeat(50_000),
      command: ['ffmpeg', '-i', 'a\0b'],
    });
    assert.equal(failed?.state, 'available');
    const delay = failed!.retryAt!.getTime() - Date.now();
    assert.ok(delay > 0 && delay <= 37_000, `the first retry waits about half a minute, not ${delay} ms`);
    assert.equal(await claim(q, aWish()), null);
    assert.equal((await listWaiting(q)).rows.length, 1);
    await q.query(`update jobs set retry_at = now() - interval '1 second'`);
    assert.equal(await promoteDue(q), 1);
    const second = await claimed(q);
    assert.equal(second.number, 2);
    const last = await failAttempt(q, second, { reason: because('encoder-failed'), retry: true });
    assert.equal(last?.state, 'failed');
    assert.equal((await readFile(q, job!.fileId))?.status, 'failed');
    assert.equal((await readJob(q, job!.jobId))?.attempts.length, 2);
    assert.equal((await enqueue(q, [aJob(job!.fileId)])).length, 1);
  });

  test('a failure that no retry can help ends the job at once', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 1);
    assert.equal((await failAttempt(q, await claimed(q), { reason: because('source-damaged'), retry: false }))?.state, 'failed');
  });

  test('a run whose lease ended is lost and waits again; one that is replacing is left to its keeper', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 3, { maxFailures: 2 });
    const [silent, replacing, alive] = [await claimed(q), await claimed(q), await claimed(q)];
    assert.ok(await advance(q, replacing, ['running'], 'replacing', 60));
    await q.query(`update jobs set lease_until = now() - interval '1 second' where id = any($1)`, [[silent.jobId, replacing.jobId]]);
    const lost = await reapExpired(q, because('lease-expired'));
    assert.deepEqual(
      lost.map((l) => [l.jobId, l.state, l.failures]),
      [[silent.jobId, 'available', 1]],
    );
    assert.equal((await readAttempt(q, silent.attemptId))?.state, 'lost');
    assert.equal((await readAttempt(q, replacing.attemptId))?.state, 'replacing');
    assert.deepEqual(await reapExpired(q, because('lease-expired')), []);
    assert.equal((await readAttempt(q, alive.attemptId))?.state, 'running');
    await q.query(`update jobs set lease_until = now() - interval '1 second' where state = 'running'`);
    assert.equal(await graceLeases(q, 60), 2);
    assert.deepEqual(await reapExpired(q, because('lease-expired')), []);
  });

  test('a waiting job is cancelled at once, a running one when its worker stopped, a replacing one not at all', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const [waiting] = await someJobs(q, library.id, 1);
    assert.equal((await requestCancel(q, waiting!.jobId, because('cancelled-by-person')))?.state, 'cancelled');
    assert.equal(await requestCancel(q, waiting!.jobId, because('cancelled-by-person')), null);
    assert.equal((await readFile(q, waiting!.fileId))?.status, 'skipped');
    await someJobs(q, library.id, 3, {}, 'more');
    const [asked, silent, replacing] = [await claimed(q), await claimed(q), await claimed(q)];
    const answer = await requestCancel(q, asked.jobId, because('cancelled-by-person'));
    assert.deepEqual(
      [answer?.state, answer?.cancelRequested, answer?.attemptId, answer?.nodeId],
      ['running', true, asked.attemptId, testNode],
    );
    assert.equal((await renewLeases(q, [{ ...asked, node: testNode }], 60))[0]?.cancelRequested, true);
    assert.equal((await cancelAttempt(q, asked, because('stopped')))?.state, 'cancelled');
    assert.equal((await readJob(q, asked.jobId))?.reason?.code, 'cancelled-by-person');
    await requestCancel(q, silent.jobId, because('cancelled-by-person'));
    await q.query(`update jobs set lease_until = now() - interval '1 second' where id = $1`, [silent.jobId]);
    assert.equal((await reapExpired(q, because('lease-expired')))[0]?.state, 'cancelled');
    await advance(q, replacing, ['running'], 'replacing', 60);
    const late = await requestCancel(q, replacing.jobId, because('cancelled-by-person'));
    assert.deepEqual([late?.cancelRequested, late?.attemptState], [false, 'replacing']);
  });
});
