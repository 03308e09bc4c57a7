import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { ClassCount } from '../core/library-forecast.ts';
import { classKey, classOfFile, linesOf } from '../core/film-class.ts';
import { whatOf, type What } from '../core/library-forecast.ts';
import { wishKey } from '../core/film-sample.ts';
import { defaultProfile } from '../core/profile.ts';
import { classCounts, listPlan, listSamples } from '../db/forecast.ts';
import { lastMeasure } from '../db/measures.ts';
import { listSpeeds } from '../db/node-speeds.ts';
import { createEvents } from '../events.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { oneDatabase, freshDatabase, quietLog, type DatabaseKind } from '../testing/database.ts';
import { aLibrary, someFiles, someJobs, testNode } from '../testing/records.ts';
import { libx265 } from '../testing/schedule-samples.ts';
import { createMeasurer } from './measurer.ts';
import { createSettingsStore } from './settings.ts';

type Begin = Extract<ProtocolRequest<'sample'>, { op: 'begin' }>;
const done: ProtocolResponse<'sample'> = {
  ...{ state: 'done', encoder: 'libx265', device: null, quality: 22, pieces: 3 },
  ...{ sourceBytes: 1000, outputBytes: 300, filmMs: 15_000, pixelsPerSecond: 7e7 },
};

async function stage(t: TestContext, kind: DatabaseKind, answer: (wish: Begin | 'ask', n: number) => ProtocolResponse<'sample'>) {
  const db = await (await freshDatabase(t, kind)).lead();
  const library = await aLibrary(db, 'Films');
  await db.query(`update nodes set encoders = $1::jsonb`, [JSON.stringify([libx265])]);
  await db.query(`update libraries set looking = true, enabled = false`);
  const events = createEvents((error) => assert.fail(String(error)));
  const mesh = createLocalMesh(testNode, quietLog());
  const begun: Begin[] = [];
  const cancelled: number[] = [];
  mesh.handle('sample', async (wish) => {
    if (wish.op === 'begin') {
      const said = answer(wish, begun.length);
      if (said.state !== 'busy') begun.push(wish);
      return said;
    }
    if (wish.op === 'cancel') return (cancelled.push(wish.sample), { state: 'unknown' });
    return answer('ask', begun.length);
  });
  const settings = createSettingsStore();
  const measurer = createMeasurer({
    ...{ mesh, db, term: 1, settings: settings.current, events, log: quietLog(), askMs: 5 },
    roster: { present: () => [testNode] },
    tickets: { source: () => null },
    offer: () => {},
  });
  t.after(() => measurer.stop());
  const ended = async (): Promise<void> => {
    for (;;) {
      // heard from before the look on: what happens while the database is asked is not missed
      const changed = new Promise<void>((resolve) => {
        const off = events.on('library.changed', () => (off(), resolve()));
      });
      if ((await lastMeasure(db, library.id))?.state !== 'running') return;
      await changed;
    }
  };
  return { db, library, measurer, begun, cancelled, ended };
}

