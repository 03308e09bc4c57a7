import type { Queryable } from './connect.ts';
import { noticeOfLine } from './notices.ts';
import { cutPage, keyset, type Order, type Page, type PageWish } from './page.ts';
import { BATCH } from './retention.ts';
import { json, text } from './values.ts';

/** What happened, for people: one row per event, made into a sentence when it is shown. */
export interface Activity {
  id: number;
  at: Date;
  term: number;
  kind: string;
  /** 0 a note, 1 needs a look, 2 failed */
  severity: 0 | 1 | 2;
  nodeId: string | null;
  libraryId: number | null;
  jobId: number | null;
  fileId: number | null;
  by: string | null;
  params: Record<string, unknown>;
}

export interface NewActivity {
  kind: string;
  severity?: 0 | 1 | 2;
  nodeId?: string | null;
  libraryId?: number | null;
  jobId?: number | null;
  fileId?: number | null;
  by?: string | null;
  params?: Record<string, unknown>;
}

const columns = `id, at, term, kind, severity, node_id as "nodeId", library_id as "libraryId", job_id as "jobId",
  file_id as "fileId", by, params`;
const newestFirst: Order[] = [{ sql: 'id', cast: 'bigint', descending: true }];

/**
 * Notes an event. What a file is called is kept with it ("The Lucy Show S02 E14"), so that the story still reads when
 * the file is gone; a job brings its file and its library with it. What people are told of it (core/notice-facts.ts) is
 * written by the same statement.
 */
export async function addActivity(q: Queryable, event: NewActivity): Promise<number> {
  const notice = noticeOfLine(event, 9);
  const [row] = await q.query<{ id: number }>(
    `with line as (
     insert into activity (term, kind, severity, node_id, library_id, job_id, file_id, by, params)
     select coalesce(nullif(current_setting('codecshift.term', true), '')::bigint, 0), $1::text, $2::smallint, $3::text,
            coalesce($4::int, f.library_id), $5::bigint, coalesce($6::bigint, f.id), $7::text,
            $8::jsonb || case when f.id is null then '{}' else jsonb_build_object('title', btrim(f.title || ' ' || f.detail)) end
       from (select 1) one left join media_files f on f.id = coalesce($6::bigint, (select file_id from jobs where id = $5::bigint))
     returning id, kind, node_id, job_id, params)${notice.sql}
     select id from line`,
    [
      event.kind,
      event.severity ?? 0,
      event.nodeId ?? null,
      event.libraryId ?? null,
      event.jobId ?? null,
      event.fileId ?? null,
      text(event.by ?? null),
      json(event.params ?? {}),
      ...notice.params,
    ],
  );
  return row!.id;
}

export interface ActivityFilter {
  libraryId?: number | null;
  minSeverity?: 0 | 1 | 2;
}

export async function listActivity(q: Queryable, filter: ActivityFilter = {}, wish: PageWish = {}): Promise<Page<Activity>> {
  const set = keyset(newestFirst, wish, 2);
  // written out, not a parameter: only a constant matches the partial index over severity > 0
  const severe = filter.minSeverity ? `severity > 0 and severity >= ${Number(filter.minSeverity)}` : 'true';
  const rows = await q.query<Activity & { key: string[] }>(
    `select ${columns}, ${set.key} as key from activity
      where ($1::int is null or library_id = $1) and ${severe} and ${set.where} order by ${set.orderBy} limit ${set.limit}`,
    [filter.libraryId ?? null, ...set.params],
  );
  return cutPage(rows, set);
}

/** A job's story, oldest first. */
export function activityForJob(q: Queryable, jobId: number): Promise<Activity[]> {
  return q.query<Activity>(`select ${columns} from activity where job_id = $1 order by id limit 500`, [jobId]);
}

/** A file's story, newest first. */
export function activityForFile(q: Queryable, fileId: number): Promise<Activity[]> {
  return q.query<Activity>(`select ${columns} from activity where file_id = $1 order by id desc limit 200`, [fileId]);
}

/**
 * Forgets notes older than a number of days, at most 1,000 rows at a time. Returns how many went. The oldest are first by their
 * numbers: nothing behind them is looked at.
 */
export async function forgetActivity(q: Queryable, days: number): Promise<number> {
  const rows = await q.query(
    `delete from activity where id in (
       select id from (select id, at from activity order by id limit ${BATCH}) oldest where at < now() - make_interval(days => $1)
     ) returning 1`,
    [days],
  );
  return rows.length;
}
