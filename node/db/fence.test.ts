import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import postgres from 'postgres';
import { eachDatabase, freshDatabase, havePostgres } from '../testing/database.ts';
import { aLibrary, aNode, someJobs, testNode } from '../testing/records.ts';
import { claim } from './claims.ts';
import { isStaleTerm } from './connect.ts';
import { acquireLease, readLease, renewLease, resignLease } from './coordinator.ts';
import { exportedTables } from './export.ts';
import { addLibrary, changeLibrary, listLibraries } from './libraries.ts';
import { putSetting, putSettings, readHistory, readSettings } from './settings.ts';
import { keepersOf } from './roots.ts';
import { defaultProfile } from '../core/profile.ts';

const candidate = (ttlSeconds = 60) => ({ node: `node-${randomUUID()}`, session: randomUUID(), url: null, ttlSeconds });

eachDatabase((kind) => {
  test('one candidate leads; its own session renews without a new term, another takes over only after its end', async (t) => {
    const db = await freshDatabase(t, kind);
    const [a, b] = [candidate(), candidate()];
    const won = await Promise.all([acquireLease(db, a), acquireLease(db, b)]);
    assert.equal(won.filter((term) => term !== null).length, 1);
    const [holder, other] = won[0] === null ? [b, a] : [a, b];
    assert.equal(await acquireLease(db, holder), 1);
    assert.equal(await renewLease(db, other), false);
    assert.equal(await acquireLease(db, other), null);
    await resignLease(db, other);
    assert.equal((await readLease(db)).held, true);
    await resignLease(db, holder);
    assert.deepEqual([(await readLease(db)).held, await renewLease(db, holder)], [false, false]);
    assert.equal(await acquireLease(db, other), 2);
    assert.equal((await readLease(db)).holder, other.node);
  });

  test('a replaced coordinator can write nothing, in no table, and neither can a connection without a term', async (t) => {
    const db = await freshDatabase(t, kind);
    const old = await db.lead();
    const library = await aLibrary(old);
    await someJobs(old, library.id, 1);
    const current = await db.lead();
    for (const q of [old, db]) {
      for (const table of exportedTables) {
        await assert.rejects(q.query(`delete from ${table}`), (error) => isStaleTerm(error), `${table} is fenced`);
      }
      await assert.rejects(claim(q, { node: testNode, classes: [1], term: 1, leaseSeconds: 60, keepers: [testNode] }), (error) =>
        isStaleTerm(error),
      );
      await assert.rejects(putSetting(q, { key: 'paused', value: true, version: 0 }, 'Ada', 'page'), (error) => isStaleTerm(error));
    }
    assert.equal((await listLibraries(current)).length, 1);
    assert.ok(await claim(current, { node: testNode, classes: [1], term: 2, leaseSeconds: 60, keepers: [testNode] }));
  });

  test('using the database inside a transaction is refused with a clear word instead of waiting for ever', async (t) => {
    const db = await freshDatabase(t, kind);
    await assert.rejects(
      db.tx(() => db.query('select 1')),
      /inside tx/,
    );
    await assert.rejects(
      db.tx(() => db.tx(async () => 1)),
      /inside tx/,
    );
    const over = Promise.withResolvers<void>();
    const begunInside = await db.tx(async (q) => {
      await q.query('select 1');
      return { later: over.promise.then(() => db.query('select 2 as two')) };
    });
    over.resolve();
    assert.deepEqual(await begunInside.later, [{ two: 2 }], 'what was begun inside may use the database once the transaction is over');
    assert.deepEqual(await db.query('select 1 as one'), [{ one: 1 }]);
    await assert.rejects(
      db.tx(async (q) => void (await q.query('select 1 / 0').catch(() => {}))),
      /rolled back/,
    );
    assert.deepEqual(await db.query(`select 9007199254740991::bigint as big, 1.5::numeric as part`), [
      { big: Number.MAX_SAFE_INTEGER, part: 1.5 },
    ]);
  });

  test('settings change all or none, keep their history, and say who was first', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    assert.deepEqual(
      await putSettings(
        q,
        [
          { key: 'a', value: 1, version: 0 },
          { key: 'b', value: [1, 2], version: 0 },
        ],
        'Ada',
        'page',
      ),
      [],
    );
    const conflicts = await putSettings(
      q,
      [
        { key: 'a', value: 2, version: 1 },
        { key: 'b', value: [], version: 7 },
      ],
      'Bob',
      'cli',
    );
    assert.deepEqual(
      conflicts.map((c) => [c.key, c.value, c.version]),
      [['b', [1, 2], 1]],
    );
    assert.equal(await putSetting(q, { key: 'a', value: null, version: 1 }, 'Bob', 'cli'), null);
    assert.equal((await putSetting(q, { key: 'a', value: 3, version: 0 }, 'Eve', 'api'))?.version, 2);
    assert.deepEqual(
      (await readSettings(q)).map((s) => [s.key, s.value, s.version, s.updatedBy]),
      [
        ['a', null, 2, 'Bob'],
        ['b', [1, 2], 1, 'Ada'],
      ],
    );
    assert.deepEqual(
      (await readHistory(q)).map((h) => [h.key, h.oldValue, h.newValue, h.by, h.via]),
      [
        ['a', 1, null, 'Bob', 'cli'],
        ['b', null, [1, 2], 'Ada', 'page'],
        ['a', null, 1, 'Ada', 'page'],
      ],
    );
    const both = await Promise.all([1, 2].map((n) => putSetting(q, { key: 'new', value: n, version: 0 }, 'Ada', 'page')));
    assert.equal(both.filter((conflict) => conflict === null).length, 1, 'of two first writers one learns of the other');
  });

  test('the same folder is one library, another with the same name gets a number', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    const one = await aLibrary(q, 'Films');
    const two = await aLibrary(q, 'Films');
    const again = await addLibrary(q, { name: 'Other', rootId: one.rootId, folder: '', profile: defaultProfile });
    assert.deepEqual([again.added, again.library.id], [false, one.id]);
    assert.deepEqual(
      (await listLibraries(q)).map((l) => l.name),
      ['Films', 'Films 2'],
    );
    await assert.rejects(changeLibrary(q, two.id, { name: 'Films' }), { code: '23505' });
    assert.equal((await changeLibrary(q, two.id, { priority: 0 }))?.priority, 0);
    assert.deepEqual(
      (await keepersOf(q, one.rootId)).map((k) => k.nodeId),
      [testNode],
    );
    await aNode(q, testNode);
    assert.equal((await keepersOf(q, one.rootId)).length, 1);
  });
});

test(
  'a coordinator frozen inside a transaction loses it, and its successor can lead',
  { skip: havePostgres() ? false : 'needs PostgreSQL' },
  async (t) => {
    const db = await freshDatabase(t, 'postgres');
    const old = await db.lead();
    await aNode(old);
    const sql = postgres(db.url!, {
      max: 1,
      onnotice: () => {},
      connection: { 'codecshift.term': '1' } as Record<string, string | number>,
    });
    t.after(() => sql.end({ timeout: 1 }).catch(() => {}));
    const frozen = await sql.reserve().catch(() => null);
    assert.ok(frozen);
    await frozen`begin`;
    await frozen`update nodes set draining = true`;
    // only now, or a slow machine would be taken for a frozen one before it has written anything
    await frozen`set idle_in_transaction_session_timeout = 1000`;
    const successor = await db.lead();
    assert.deepEqual(await successor.query('select draining from nodes'), [{ draining: false }]);
  },
);
