import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { freshDatabase, havePostgres } from '../testing/database.ts';
import { aLibrary, testNode } from '../testing/records.ts';
import { claim, claimOne, claimParams, claimSql } from './claims.ts';
import type { Queryable } from './connect.ts';
import { headsParams, headsSql, readHeads, readWaiting, waitingClasses } from './heads.ts';
import { countsByState } from './counters.ts';
import { planSql } from './forecast.ts';
import { failedSince, listHistory, listNext, listWaiting, runningJobs } from './job-lists.ts';
import { fileCounts } from './libraries.ts';
import { metricCounts, wholeScans } from './metrics.ts';
import { takerOfName } from './media-files.ts';
import { keyset } from './page.ts';

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
    const wish = { node: testNode, term: 1, leaseSeconds: 60, keepers: [testNode] };
    const able = [0, 1, 2].flatMap((one) => ['auto', 'hardware', 'software'].map((encoder) => ({ class: one, encoder })));
    const heads = { able, keepers: [testNode], limit: 24 };
    const ids = (await readHeads(q, heads)).map((head) => head.id);
    assert.equal(ids.length, 24);

    for (const analyzed of [false, true]) {
      if (analyzed) await db.query('analyze');
      const when = analyzed ? 'with statistics' : 'without statistics';
      const reading = jobScans(await explain(q, headsSql(24), headsParams(heads)));
      assert.ok(reading.some((n) => n['Index Name'] === 'jobs_claim'));
      const taking = jobScans(await explain(q, claimSql, claimParams(wish, ids)));
      const scans = [...reading, ...taking];
      assert.deepEqual(
        scans.filter((n) => n['Node Type'] === 'Seq Scan' || n['Node Type'].startsWith('Bitmap')),
        [],
        `no scan of the table, ${when}`,
      );
      const read = scans.reduce((sum, n) => sum + n['Actual Rows'] * n['Actual Loops'], 0);
      assert.ok(read < 300, `a claim read ${read} rows of jobs, ${when}`);
    }
    // `explain analyze` took the first two
    const job = await claimOne(q, wish, ids);
    assert.equal(job?.jobId, ids[2]);
    assert.equal(job?.priority, 0);
    assert.equal((await claim(q, { ...wish, classes: [0, 1] }))?.jobId, ids[3]);

    const small = jobScans(await explain(q, headsSql(24, true), headsParams({ ...heads, maxBytes: 10 })));
    const looked = small.reduce((sum, n) => sum + n['Actual Rows'] * n['Actual Loops'], 0);
    assert.ok(looked <= 20_100, `a search for small files ends somewhere, not after ${looked} rows`);
    assert.equal((await readWaiting(q, 8)).length, 8);
    assert.deepEqual(await waitingClasses(q, [0, 1, 2]), [0, 1]);

    const files = keyset([{ sql: 'f.id', cast: 'bigint', descending: false }], {}, 5);
    for (const [what, codec, reason] of [
      [null, null, null],
      ['convert', null, null],
      [null, 'hevc', null],
      [null, null, 'hard-linked'],
    ] as const) {
      const plan = await explain(q, planSql(what, files), [libraries[0]!.id, codec, reason, null]);
      const scans = flatten(plan).filter((n) => n['Relation Name'] === 'media_files');
      const looked = scans.reduce((sum, n) => sum + n['Actual Rows'] * n['Actual Loops'], 0);
      assert.ok(
        scans.every((n) => n['Index Name'] !== undefined && looked < 100),
        `a dry run by ${what} ${codec} ${reason}`,
      );
    }

    const takers = (r: Queryable): Promise<unknown> => takerOfName(r, libraries[0]!.id, 'film-1.avi', 'film-1.mkv');
    // what /metrics and the status read: counters, and index ranges of what runs or failed lately; a name that may be taken
    for (const read of [takers, countsByState, runningJobs, fileCounts, metricCounts, wholeScans, (r: Queryable) => failedSince(r, 24)]) {
      const scans = flatten(await explainOf(q, read)).filter((n) => ['jobs', 'media_files'].includes(n['Relation Name'] ?? ''));
      const looked = scans.reduce((sum, n) => sum + n['Actual Rows'] * n['Actual Loops'], 0);
      assert.ok(scans.every((n) => n['Index Name'] !== undefined) && looked < 1000, `${read.name} reads ${looked} rows`);
    }

    const page = await listWaiting(q);
    assert.equal(page.rows.length, 50);
    assert.deepEqual(
      (await listNext(q, 7)).map((row) => row.id),
      page.rows.slice(0, 7).map((row) => row.id),
    );
    const next = await listWaiting(q, undefined, { after: page.after });
    assert.ok(next.rows.every((row) => !page.rows.some((first) => first.id === row.id)));
    assert.equal((await listHistory(q)).rows.length, 0);
  },
);

/** Every reading of the table, however deep in the plan. */
function jobScans(plan: Plan): Plan[] {
  const scans = flatten(plan).filter((n) => n['Relation Name'] === 'jobs' && n['Node Type'].includes('Scan'));
  assert.ok(scans.length > 0);
  return scans;
}

async function explain(q: Queryable, sql: string, params: unknown[]): Promise<Plan> {
  const [row] = await q.query<{ 'QUERY PLAN': { Plan: Plan }[] }>(`explain (analyze, format json) ${sql}`, params);
  return row!['QUERY PLAN'][0]!.Plan;
}

/** The plan of the one statement that a reader sends. */
async function explainOf(q: Queryable, read: (q: Queryable) => Promise<unknown>): Promise<Plan> {
  let plan: Plan | null = null;
  await read({
    query: async (sql: string, params: unknown[] = []) => {
      plan = await explain(q, sql, params);
      return [] as never;
    },
  });
  return plan!;
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
