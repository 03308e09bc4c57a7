import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Database, Queryable } from '../../db/connect.ts';
import { fileCounts } from '../../db/libraries.ts';
import { foldMetrics, metricCounts } from '../../db/metrics.ts';
import { createEvents } from '../../events.ts';
import { freshDatabase, havePostgres, type TestDatabase } from '../../testing/database.ts';
import { readExposition, type Exposed } from '../../testing/exposition.ts';
import { hashedPassword, startGuarded, type Guarded } from '../../testing/guarded.ts';
import { fillNodeSample } from '../../testing/node-sample.ts';
import { fillPageSample, type PageSample } from '../../testing/page-sample.ts';
import { fillSample, sampleProgress, type Sample } from '../../testing/sample.ts';
import { emptyBooks, startWeb, type TestWeb } from '../../testing/web.ts';
import { hashOf } from '../auth/sessions.ts';
import { createDisks, type Disks } from './disks.ts';
import { createMetrics } from './metrics.ts';

/** What may be asked of us, and of which type: a name is a promise to everybody who draws a graph of it. */
const promised: Record<string, string> = {
  codecshift_build_info: 'gauge version,commit',
  codecshift_jobs: 'gauge state',
  codecshift_jobs_finished_total: 'counter result,reason',
  codecshift_source_bytes_total: 'counter',
  codecshift_output_bytes_total: 'counter',
  codecshift_saved_bytes_total: 'counter',
  codecshift_media_seconds_encoded_total: 'counter encoder',
  codecshift_job_duration_seconds: 'histogram encoder',
  codecshift_encode_speed_ratio: 'gauge node,encoder',
  codecshift_nodes: 'gauge state',
  codecshift_node_info: 'gauge node,name',
  codecshift_node_up: 'gauge node',
  codecshift_node_slots: 'gauge node,kind',
  codecshift_node_slots_used: 'gauge node,kind',
  codecshift_node_last_seen_timestamp_seconds: 'gauge node',
  codecshift_library_files: 'gauge library,codec_class',
  codecshift_library_bytes: 'gauge library,codec_class',
  codecshift_disk_free_bytes: 'gauge root',
  codecshift_scan_last_success_timestamp_seconds: 'gauge library',
  codecshift_scan_duration_seconds: 'gauge library',
  codecshift_integration_up: 'gauge integration',
  codecshift_integration_requests_total: 'counter integration,outcome',
  codecshift_verification_failures_total: 'counter check',
  codecshift_auth_failures_total: 'counter method',
  codecshift_notifications_total: 'counter target_type,outcome',
  codecshift_http_request_duration_seconds: 'histogram route,method,status_class',
};

const cleanups: (() => Promise<void> | void)[] = [];
const suite = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };
let db: TestDatabase;
let leader: Database;
let sample: Sample;
let more: PageSample;
let web: TestWeb;

before(async () => {
  db = await freshDatabase(suite, havePostgres() ? 'postgres' : 'embedded');
  leader = await db.lead();
  sample = await fillSample(leader);
  more = await fillPageSample(leader, sample);
  await fillNodeSample(leader, sample);
  web = await startWeb(suite, { db });
});
after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

async function scrape(accept = ''): Promise<{ type: string; text: string; families: Map<string, Exposed> }> {
  const answer = await fetch(`${web.url}/metrics`, { headers: { accept } });
  assert.equal(answer.status, 200);
  const text = await answer.text();
  const type = answer.headers.get('content-type') ?? '';
  return { type, text, families: readExposition(text, type.startsWith('application/openmetrics-text')) };
}

/** Past the answer that is kept for a while. */
function fresh(books: Queryable = db, disks: Pick<Disks, 'freeOf'> = { freeOf: () => null }) {
  const metrics = createMetrics({
    db: books,
    live: { progressOf: () => null } as never,
    disks,
    node: { id: 'n', name: 'n', version: '1' },
    now: () => new Date(),
  });
  return async () => readExposition((await metrics.text(false)).body);
}

function value(families: Map<string, Exposed>, name: string, labels: Record<string, string> = {}): number {
  const found = families
    .get(`codecshift_${name}`)!
    .samples.filter((s) => Object.entries(labels).every(([key, text]) => s.labels[key] === text));
  return found.reduce((sum, s) => sum + s.value, 0);
}

