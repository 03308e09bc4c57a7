import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveSettings } from '../config/load.ts';
import type { Database } from '../db/connect.ts';
import { readNode } from '../db/nodes.ts';
import { insertSession } from '../db/sessions.ts';
import { insertUser } from '../db/users.ts';
import { oneDatabase, freshDatabase, quietLog } from '../testing/database.ts';
import { aLibrary, aNode, someJobs } from '../testing/records.ts';
import { createRetention, type Retention } from './retention.ts';

function retentionOf(db: Database): Retention {
  const settings = () => effectiveSettings(new Map<string, unknown>([['history.keepDays', 30]]), {});
  return createRetention({ db, settings, log: quietLog(), onStale: () => assert.fail('nobody else leads') });
}

async function countOf(db: Database, table: string): Promise<number> {
  return (await db.query<{ n: number }>(`select count(*)::int as n from ${table}`))[0]!.n;
}

oneDatabase((kind) => {
  test('whatever is written each time something happens goes when its time is over, however much it is, and nothing younger', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const { id } = await aLibrary(db);
    const user = (await insertUser(db, { name: 'Ada', displayName: '', role: 'viewer', password: 'x', oneTime: false }, 'x', 1))!;
    const fill: Record<string, string> = {
      activity: `insert into activity (kind, at) select 'x', now() - make_interval(days => case when i <= 2500 then 31 else 29 end) from generate_series(1, 2503) i`,
      audit: `insert into audit (actor, via, action, result, at) select 'x', 'page', 'x', 'ok', now() - make_interval(days => case when i <= 2500 then 401 else 398 end) from generate_series(1, 2503) i`,
      throttles: `insert into throttles (key, last_at) select 'k' || i, now() - make_interval(hours => case when i <= 2500 then 25 else 23 end) from generate_series(1, 2503) i`,
      notifications: `insert into notifications (event, key, at, routed_at) select 'x', 'x', now() - make_interval(days => case when i <= 2500 then 31 else 29 end), now() from generate_series(1, 2503) i`,
      join_tokens: `insert into join_tokens (id, secret_hash, uses_left, created_by, expires_at) select gen_random_uuid(), 'x', 0, 'x', now() - make_interval(days => case when i <= 5 then 31 else 29 end) from generate_series(1, 8) i`,
      settings_history: `insert into settings_history (key, by) select 'x', 'x' from generate_series(1, 12500) i`,
    };
    for (const sql of Object.values(fill)) await db.query(sql);
    await db.query(
      `insert into sessions (id, user_id, method, created_at, seen_at) select lpad(i::text, 64, '0'), $1, m.method,
              now() - make_interval(days => m.old), now() - make_interval(days => m.seen)
         from (values (1, 'password', 45, 1), (2, 'password', 20, 0), (3, 'oidc', 3, 0), (4, 'oidc', 1, 0), (5, 'password', 20, 15)) m(i, method, old, seen)`,
      [user],
    );
    await db.query(
      `insert into scans (library_id, state, ended_at) select $1, case when i = 1 then 'completed' else 'failed' end, now() from generate_series(1, 2500) i`,
      [id],
    );
    await db.query(
      `insert into measures (library_id, state, ended_at, asked_by) select $1, 'completed', now(), 'x' from generate_series(1, 70) i`,
      [id],
    );
    for (const name of ['asked-once', 'asks-now']) await aNode(db, name);
    await db.query(
      `update nodes set standing = 'pending', asked_at = now() - make_interval(days => case id when 'asked-once' then 8 else 6 end) where id like 'ask%'`,
    );
    await retentionOf(db).run();
    assert.equal(await readNode(db, 'asked-once'), null, 'who asked long ago and went away keeps no place');
    assert.equal((await readNode(db, 'asks-now'))?.standing, 'pending');
    const left = Object.fromEntries(
      await Promise.all(
        [...Object.keys(fill), 'measures', 'scans'].map(async (table): Promise<[string, number]> => [table, await countOf(db, table)]),
      ),
    );
    assert.deepEqual(left, {
      ...{ activity: 3, audit: 3, throttles: 3, notifications: 3, join_tokens: 3 },
      ...{ settings_history: 10_000, measures: 50, scans: 201 },
    });
    const sessions = await db.query<{ id: string }>(`select right(id, 1) as id from sessions order by id`);
    assert.deepEqual(
      sessions.map((session) => session.id),
      ['2', '4'],
    );
    assert.equal((await db.query(`select 1 from scans where state = 'completed'`)).length, 1, 'the last whole scan is known for ever');
  });

  test('a file that is gone for a year goes with its jobs, unless something of it waits in a trash or a person spoke of it', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const { id, rootId } = await aLibrary(db);
    const [gone, lately, inTrash, lost, excluded, waits, there] = (await someJobs(db, id, 7)).map(({ fileId }) => fileId);
    await db.query(
      `update jobs set state = 'completed', outcome = 'replaced', finished_at = now() - interval '2 years' where file_id <> $1`,
      [waits],
    );
    await db.query(
      `insert into attempts (job_id, term, node_id, number, state, ended_at) select id, 1, 'a', 1, 'succeeded', finished_at from jobs where state = 'completed'`,
    );
    await db.query(`update jobs j set attempt_id = a.id from attempts a where a.job_id = j.id`);
    await db.query(`update media_files set status = 'missing', updated_at = now() - interval '366 days' where id <> $1`, [there]);
    await db.query(`update media_files set updated_at = now() - interval '364 days' where id = $1`, [lately]);
    await db.query(`update media_files set excluded_by = 'Ada' where id = $1`, [excluded]);
    await db.query(
      `insert into originals (attempt_id, job_id, file_id, root_id, path, trash_path, size_bytes, fingerprint, state, expires_at, ended_at)
       select a.id, j.id, j.file_id, $1, 'x', 'y', 1, '{}', case j.file_id when $2 then 'kept' when $3 then 'gone' else 'expired' end, now(),
              case when j.file_id <> $2 then now() - interval '2 years' end
         from jobs j join attempts a on a.job_id = j.id`,
      [rootId, inTrash, lost],
    );
    await retentionOf(db).run();
    const left = await db.query<{ id: number }>(`select id from media_files order by id`);
    assert.deepEqual(
      left.map((row) => row.id),
      [lately, inTrash, lost, excluded, waits, there],
    );
    assert.equal((await db.query(`select 1 from jobs where file_id = $1`, [gone])).length, 0);
    const originals = await db.query<{ file: number | null }>(`select file_id as file from originals order by file_id`);
    assert.deepEqual(
      originals.map(({ file }) => file),
      [lately, inTrash, lost, excluded, there],
    );
  });

  test('what ffmpeg said of old runs goes and what came of them stays; jobs that came to nothing go', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const { id } = await aLibrary(db);
    const jobs = (await someJobs(db, id, 4)).map(({ jobId }) => jobId);
    const how: [string, number][] = [
      ['failed', 400],
      ['cancelled', 400],
      ['failed', 20],
      ['cancelled', 20],
    ];
    for (const [i, [state, days]] of how.entries())
      await db.query(`update jobs set state = $2, finished_at = now() - make_interval(days => $3) where id = $1`, [jobs[i], state, days]);
    await db.query(
      `insert into attempts (job_id, term, node_id, number, state, ended_at, stderr_tail, encoder) select id, 1, 'a', 1, 'failed', finished_at, 'Error', 'libx265' from jobs`,
    );
    await retentionOf(db).run();
    const left = await db.query<{ id: number; said: string | null; encoder: string }>(
      `select job_id as id, stderr_tail as said, encoder from attempts order by job_id`,
    );
    assert.deepEqual(
      left.map(({ id: job, said, encoder }) => [jobs.indexOf(job), said, encoder]),
      [
        [0, null, 'libx265'],
        [2, 'Error', 'libx265'],
        [3, 'Error', 'libx265'],
      ],
    );
  });

  test('whoever signs in anew at every look does not fill the books', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const user = (await insertUser(db, { name: 'Ada', displayName: '', role: 'viewer', password: 'x', oneTime: false }, 'x', 1))!;
    for (let i = 0; i < 130; i++)
      await insertSession(
        db,
        { session: String(i).padStart(64, '0'), userId: user, method: 'proxy', idToken: null },
        { address: '', agent: '' },
      );
    const left = await db.query<{ id: number }>(`select id::int as id from sessions order by id`);
    assert.equal(left.length, 100);
    assert.equal(left.at(-1)!.id, 129);
  });
});
