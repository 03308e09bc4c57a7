import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Actor } from '../core/commands.ts';
import { listActivity } from '../db/activity.ts';
import type { Database } from '../db/connect.ts';
import { listFound, listStrangers, type FoundOriginal } from '../db/found-originals.ts';
import { dueOriginals, readOriginal, trashOfRoots } from '../db/originals.ts';
import { createEvents } from '../events.ts';
import { deliver } from '../files/deliver.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { forget } from '../files/journal.ts';
import { swap } from '../files/swap.ts';
import { createKeeper } from '../keeper/keeper.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import { createOutbox } from '../mesh/outbox.ts';
import { oneDatabase, freshDatabase, type DatabaseKind } from '../testing/database.ts';
import { aDiskLibrary } from '../testing/disk-library.ts';
import { someJobs, testNode } from '../testing/records.ts';
import { createTrash, type Trash } from './trash.ts';
import { createTrashCare, type TrashCare } from './trash-care.ts';

/** Books that were begun anew, over a disk on which much had happened: a real keeper, real rows and real files. */
const log = createLog({ level: 'fatal', pretty: true });
const ada: Actor = { name: 'Ada', via: 'page' };

interface Stage {
  db: Database;
  root: string;
  films: string;
  libraryId: number;
  trash: Trash;
  care: TrashCare;
  /** a film that was converted in the time that the books do not know; resolves with the place of its original */
  converted(name: string, target?: string): Promise<{ trashPath: string; bytes: Buffer }>;
  found(): Promise<FoundOriginal[]>;
}

async function stage(t: TestContext, kind: DatabaseKind): Promise<Stage> {
  const database = await freshDatabase(t, kind);
  const db = await database.lead();
  const { data, films, roots, root, libraryId } = await aDiskLibrary(t, db);
  const mesh = createLocalMesh(testNode, log);
  const outbox = createOutbox({ directory: join(data, 'outbox'), mesh, coordinator: () => testNode, log, retryMs: 10 });
  const parts = { tools: {} as never, outputOf: async () => '', fetch: () => Promise.reject(new Error()), onAdopted: async () => {} };
  const keeper = createKeeper({ mesh, roots, outbox, log, ...parts });
  const events = createEvents((error) => assert.fail(String(error)));
  const trash = createTrash({ mesh, db, term: 1, events, log, lookInTrash: (id) => care.look(id) });
  const settings = () => ({ 'trash.keepDays': 14 }) as never;
  const care: TrashCare = createTrashCare({ mesh, db, events, log, settings, expire: (due) => trash.expire(due) });
  mesh.handle('report', async (report) => trash.report(report as never));
  await outbox.start();
  await keeper.start();
  t.after(async () => {
    await care.stop();
    await keeper.stop();
    await outbox.stop();
  });
  let attempt = 0;
  return {
    ...{ db, root, films, libraryId, trash, care },
    async converted(name, target = name) {
      const [bytes, output] = [randomBytes(9000), randomBytes(5000)];
      writeFileSync(join(films, name), bytes);
      const from = join(data, `output-${++attempt}`);
      writeFileSync(from, output);
      const who = { root: await roots.open(root), node: testNode, job: 1, attempt, term: 1 };
      const sha256 = createHash('sha256').update(output).digest('hex');
      const { tmpPath } = await deliver({ ...who, target, from, sizeBytes: output.length, sha256 });
      const done = await swap({ ...who, path: name, target, tmpPath, sha256, fingerprint: await fingerprint(join(films, name)) });
      await forget(who.root, attempt);
      return { trashPath: done.original!.trashPath, bytes };
    },
    found: () => listFound(db, root, 0),
  };
}

const byPath = (a: FoundOriginal, b: FoundOriginal): number => a.path.localeCompare(b.path);

async function until(reached: () => Promise<boolean>): Promise<void> {
  while (!(await reached())) await new Promise((resolve) => setImmediate(resolve));
}

