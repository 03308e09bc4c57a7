import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aLibrary, someJobs, testNode } from '../testing/records.ts';
import { claim } from './claims.ts';
import { readWaiting } from './heads.ts';
import { listNext, listWaiting } from './job-lists.ts';
import { changeLibrary, readLibrary } from './libraries.ts';

eachDatabase((kind) => {
  test('of a library that is only looked at nothing is claimed or next, and its rows say why; starting it is one step', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const looked = await aLibrary(q, 'Looked at');
    await q.query(`update libraries set looking = true, enabled = false where id = $1`, [looked.id]);
    await someJobs(q, looked.id, 3, { rank: -9_000_000 });
    const other = await aLibrary(q, 'Started');
    const [job] = await someJobs(q, other.id, 1);
    const wish = { node: testNode, term: 1, leaseSeconds: 60, keepers: [testNode], classes: [1] };
    assert.deepEqual(
      (await listNext(q, 7)).map((row) => row.id),
      [job!.jobId],
    );
    assert.deepEqual(
      (await readWaiting(q, 8)).map((row) => row.id),
      [job!.jobId],
    );
    assert.equal((await claim(q, wish))?.jobId, job!.jobId);
    assert.equal(await claim(q, wish), null);
    assert.deepEqual(
      (await listWaiting(q)).rows.map((row) => row.libraryRests),
      ['looking', 'looking', 'looking'],
    );
    await changeLibrary(q, looked.id, { name: 'Another name' });
    assert.equal((await readLibrary(q, looked.id))?.looking, true);
    const started = await changeLibrary(q, looked.id, { enabled: true });
    assert.deepEqual([started?.enabled, started?.looking], [true, false]);
    assert.equal((await claim(q, wish))?.libraryId, looked.id);
    // switched off later, it is off, and not new any more
    assert.deepEqual((({ enabled, looking }) => ({ enabled, looking }))((await changeLibrary(q, looked.id, { enabled: false }))!), {
      enabled: false,
      looking: false,
    });
  });
});