describe('/metrics', () => {
  // said again and again, as encodes do: what is older than half a minute is not believed
  beforeEach(() => sampleProgress(web.events, sample));

  test('has every name that was promised, with its type and its labels, and what Node.js says of the process', async () => {
    await fetch(`${web.url}/jobs/${more.replacedJob}`);
    const { type, families } = await scrape();
    assert.match(type, /^text\/plain; version=0\.0\.4/);
    assert.deepEqual([...families.keys()].filter((name) => name.startsWith('codecshift_')).sort(), Object.keys(promised).sort());
    for (const [name, what] of Object.entries(promised)) {
      const [kind, labels = ''] = what.split(' ');
      const family = families.get(name)!;
      assert.equal(family.type, kind, name);
      assert.match(family.help, /^[A-Z].+\.$/, name);
      for (const { labels: given } of family.samples)
        assert.deepEqual(
          Object.keys(given)
            .filter((label) => label !== 'le')
            .sort(),
          labels.split(',').filter(Boolean).sort(),
          name,
        );
    }
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_seconds'])
      assert.ok(families.has(name), name);
  });

  test('says what the pages say', async () => {
    const { families } = await scrape();
    const [jobs] = await db.query<{ waiting: number; done: number }>(
      `select count(*) filter (where state = 'available') as waiting, count(*) filter (where state = 'completed') as done from jobs`,
    );
    assert.equal(value(families, 'jobs', { state: 'queued' }), jobs!.waiting);
    assert.equal(value(families, 'jobs', { state: 'done' }), jobs!.done);
    const running = ['leased', 'encoding', 'delivering', 'verifying', 'replacing'].map((state) => value(families, 'jobs', { state }));
    assert.equal(
      running.reduce((a, b) => a + b),
      sample.running.length,
    );
    assert.ok(value(families, 'jobs', { state: 'encoding' }) > 0);
    assert.ok(value(families, 'encode_speed_ratio') > 0);
    assert.equal(value(families, 'node_slots_used'), sample.running.length);
    assert.equal(value(families, 'nodes', { state: 'pending' }), 1);
    const there = (await fileCounts(db)).filter((cell) => cell.status !== 'missing');
    assert.equal(
      value(families, 'library_files'),
      there.reduce((sum, cell) => sum + cell.files, 0),
    );
  });

  test('what is free on the disk of each library is what the machine that has it said last, for as long as it is heard', async () => {
    const libraries = await db.query<{ id: number; rootId: string }>(`select id, root_id as "rootId" from libraries order by id`);
    const [told, silent] = [libraries[0]!, libraries.find(({ rootId }) => rootId !== libraries[0]!.rootId)];
    assert.ok(silent, 'the sample has libraries on two disks');
    const events = createEvents((error) => assert.fail(String(error)));
    let time = 0;
    const disks = createDisks(events, () => time);
    const free = async (): Promise<Record<string, number>> => {
      const { samples } = (await fresh(db, disks)()).get('codecshift_disk_free_bytes')!;
      return Object.fromEntries(samples.filter((s) => s.labels['root']!.startsWith('library:')).map((s) => [s.labels['root'], s.value]));
    };
    assert.deepEqual(await free(), {});
    for (const freeBytes of [7e12, 3e12]) events.emit('root.measured', { rootId: told.rootId, freeBytes });
    const there = await free();
    assert.equal(there[`library:${told.id}`], 3e12);
    assert.equal(`library:${silent.id}` in there, false);
    time += 3 * 60_000;
    assert.deepEqual(await free(), {}, 'a number of yesterday would be believed');
    disks.stop();
  });

  test('no label is a film, a folder, a library, a person or an address, and none is without a bound', async () => {
    const { text, families } = await scrape();
    const rows = await db.query<{ word: string }>(
      `select title as word from media_files union select path from media_files union select name from libraries union select folder from libraries`,
    );
    for (const { word } of rows.filter((row) => row.word.length > 3)) assert.ok(!text.includes(word), word);
    assert.doesNotMatch(text, /\/srv|\/mnt|127\.0\.0\.1|\.mkv/);
    for (const [name, { samples }] of families) assert.ok(samples.length < 200, `${name} has ${samples.length} lines`);
    for (const path of ['/jobs/1', '/jobs/2', '/settings/nothing', '/nowhere/1', '/nowhere/2']) await fetch(`${web.url}${path}`);
    const routes = (await scrape()).families.get('codecshift_http_request_duration_seconds')!.samples.map((s) => s.labels['route']!);
    assert.ok(routes.includes('/jobs/:id') && routes.includes('none') && routes.includes('/settings/:group'));
    assert.ok(!routes.some((route) => /\d|nowhere|nothing/.test(route.replace('/api/v1', ''))), String(routes));
  });

  test('as OpenMetrics where it is asked for, and as the other format again afterwards', async () => {
    const { type, families } = await scrape('application/openmetrics-text; version=1.0.0, text/plain;q=0.5');
    assert.match(type, /^application\/openmetrics-text; version=1\.0\.0/);
    assert.equal(families.get('codecshift_saved_bytes')!.samples[0]!.name, 'codecshift_saved_bytes_total');
    const again = (await scrape()).families;
    assert.equal(again.get('codecshift_saved_bytes_total')!.samples[0]!.name, 'codecshift_saved_bytes_total');
    assert.ok(again.has('process_cpu_seconds_total'));
  });

  test('the books are read once for all who ask in a while', async () => {
    let asked = 0;
    const counting: Queryable = { query: (sql, params) => (asked++, db.query(sql, params)) };
    const read = fresh(counting);
    await read();
    const once = asked;
    await Promise.all(Array.from({ length: 20 }, () => read()));
    assert.equal(asked, once);
  });

  test('a database that is away or hangs is a refusal in time, and no wait; the next one asks again', async (t) => {
    let answer: () => Promise<never> = () => Promise.reject(Object.assign(new Error('connect ECONNREFUSED db'), { code: 'ECONNREFUSED' }));
    const away: Queryable = { query: (sql, params) => (/metric_counts|job_counts/.test(sql) ? answer() : emptyBooks.query(sql, params)) };
    const other = await startWeb({ after: (fn) => t.after(fn) }, { db: away });
    const refused = await fetch(`${other.url}/metrics`);
    assert.equal(refused.status, 503);
    assert.doesNotMatch(await refused.text(), /ECONNREFUSED/);
    answer = () => new Promise(() => {});
    const parts = {
      db: away,
      live: { progressOf: () => null } as never,
      disks: { freeOf: () => null },
      node: { id: 'n', name: 'n', version: '1' },
      now: () => new Date(),
    };
    await assert.rejects(createMetrics(parts, 30).text(false), /does not answer in time/);
    answer = () => Promise.resolve([] as never);
    assert.equal((await fetch(`${other.url}/metrics`)).status, 200);
  });
});

