import { claim } from '../db/claims.ts';
import { failAttempt } from '../db/run-ends.ts';
import { makeClusterKey } from '../mesh/signing.ts';
import type { Database, Queryable } from '../db/connect.ts';
import { putSetting } from '../db/settings.ts';
import { foundCluster } from '../db/cluster.ts';
import { aLibrary, because, someJobs, testNode } from './records.ts';

/** A database in which something happened: a cluster, a library with odd names, jobs that wait, run and failed, people. */
export async function aHistory(q: Database, films = 300): Promise<{ cluster: string }> {
  const key = makeClusterKey();
  await foundCluster(q, key, 'House of Ada');
  const library = await aLibrary(q, 'It\'s 100 % \u2028 "films"');
  await someJobs(q, library.id, films);
  for (let i = 0; i < 3; i++) {
    const job = await claim(q, { node: testNode, classes: [1], term: 1, leaseSeconds: 60, keepers: [testNode] });
    if (i < 2) await failAttempt(q, job!, { reason: because('x'), retry: i === 0 });
  }
  await putSetting(q, { key: 'a', value: { b: 1 }, version: 0 }, 'Ada', 'page');
  await q.query(`insert into users (name, name_key, role, password, created_by) values ('Ada', 'ada', 'admin', '$argon2id$none', 'test')`);
  await q.query(`insert into secrets (name, sealed, changed_by) values ('plex', 's1.sealed', 'Ada')`);
  await q
    .query(
      `insert into settings (key, value, updated_by) values ('ziffer', '1', 'Ada'), ('Zahl', '2', 'Ada'), ('z.a', '3', 'Ada') on conflict do nothing`,
    )
    .catch(() => {});
  return { cluster: key.cluster };
}

/** A session for `rebuild` over a database of a test. */
export function sessionOver(q: Queryable): { query<R>(sql: string, params?: unknown[]): Promise<R[]>; exec(sql: string): Promise<void> } {
  return { query: (sql, params) => q.query(sql, params), exec: async (sql) => void (await q.query(sql)) };
}