oneDatabase((kind) => {
  test('originals that the books do not know are found in the trash once, told, and put back byte for byte', async (t) => {
    const s = await stage(t, kind);
    const [same, other] = [await s.converted('Same.mkv'), await s.converted('Other.avi', 'Other.mkv')];
    await s.care.look(s.root);
    const found = await s.found();
    assert.deepEqual(
      found.toSorted(byPath).map((one) => [one.path, one.title, one.found.replacedBy, one.found.stays]),
      [
        ['Other.avi', 'Other.avi', 'Other.mkv', null],
        ['Same.mkv', 'Same.mkv', 'Same.mkv', null],
      ],
    );
    await s.care.look(s.root);
    assert.deepEqual(await s.found(), found, 'a second look finds nothing new');
    const told = (await listActivity(s.db)).rows.filter((a) => a.kind === 'trash-found');
    assert.deepEqual(
      told.map((a) => [a.params['count'], a.params['bytes']]),
      [[2, 18_000]],
    );
    for (const one of found) await s.trash.restore(one.id, ada);
    assert.deepEqual(readFileSync(join(s.films, 'Same.mkv')), same.bytes);
    assert.deepEqual(readFileSync(join(s.films, 'Other.avi')), other.bytes);
    assert.equal(existsSync(join(s.films, 'Other.mkv')), false);
    await s.care.look(s.root);
    assert.deepEqual(await s.found(), [], 'what replaced them is proved to be ours, so it is gone');
    assert.equal((await readOriginal(s.db, found[0]!.id))?.state, 'restored');
  });

  test('the time of a found original begins when it is found, and it goes like any other when that is over', async (t) => {
    const s = await stage(t, kind);
    const { trashPath } = await s.converted('Film.mkv');
    const note = join(s.films, dirname(trashPath), 'where.json');
    writeFileSync(note, readFileSync(note, 'utf8').replace(/"since": "[^"]+"/, '"since": "2020-01-01T00:00:00.000Z"'));
    await s.care.look(s.root);
    const [one] = await s.found();
    assert.ok(one!.expiresAt.getTime() > Date.now() + 13.9 * 86_400_000);
    assert.deepEqual(await dueOriginals(s.db), []);
    await s.db.query(`update originals set expires_at = now() - interval '1 second'`);
    const due = await dueOriginals(s.db);
    assert.equal(due.length, 1);
    await s.trash.expire(due);
    await until(async () => (await readOriginal(s.db, one!.id))?.state === 'expired');
    assert.equal(existsSync(join(s.films, trashPath)), false);
    assert.ok(existsSync(join(s.films, 'Film.mkv')));
  });

  test('an original in whose place nothing stands, one of another house and a file without a note are never deleted', async (t) => {
    const s = await stage(t, kind);
    const [alone, theirs, bare] = [await s.converted('Alone.mkv'), await s.converted('Theirs.mkv'), await s.converted('Bare.mkv')];
    rmSync(join(s.films, 'Alone.mkv'));
    const note = join(s.films, dirname(theirs.trashPath), 'where.json');
    writeFileSync(note, readFileSync(note, 'utf8').replace(`"${testNode}"`, '"somebody-else"'));
    rmSync(join(s.films, dirname(bare.trashPath), 'where.json'));
    await s.care.look(s.root);
    assert.deepEqual(
      (await s.found()).toSorted(byPath).map((one) => [one.path, one.found.stays]),
      [
        ['Alone.mkv', 'nothing-in-place'],
        ['Theirs.mkv', 'other-house'],
      ],
    );
    assert.deepEqual(
      (await listStrangers(s.db, s.root)).map((one) => [one.trashPath, one.sizeBytes, one.why]),
      [[bare.trashPath, 9000, 'Nothing beside it says where it belongs.']],
    );
    await s.db.query(`update originals set expires_at = now() - interval '1 second'`);
    assert.deepEqual(await dueOriginals(s.db), []);
    const [trash] = await trashOfRoots(s.db);
    assert.deepEqual([trash?.files, trash?.held, trash?.stay, trash?.found], [2, 2, 2, 2]);
    await assert.rejects(s.care.empty(s.root, trash!.upTo, ada), /nothing in this trash that may be deleted/);
    for (const { trashPath } of [alone, theirs, bare]) assert.ok(existsSync(join(s.films, trashPath)));
    rmSync(join(s.films, bare.trashPath));
    await s.care.look(s.root);
    assert.deepEqual(await listStrangers(s.db, s.root), [], 'a stranger that a person took away is forgotten');
  });

  test('a film that came meanwhile is not lost when a found original is put back in its place', async (t) => {
    const s = await stage(t, kind);
    const { bytes } = await s.converted('Film.mkv');
    const better = Buffer.from('a better copy that a person put there');
    writeFileSync(join(s.films, 'Film.mkv'), better);
    await s.care.look(s.root);
    const [one] = await s.found();
    await s.trash.restore(one!.id, ada);
    assert.deepEqual(readFileSync(join(s.films, 'Film.mkv')), bytes);
    await until(async () => (await s.found()).length === 1);
    const [kept] = await s.found();
    assert.deepEqual([kept!.found.kind, kept!.sizeBytes, kept!.found.stays], ['output', better.length, null]);
    await s.trash.restore(kept!.id, ada);
    assert.deepEqual(readFileSync(join(s.films, 'Film.mkv')), better);
  });

  test('a refusal that is here before the answer to the question ends the question, and not the program', async (t) => {
    const s = await stage(t, kind);
    await s.converted('Film.mkv');
    await s.care.look(s.root);
    const { id, jobId, attemptId } = (await readOriginal(s.db, (await s.found())[0]!.id))!;
    const reason = { code: 'read-only' as const };
    const request = async (): Promise<unknown> => {
      await trash.report({ event: 'not-restored', job: jobId, attempt: attemptId, reason });
      // an answer that takes another way through the network
      await new Promise((resolve) => setImmediate(resolve));
      return { accepted: true, why: null };
    };
    const events = createEvents((error) => assert.fail(String(error)));
    const trash: Trash = createTrash({ mesh: { self: testNode, request } as never, db: s.db, term: 1, events, log });
    await assert.rejects(trash.restore(id, ada), { reason });
  });

  test('a replacement whose report has not come yet is left to it', async (t) => {
    const s = await stage(t, kind);
    await s.converted('Film.mkv');
    const [job] = await someJobs(s.db, s.libraryId, 1);
    await s.db.query(`update media_files set path = 'Film.mkv', title = 'Film' where id = $1`, [job!.fileId]);
    await s.db.query(
      `insert into attempts (id, job_id, term, node_id, number, state) overriding system value values (1, $1, 1, $2, 1, 'replacing')`,
      [job!.jobId, testNode],
    );
    await s.care.look(s.root);
    assert.deepEqual(await s.found(), []);
    await s.db.query(`update attempts set state = 'lost', ended_at = now()`);
    await s.care.look(s.root);
    const [one] = await s.found();
    assert.deepEqual([one?.title, one?.fileId], ['Film', job!.fileId], 'and the film in its place is known');
  });
});
