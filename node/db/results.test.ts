import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Verdict } from '../core/verdict.ts';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aFingerprint, aLibrary, aProbe, because, claimed, someFiles, someJobs } from '../testing/records.ts';
import { activityForFile, addActivity, listActivity } from './activity.ts';
import { advance, saveVerdict } from './attempts.ts';
import type { ClaimedJob } from './claims.ts';
import { cancelAttempt, holdAttempt } from './run-ends.ts';
import { foldCounters } from './counters.ts';
import { listFinished, listHistory, readJob } from './job-lists.ts';
import { fileCounts, libraryOverview, removeLibrary } from './libraries.ts';
import { markMissing, readFile, upsertListed } from './media-files.ts';
import { findByMadeHash } from './moved-files.ts';
import { changeRetention, dueOriginals, listOriginals, markExpired, readOriginal, trashTotals } from './originals.ts';
import { completeKept, completeReplaced, completeRestored, type Replaced } from './results.ts';
import { lastDays, totals } from './stats.ts';

function replaced(path: string): Replaced {
  return {
    path,
    fingerprint: aFingerprint('made', 300_000),
    probe: aProbe('hevc'),
    retentionSeconds: 3600,
    reason: because('replaced'),
    original: { path: `films/${path}`, trashPath: `.codecshift/trash/1/${path}`, fingerprint: aFingerprint('before') },
    activity: { kind: 'file-replaced' },
  };
}

