import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshDatabase } from '../testing/database.ts';
import { fillSample } from '../testing/sample.ts';
import { countByReason, databaseFacts, lastFailures } from './support.ts';

test('what a support bundle tells of the books: failed runs newest first, counts by state and reason, the database', async (t) => {
  const q = await (await freshDatabase(t, 'embedded')).lead();
  await fillSample(q);
  await q.query(
    `update attempts set state = case when id % 2 = 0 then 'failed' else 'lost' end, command = '["ffmpeg", "-i", "x"]',
              stderr_tail = repeat('x', 20000) || 'the last words' where state = 'succeeded'`,
  );
  const runs = await lastFailures(q, 50);
  assert.ok(runs.length > 0 && runs.every(({ state }) => ['failed', 'lost', 'rejected'].includes(state)));
  assert.deepEqual(
    runs.map(({ attempt }) => attempt),
    runs.map(({ attempt }) => attempt).toSorted((a, b) => b - a),
  );
  const failed = runs.find(({ state }) => state === 'failed')!;
  assert.deepEqual(failed.command, ['ffmpeg', '-i', 'x']);
  assert.match(failed.stderrTail!, /^x{7986}the last words$/);
  assert.ok(failed.path !== '' && failed.title !== '');
  assert.equal((await lastFailures(q, 1)).length, 1);

  const counts = await countByReason(q);
  const [files] = await q.query<{ n: number }>(`select count(*)::int as n from media_files`);
  const [jobs] = await q.query<{ n: number }>(`select count(*)::int as n from jobs`);
  const sum = (of: string): number => counts.filter((each) => each.of === of).reduce((all, { count }) => all + count, 0);
  assert.deepEqual([sum('files'), sum('jobs')], [files!.n, jobs!.n]);

  const facts = await databaseFacts(q);
  assert.match(facts.says, /^PostgreSQL \d+/);
  assert.ok(facts.sizeBytes > 1_000_000);
  assert.equal(facts.migrations[0]?.name, '0001_house.sql');
});
