import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultEvents } from '../core/notice-events.ts';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aLibrary, because, someJobs, testNode } from '../testing/records.ts';
import { addActivity } from './activity.ts';
import { addAudit } from './audit.ts';
import { claim } from './claims.ts';
import { isStaleTerm, type Database, type Queryable } from './connect.ts';
import {
  beginTry,
  deliveryCounts,
  dueDeliveries,
  endFailed,
  endSent,
  giveUpOld,
  holdDeliveries,
  listDeliveries,
  nextDeliveryIn,
  readDelivery,
  sendAgain,
} from './deliveries.ts';
import { addNotice, addTest, forgetNotices, nextNoticeIn, readyNotices, routeNotice } from './notices.ts';
import { addTarget, changeTarget, deleteTarget, listTargets, readTarget, type TargetValues } from './notice-targets.ts';
import { finishedSince, isBusy, librariesWithoutRoom, readWatches, watchedNodes, writeWatch } from './notice-watches.ts';

const values: TargetValues = {
  name: 'House',
  place: 'https://ntfy.sh',
  fields: { server: 'https://ntfy.sh', topic: 'films' },
  secrets: ['token'],
  events: [...defaultEvents],
  quiet: null,
  enabled: true,
};

const failed = { event: 'job.failed', item: { title: 'A film' } } as const;

/** As if its time had come. */
async function ripen(q: Queryable): Promise<void> {
  await q.query(`update notifications set ready_at = now() where routed_at is null`);
}

async function route(q: Queryable, targets: number[]): Promise<void> {
  await ripen(q);
  for (const { id } of await readyNotices(q)) await routeNotice(q, id, targets);
}

