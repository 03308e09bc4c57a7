import type { Queryable } from './connect.ts';

/** What a person who helps wants to know of the books; read only for a support bundle. */
export interface SupportCount {
  of: 'jobs' | 'files';
  state: string;
  reason: string | null;
  count: number;
}

/** Jobs and files by state and reason. Walks both tables, which at a million files takes about a second. */
export function countByReason(q: Queryable): Promise<SupportCount[]> {
  return q.query(
    `select 'jobs' as of, state, reason->>'code' as reason, count(*)::int as count from jobs group by state, reason->>'code'
     union all
     select 'files', status, reason->>'code', count(*)::int from media_files group by status, reason->>'code'
     order by 1, 4 desc`,
  );
}

export interface FailedRun {
  attempt: number;
  job: number;
  node: string;
  state: string;
  encoder: string | null;
  path: string;
  title: string;
  reason: unknown;
  command: string[] | null;
  stderrTail: string | null;
  startedAt: Date;
  endedAt: Date | null;
}

/** The last runs that did not end well, among the last twenty thousand, newest first. */
export function lastFailures(q: Queryable, most: number): Promise<FailedRun[]> {
  return q.query(
    `select a.id as attempt, a.job_id as job, a.node_id as node, a.state, a.encoder, f.path, f.title, a.reason, a.command,
            right(a.stderr_tail, 8000) as "stderrTail", a.started_at as "startedAt", a.ended_at as "endedAt"
       from (select * from attempts order by id desc limit 20000) a
       join jobs j on j.id = a.job_id join media_files f on f.id = j.file_id
      where a.state in ('failed', 'lost', 'rejected')
      order by a.id desc limit $1`,
    [most],
  );
}

export interface DatabaseFacts {
  says: string;
  sizeBytes: number;
  migrations: { version: number; name: string }[];
}

export async function databaseFacts(q: Queryable): Promise<DatabaseFacts> {
  const [row] = await q.query<{ says: string; sizeBytes: number }>(
    `select version() as says, pg_database_size(current_database())::float8 as "sizeBytes"`,
  );
  const migrations = await q.query<{ version: number; name: string }>(`select version, name from schema_migrations order by version`);
  return { says: row!.says, sizeBytes: row!.sizeBytes, migrations };
}
