import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { freshDatabase, havePostgres } from '../testing/database.ts';
import { aLibrary, testNode } from '../testing/records.ts';
import { claim, claimParams, claimSql } from './claims.ts';
import type { Queryable } from './connect.ts';
import { listHistory, listWaiting } from './job-lists.ts';

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  Plans?: Plan[];
}

test(
  'with a million waiting jobs a claim reads a handful of rows through the claim index',
  { skip: havePostgres() ? false : 'needs PostgreSQL' },
  async (t) => {
    const db = await freshDatabase(t, 'postgres');
    const q = await db.lead();
    const libraries = [await aLibrary(q, 'Films'), await aLibrary(q, 'Series')];
    await fill(
      db.url!,
      libraries.map((l) => l.id),
    );
    const wish = { node: testNode, classes: [0, 1, 2], term: 1, leaseSeconds: 60, keepers: [testNode] };

    for (const analyzed of [false, true]) {
      if (analyzed) await db.query('analyze');
      const nodes = flatten(await explain(q, claimSql(1), claimParams(wish))).filter((n) => n['Relation Name'] === 'jobs');
      const scans = nodes.filter((n) => n['Node Type'].includes('Scan'));
      assert.ok(scans.length > 0);
      assert.deepEqual(
        scans.filter((n) => n['Node Type'] === 'Seq Scan' || n['Node Type'].startsWith('Bitmap')),
        [],
        `no scan of the table, ${analyzed ? 'with' : 'without'} statistics`,
      );
      assert.ok(scans.some((n) => n['Index Name'] === 'jobs_claim'));
      const read = scans.reduce((sum, n) => sum + n['Actual Rows'] * n['Actual Loops'], 0);
      assert.ok(read < 300, `a claim read ${read} rows of jobs`);
    }
    const job = await claim(q, wish);
    assert.equal(job?.priority, 0);

    const page = await listWaiting(q);
    assert.equal(page.rows.length, 50);
    const next = await listWaiting(q, undefined, { after: page.after });
    assert.ok(next.rows.every((row) => !page.rows.some((first) => first.id === row.id)));
    assert.equal((await listHistory(q)).rows.length, 0);
  },
);

async function explain(q: Queryable, sql: string, params: unknown[]): Promise<Plan> {
  const [row] = await q.query<{ 'QUERY PLAN': { Plan: Plan }[] }>(`explain (analyze, format json) ${sql}`, params);
  return row!['QUERY PLAN'][0]!.Plan;
}

function flatten(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(flatten)];
}

/**
 * A million rows quickly: on a connection without the statement's time limit, with the triggers off (their cost is not
 * what is measured here) and only the indexes that a claim could choose from in place while the rows go in.
 */
async function fill(url: string, libraryIds: number[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`set session_replication_role = replica; set synchronous_commit = off; set maintenance_work_mem = '256MB'`);
    const { rows } = await client.query<{ name: string; definition: string }>(
      `select indexname as name, indexdef as definition from pg_indexes where tablename in ('jobs', 'media_files') and indexname not like '%_pkey' and indexname not like '%_key'`,
    );
    for (const index of rows) await client.query(`drop index ${index.name}`);
    await client.query(
      `insert into media_files (library_id, path, title, size_bytes, mtime_ms, status)
       select $1::int[][1 + n % 2], 'film-' || n, 'film', 1000, 0, 'queued' from generate_series(1, 1000000) n`.replace(
        '$1::int[][',
        '($1::int[])[',
      ),
      [libraryIds],
    );
    await client.query(
      `insert into jobs (file_id, library_id, class, priority, rank, plan, profile, input_bytes, expected_bytes)
       select id, library_id, id % 2, id % 3, -(id * 7919 % 1000003), '{"action": "transcode"}', '{}', 1000, 400 from media_files`,
    );
    for (const index of rows) await client.query(index.definition);
  } finally {
    await client.end();
  }
}