eachDatabase((kind) => {
  test('facts of a kind gather in one notice until it is sent, and the next one keeps its distance', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    await addNotice(q, failed);
    assert.ok((await nextNoticeIn(q))! > 0);
    for (let i = 1; i < 14; i++) await addNotice(q, failed);
    assert.deepEqual(await readyNotices(q), [], 'it waits for more of its kind');
    await ripen(q);
    const [notice] = await readyNotices(q);
    assert.deepEqual([notice!.count, notice!.items.length], [14, 10]);
    await routeNotice(q, notice!.id, []);
    await addNotice(q, failed);
    const seconds = await nextNoticeIn(q);
    assert.ok(seconds! > 14 * 60 && seconds! <= 15 * 60, `the next one waits a quarter of an hour, not ${seconds} s`);
  });

  test('a fact that is told once is not told again', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const backup = { event: 'backup.failed', once: 'backup 2026-11-30', item: {} } as const;
    await addNotice(q, backup);
    await addNotice(q, backup);
    await route(q, []);
    await addNotice(q, backup);
    await ripen(q);
    assert.deepEqual(await readyNotices(q), []);
    assert.equal((await q.query(`select 1 from notifications`)).length, 1);
  });

  test('a failure and its notice are one statement: what is rolled back is not told', async (t) => {
    const db = await freshDatabase(t, kind);
    const q = await db.lead();
    const library = await aLibrary(q);
    await someJobs(q, library.id, 1);
    const job = (await claim(q, { node: testNode, classes: [1], term: 1, leaseSeconds: 60, keepers: [testNode] }))!;
    const line = { kind: 'failed', severity: 2, jobId: job.jobId, nodeId: testNode, params: { reason: because('x') } } as const;
    await assert.rejects(
      q.tx(async (inside) => {
        await addActivity(inside, line);
        throw new Error('the coordinator died here');
      }),
    );
    assert.equal((await q.query(`select 1 from notifications`)).length, 0);
    await addActivity(q, line);
    await addActivity(q, { kind: 'failed', severity: 2, params: {} });
    await ripen(q);
    const [notice] = await readyNotices(q);
    assert.equal(notice!.count, 2);
    assert.equal(notice!.items[0]!['jobId'], job.jobId);
    assert.ok(String(notice!.items[0]!['title']).length > 0, 'with what the file is called');
    await addActivity(q, { kind: 'source-problem', severity: 1, params: { source: 'House' } });
    await addActivity(q, { kind: 'source-recovered', params: { source: 'House' } });
    await addAudit(
      q,
      { action: 'user added', object: 'Eve', result: 'ok', says: 'admin' },
      { name: 'Ada', via: 'page' },
      { address: '::1', agent: '' },
    );
    await addActivity(q, { kind: 'paused' });
    const events = await q.query<{ event: string }>(`select event from notifications order by id`);
    assert.deepEqual(
      events.map(({ event }) => event),
      ['job.failed', 'security.admin'],
    );
  });

  test('a try counts when it begins, and a coordinator that was replaced can begin none', async (t) => {
    const db = await freshDatabase(t, kind);
    const first = await db.lead();
    const target = (await addTarget(first, 'ntfy', values, 'Ada'))!;
    await addNotice(first, failed);
    await route(first, [target]);
    const [due] = await dueDeliveries(first, []);
    assert.deepEqual([due!.state, due!.tries, due!.target], ['waiting', 0, 'House']);
    assert.deepEqual(await dueDeliveries(first, [target]), [], 'not while it is being sent something');

    assert.deepEqual(await beginTry(first, [due!.id], 60), [due!.id]);
    assert.deepEqual(await beginTry(first, [due!.id], 60), [], 'nobody tries beside it');
    const second = await db.lead();
    for (const write of [() => beginTry(first, [due!.id], 60), () => endSent(first, target, [due!.id], 'ok')])
      await assert.rejects(write(), (error) => isStaleTerm(error));

    // the first one may have sent it or not: the next one asks again after its time, with the same message
    assert.deepEqual(await dueDeliveries(second, []), []);
    await second.query(`update deliveries set next_at = now()`);
    const [again] = await dueDeliveries(second, []);
    assert.deepEqual([again!.message, again!.tries], [due!.message, 1]);
    await beginTry(second, [again!.id], 60);
    await endSent(second, target, [again!.id], 'taken');
    assert.deepEqual(await dueDeliveries(second, []), []);
    assert.equal(await nextDeliveryIn(second, []), null);
    const { state, answer, tries } = (await readDelivery(second, again!.id))!;
    assert.deepEqual({ state, answer, tries }, { state: 'sent', answer: 'taken', tries: 2 });
    await endFailed(second, target, [again!.id], { answer: 'late', againSeconds: 1, restSeconds: 0 });
    assert.equal((await readDelivery(second, again!.id))!.state, 'sent', 'what arrived stays so');
  });

  test('routing twice makes no second delivery, and a coordinator that dies between the two loses none', async (t) => {
    const db = await freshDatabase(t, kind);
    const first = await db.lead();
    const target = (await addTarget(first, 'ntfy', values, 'Ada'))!;
    await addNotice(first, failed);
    await ripen(first);
    const [notice] = await readyNotices(first);
    const second = await db.lead();
    await assert.rejects(routeNotice(first, notice!.id, [target]), (error) => isStaleTerm(error));
    await routeNotice(second, notice!.id, [target]);
    await routeNotice(second, notice!.id, [target]);
    assert.equal((await dueDeliveries(second, [])).length, 1);
  });

  test('a target that fails says since when and rests; one that is well again forgets it', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const target = (await addTarget(q, 'discord', values, 'Ada'))!;
    const id = await delivered(q, target);
    await endFailed(q, target, [id], { answer: 'busy', againSeconds: 30, restSeconds: 0 });
    assert.equal((await readDelivery(q, id))!.state, 'failed');
    await q.query(`update deliveries set next_at = now()`);
    await beginTry(q, [id], 60);
    await endFailed(q, target, [id], { answer: 'busy \ud800\0', againSeconds: 0, restSeconds: 300 });
    const row = (await readTarget(q, target))!;
    assert.equal(row.failures, 2);
    assert.ok(row.failingSince && row.restsUntil);
    assert.deepEqual(await dueDeliveries(q, []), [], 'all of it rests');
    assert.ok((await nextDeliveryIn(q, []))! > 200);
    assert.equal(await sendAgain(q, id), true);
    const [again] = await dueDeliveries(q, []);
    assert.equal(again!.tries, 0, 'a person who asks does not wait');
    await beginTry(q, [id], 60);
    await endSent(q, target, [id], 'taken');
    assert.deepEqual([(await readTarget(q, target))!.failures, (await readTarget(q, target))!.failingSince], [0, null]);

    await q.query(`update deliveries set state = 'waiting', next_at = now(), ended_at = null`);
    await endFailed(q, target, [id], { answer: 'wrong', againSeconds: null, restSeconds: 0 });
    assert.deepEqual(await deliveryCounts(q), [
      { kind: 'discord', outcome: 'failed', total: 3 },
      { kind: 'discord', outcome: 'given-up', total: 1 },
      { kind: 'discord', outcome: 'sent', total: 1 },
    ]);
  });

  test('what was held back for a day is given up, a person can have it sent again as a message of its own', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const target = (await addTarget(q, 'ntfy', values, 'Ada'))!;
    await addNotice(q, failed);
    await route(q, [target]);
    const [due] = await dueDeliveries(q, []);
    await holdDeliveries(q, [due!.id], new Date(Date.now() + 3_600_000));
    assert.equal((await readDelivery(q, due!.id))!.state, 'held');
    assert.equal(await giveUpOld(q), 0);
    await q.query(`update deliveries set created_at = now() - interval '25 hours'`);
    assert.equal(await giveUpOld(q), 1);
    const given = (await readDelivery(q, due!.id))!;
    assert.deepEqual([given.state, given.answer], ['given-up', 'It could not be sent within a day.']);
    assert.equal(await sendAgain(q, due!.id), true);
    assert.equal(await sendAgain(q, due!.id), false, 'it waits already');
    assert.notEqual((await readDelivery(q, due!.id))!.message, due!.message);
    assert.equal(await giveUpOld(q), 0);
  });

  test('a target has one name, is changed by one person at a time, and takes its log with it', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const id = (await addTarget(q, 'ntfy', { ...values, quiet: { from: '22:00', until: '07:00' } }, 'Ada'))!;
    await assert.rejects(addTarget(q, 'ntfy', { ...values, name: 'HOUSE' }, 'Ada'), { code: '23505' });
    await assert.rejects(addTarget(q, 'ntfy', { ...values, name: 'x', quiet: { from: '7:00', until: '08:00' } }, 'Ada'), { code: '23514' });
    assert.deepEqual((await readTarget(q, id))!.quiet, { from: '22:00', until: '07:00' });
    assert.equal(await changeTarget(q, id, 1, { ...values, place: '' }), true);
    assert.equal(await changeTarget(q, id, 1, values), false);
    const [row] = await listTargets(q);
    assert.deepEqual([row!.version, row!.place, row!.quiet], [2, 'https://ntfy.sh', null]);
    await addTest(q, id, { by: 'Ada' }, 60);
    assert.equal((await listDeliveries(q, id)).rows[0]!.event, 'test');
    assert.equal(await deleteTarget(q, id), 'House');
    assert.deepEqual((await listDeliveries(q, null)).rows, []);
    for (let i = 0; i < 30; i++) assert.ok(await addTarget(q, 'ntfy', { ...values, name: `n${i}` }, 'Ada'));
    assert.equal(await addTarget(q, 'ntfy', { ...values, name: 'one more' }, 'Ada'), null);
  });

  test('the log is a list by pages, of all targets and of one, and forgets what is old', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const [a, b] = [(await addTarget(q, 'ntfy', values, 'Ada'))!, (await addTarget(q, 'email', { ...values, name: 'Post' }, 'Ada'))!];
    for (let i = 0; i < 5; i++) {
      await addNotice(q, { event: 'backup.failed', once: `n ${i}`, item: { what: `${i}` } });
      await route(q, i % 2 ? [a, b] : [a]);
    }
    const first = await listDeliveries(q, a, { size: 3 });
    const second = await listDeliveries(q, a, { size: 3, after: first.after });
    assert.deepEqual(
      [...first.rows, ...second.rows].map((row) => row.items[0]!['what']),
      ['4', '3', '2', '1', '0'],
    );
    assert.equal((await listDeliveries(q, null)).rows.length, 7);
    await q.query(`update notifications set at = now() - interval '40 days' where id <= 2`);
    assert.equal(await forgetNotices(q, 30), 2);
    assert.equal((await listDeliveries(q, null)).rows.length, 4);
  });

  test('what the watches look at: silence, room, and what was finished', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(q);
    assert.equal(await isBusy(q), false);
    await someJobs(q, library.id, 2);
    assert.equal(await isBusy(q), true);
    await q.query(`update libraries set enabled = false`);
    assert.equal(await isBusy(q), false, 'what waits in a library that is switched off does not count');
    await q.query(`update nodes set last_seen_at = now() - interval '400 seconds', temp_bytes = 5 where id = $1`, [testNode]);
    const [node] = await watchedNodes(q);
    assert.ok(node!.silentSeconds > 399 && node!.silentSeconds < 460);
    assert.equal(node!.freeBytes, 5);
    assert.deepEqual(await librariesWithoutRoom(q), []);
    assert.deepEqual(await finishedSince(q, new Date(0)), { done: 0, kept: 0, failed: 0, savedBytes: 0 });
    await writeWatch(q, 'batch', { since: 1 });
    await writeWatch(q, 'batch', { since: 2 });
    assert.deepEqual(Object.fromEntries(await readWatches(q)), { batch: { since: 2 } });
  });
});

/** A delivery whose try has begun. */
async function delivered(q: Database, target: number): Promise<number> {
  await addNotice(q, failed);
  await route(q, [target]);
  const [due] = await dueDeliveries(q, []);
  await beginTry(q, [due!.id], 60);
  return due!.id;
}
