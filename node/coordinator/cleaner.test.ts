import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Actor } from '../core/commands.ts';
import { listActivity, type Activity } from '../db/activity.ts';
import { chosenTotals, listLeftovers, readCleanup, type Cleanup, type LeftoverRow } from '../db/cleanups.ts';
import type { Database } from '../db/connect.ts';
import { addOriginal, readOriginal, trashOfRoots } from '../db/originals.ts';
import { PlainError } from '../errors.ts';
import { createEvents } from '../events.ts';
import { deliver } from '../files/deliver.ts';
import { createInspector } from '../keeper/inspect.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';
import { oneDatabase, freshDatabase, type DatabaseKind } from '../testing/database.ts';
import { aDiskLibrary } from '../testing/disk-library.ts';
import { aFingerprint, someJobs, testNode } from '../testing/records.ts';
import { createCleaner, type Cleaner } from './cleaner.ts';
import { createTrashCare } from './trash-care.ts';

/** The coordinator's half and the keeper's half together, over real messages, real rows and real files. */
const log = createLog({ level: 'fatal', pretty: true });
const ada: Actor = { name: 'Ada', via: 'page' };

interface Stage {
  db: Database;
  mesh: Mesh;
  films: string;
  root: string;
  libraryId: number;
  cleaner: Cleaner;
  /** what the keeper was asked; `before` may refuse in its place */
  asked: ProtocolRequest<'inspect'>[];
  trouble: { before: (ask: ProtocolRequest<'inspect'>) => void };
  busy: Set<number>;
  fresh(): Cleaner;
  attempt(state: 'running' | 'failed'): Promise<number>;
  output(attempt: number, name?: string): Promise<void>;
  ended(id: number, state: Cleanup['state']): Promise<Cleanup>;
  files(id: number, standing: 'dead' | 'ask' | 'live'): Promise<LeftoverRow[]>;
}