eachDatabase((kind) => {
  test('a replaced file is counted once, however often it is reported', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 1);
    const job = await claimed(q);
    assert.equal(await completeReplaced(q, job, replaced(job.path)), false, 'nothing was granted yet');
    await advance(q, job, ['running'], 'replacing', 60);
    assert.equal(await completeReplaced(q, { ...job, attemptId: job.attemptId + 1 }, replaced(job.path)), false);
    const answers = await Promise.all([1, 2, 3].map(() => completeReplaced(q, job, replaced(job.path))));
    assert.equal(answers.filter(Boolean).length, 1);

    const file = await readFile(q, job.fileId);
    assert.deepEqual(
      [file?.status, file?.codec, file?.sizeBytes, file?.originalBytes, file?.madeHash],
      ['done', 'hevc', 300_000, 1_000_000, aFingerprint('made').hash.length === 64 ? file?.hash : ''],
    );
    assert.equal((await findByMadeHash(q, file!.madeHash!))?.id, file!.id);
    const detail = await readJob(q, job.jobId);
    assert.deepEqual(
      [detail?.state, detail?.outcome, detail?.outputBytes, detail?.attempts[0]?.state],
      ['completed', 'replaced', 300_000, 'succeeded'],
    );
    const all = await totals(q);
    assert.deepEqual([all.replaced, all.bytesIn, all.bytesOut, all.mediaMs], [1, 1_000_000, 300_000, 60_000]);
    assert.equal((await lastDays(q, 30)).length, 30);
    // today's, or yesterday's if midnight came between
    assert.equal(
      (await lastDays(q, 30)).slice(-2).reduce((sum, { replaced }) => sum + replaced, 0),
      1,
    );
    assert.equal((await activityForFile(q, job.fileId)).length, 1);
    assert.equal((await listOriginals(q, job.fileId)).length, 1);
    assert.deepEqual([(await trashTotals(q)).files, (await trashTotals(q)).bytes], [1, 1_000_000]);
    for (let round = 0; round < 2; round++) {
      const [shown] = await libraryOverview(q);
      assert.deepEqual([shown?.files, shown?.bytes, shown?.reclaimedBytes, shown?.byStatus], [1, 300_000, 700_000, { done: 1 }]);
      await foldCounters(q);
    }
  });

  test('when the extension changed, the row that a scan made for the new name gives way', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 1);
    const job = await claimed(q);
    await advance(q, job, ['running'], 'replacing', 60);
    await someJobs(q, library.id, 1, {}, 'new-name');
    assert.equal(await completeReplaced(q, job, replaced('new-name-00001.mkv')), true);
    assert.equal((await readFile(q, job.fileId))?.path, 'new-name-00001.mkv');
    assert.equal((await q.query('select 1 from media_files')).length, 1);
    assert.equal((await q.query('select 1 from jobs')).length, 1);
  });

  test('a swap that the books had given up and that was finished after all is booked: its original can be put back', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 3);
    const verdict = { accepted: true, checks: [] } as unknown as Verdict;
    const swapping = async (): Promise<ClaimedJob> => {
      const job = await claimed(q);
      await advance(q, job, ['running'], 'verifying', 60);
      await saveVerdict(q, job, { verdict, outputProbe: null, outputBytes: 300_000 }, 60);
      await advance(q, job, ['verifying'], 'replacing', 60);
      return job;
    };
    const held = await swapping();
    await holdAttempt(q, held, because('swap-unclear'));
    // a scan saw that the old name is gone and the new one is there
    await markMissing(q, [held.fileId], because('missing'), new Date(Date.now() + 60_000));
    await someJobs(q, library.id, 1, {}, 'new-name');
    assert.equal(await completeReplaced(q, held, replaced('new-name-00001.mkv')), true);
    assert.equal(await completeReplaced(q, held, replaced('new-name-00001.mkv')), false, 'said twice');
    assert.deepEqual([(await readFile(q, held.fileId))?.status, (await listOriginals(q, held.fileId)).length], ['done', 1]);
    assert.equal((await readJob(q, held.jobId))?.outcome, 'replaced');

    const cancelled = await swapping();
    await cancelAttempt(q, cancelled, because('cancelled-by-person'));
    assert.equal(await completeReplaced(q, cancelled, replaced(cancelled.path)), true);

    const unchecked = await claimed(q);
    await holdAttempt(q, unchecked, because('swap-unclear'));
    assert.equal(await completeReplaced(q, unchecked, replaced(unchecked.path)), false, 'nobody had accepted this copy');
  });

  test('a kept original says why and is counted once', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 1);
    const job = await claimed(q);
    const kept = {
      reason: because('not-smaller'),
      verdict: { accepted: false as const, reason: because('not-smaller'), checks: [] },
      activity: { kind: 'original-kept' },
    };
    assert.equal(await completeKept(q, job, kept), true);
    assert.equal(await completeKept(q, job, kept), false);
    assert.equal(await completeReplaced(q, job, replaced(job.path)), false);
    assert.deepEqual([(await readFile(q, job.fileId))?.status, (await readFile(q, job.fileId))?.reason?.code], ['kept', 'not-smaller']);
    assert.equal((await readJob(q, job.jobId))?.attempts[0]?.verdict?.accepted, false);
    assert.deepEqual([(await totals(q)).kept, (await totals(q)).replaced], [1, 0]);
    assert.equal((await listFinished(q, undefined, {}, 'kept')).rows.length, 1);
    assert.equal((await listFinished(q, undefined, {}, 'replaced')).rows.length, 0);
  });

  test('an original is restored once, and the file is not ours any more', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 1);
    const job = await claimed(q);
    await advance(q, job, ['running'], 'replacing', 60);
    await completeReplaced(q, job, replaced(job.path));
    const [original] = await listOriginals(q, job.fileId);
    const back = {
      path: job.path,
      fingerprint: aFingerprint('before'),
      // as keepers report it: the file was probed before its encode
      probe: null,
      reason: because('restored-by-person'),
      by: 'Ada',
      activity: { kind: 'restored' },
    };
    assert.equal(await completeRestored(q, original!.id, back), true);
    assert.equal(await completeRestored(q, original!.id, back), false);
    assert.equal(await markExpired(q, original!.id), false);
    const file = await readFile(q, job.fileId);
    assert.deepEqual(
      [file?.status, file?.codec, file?.originalBytes, file?.madeHash, file?.sizeBytes],
      ['kept', 'h264', null, null, 1_000_000],
    );
    assert.equal((await readJob(q, job.jobId))?.outcome, 'restored');
    assert.equal((await libraryOverview(q))[0]?.reclaimedBytes, 0);
    assert.equal((await readOriginal(q, original!.id))?.state, 'restored');
    const { replaced: count, bytesIn, bytesOut } = await totals(q);
    assert.deepEqual([count, bytesIn, bytesOut], [0, 0, 0], 'what was won is not won any more');
  });

  test('the trash outlives its library and expires', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 2);
    const job = await claimed(q);
    await advance(q, job, ['running'], 'replacing', 60);
    assert.equal(await removeLibrary(q, library.id), false, 'a job runs');
    await completeReplaced(q, job, replaced(job.path));
    assert.equal(await removeLibrary(q, library.id), true);
    assert.deepEqual(await fileCounts(q), []);
    assert.deepEqual(await dueOriginals(q), []);
    assert.equal(await changeRetention(q, 0), 1);
    const [due] = await dueOriginals(q);
    assert.deepEqual([due?.fileId, due?.title, due?.jobId], [null, 'film-00001', job.jobId]);
    assert.equal(await markExpired(q, due!.id), true);
    assert.equal(await markExpired(q, due!.id), false);
    assert.equal((await trashTotals(q)).files, 0);
  });

  test('a large library goes a few hundred films at a time', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const [large, other] = [await aLibrary(q), await aLibrary(q, 'Series')];
    await someJobs(q, large.id, 900);
    await someJobs(q, other.id, 3);
    await q.query(`create function few() returns trigger language plpgsql as $$ begin
      if (select count(*) from gone) > 300 then raise exception 'so many in one statement'; end if; return null; end $$`);
    for (const table of ['media_files', 'jobs'])
      await q.query(`create trigger few after delete on ${table} referencing old table as gone for each statement execute function few()`);
    try {
      assert.equal(await removeLibrary(q, large.id), true);
    } finally {
      await q.query(`drop function few cascade`);
    }
    assert.deepEqual(
      (await fileCounts(q)).map(({ libraryId, files }) => [libraryId, files]),
      [[other.id, 3]],
    );
  });

  test('history and activity turn pages forwards and backwards without a gap, even among equal times', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someFiles(q, library.id, 1);
    await q.query(
      `insert into jobs (file_id, library_id, plan, profile, input_bytes, expected_bytes, state, outcome, finished_at)
       select f.id, f.library_id, '{"action": "remux"}', '{}', 1, 1, 'completed', 'kept', now() - make_interval(secs => (i / 10) * 0.000001) from media_files f, generate_series(1, 125) i`,
    );
    const forwards: number[] = [];
    let page = await listHistory(q);
    assert.equal(page.before, null);
    const first = page.rows;
    for (;;) {
      forwards.push(...page.rows.map((r) => r.id));
      if (!page.after) break;
      page = await listHistory(q, undefined, { after: page.after });
    }
    assert.equal(forwards.length, 125);
    assert.equal(new Set(forwards).size, 125);
    while (page.before) page = await listHistory(q, undefined, { before: page.before });
    assert.deepEqual(
      page.rows.map((r) => r.id),
      first.map((r) => r.id),
    );
    assert.deepEqual(
      (await listHistory(q, undefined, { after: 'not a cursor' })).rows.map((r) => r.id),
      first.map((r) => r.id),
    );

    for (let i = 0; i < 3; i++) await addActivity(q, { kind: 'looked-at', severity: i as 0 | 1 | 2, params: { name: `a\0b${i}` } });
    assert.equal((await listActivity(q, {}, { size: 2 })).rows.length, 2);
    assert.deepEqual(
      (await listActivity(q, { minSeverity: 1 })).rows.map((a) => a.severity),
      [2, 1],
    );
    assert.equal((await listActivity(q, { minSeverity: 1 })).rows[0]?.term, 1);
  });

  test('a scan leaves a file alone while its job runs', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 2);
    const job = await claimed(q);
    const again = [1, 2].map((n) => ({
      path: `film-0000${n}.mkv`,
      title: 'changed',
      detail: '',
      sizeBytes: 5,
      mtimeMs: 6,
      inode: '7',
      links: 1,
      status: 'new' as const,
      reason: null,
    }));
    const written = await upsertListed(q, library.id, again, because('file-changed'));
    assert.deepEqual(
      written.map((w) => w.path),
      ['film-00002.mkv'],
    );
    assert.equal((await readFile(q, job.fileId))?.sizeBytes, 1_000_000);
    assert.equal((await q.query(`select 1 from jobs where state = 'cancelled'`)).length, 1);
  });
});
