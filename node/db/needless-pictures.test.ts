import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aLibrary, someJobs, testNode } from '../testing/records.ts';
import { needlessPictures, readPictures, savePictures } from './pictures.ts';

eachDatabase((kind) => {
  test('frames are needless once their attempt is over or unknown, unless the books seek them on that very node', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(db);
    const jobs = await someJobs(db, library.id, 4);
    const ids: number[] = [];
    for (const [i, [state, pictures, node]] of (
      [
        ['verifying', 0, null],
        ['succeeded', 5, testNode],
        ['succeeded', 5, 'node-b'],
        ['failed', 0, null],
      ] as const
    ).entries()) {
      const rows = await db.query<{ id: number }>(
        `insert into attempts (job_id, term, node_id, number, state, pictures, pictures_node, ended_at)
         values ($1, 1, $2, 1, $3, $4, $5, case when $3 <> 'verifying' then now() end) returning id`,
        [jobs[i]!.jobId, testNode, state, pictures, node],
      );
      ids.push(rows[0]!.id);
    }
    assert.deepEqual(await needlessPictures(db, testNode, [...ids, 999_999]), [ids[2], ids[3], 999_999]);
    await savePictures(db, ids[3]!, testNode, [1000, 2000]);
    assert.equal((await readPictures(db, { jobId: jobs[3]!.jobId, attemptId: ids[3]! }))?.pairs, 2);
    assert.deepEqual(await needlessPictures(db, testNode, ids), [ids[2]]);
  });
});