async function stage(t: TestContext, kind: DatabaseKind): Promise<Stage> {
  const database = await freshDatabase(t, kind);
  const db = await database.lead();
  const { data, films, roots, root, libraryId } = await aDiskLibrary(t, db);
  mkdirSync(join(films, 'A'));
  const mesh = createLocalMesh(testNode, log);
  const busy = new Set<number>();
  const inspector = createInspector({ roots, tools: {} as never, onAdopted: async () => {}, busy: () => busy });
  t.after(() => inspector.stop());
  const asked: Stage['asked'] = [];
  const trouble: Stage['trouble'] = { before: () => {} };
  mesh.handle('inspect', async (ask) => {
    asked.push(ask);
    trouble.before(ask);
    return inspector.answer(ask);
  });
  const events = createEvents((error) => assert.fail(String(error)));
  const fresh = (): Cleaner => {
    const made = createCleaner({ mesh, db, term: 1, events, lookInTrash: async () => {}, log, againMs: 1 });
    t.after(() => made.stop());
    return made;
  };
  let jobs = 0;
  return {
    ...{ db, mesh, films, root, libraryId, cleaner: fresh(), asked, trouble, busy, fresh },
    async attempt(state) {
      const [job] = await someJobs(db, libraryId, 1, {}, `film-${++jobs}-`);
      const [row] = await db.query<{ id: number }>(
        `insert into attempts (job_id, term, node_id, keeper_id, number, state, ended_at)
         values ($1, 1, $2, $2, 1, $3, case when $3 = 'failed' then now() end) returning id`,
        [job!.jobId, testNode, state],
      );
      return row!.id;
    },
    async output(attempt, name = 'Film.mkv') {
      const bytes = Buffer.alloc(500, attempt);
      const from = join(data, `output-${attempt}`);
      writeFileSync(from, bytes);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await deliver({ root: await roots.open(root), node: testNode, attempt, target: `A/${name}`, from, sizeBytes: 500, sha256 });
    },
    async ended(id, state) {
      for (;;) {
        const cleanup = await readCleanup(db, id);
        if (cleanup?.state === state) return cleanup;
        if (cleanup?.endedAt) assert.fail(`${cleanup.state}: ${JSON.stringify(cleanup.reason)}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    files: async (id, standing) => (await listLeftovers(db, id, standing, { size: 200 })).rows,
  };
}

const names = (rows: LeftoverRow[]): string[] => rows.map((row) => row.path).sort();

async function noted(db: Database, kind: string): Promise<Activity> {
  for (;;) {
    const found = (await listActivity(db)).rows.find((a) => a.kind === kind);
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

oneDatabase((kind) => {
  test('a look lists and judges, a person’s word deletes what is over and what was ticked, and nothing else', async (t) => {
    const s = await stage(t, kind);
    const [over, alive] = [await s.attempt('failed'), await s.attempt('running')];
    await s.output(over);
    await s.output(alive);
    await s.output(4711);
    for (const name of ['old.tool.lock', 'keep me.lock']) writeFileSync(join(s.films, name), 'foreign');
    writeFileSync(join(s.films, 'Film.mkv'), 'a film');
    const [id] = await s.cleaner.look(s.root, ada);
    const listed = await s.ended(id!, 'listed');
    assert.deepEqual([listed.dead, listed.deadBytes, listed.ask, listed.live], [1, 500, 3, 1]);
    assert.deepEqual(names(await s.files(id!, 'dead')), [`A/.tmp_${over}_Film.mkv`]);
    assert.deepEqual(names(await s.files(id!, 'live')), [`A/.tmp_${alive}_Film.mkv`]);
    assert.ok(names(await s.files(id!, 'ask')).includes('A/.tmp_4711_Film.mkv'), 'the books do not know that attempt');
    assert.deepEqual(await chosenTotals(s.db, id!), { files: 1, bytes: 500, asked: 0, askedBytes: 0 });

    const ask = await s.files(id!, 'ask');
    const old = ask.find((row) => row.path === 'old.tool.lock')!;
    const everything = [...ask, ...(await s.files(id!, 'live'))].map((row) => row.n);
    assert.equal(await s.cleaner.choose(id!, { shown: everything, chosen: [old.n, (await s.files(id!, 'live'))[0]!.n] }), 1);
    await assert.rejects(s.cleaner.remove(id!, 0, ada), /cannot be proved/, 'who does not know of the strangers is asked again');
    assert.deepEqual(await s.cleaner.remove(id!, 1, ada), { files: 2, bytes: 507 });
    const done = await s.ended(id!, 'done');
    assert.deepEqual([done.deleted, done.deletedBytes, done.kept], [2, 507, 0]);
    assert.deepEqual(
      readdirSync(s.films)
        .filter((n) => n !== '.codecshift')
        .sort(),
      ['A', 'Film.mkv', 'keep me.lock'],
    );
    assert.deepEqual(readdirSync(join(s.films, 'A')).sort(), [`.tmp_${alive}_Film.mkv`, '.tmp_4711_Film.mkv'].sort());
    const told = await noted(s.db, 'cleanup-deleted');
    assert.deepEqual([told.by, told.params['count'], told.params['libraries']], ['Ada', 2, 'Films']);
  });

  test('an attempt that lives again in the books, or that the keeper works on, loses nothing between list and deletion', async (t) => {
    const s = await stage(t, kind);
    const [first, second] = [await s.attempt('failed'), await s.attempt('failed')];
    await s.output(first);
    await s.output(second);
    const [id] = await s.cleaner.look(null, ada);
    assert.equal((await s.ended(id!, 'listed')).dead, 2);
    await s.db.query(`update attempts set state = 'verifying', ended_at = null where id = $1`, [first]);
    s.busy.add(second);
    await s.cleaner.remove(id!, 0, ada);
    const done = await s.ended(id!, 'done');
    assert.deepEqual([done.deleted, done.kept], [0, 2]);
    for (const row of await s.files(id!, 'dead')) assert.match(row.note ?? '', /still at work/);
    assert.equal(readdirSync(join(s.films, 'A')).length, 2);
  });

  test('everything in one folder is chosen by one press, and not what lies below it', async (t) => {
    const s = await stage(t, kind);
    mkdirSync(join(s.films, 'A', 'B'));
    for (const name of ['x.lock', 'A/a.lock', 'A/b\nb.lock', 'A/B/c.lock']) writeFileSync(join(s.films, name), 'foreign');
    const [id] = await s.cleaner.look(s.root, ada);
    await s.ended(id!, 'listed');
    const one = (await s.files(id!, 'ask')).find((row) => row.path === 'A/a.lock')!;
    assert.equal(await s.cleaner.choose(id!, { folderOf: one.n }), 2);
    assert.deepEqual(names((await s.files(id!, 'ask')).filter((row) => row.state === 'chosen')), ['A/a.lock', 'A/b\nb.lock']);
  });

  test('a new coordinator goes on with a list and with a deletion that the last one had begun', async (t) => {
    const s = await stage(t, kind);
    const over = await s.attempt('failed');
    await s.output(over);
    s.trouble.before = () => {
      throw new PlainError('Away.', { retry: true });
    };
    const [id] = await s.cleaner.look(s.root, ada);
    await s.cleaner.stop();
    assert.equal((await readCleanup(s.db, id!))?.state, 'listing', 'a stopped term breaks nothing off');
    s.trouble.before = () => {};
    const second = s.fresh();
    await second.start();
    await s.ended(id!, 'listed');
    s.trouble.before = () => {
      throw new PlainError('Away.', { retry: true });
    };
    await second.remove(id!, 0, ada);
    await second.stop();
    s.trouble.before = () => {};
    const third = s.fresh();
    await third.start();
    assert.equal((await s.ended(id!, 'done')).deleted, 1);
  });

  test('a keeper that stays away makes it fail with a reason; one that comes back in between does not', async (t) => {
    const s = await stage(t, kind);
    writeFileSync(join(s.films, 'a.lock'), 'foreign');
    let times = 2;
    s.trouble.before = (ask) => {
      if (ask.op === 'leftovers' && times-- > 0) throw new PlainError('The connection broke.', { retry: true });
    };
    const [first] = await s.cleaner.look(s.root, ada);
    await s.ended(first!, 'listed');
    times = Infinity;
    const [second] = await s.cleaner.look(s.root, ada);
    assert.equal((await readCleanup(s.db, first!))?.state, 'cancelled', 'a new look takes the place of a list that nobody decided about');
    const failed = await s.ended(second!, 'failed');
    assert.deepEqual(failed.reason, { code: 'cleanup-failed', params: { message: 'The connection broke.' } });
  });

  test('a disk that is not mounted fails at once with that reason, and the next look finds it again', async (t) => {
    const s = await stage(t, kind);
    writeFileSync(join(s.films, 'a.lock'), 'foreign');
    renameSync(join(s.films, '.codecshift'), join(s.films, 'away'));
    const [id] = await s.cleaner.look(s.root, ada);
    assert.equal((await s.ended(id!, 'failed')).reason?.code, 'root-not-mounted');
    renameSync(join(s.films, 'away'), join(s.films, '.codecshift'));
    const [again] = await s.cleaner.look(s.root, ada);
    assert.equal((await s.ended(again!, 'listed')).ask, 1);
  });

  test('a person stops it: what was not deleted yet stays, and the rows say so', async (t) => {
    const s = await stage(t, kind);
    const over = await s.attempt('failed');
    await s.output(over);
    const [id] = await s.cleaner.look(s.root, ada);
    await s.ended(id!, 'listed');
    const reached = Promise.withResolvers<void>();
    s.trouble.before = (ask) => {
      if (ask.op !== 'delete-leftovers') return;
      reached.resolve();
      throw new PlainError('Away.', { retry: true });
    };
    await s.cleaner.remove(id!, 0, ada);
    await reached.promise;
    await s.cleaner.cancel(id!, ada);
    const cancelled = await readCleanup(s.db, id!);
    assert.deepEqual([cancelled?.state, cancelled?.deleted], ['cancelled', 0]);
    assert.equal(readdirSync(join(s.films, 'A')).length, 1);
    assert.equal(
      s.asked.some((ask) => ask.op === 'delete-leftovers'),
      true,
    );
    s.trouble.before = () => {};
    assert.equal((await s.cleaner.look(s.root, ada)).length, 1);
  });

  test('a trash that was emptied by hand is noticed, and a file that is back can be put back again', async (t) => {
    const s = await stage(t, kind);
    const events = createEvents((error) => assert.fail(String(error)));
    const expired: number[] = [];
    const care = createTrashCare({
      ...{ mesh: s.mesh, db: s.db, events, log, everyMs: 1, settings: () => ({ 'trash.keepDays': 14 }) as never },
      expire: async (due) => {
        expired.push(...due.map((o) => o.id));
        await s.db.query(`update originals set state = 'expired', ended_at = now() where id = any($1::bigint[])`, [due.map((o) => o.id)]);
      },
    });
    t.after(() => care.stop());
    const ids: number[] = [];
    for (const attempt of [11, 12, 13]) {
      const trashPath = `.codecshift/trash/2026-11-23/${attempt}/Film.mkv`;
      mkdirSync(join(s.films, '.codecshift', 'trash', '2026-11-23', String(attempt)), { recursive: true });
      writeFileSync(join(s.films, trashPath), 'original');
      const kept = { jobId: 1, fileId: null as never, title: 'Film', rootId: s.root, path: 'Film.mkv', retentionSeconds: 86_400 };
      await addOriginal(s.db, { ...kept, attemptId: attempt, trashPath, fingerprint: aFingerprint(String(attempt), 8) });
      ids.push((await s.db.query<{ id: number }>(`select id from originals where attempt_id = $1`, [attempt]))[0]!.id);
    }
    const [film, safe] = [join(s.films, '.codecshift/trash/2026-11-23/11'), join(s.films, 'safe')];
    renameSync(film, safe);
    await care.look(s.root);
    const states = async (): Promise<string[]> => Promise.all(ids.map(async (id) => (await readOriginal(s.db, id))!.state));
    assert.deepEqual(await states(), ['gone', 'kept', 'kept']);
    assert.equal((await listActivity(s.db)).rows.filter((a) => a.kind === 'trash-gone').length, 1);
    renameSync(safe, film);
    await care.look(s.root);
    assert.deepEqual(await states(), ['kept', 'kept', 'kept']);

    // a disk that is away is no emptied trash
    renameSync(join(s.films, '.codecshift'), join(s.films, 'away'));
    await care.look(s.root);
    assert.deepEqual(await states(), ['kept', 'kept', 'kept']);
    renameSync(join(s.films, 'away'), join(s.films, '.codecshift'));

    await s.db.query(`update originals set recheck = 'bad' where id = $1`, [ids[1]]);
    const [trash] = await trashOfRoots(s.db);
    assert.deepEqual([trash?.files, trash?.bytes, trash?.held, trash?.heldBytes], [3, 24, 1, 8]);
    await addOriginal(s.db, {
      ...{ jobId: 1, fileId: null as never, title: 'Film', rootId: s.root, path: 'Later.mkv', retentionSeconds: 86_400 },
      ...{ attemptId: 14, trashPath: '.codecshift/trash/2026-11-23/14/Later.mkv', fingerprint: aFingerprint('14', 8) },
    });
    assert.deepEqual(await care.empty(s.root, trash!.upTo, ada), { files: 2, bytes: 16 });
    while (expired.length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      expired.toSorted((a, b) => a - b),
      [ids[0], ids[2]],
      'neither what waits for another look nor what came after the question',
    );
    const told = await noted(s.db, 'trash-emptied');
    assert.deepEqual([told.by, told.params['count'], told.params['bytes']], ['Ada', 2, 16]);
  });
});
