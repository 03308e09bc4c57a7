import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oneDatabase, freshDatabase, havePostgres, quietLog, emptyUrl, dataDirectory } from '../testing/database.ts';
import { aHistory } from '../testing/history.ts';
import { compareDatabases } from './compare.ts';
import { openSession, type LoneSession, type Queryable } from './connect.ts';
import { exportedTables, rowsOf } from './export.ts';
import { rebuild } from './rebuild.ts';
import { rowsOfDatabase } from './row-sources.ts';

/**
 * A difference is planted and has to be found. Each is undone by the end of its transaction, so that one copy serves all.
 * Values are such that a program which parses them would call them equal.
 */
const planted: { what: string; sql: string; found: RegExp }[] = [
  { what: 'a changed value', sql: `update jobs set priority = priority + 1 where id = 7`, found: /^jobs: id 7 differs in priority$/ },
  { what: 'a missing row in the middle', sql: `delete from activity where id = 5`, found: /^activity: id 5 is missing in the copy$/ },
  { what: 'a missing last row', sql: `delete from activity where id = 30`, found: /^activity: id 30 is missing in the copy$/ },
  { what: 'a missing first row', sql: `delete from activity where id = 1`, found: /^activity: id 1 is missing in the copy$/ },
  {
    what: 'a row too many in the middle',
    sql: `insert into settings (key, value, updated_by) values ('a.b', '1', 'x')`,
    found: /^settings: key a\.b is only in the copy$/,
  },
  {
    what: 'a row too many at the end',
    sql: `insert into activity (id, kind) overriding system value values (9999, 'x')`,
    found: /^activity: id 9999 is only in the copy$/,
  },
  {
    what: 'a row under another key',
    sql: `update settings set key = 'b' where key = 'a'`,
    found: /^settings: key a is missing in the copy\nsettings: key b is only in the copy$/,
  },
  {
    what: 'a number with another scale',
    sql: `update settings set value = '{"n": 1.0}' where key = 'n'`,
    found: /^settings: key n differs in value$/,
  },
  {
    what: 'a number longer than a program holds',
    sql: `update settings set value = '9007199254740992' where key = 'long'`,
    found: /^settings: key long differs in value$/,
  },
  {
    what: 'the last digit of a fraction',
    sql: `update metric_counts set n = 0.1 where name = 'sum'`,
    found: /^metric_counts: name sum, a x, b  differs in n$/,
  },
  {
    what: 'a microsecond',
    sql: `update activity set at = at + interval '1 microsecond' where id = 3`,
    found: /^activity: id 3 differs in at$/,
  },
  { what: 'an empty text for none', sql: `update activity set by = '' where id = 4`, found: /^activity: id 4 differs in by$/ },
  {
    what: 'a JSON null for none',
    sql: `update activity set params = 'null' where id = 6`,
    found: /^activity: id 6 differs in params$/,
  },
  {
    what: 'a name put together from other characters',
    sql: `update users set name = U&'Zoe\\0308' where id = 1`,
    found: /^users: id 1 differs in name$/,
  },
  {
    what: 'a list in another order',
    sql: `update api_tokens set scopes = '{queue,read}'`,
    found: /^api_tokens: id abcdefgh differs in scopes$/,
  },
  {
    what: 'a list in JSON in another order',
    sql: `update nodes set encoders = '[2, 1]' where id = 'node-a'`,
    found: /^nodes: id node-a differs in encoders$/,
  },
  { what: 'a flag', sql: `update libraries set enabled = not enabled`, found: /^libraries: id 1 differs in enabled$/ },
  {
    what: 'everything else than it was',
    sql: `update jobs set max_failures = 9`,
    found: /^(jobs: id \d+ differs in max_failures\n){9}jobs: id \d+ differs in max_failures$/,
  },
];

oneDatabase((kind) => {
  test('every planted difference between two databases is found, and said of the right row and column', async (t) => {
    const db = await freshDatabase(t, kind);
    const lead = await db.lead();
    await aHistory(lead, 30);
    await oddValues(lead);
    const there = await copyOnTheOther(t, db, kind);
    for (const { what, sql, found } of planted) {
      await there.exec('begin');
      await there.query(`select set_config('codecshift.term', (select term::text from coordinator), true)`);
      // what a copy would never have is planted past what keeps it out
      await there.exec(sql);
      const { differences } = await compareDatabases(db, there);
      await there.exec('rollback');
      assert.match(differences.join('\n'), found, what);
    }
    const equal = await compareDatabases(db, there);
    assert.deepEqual(equal.differences, []);
    assert.equal(equal.rows, await countRows(db));
  });

  test('a copy that lost a row on the way is not taken, and what was there before stays', async (t) => {
    const db = await freshDatabase(t, kind);
    await aHistory(await db.lead(), 30);
    const there = await copyOnTheOther(t, db, kind);
    for (const table of ['node_roots', 'settings', 'secrets']) {
      const { compare } = await rowsOfDatabase(db);
      const cut = { ...(await rowsOfDatabase(withoutLastRow(db, table))), compare };
      const missing = new RegExp(`The copy is not equal\\. Nothing was changed\\. ${table}: .* is missing in the copy\\.`);
      await assert.rejects(rebuild(there, cut, { life: 'moved', embedded: there.embedded }), missing);
    }
    assert.deepEqual((await compareDatabases(db, there)).differences, []);
  });
});

/** What programs lose on the way from one database to another. */
async function oddValues(q: Queryable): Promise<void> {
  await q.query(`insert into settings (key, value, updated_by) values ('n', '{"n": 1.00}', 'x'), ('long', '9007199254740993', 'x')`);
  await q.query(`insert into metric_counts (name, a, b, n) values ('sum', 'x', '', 0.1::float8 + 0.2::float8 - 0.2::float8)`);
  await q.query(`insert into activity (kind, at) select 'scan', '2026-11-30 03:00:00.123456+01' from generate_series(1, 30)`);
  await q.query(`update users set name = U&'Zo\\00EB' where id = 1`);
  await q.query(
    `insert into api_tokens (id, name, hash, scopes, created_by) values ('abcdefgh', 'home', repeat('a', 64), '{read,queue}', 'x')`,
  );
  await q.query(`update nodes set encoders = '[1, 2]' where id = 'node-a'`);
}

async function copyOnTheOther(t: Parameters<typeof freshDatabase>[0], db: Queryable, kind: 'postgres' | 'embedded'): Promise<LoneSession> {
  const url = kind === 'embedded' && havePostgres() ? await emptyUrl(t) : null;
  const there = await openSession({ url, dataDir: dataDirectory(t), log: quietLog() });
  t.after(() => there.close());
  await rebuild(there, await rowsOfDatabase(db), { life: 'moved', embedded: there.embedded });
  return there;
}

/** Reads as `db` does, but the last row of a table does not come. */
function withoutLastRow(db: Queryable, table: string): Queryable {
  return {
    ...db,
    async query<R>(sql: string, params?: unknown[]): Promise<R[]> {
      const rows = await db.query<R>(sql, params);
      return sql.includes(`from "${table}" t`) ? rows.slice(0, -1) : rows;
    },
  };
}

async function countRows(db: Queryable): Promise<number> {
  let rows = 0;
  for (const table of exportedTables) for await (const page of rowsOf(db, table)) rows += page.rows.length;
  return rows;
}
