import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { paintedAttempts, readBarcode, readPictures, savePictures, setBarcode } from '../db/pictures.ts';
import type { Database } from '../db/connect.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';
import { oneDatabase, freshDatabase, type DatabaseKind } from '../testing/database.ts';
import { aLibrary, aNode, someJobs, testNode } from '../testing/records.ts';
import { createPictureKeeping } from './pictures.ts';

const log = createLog({ level: 'fatal', pretty: true });

async function stage(t: TestContext, kind: DatabaseKind) {
  const db = await (await freshDatabase(t, kind)).lead();
  await aNode(db, testNode);
  const library = await aLibrary(db);
  const jobId = (await someJobs(db, library.id, 1))[0]!.jobId;
  const [row] = await db.query<{ id: number }>(
    `insert into attempts (job_id, term, node_id, number, state) values ($1, 1, $2, 1, 'running') returning id`,
    [jobId, testNode],
  );
  const mesh = createLocalMesh(testNode, log);
  const asked: ProtocolRequest<'pictures'>[] = [];
  let jpeg: Buffer = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 1]);
  mesh.handle('pictures', async (ask) => {
    asked.push(ask);
    return ask.op === 'forget' ? { op: 'forgotten' } : { op: 'picture', jpeg: jpeg.toString('base64') };
  });
  const settings = () => ({ 'trash.keepDays': 14 }) as never;
  const keeping = createPictureKeeping({ mesh, db, term: 1, settings, reachable: () => [testNode], log });
  return { db, keeping, asked, jobId, attemptId: row!.id, answer: (bytes: Buffer) => void (jpeg = bytes) };
}

const end = (db: Database, attemptId: number, ago: string): Promise<unknown> =>
  db.query(`update attempts set state = 'rejected', ended_at = now() - $2::interval where id = $1`, [attemptId, ago]);

oneDatabase((kind) => {
  test('are fetched from the node that has them, of the right job only, and shown only if they are pictures', async (t) => {
    const s = await stage(t, kind);
    const wish = { jobId: s.jobId, attemptId: s.attemptId, number: 2, side: 'after' } as const;
    await assert.rejects(s.keeping.read(wish), /no such picture/);
    await savePictures(s.db, s.attemptId, testNode, [10, 20, 30]);
    assert.equal((await s.keeping.read(wish))[4], 1);
    assert.deepEqual(s.asked, [{ op: 'read', term: 1, attempt: s.attemptId, number: 2, side: 'after' }]);
    await assert.rejects(s.keeping.read({ ...wish, number: 4 }), /no such picture/);
    await assert.rejects(s.keeping.read({ ...wish, jobId: s.jobId + 1 }), /no such picture/);
    s.answer(Buffer.from('<svg onload="alert(1)"/>'));
    await assert.rejects(s.keeping.read(wish), /not a picture/);
  });

  test('go when their time is over, and stay while their original is in the trash', async (t) => {
    const s = await stage(t, kind);
    await savePictures(s.db, s.attemptId, testNode, [10]);
    await s.keeping.forgetOld();
    await end(s.db, s.attemptId, '13 days');
    await s.keeping.forgetOld();
    assert.deepEqual(s.asked, []);
    const [root] = await s.db.query<{ id: string }>(`select id from roots limit 1`);
    await s.db.query(
      `insert into originals (attempt_id, job_id, title, root_id, path, trash_path, size_bytes, fingerprint, expires_at)
       values ($1, $2, 'x', $3, 'a', 'b', 1, '{}', now() + interval '9 days')`,
      [s.attemptId, s.jobId, root!.id],
    );
    await end(s.db, s.attemptId, '90 days');
    await s.keeping.forgetOld();
    assert.deepEqual(s.asked, []);
    await s.db.query(`update originals set state = 'expired', ended_at = now()`);
    await s.keeping.forgetOld();
    assert.deepEqual(s.asked, [{ op: 'forget', term: 1, attempts: [s.attemptId] }]);
    assert.equal(await readPictures(s.db, s), null);
    await s.keeping.forgetOld();
    assert.equal(s.asked.length, 1);
  });

  test('a film’s colours are believed once, and from the node that encodes it', async (t) => {
    const s = await stage(t, kind);
    const strip = Buffer.from([1, 2, 3, 4, 5, 6]).toString('base64');
    assert.equal(await setBarcode(s.db, s, 'another-node', strip), false);
    assert.equal(await readBarcode(s.db, s), null);
    assert.equal(await setBarcode(s.db, s, testNode, strip), true);
    assert.equal(await setBarcode(s.db, s, testNode, 'AAAA'), false);
    assert.deepEqual([...(await readBarcode(s.db, s))!], [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await paintedAttempts(s.db, [s.attemptId, s.attemptId + 1]), [s.attemptId]);
  });
});
