import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { planLibrary } from '../../cli/plan-library.ts';
import { saveSample } from '../../db/measures.ts';
import { wishKey } from '../../core/film-sample.ts';
import { defaultProfile } from '../../core/profile.ts';
import { freshDatabase, havePostgres, type TestDatabase } from '../../testing/database.ts';
import { aLibrary, someFiles, someJobs, testNode } from '../../testing/records.ts';
import { libx265 } from '../../testing/schedule-samples.ts';
import { startWeb, type TestWeb } from '../../testing/web.ts';

// The forecast and the dry run over real HTTP and a real database; only the commands are played.

const cleanups: (() => Promise<void> | void)[] = [];
const suite = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };
const evil = '=HYPERLINK("http://evil","x"), \u202e<b>.mkv';
let web: TestWeb;
let db: TestDatabase;
let id: number;

before(async () => {
  db = await freshDatabase(suite, havePostgres() ? 'postgres' : 'embedded');
  const q = await db.lead();
  id = (await aLibrary(q, 'Films')).id;
  await q.query(`update libraries set looking = true, enabled = false`);
  await q.query(`update nodes set encoders = $1::jsonb, last_seen_at = now()`, [JSON.stringify([libx265])]);
  const jobs = await someJobs(q, id, 300);
  const [skipped] = await someFiles(q, id, 1, 'skipped');
  await q.query(`update media_files set status = 'skipped', reason = '{"code": "already-hevc"}', codec = 'hevc', path = $2 where id = $1`, [
    skipped,
    evil,
  ]);
  await saveSample(q, {
    ...{ libraryId: id, fileId: jobs[0]!.fileId, class: 'h264 1080p sdr 8bit', wish: wishKey(defaultProfile), nodeId: testNode },
    ...{ encoder: 'libx265', device: null, quality: 22, pieces: 3, sourceBytes: 9, outputBytes: 3, filmMs: 15_000 },
    ...{ pixelsPerSecond: 1e8, fileBytes: 1_000_000, guessedBytes: 400_000, measuredBytes: 300_000 },
  });
  web = await startWeb({ after: (fn) => suite.after(fn) }, { db });
  web.settings['jobs.atOnce'] = 1;
});
after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

const get = async (path: string): Promise<string> => {
  const response = await fetch(web.url + path, { headers: { authorization: 'Bearer a-secret-of-this-test' } });
  assert.equal(response.status, 200, path);
  return response.text();
};
const text = (html: string): string => html.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');

describe('the forecast of a library', () => {
  test('says space and time with ranges, how it knows them, and that nothing is converted yet', async () => {
    const page = text(await get(`/library/${id}/forecast`));
    for (const words of [
      'Would come back',
      'Nothing of this library is converted yet',
      'Start converting',
      '1 film measured',
      'Measured on pieces',
    ])
      assert.ok(page.includes(words), `${words}: ${page}`);
    assert.match(page, /the speed of node-a is guessed/);
    assert.match(text(await get(`/library/${id}`)), /Only looked at so far/);
    const json = JSON.parse(await get(`/api/v1/libraries/${id}/forecast`)) as {
      saved: { low: number; value: number; high: number };
      measuredShare: number;
    };
    assert.ok(json.saved.low < json.saved.value && json.saved.value < json.saved.high && json.measuredShare === 1);
  });

  test('its dry run lists every file with plan and reason, is filtered, and goes on by cursor', async () => {
    const first = await get(`/library/${id}/plan?do=convert`);
    assert.equal(first.match(/film-00\d+</g)?.length, 50);
    const next = /href="(\/library\/\d+\/plan\?[^"]*after=[^"]+)"/.exec(first)![1]!.replaceAll('&amp;', '&');
    assert.match(await get(next), /film-00051</);
    const left = await get(`/library/${id}/plan?reason=already-hevc`);
    assert.match(left, /It is HEVC already/);
    assert.doesNotMatch(left, /film-00001/);
    assert.ok(!left.includes('<b>.mkv'), 'a file name is never markup');
    assert.match(text(await get(`/library/${id}/plan?q=film-00042&do=nonsense`)), /film-00042/);
  });

  test('its CSV has a line for each file, quoted, and nothing in it runs in a spreadsheet', async () => {
    const response = await fetch(`${web.url}/library/${id}/plan.csv`, { headers: { authorization: 'Bearer a-secret-of-this-test' } });
    assert.match(response.headers.get('content-disposition') ?? '', /attachment; filename="codecshift-plan-/);
    const lines = (await response.text()).split('\r\n').slice(0, -1);
    assert.equal(lines.length, 302);
    assert.ok(lines.at(-1)!.startsWith(`"'=HYPERLINK(""http://evil"",""x""), `));
    const one = await (await fetch(`${web.url}/library/${id}/plan.csv?q=film-00007`)).text();
    assert.equal(one.split('\r\n').length, 3);
  });

  test('the command line prints a line of JSON for each file, or words that no file name can colour', async () => {
    const api = async (method: string, path: string): Promise<never> => {
      assert.equal(method, 'GET');
      return JSON.parse(await get(`/api/v1${path}`)) as never;
    };
    const lines = (await printed((write) => planLibrary(api, 'Films', true, write))).trim().split('\n');
    assert.equal(lines.length, 301);
    const last = JSON.parse(lines.at(-1)!) as { path: string; plan: string; reason: { sentence: string } };
    assert.deepEqual([last.path, last.plan, last.reason.sentence], [evil, 'done', 'It is HEVC already.']);
    const words = await printed((write) => planLibrary(api, 'Films', false, write));
    assert.match(words, /Would come back: about .* to .*100 % of it measured/);
    assert.ok(!words.includes('\u202e'));
    await assert.rejects(() => planLibrary(api, 'Elsewhere', true), /There is: Films/);
  });

  test('measuring and starting are asked of the coordinator, and only of a library that is there', async () => {
    const post = async (path: string): Promise<number> => {
      const headers = { authorization: 'Bearer a-secret-of-this-test' };
      return (await fetch(`${web.url}/api/v1${path}`, { method: 'POST', headers })).status;
    };
    assert.equal(await post(`/libraries/${id}/measure`), 202);
    assert.equal(await post(`/libraries/${id}/measure/cancel`), 200);
    assert.equal(await post(`/libraries/${id}/start`), 200);
    assert.equal(await post('/libraries/4000000000/measure'), 404);
    assert.deepEqual(
      web.asked.map(({ name, args }) => [name, ...args]),
      [
        ['measureLibrary', id],
        ['cancelMeasure', id],
        ['changeLibrary', id, { enabled: true }],
      ],
    );
    assert.deepEqual(web.complaints, []);
  });
});

async function printed(run: (write: (words: string) => Promise<void>) => Promise<void>): Promise<string> {
  let said = '';
  await run(async (words) => void (said += words));
  return said;
}
