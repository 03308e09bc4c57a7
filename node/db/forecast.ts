import { lineBands } from '../core/film-class.ts';
import type { FilmClass } from '../core/film-class.ts';
import type { ClassCount, FilmSample, What } from '../core/library-forecast.ts';
import { reasonCodes, reasonEntry } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { likePattern, searchSql } from './file-lists.ts';
import { fileColumns, type MediaFileRow } from './media-files.ts';
import { cutPage, keyset, type Order, type Page, type PageWish } from './page.ts';
import { limit, text } from './values.ts';

/** What a forecast and a dry run read: files counted by class, and files one by one with what would be done with each. */

/** As `linesOf` of core/film-class.ts. */
const linesSql = `case when coalesce(f.width, 0) = 0 or coalesce(f.height, 0) = 0 then 'unknown' ${lineBands
  .map(({ name, upTo }) =>
    upTo === null
      ? `else '${name}'`
      : `when greatest(least(f.width, f.height), greatest(f.width, f.height) * 9 / 16.0) <= ${upTo} then '${name}'`,
  )
  .join(' ')} end`;

/**
 * The files of a library in groups of one class, status and reason. It reads every row of the library once (some seconds for a
 * million files), so whoever shows it keeps the answer for a while.
 */
export function classCounts(q: Queryable, libraryId: number): Promise<ClassCount[]> {
  return q.query<ClassCount>(
    `select coalesce(f.codec, '') as codec, ${linesSql} as lines, f.hdr, f.bit_depth as "bitDepth", f.status, f.reason ->> 'code' as reason,
            count(*)::bigint as files, sum(f.size_bytes)::bigint as bytes,
            sum(least(coalesce(f.expected_bytes, f.size_bytes), f.size_bytes))::bigint as "expectedBytes",
            coalesce(sum(f.width::float8 * f.height * f.duration_ms / 1000 * coalesce(f.frame_rate, 25)), 0) as pixels
       from media_files f where f.library_id = $1 and f.status <> 'missing'
      group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6`,
    [libraryId],
  );
}

/** What was measured for this wish (`wishKey` of core/film-sample.ts), newest first, at most 2,000. */
export function listSamples(q: Queryable, libraryId: number, wish: string): Promise<FilmSample[]> {
  return q.query<FilmSample>(
    `select file_id as "fileId", class, guessed_bytes as "guessedBytes", measured_bytes as "measuredBytes" from film_samples
      where library_id = $1 and wish = $2 order by id desc limit 2000`,
    [libraryId, text(wish)],
  );
}

/**
 * Films of one class to be measured: from the middle of the small, the usual and the large ones, without those that were
 * measured already. They wait in the queue, so their plan is known.
 */
export function filmsToMeasure(
  q: Queryable,
  libraryId: number,
  of: FilmClass,
  wish: string,
  films: number,
): Promise<{ fileId: number; jobId: number }[]> {
  return q.query(
    `with all_of as materialized (
       select f.id, row_number() over (order by f.size_bytes, f.id) as place, count(*) over () as n
         from media_files f
        where f.library_id = $1 and f.status = 'queued' and coalesce(f.codec, '') = $2 and ${linesSql} = $3
          and f.hdr is not distinct from $4 and f.bit_depth is not distinct from $5 and f.duration_ms >= 10000
          and not exists (select 1 from film_samples s where s.file_id = f.id and s.wish = $6)
     ), chosen as (
       select a.id from all_of a where a.place in (ceil(a.n / 2.0), ceil(a.n / 6.0), ceil(a.n * 5 / 6.0))
        order by abs(a.place - a.n / 2.0), a.id limit ${limit(films, 10)}
     )
     select c.id as "fileId", j.id as "jobId" from chosen c join jobs j on j.file_id = c.id and j.state = 'available'`,
    [libraryId, text(of.codec), of.lines, of.hdr, of.bitDepth, text(wish)],
  );
}

export interface PlanFilter {
  what: What | null;
  /** a reason's code */
  reason: string | null;
  codec: string | null;
  search: string | null;
}

const doneCodes = reasonCodes
  .filter((code) => reasonEntry(code).kind === 'done')
  .map((code) => `'${code}'`)
  .join(', ');
const code = `coalesce(f.reason ->> 'code', '')`;

/** As `whatOf` of core/library-forecast.ts. */
const whatSql: Record<What, string> = {
  convert: `f.status = 'queued' and ${code} <> 'rewrap'`,
  rewrap: `f.status = 'queued' and f.reason ->> 'code' = 'rewrap'`,
  later: `(f.status in ('new', 'settling') or (f.status = 'skipped' and f.reason ->> 'code' = 'too-young'))`,
  done: `(f.status = 'done' or (f.status = 'skipped' and ${code} in (${doneCodes})))`,
  leave: `f.status in ('skipped', 'kept', 'failed') and ${code} not in ('too-young', ${doneCodes})`,
};

/** A dry run: the files of a library, in the order in which they were found, with what would be done with each and why. */
export async function listPlan(q: Queryable, libraryId: number, filter: PlanFilter, wish: PageWish = {}): Promise<Page<MediaFileRow>> {
  const order: Order[] = [{ sql: 'f.id', cast: 'bigint', descending: false }];
  const set = keyset(order, wish, 5);
  const rows = await q.query<MediaFileRow & { key: string[] }>(planSql(filter.what, set), [
    libraryId,
    text(filter.codec),
    text(filter.reason),
    likePattern(filter.search),
    ...set.params,
  ]);
  return cutPage(rows, set);
}

/** Parameters: library, codec, reason, search, then the keyset's. */
export function planSql(what: What | null, set: ReturnType<typeof keyset>): string {
  return `select ${fileColumns}, ${set.key} as key from media_files f
      where f.library_id = $1 and ${what ? whatSql[what] : `f.status <> 'missing'`} and ($2::text is null or f.codec = $2)
        and ($3::text is null or f.reason ->> 'code' = $3) and ${searchSql('$4')} and ${set.where}
      order by ${set.orderBy} limit ${set.limit}`;
}
