import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';
import type { Database } from '../db/connect.ts';
import { foundCluster, renameCluster, replaceClusterKey } from '../db/cluster.ts';
import { acquireLease, clearMoved, markMoved, readLease } from '../db/coordinator.ts';
import { createLog } from '../log.ts';
import { makeClusterKey } from '../mesh/signing.ts';
import { oneDatabase, freshDatabase, havePostgres } from '../testing/database.ts';
import { until } from '../testing/program.ts';
import { createElector, type Elector, type Retirement } from './elector.ts';

const log = createLog({ level: 'fatal', pretty: true });

interface Candidate {
  elector: Elector;
  elected: Promise<number>;
  deposed: Promise<void>;
}

function candidate(
  t: TestContext,
  db: Database,
  node: string,
  more: { cluster?: string; onRetired?: (why: Retirement) => void; ttlSeconds?: number } = {},
): Candidate {
  const elected = Promise.withResolvers<number>();
  const deposed = Promise.withResolvers<void>();
  const elector = createElector({
    db,
    node,
    session: randomUUID(),
    url: () => 'http://x',
    reaches: () => 0,
    log,
    ttlSeconds: 1,
    onElected: async (term) => elected.resolve(term),
    onDeposed: async () => deposed.resolve(),
    ...more,
  });
  t.after(() => elector.stop());
  elector.start();
  return { elector, elected: elected.promise, deposed: deposed.promise };
}

oneDatabase((kind) => {
  test('a lease that a killed process left behind is waited for on a server, and not on a database of this process alone', async (t) => {
    const db = await freshDatabase(t, kind);
    const dead = { node: 'dead', session: randomUUID(), url: null, ttlSeconds: kind === 'embedded' ? 3600 : 2 };
    const before = await acquireLease(db, dead);
    const a = candidate(t, db, 'a');
    assert.ok((await a.elected) > before!);
    assert.equal((await readLease(db)).holder, 'a');
  });

  test('a term that takes longer to begin than its lease lives is kept alive meanwhile', async (t) => {
    const db = await freshDatabase(t, kind);
    const [elected, begun] = [Promise.withResolvers<number>(), Promise.withResolvers<void>()];
    let deposed = 0;
    const elector = createElector({
      ...{ db, node: 'a', session: randomUUID(), url: () => 'http://x', reaches: () => 0, log, ttlSeconds: 15 },
      onElected: async (term) => (elected.resolve(term), begun.promise),
      onDeposed: async () => void deposed++,
    });
    t.after(() => elector.stop());
    elector.start();
    const term = await elected.promise;
    const [first] = await db.query<{ until: string }>('select lease_until::text as until from coordinator');
    await until('the lease to live on', async () => {
      const sql = `select 1 from coordinator where lease_until > $1::timestamptz`;
      return (await db.query(sql, [first!.until])).length > 0;
    });
    assert.deepEqual([elector.term(), deposed], [term, 0]);
    begun.resolve();
  });

  test('a database that became another cluster’s is led no more by a machine of the one before', async (t) => {
    const db = await freshDatabase(t, kind);
    const ours = makeClusterKey();
    await foundCluster(db, ours, 'Ours');
    const retired = Promise.withResolvers<Retirement>();
    const a = candidate(t, db, 'a', { cluster: ours.cluster, onRetired: retired.resolve, ttlSeconds: 6 });
    const term = await a.elected;
    // as a restore over it does: other books, and the lease is nobody's
    await replaceClusterKey(db.withTerm(term), makeClusterKey());
    await renameCluster(db.withTerm(term), 'Theirs');
    await db.query(`update coordinator set term = term + 1, holder = null, session = null, lease_until = '-infinity'`);
    assert.deepEqual(await retired.promise, { cluster: 'Theirs' });
    assert.equal(a.elector.term(), null);
    const lease = await readLease(db);
    assert.deepEqual([lease.holder, lease.term], [null, term + 1], 'it asked for the role once more');
  });

  test('a database that was left for another one is led by nobody, and who could have led it is told where everything went', async (t) => {
    const db = await freshDatabase(t, kind);
    await markMoved(db, 'the built-in database of attic [move 1]');
    const retired = Promise.withResolvers<Retirement>();
    const a = candidate(t, db, 'a', { onRetired: retired.resolve });
    const why = await retired.promise;
    assert.ok('movedTo' in why && why.movedAt instanceof Date);
    assert.equal(why.movedTo, 'the built-in database of attic [move 1]');
    assert.equal(a.elector.term(), null);
    assert.deepEqual(await db.query('select 1 from candidates'), [], 'not one row more is written');
    await clearMoved(db);
  });

  test('a coordinator whose database goes silent steps down by its own clock', async (t) => {
    const db = await freshDatabase(t, kind);
    let silent = false;
    const flaky: Database = {
      ...db,
      query: (sql, params) => (silent ? Promise.reject(new Error('gone')) : db.query(sql, params)),
      tx: (fn) => db.tx(fn),
      withTerm: (term) => db.withTerm(term),
      impatient: (ms) => ({ query: (sql, params) => (silent ? Promise.reject(new Error('gone')) : db.impatient(ms).query(sql, params)) }),
    };
    const a = candidate(t, flaky, 'a');
    await a.elected;
    silent = true;
    await a.deposed;
    assert.equal(a.elector.term(), null);
    silent = false;
  });
});

describe('a term that the database refuses', () => {
  test('ends and is followed by a new one of the same node; a late refusal of an earlier term ends nothing', async (t) => {
    const db = await freshDatabase(t, 'embedded');
    const terms: number[] = [];
    const heard: (() => void)[] = [];
    const elected = (many: number): Promise<void> =>
      new Promise((resolve) => (terms.length >= many ? resolve() : heard.push(() => terms.length >= many && resolve())));
    let deposed = 0;
    const elector = createElector({
      db,
      node: 'a',
      session: randomUUID(),
      url: () => 'http://x',
      reaches: () => 0,
      log,
      onElected: async (term) => {
        terms.push(term);
        for (const tell of heard) tell();
      },
      onDeposed: async () => void deposed++,
    });
    t.after(() => elector.stop());
    elector.start();
    await elected(1);
    await elector.overtaken(terms[0]! - 1);
    assert.deepEqual([elector.term(), deposed], [terms[0], 0]);
    // another one had the lease for a moment, and is gone
    await db.query(`update coordinator set term = term + 1, holder = 'b', session = $1, lease_until = '-infinity'`, [randomUUID()]);
    await elector.overtaken(terms[0]!);
    assert.equal(deposed, 1);
    await elected(2);
    assert.equal(elector.term(), terms[0]! + 2);
  });
});

describe('with a PostgreSQL that others use too', { skip: havePostgres() ? false : 'no PostgreSQL on this machine' }, () => {
  test('only one of two candidates leads, and when it resigns the other follows with a higher term', async (t) => {
    const db = await freshDatabase(t, 'postgres');
    const a = candidate(t, db, 'a');
    const first = await a.elected;
    const b = candidate(t, db, 'b');
    assert.equal(b.elector.term(), null);
    await a.elector.stop();
    assert.ok((await b.elected) > first);
    assert.equal(a.elector.term(), null);
  });
});