oneDatabase((kind) => {
  test('a library that is only looked at is measured: a few films of each class, by pieces, and nothing of it runs', async (t) => {
    let askedTwice = false;
    const s = await stage(t, kind, (wish) => (wish === 'ask' && askedTwice ? done : { state: 'running', phase: 'fetching', percent: 0 }));
    await someJobs(s.db, s.library.id, 9);
    await s.measurer.measure(s.library.id, 'Ada');
    await assert.rejects(() => s.measurer.measure(s.library.id, 'Ada'), /measured already/);
    askedTwice = true;
    await s.ended();
    const wish = wishKey(defaultProfile);
    const samples = await listSamples(s.db, s.library.id, wish);
    assert.deepEqual([samples.length, s.begun.length, new Set(samples.map((one) => one.fileId)).size], [3, 3, 3]);
    assert.deepEqual([...new Set(samples.map((one) => one.class))], ['h264 1080p sdr 8bit']);
    assert.ok(samples.every((one) => one.measuredBytes < 1_000_000));
    for (const one of s.begun) assert.ok(one.count <= 3 && one.lengthMs <= 5000 && one.sample > 2 ** 40);
    const last = await lastMeasure(s.db, s.library.id);
    assert.deepEqual([last?.state, last?.films, last?.tried, last?.failed, last?.askedBy], ['completed', 3, 3, 0, 'Ada']);
    assert.deepEqual(
      (await listSpeeds(s.db)).map((one) => one.pixelsPerSecond),
      [7e7],
    );
    assert.deepEqual(await s.db.query(`select 1 from jobs where state <> 'available'`), []);
    await assert.rejects(() => s.measurer.measure(s.library.id, 'Ada'), /nothing more to measure/);
    // other rules make other files
    assert.deepEqual(await listSamples(s.db, s.library.id, wishKey({ ...defaultProfile, quality: 30 })), []);
  });

  test('a film that cannot be measured does not stop the others, a busy machine keeps its next slot for it, and a person can stop it', async (t) => {
    let turns = 0;
    const wanted: boolean[] = [];
    const s = await stage(t, kind, (wish, n) => {
      if (wish !== 'ask' && turns++ < 2) return (wanted.push(s.measurer.wants(testNode)), { state: 'busy' });
      if (wish !== 'ask') return { state: 'running', phase: 'measuring', percent: 1 };
      return n === 1 ? { state: 'failed', reason: { code: 'goal-not-measured', params: { message: 'no picture' } } } : done;
    });
    await someJobs(s.db, s.library.id, 2);
    await s.measurer.measure(s.library.id, 'Ada');
    await s.ended();
    assert.deepEqual(wanted, [false, true]);
    assert.equal(s.measurer.wants(testNode), false);
    const last = await lastMeasure(s.db, s.library.id);
    assert.deepEqual([last?.state, last?.tried, last?.failed, last?.reason?.code], ['completed', 1, 1, 'goal-not-measured']);

    const stuck = await stage(t, kind, () => ({ state: 'running', phase: 'measuring', percent: 1 }));
    await someJobs(stuck.db, stuck.library.id, 1);
    await stuck.measurer.measure(stuck.library.id, 'Ada');
    stuck.measurer.cancel(stuck.library.id);
    await stuck.ended();
    assert.equal((await lastMeasure(stuck.db, stuck.library.id))?.state, 'cancelled');
    assert.deepEqual(
      stuck.cancelled,
      stuck.begun.map((one) => one.sample),
    );
  });

  test('counted classes are those of the files, and every file is in exactly one part of the dry run', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const { id } = await aLibrary(db, 'Films');
    await someFiles(db, id, 10);
    const sizes = [
      [1920, 800],
      [1080, 1920],
      [720, 576],
      [1280, 536],
      [3840, 1600],
      [1440, 1080],
      [0, 0],
    ];
    const ends: [string, string | null][] = [
      ['queued', 'not-hevc'],
      ['queued', 'rewrap'],
      ['skipped', 'already-hevc'],
      ['skipped', 'too-young'],
      ['skipped', 'hard-linked'],
      ['done', 'replaced'],
      ['kept', 'not-smaller'],
      ['failed', 'damaged'],
      ['new', null],
      ['missing', 'missing'],
    ];
    for (const [n, [status, reason]] of ends.entries()) {
      const [width, height] = sizes[n % sizes.length]!;
      await db.query(`update media_files set status = $2, reason = $3::jsonb, width = $4, height = $5 where path = $1`, [
        `film-000${String(n + 1).padStart(2, '0')}.mkv`,
        status,
        reason && JSON.stringify({ code: reason }),
        width,
        height,
      ]);
    }
    const everything = await listPlan(db, id, { what: null, reason: null, codec: null, search: null });
    assert.equal(everything.rows.length, 9);
    for (const file of everything.rows) {
      const parts: What[] = [];
      for (const what of ['convert', 'rewrap', 'done', 'leave', 'later'] as const)
        if ((await listPlan(db, id, { what, reason: null, codec: null, search: null })).rows.some((row) => row.id === file.id))
          parts.push(what);
      assert.deepEqual(parts, [whatOf(file.status, file.reason?.code ?? null)], `${file.status} ${file.reason?.code}`);
    }
    const counts: ClassCount[] = await classCounts(db, id);
    assert.deepEqual(counts.map(classKey).toSorted(), everything.rows.map(classOfFile).toSorted());
    assert.equal(
      counts.reduce((sum, one) => sum + one.files, 0),
      9,
    );
    assert.ok(counts.every((one) => one.pixels === 0 || one.pixels > 1e6));
    assert.equal(linesOf(1280, 536), '720p');
  });
});