describe('counters', () => {
  test('are kept by the database as runs end, whatever becomes of their rows', async () => {
    const before = await fresh()();
    const [job] = await db.query<{ id: number; attempt: number; input: number }>(
      `select j.id, j.attempt_id as attempt, j.input_bytes as input from jobs j where j.state = 'running' order by j.id limit 1`,
    );
    await leader.query(
      `update attempts set state = 'succeeded', encoder = 'hevc_qsv', started_at = now() - interval '500 seconds', ended_at = now() where id = $1`,
      [job!.attempt],
    );
    await leader.query(
      `update jobs set state = 'completed', outcome = 'replaced', output_bytes = $2, reason = '{"code": "replaced"}', finished_at = now(), lease_until = null where id = $1`,
      [job!.id, job!.input - 1000],
    );
    const now = await fresh()();
    const grew = (name: string, labels: Record<string, string> = {}): number => value(now, name, labels) - value(before, name, labels);
    assert.equal(grew('jobs_finished_total', { result: 'replaced', reason: 'replaced' }), 1);
    assert.deepEqual([grew('source_bytes_total'), grew('saved_bytes_total')], [job!.input, 1000]);
    assert.ok(grew('media_seconds_encoded_total', { encoder: 'hevc_qsv' }) > 0);
    const bucket = (le: string, families: Map<string, Exposed>): number =>
      families.get('codecshift_job_duration_seconds')!.samples.find((s) => s.labels['le'] === le && s.labels['encoder'] === 'hevc_qsv')
        ?.value ?? 0;
    assert.equal(bucket('300', now) - bucket('300', before), 0);
    assert.equal(bucket('900', now) - bucket('900', before), 1);

    await leader.query(`update jobs set outcome = 'restored' where id = $1`, [job!.id]);
    await foldMetrics(leader);
    await foldMetrics(leader);
    const folded = await fresh()();
    for (const name of ['jobs_finished_total', 'saved_bytes_total', 'job_duration_seconds', 'media_seconds_encoded_total'])
      assert.deepEqual(
        folded.get(`codecshift_${name}`)!.samples,
        now.get(`codecshift_${name}`)!.samples,
        'putting back and folding change nothing',
      );
  });

  test('a check that failed is counted once by its name, and what no list of ours has is “other”', async () => {
    const before = await fresh()();
    const [run] = await db.query<{ attempt: number }>(`select attempt_id as attempt from jobs where state = 'running' order by id limit 1`);
    const checks = [
      { name: 'duration', passed: false },
      { name: 'frames', passed: true },
      { name: '../../etc/passwd "} 1', passed: false },
    ];
    await leader.query(
      `update attempts set state = 'rejected', encoder = 'evil"} 1', verdict = $2, reason = '{"code": "nonsense"}', ended_at = now() where id = $1`,
      [run!.attempt, JSON.stringify({ accepted: false, checks })],
    );
    const now = await fresh()();
    const grew = (check: string): number =>
      value(now, 'verification_failures_total', { check }) - value(before, 'verification_failures_total', { check });
    assert.deepEqual([grew('duration'), grew('frames'), grew('other')], [1, 0, 1]);
    assert.ok(
      (await metricCounts(db)).some(({ a }) => a.includes('passwd')),
      'the books have it, the answer does not',
    );
  });
});

