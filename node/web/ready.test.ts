import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Queryable } from '../db/connect.ts';
import { member, serveTunnel, startFront } from '../testing/front.ts';
import { readyBooks, webParts } from '../testing/web.ts';
import { createReadiness } from './ready.ts';
import { createApp } from './server.ts';

const atlas = { node: 'node-atlas', name: 'atlas' };

/** The ready books, but what one statement is answered with. */
function but(part: RegExp, answer: () => Promise<unknown>): Queryable {
  return { query: (sql, params) => (part.test(sql) ? (answer() as never) : readyBooks.query(sql, params)) };
}

test('a coordinator is ready with its database, the schema of this program and a lease, and says in words what is missing', async () => {
  const ask = (db: Queryable) => createReadiness({ db }, 50)();
  assert.deepEqual(await ask(readyBooks), { ready: true, words: 'ok' });
  assert.match((await ask(but(/schema_migrations/, async () => [{ schema: 2 }]))).words, /schema of another version/);
  assert.match((await ask(but(/coordinator/, async () => [{ held: false }]))).words, /Nobody coordinates/);
  const secret = async (): Promise<never> => {
    throw new Error('connect ECONNREFUSED postgres://user:pass@db');
  };
  assert.deepEqual(await ask(but(/schema_migrations/, secret)), { ready: false, words: 'The database does not answer.' });
  assert.deepEqual(await ask(but(/./, () => new Promise(() => {}))), { ready: false, words: 'The database does not answer.' });
});

test('whoever asks in a loop does not ask the database', async () => {
  let asked = 0;
  const readiness = createReadiness({ db: { query: (sql, params) => (asked++, readyBooks.query(sql, params)) } });
  await Promise.all(Array.from({ length: 50 }, () => readiness()));
  assert.equal(asked, 2);
});

test('every machine answers both questions itself, also while nobody coordinates and to a stranger', async (t) => {
  let db: Queryable = readyBooks;
  const { parts } = webParts({ db: { query: (sql, params) => db.query(sql, params) } });
  const app = await createApp(parts);
  t.after(() => app.stop());
  const { tunnel } = await serveTunnel(t, () => app.fetch);
  const tower = await startFront(t, 'tower', { standing: { state: 'starting' } }, { access: { open: false, token: null } });
  const ask = async (path: string): Promise<[number, string]> => {
    const answer = await fetch(`${tower.url}${path}`);
    return [answer.status, await answer.text()];
  };
  const cluster = { id: 'cluster-home', name: 'A secret name' };
  for (const [knows, status, words] of [
    [{ standing: { state: 'starting' } }, 503, /is starting/],
    [{ standing: { state: 'pending', cluster, code: '4F29KQ', sinceMs: 0 } }, 503, /waits to be approved by a person/],
    [{ standing: { state: 'rejected', cluster, why: 'postgres://user:pass@db' } }, 503, /was rejected/],
    [{ standing: member(null) }, 503, /Nobody coordinates/],
    [{ standing: member(atlas), tunnel: null }, 503, /does not answer this machine/],
    [{ standing: member(atlas), tunnel }, 200, /^ok$/],
    [{ standing: member(atlas, 'postgres'), local: app.fetch }, 200, /^ok$/],
  ] as const) {
    Object.assign(tower.knows, { local: null, tunnel: null }, knows);
    tower.changed();
    assert.deepEqual(await ask('/healthz'), [200, 'ok']);
    const [got, said] = await ask('/readyz');
    assert.equal(got, status, said);
    assert.match(said, words);
    assert.doesNotMatch(said, /secret|pass|4F29KQ|atlas/);
  }
  db = { query: () => Promise.reject(new Error('gone')) };
  await t.waitFor(async () => assert.deepEqual(await ask('/readyz'), [503, 'The database does not answer.']), {
    interval: 100,
    timeout: 60_000,
  });
});
