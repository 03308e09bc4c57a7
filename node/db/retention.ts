import type { Queryable } from './connect.ts';
import { limit } from './values.ts';

/**
 * What goes with time, a batch at a time: each takes the oldest, at most so many rows, by an index, and returns how many went. Fewer
 * than it might have taken: that was all. coordinator/retention.ts says how long each of it is kept.
 */
export const BATCH = 1000;
/** Of what takes other rows with it. */
export const SMALL_BATCH = 100;

/** What ffmpeg said of runs that are long over; what came of them stays. */
export function forgetRunLogs(q: Queryable, days: number, most = BATCH): Promise<number> {
  return counted(
    q,
    `update attempts set stderr_tail = null where id in (
       select id from attempts where stderr_tail is not null and ended_at < now() - make_interval(days => $1) order by ended_at limit ${limit(most, BATCH)}
     ) returning 1`,
    [days],
  );
}

/** Jobs that came to nothing because a person or another rule took them off the queue: they tell nothing that is wanted later. */
export function forgetCancelledJobs(q: Queryable, days: number, most = SMALL_BATCH): Promise<number> {
  return counted(
    q,
    `delete from jobs where id in (
       select id from jobs where state = 'cancelled' and finished_at < now() - make_interval(days => $1) order by finished_at limit ${limit(most, BATCH)}
     ) and not exists (select 1 from attempts a where a.job_id = jobs.id and a.ended_at is null) returning 1`,
    [days],
  );
}

/**
 * Files that have been gone for so long, with their jobs: a recorder makes and deletes films for ever. One whose original is or may
 * be in a trash stays, and one that a person told us to leave alone.
 */
export function forgetGoneFiles(q: Queryable, days: number, most = SMALL_BATCH): Promise<number> {
  return counted(
    q,
    `delete from media_files where id in (
       select f.id from media_files f
        where f.status = 'missing' and f.updated_at < now() - make_interval(days => $1) and f.excluded_by is null
          and not exists (select 1 from jobs j where j.file_id = f.id and j.state in ('available', 'running', 'held'))
          and not exists (select 1 from originals o where o.file_id = f.id and o.state in ('kept', 'gone'))
        limit ${limit(most, BATCH)}
     ) returning 1`,
    [days],
  );
}

/** What became of originals whose file is not known any more: it was forgotten, or its library removed. */
export function forgetEndedOriginals(q: Queryable, days: number, most = BATCH): Promise<number> {
  return counted(
    q,
    `delete from originals where id in (
       select id from originals where file_id is null and state in ('restored', 'expired') and ended_at < now() - make_interval(days => $1)
        order by id limit ${limit(most, BATCH)}
     ) returning 1`,
    [days],
  );
}

/** What media servers were told and have confirmed, or need not know any more. */
export function forgetEndedMessages(q: Queryable, days: number, most = BATCH): Promise<number> {
  return counted(
    q,
    `delete from source_messages where id in (
       select id from source_messages where ended_at < now() - make_interval(days => $1) order by ended_at limit ${limit(most, BATCH)}
     ) returning 1`,
    [days],
  );
}

/** Of each library the newest scans stay, and the last whole one. */
export function forgetScans(q: Queryable, keep: number, most = BATCH): Promise<number> {
  return counted(
    q,
    `delete from scans where state <> 'running' and id in (
       select s.id from libraries l
        cross join lateral (select id from scans where library_id = l.id order by id desc offset $1 limit ${limit(most, BATCH)}) s
        where s.id is distinct from (select id from scans where library_id = l.id and state = 'completed' order by id desc limit 1)
        limit ${limit(most, BATCH)}
     ) returning 1`,
    [keep],
  );
}

/** Of each library the newest measurements stay; what was measured is another table. */
export function forgetMeasures(q: Queryable, keep: number, most = BATCH): Promise<number> {
  return counted(
    q,
    `delete from measures where state <> 'running' and id in (
       select m.id from libraries l
        cross join lateral (select id from measures where library_id = l.id order by id desc offset $1 limit ${limit(most, BATCH)}) m
        limit ${limit(most, BATCH)}
     ) returning 1`,
    [keep],
  );
}

/** The newest changes of settings stay. */
export function forgetSettingChanges(q: Queryable, keep: number, most = BATCH): Promise<number> {
  return counted(
    q,
    `delete from settings_history where id in (select id from settings_history order by id desc offset $1 limit ${limit(most, BATCH)}) returning 1`,
    [keep],
  );
}

async function counted(q: Queryable, sql: string, params: unknown[]): Promise<number> {
  return (await q.query(sql, params)).length;
}