describe('who may read them', () => {
  let guarded: Guarded;
  let own: TestDatabase;
  const tokens: Record<string, string> = {};
  before(async () => {
    own = await freshDatabase(suite, havePostgres() ? 'postgres' : 'embedded');
    const books = await own.lead();
    guarded = await startGuarded(suite, { db: own, leader: books });
    const by = { name: 'test', via: 'system' } as const;
    const from = { address: '', agent: '' };
    const user = { name: 'first', displayName: '', role: 'admin', password: await hashedPassword(), oneTime: false } as const;
    await guarded.access.decide({ method: 'local', user }, by, from);
    for (const scope of ['read', 'metrics'] as const) {
      const id = `${scope}aaaaaaaaaa`.slice(0, 10);
      tokens[scope] = `cs_${id}_${'x'.repeat(43)}`;
      await guarded.access.addToken({ id, hash: hashOf(tokens[scope]), name: scope, scopes: [scope], userId: null, days: 1 }, by, from);
    }
  });
  const ask = async (token?: string) => {
    const answer = await fetch(`${guarded.url}/metrics`, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      redirect: 'manual',
    });
    return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() };
  };

  test('a token with that scope, nobody else, and a refusal is a plain sentence', async () => {
    assert.equal((await ask(tokens['metrics'])).status, 200);
    assert.equal((await ask(tokens['read'])).status, 403);
    const stranger = await ask();
    assert.equal(stranger.status, 401);
    assert.match(stranger.type, /^text\/plain/);
  });

  test('everybody where an admin decided so, and that opens nothing else', async () => {
    guarded.settings['metrics.open'] = true;
    assert.equal((await ask()).status, 200);
    assert.equal((await fetch(`${guarded.url}/api/v1/status`)).status, 401);
    guarded.settings['metrics.open'] = false;
    assert.equal((await ask()).status, 401);
  });

  test('a sign-in that was refused is counted, without a name', async () => {
    await guarded.browser().post('/sign-in', { name: 'first', password: 'not this one at all' });
    const families = await fresh(own)();
    assert.equal(value(families, 'auth_failures_total', { method: 'password' }), 1);
  });
});
