import type { SourceKind } from '../core/commands.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** What a media server offers; those that a person ticked are watched, and have a row in `libraries` for each of their folders. */
export interface SourceLibraryRow {
  id: number;
  sourceId: number;
  key: string;
  title: string;
  kind: 'movies' | 'shows' | 'other';
  /** in the server's view */
  folders: string[];
  /** null: not counted yet */
  items: number | null;
  bytes: number | null;
  watched: boolean;
  /** as of the last whole listing */
  changeMark: string | null;
  listedAt: Date | null;
  /** the server does not list it any more */
  goneAt: Date | null;
  /** the rows of `libraries` that it became */
  libraryIds: number[];
}

export interface OfferedLibrary {
  key: string;
  title: string;
  kind: 'movies' | 'shows' | 'other';
  folders: string[];
}

const columns = `s.id, s.source_id as "sourceId", s.key, s.title, s.kind, s.folders, s.items, s.bytes, s.watched, s.change_mark as "changeMark",
  s.listed_at as "listedAt", s.gone_at as "goneAt",
  array(select l.id from libraries l where l.source_library_id = s.id order by l.folder) as "libraryIds"`;

/** Of one source, or of all; those that are there first, by title. */
export function listSourceLibraries(q: Queryable, sourceId: number | null = null): Promise<SourceLibraryRow[]> {
  return q.query<SourceLibraryRow>(
    `select ${columns} from source_libraries s where $1::int is null or s.source_id = $1
      order by s.source_id, s.gone_at is not null, lower(s.title), s.id`,
    [sourceId],
  );
}

export async function readSourceLibrary(
  q: Queryable,
  id: number,
): Promise<(SourceLibraryRow & { source: string; sourceKind: SourceKind; enabled: boolean }) | null> {
  const rows = await q.query<SourceLibraryRow & { source: string; sourceKind: SourceKind; enabled: boolean }>(
    `select ${columns}, o.name as source, o.kind as "sourceKind", o.enabled from source_libraries s join sources o on o.id = s.source_id where s.id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

/** What the server offers now, all of it: new ones come, others are marked as gone, one that is back is back. True when anything changed. */
export async function offerLibraries(q: Queryable, sourceId: number, offered: OfferedLibrary[]): Promise<boolean> {
  const rows = await q.query(
    `with said as (
       select * from jsonb_to_recordset($2::jsonb) as s(key text, title text, kind text, folders jsonb)
     ), gone as (
       update source_libraries set gone_at = now()
        where source_id = $1 and gone_at is null and key not in (select key from said) returning 1
     ), written as (
       insert into source_libraries as l (source_id, key, title, kind, folders)
       select distinct on (key) $1::int, key, title, kind, folders from said
       on conflict (source_id, key) do update set title = excluded.title, kind = excluded.kind, folders = excluded.folders, gone_at = null
        where (l.title, l.kind, l.folders) is distinct from (excluded.title, excluded.kind, excluded.folders) or l.gone_at is not null
       returning 1
     )
     select 1 from gone union all select 1 from written`,
    [sourceId, json(offered.map((l) => ({ ...l, key: l.key.slice(0, 200), title: l.title.slice(0, 200) || l.key.slice(0, 200) })))],
  );
  return rows.length > 0;
}

/** How many items it has, where only that was asked; a listing counts them itself. */
export async function countSourceLibrary(q: Queryable, id: number, items: number): Promise<void> {
  await q.query(`update source_libraries set items = $2 where id = $1 and items is distinct from $2`, [id, items]);
}

export async function setWatched(q: Queryable, id: number, watched: boolean): Promise<void> {
  await q.query(`update source_libraries set watched = $2 where id = $1`, [id, watched]);
}

/** A listing begins: its number, which every item that it sees gets. */
export async function beginListing(q: Queryable, id: number): Promise<number> {
  const rows = await q.query<{ listing: number }>(`update source_libraries set listing = listing + 1 where id = $1 returning listing`, [
    id,
  ]);
  if (!rows[0]) throw new Error(`there is no source library ${id}`);
  return rows[0].listing;
}

/**
 * A listing is complete: items that it did not see are forgotten, counts and mark are those of now. `mark` is the one from
 * before it began, so that what changed meanwhile is listed again. Returns how many items went.
 */
export async function endListing(q: Queryable, id: number, listing: number, mark: string | null): Promise<number> {
  const rows = await q.query<{ gone: number }>(
    `with gone as (
       delete from source_items where source_library_id = $1 and listing < $2 returning 1
     ), counted as (
       select count(distinct ref)::int as items, coalesce(sum(size_bytes), 0)::bigint as bytes from source_items where source_library_id = $1 and listing >= $2
     ), said as (
       update source_libraries set items = counted.items, bytes = counted.bytes, change_mark = $3, listed_at = now() from counted where id = $1
     )
     select count(*)::int as gone from gone`,
    [id, listing, text(mark)],
  );
  return rows[0]!.gone;
}

/** Its items have to be listed anew, whatever the mark says. */
export async function forgetMark(q: Queryable, id: number): Promise<void> {
  await q.query(`update source_libraries set change_mark = null where id = $1`, [id]);
}
