import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aJob, aLibrary, someFiles } from '../testing/records.ts';
import { listWaiting } from './job-lists.ts';
import { enqueue, pinJobs } from './jobs.ts';
import { rerank } from './replan.ts';

eachDatabase((kind) => {
  test('another order is that of everything that waits, but of what a person moved', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    const files = await someFiles(q, library.id, 4);
    // by what they save: the third, the second, the first; by their size the other way round
    const sizes = [1e9, 2e9, 3e9, 4e9];
    const jobs = await enqueue(
      q,
      files.map((id, i) => aJob(id, { inputBytes: sizes[i]!, expectedBytes: sizes[i]! / 2, rank: -sizes[i]! / 2 })),
    );
    const jobOf = new Map(jobs.map(({ fileId, jobId }) => [fileId, jobId]));
    await pinJobs(q, { ids: [jobOf.get(files[3]!)!] }, 'top');
    const order = async (): Promise<number[]> => (await listWaiting(q)).rows.map(({ fileId }) => files.indexOf(fileId) + 1);
    assert.deepEqual(await order(), [4, 3, 2, 1]);
    assert.equal(await rerank(q, 'smallest'), 3);
    assert.deepEqual(await order(), [4, 1, 2, 3]);
    assert.equal(await rerank(q, 'saving'), 3);
    assert.deepEqual(await order(), [4, 3, 2, 1]);
    assert.equal(await rerank(q, 'oldest'), 3);
    assert.deepEqual(await order(), [4, 1, 2, 3]);
    assert.equal(await rerank(q, 'oldest'), 0, 'nothing is written twice');
  });
});
