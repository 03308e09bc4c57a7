import type { FileStatus } from '../core/job.ts';
import type { Reason } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** What a person or a rule decided about files, and what makes them new again. */

const notRunning = `not exists (select 1 from jobs r where r.file_id = f.id and r.state = 'running')`;

/** Sets status and reason of files that have no running job; `from`: only where that is their status still. Returns how many. */
export async function setStatus(
  q: Queryable,
  ids: number[],
  status: FileStatus,
  reason: Reason | null,
  from: FileStatus | null = null,
): Promise<number> {
  const rows = await q.query(
    `update media_files f set status = $2, reason = $3, updated_at = now()
      where f.id = any($1::bigint[]) and ($4::text is null or f.status = $4) and ${notRunning} returning 1`,
    [ids, status, json(reason), from],
  );
  return rows.length;
}

/** A person said: leave this file alone. Its waiting job is cancelled; a running one must be cancelled before (then: false). */
export async function excludeFile(q: Queryable, id: number, by: string, reason: Reason): Promise<boolean> {
  const rows = await q.query(
    `with done as (
       update media_files f set excluded_by = $2, status = 'skipped', reason = $3, updated_at = now()
        where f.id = $1 and ${notRunning} returning f.id
     ), stale as (
       update jobs j set state = 'cancelled', retry_at = null, finished_at = now(), reason = $3
         from done d where j.file_id = d.id and j.state in ('available', 'held')
     )
     select id from done`,
    [id, text(by), json(reason)],
  );
  return rows.length > 0;
}

/** Takes the exclusion back; the file is new again and the next inspection plans it. */
export async function includeFile(q: Queryable, id: number): Promise<boolean> {
  const rows = await q.query(
    `update media_files set excluded_by = null, status = case status when 'missing' then status else 'new' end, reason = null, updated_at = now()
      where id = $1 and excluded_by is not null returning 1`,
    [id],
  );
  return rows.length > 0;
}

/**
 * Files that could not be looked at for a reason outside of them are new again, so that a scan tries once more: their own
 * size and time will not change when a folder gets its permissions back. Returns how many.
 */
export async function bringBackUnread(q: Queryable, libraryId: number, codes: readonly Reason['code'][]): Promise<number> {
  const rows = await q.query(
    `update media_files set status = 'new', reason = null, updated_at = now()
      where library_id = $1 and status = 'skipped' and reason ->> 'code' = any($2::text[]) and inode <> '' and excluded_by is null returning 1`,
    [libraryId, codes],
  );
  return rows.length;
}

/** Files that were to be decided again by now are new again, at most 500. Returns the libraries they belong to. */
export async function bringBackDue(q: Queryable): Promise<number[]> {
  const rows = await q.query<{ id: number }>(
    `with due as materialized (select id from media_files where look_at <= now() order by look_at limit 500),
          back as (
       update media_files f set look_at = null, status = case f.status when 'skipped' then 'new' else f.status end, updated_at = now()
         from due d where f.id = d.id returning f.library_id
     )
     select distinct library_id as id from back`,
  );
  return rows.map((row) => row.id);
}

/** Files that left the queue when somebody emptied it are new again, because a person asked for a scan. Returns how many. */
export async function bringBackCleared(q: Queryable, libraryId: number): Promise<number> {
  const rows = await q.query(
    `update media_files f set status = 'new', reason = null, updated_at = now()
      where library_id = $1 and status = 'skipped' and reason ->> 'code' = 'cleared' and excluded_by is null returning 1`,
    [libraryId],
  );
  return rows.length;
}
