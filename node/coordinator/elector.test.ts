import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';
import type { Database } from '../db/connect.ts';
import { acquireLease, readLease } from '../db/coordinator.ts';
import { createLog } from '../log.ts';
import { eachDatabase, freshDatabase, havePostgres } from '../testing/database.ts';
import { createElector, type Elector } from './elector.ts';

const log = createLog({ level: 'fatal', pretty: true });

interface Candidate {
  elector: Elector;
  elected: Promise<number>;
  deposed: Promise<void>;
}

function candidate(t: TestContext, db: Database, node: string): Candidate {
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
  });
  t.after(() => elector.stop());
  elector.start();
  return { elector, elected: elected.promise, deposed: deposed.promise };
}

eachDatabase((kind) => {
  test('a lease that a killed process left behind is waited for on a server, and not on a database of this process alone', async (t) => {
    const db = await freshDatabase(t, kind);
    const dead = { node: 'dead', session: randomUUID(), url: null, ttlSeconds: kind === 'embedded' ? 3600 : 2 };
    const before = await acquireLease(db, dead);
    const a = candidate(t, db, 'a');
    assert.ok((await a.elected) > before!);
    assert.equal((await readLease(db)).holder, 'a');
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
