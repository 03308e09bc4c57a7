import type { SourceKind } from '../core/commands.ts';
import type { Queryable } from './connect.ts';
import { json, limit, text } from './values.ts';

/** What media servers said of their files, as of the last listing of each library. Two items may be one file: a double episode. */
export interface ListedItem {
  ref: string;
  part: string;
  /** in the server's view */
  path: string;
  /** null: no rule covers its path */
  rootId: string | null;
  /** below the root */
  filePath: string | null;
  sizeBytes: number | null;
  title: string;
  detail: string;
  parts: number;
  versions: number;
  codec: string | null;
  /** milliseconds since 1970 */
  addedAt: number | null;
  watched: { views: number; positionMs: number } | null;
}

/** An item of a file, with the server that knows it. */
export interface FileItem {
  sourceId: number;
  source: string;
  sourceKind: SourceKind;
  sourceLibraryId: number;
  libraryKey: string;
  library: string;
  ref: string;
  part: string;
  path: string;
  sizeBytes: number | null;
  title: string;
  detail: string;
  parts: number;
  versions: number;
  codec: string | null;
  addedAt: Date | null;
  watched: { views: number; positionMs: number } | null;
  usedAt: Date | null;
  /** seconds since somebody was last known to play it, by the database's clock */
  usedAgo: number | null;
}

const BATCH = 5000;

/** Writes what a page of a listing says, in batches of 5,000. A part that comes twice in one listing is written once. */
export async function upsertItems(q: Queryable, sourceLibraryId: number, listing: number, items: ListedItem[]): Promise<void> {
  for (let i = 0; i < items.length; i += BATCH) await upsertBatch(q, sourceLibraryId, listing, items.slice(i, i + BATCH));
}

async function upsertBatch(q: Queryable, sourceLibraryId: number, listing: number, items: ListedItem[]): Promise<void> {
  await q.query(
    `insert into source_items as i (source_library_id, listing, ref, part, path, root_id, file_path, size_bytes, title, detail, parts, versions,
                                    codec, added_at, watched)
     select distinct on (ref, part) $1::int, $2::bigint, ref, part, path, root_id, file_path, size_bytes, title, detail, parts, versions, codec,
            to_timestamp(added / 1000.0), watched
       from unnest($3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::bigint[], $9::text[], $10::text[], $11::smallint[],
                   $12::smallint[], $13::text[], $14::bigint[], $15::jsonb[])
         as s(ref, part, path, root_id, file_path, size_bytes, title, detail, parts, versions, codec, added, watched)
     on conflict (source_library_id, ref, part) do update set listing = excluded.listing, path = excluded.path, root_id = excluded.root_id,
       file_path = excluded.file_path, size_bytes = excluded.size_bytes, title = excluded.title, detail = excluded.detail, parts = excluded.parts,
       versions = excluded.versions, codec = excluded.codec, added_at = excluded.added_at, watched = excluded.watched`,
    [
      sourceLibraryId,
      listing,
      items.map((i) => text(i.ref).slice(0, 200)),
      items.map((i) => text(i.part).slice(0, 200)),
      items.map((i) => text(i.path)),
      items.map((i) => i.rootId),
      items.map((i) => text(i.filePath)),
      items.map((i) => i.sizeBytes),
      items.map((i) => text(i.title).slice(0, 500)),
      items.map((i) => text(i.detail).slice(0, 200)),
      items.map((i) => small(i.parts)),
      items.map((i) => small(i.versions)),
      items.map((i) => text(i.codec)),
      items.map((i) => (i.addedAt === null ? null : Math.round(i.addedAt))),
      items.map((i) => json(i.watched)),
    ],
  );
}

/** A server is hostile until shown otherwise: a number that fits no column must not refuse a whole page. */
function small(value: number): number {
  return Math.min(1000, Math.max(1, Math.trunc(value) || 1));
}

/** A server said that this item is no more. Returns how many files it was. */
export async function removeItem(q: Queryable, sourceId: number, ref: string): Promise<number> {
  const rows = await q.query(
    `delete from source_items where ref = $2 and source_library_id in (select id from source_libraries where source_id = $1) returning 1`,
    [sourceId, text(ref)],
  );
  return rows.length;
}

/** One item as it was read just now: its parts are exactly these. A listing that runs meanwhile takes them for seen. */
export async function replaceItem(q: Queryable, sourceLibraryId: number, ref: string, parts: ListedItem[]): Promise<void> {
  const [row] = await q.query<{ listing: number }>(`select listing from source_libraries where id = $1`, [sourceLibraryId]);
  if (!row) return;
  await q.query(`delete from source_items where source_library_id = $1 and ref = $2 and not (part = any($3::text[]))`, [
    sourceLibraryId,
    text(ref),
    parts.map((p) => text(p.part)),
  ]);
  await upsertItems(q, sourceLibraryId, row.listing, parts);
}

/** Who knows a file, as what. */
export function itemsOfPath(q: Queryable, rootId: string, path: string): Promise<FileItem[]> {
  return q.query<FileItem>(
    `select o.id as "sourceId", o.name as source, o.kind as "sourceKind", l.id as "sourceLibraryId", l.key as "libraryKey", l.title as library,
            i.ref, i.part, i.path, i.size_bytes as "sizeBytes", i.title, i.detail, i.parts, i.versions, i.codec, i.added_at as "addedAt",
            i.watched, i.used_at as "usedAt", extract(epoch from now() - i.used_at)::float8 as "usedAgo"
       from source_items i join source_libraries l on l.id = i.source_library_id join sources o on o.id = l.source_id
      where i.root_id = $1 and i.file_path = $2 and o.enabled
      order by o.id, i.ref, i.part limit 100`,
    [rootId, text(path)],
  );
}

/** Does a source know a file at this path (in its own view), and as what? */
export async function itemAtPath(q: Queryable, sourceId: number, rootId: string, path: string): Promise<{ ref: string; path: string }[]> {
  return q.query(
    `select i.ref, i.path from source_items i join source_libraries l on l.id = i.source_library_id
      where l.source_id = $1 and i.root_id = $2 and i.file_path = $3 order by i.ref limit 20`,
    [sourceId, rootId, text(path)],
  );
}

/** The same for a file's page. */
export async function itemsOfFile(q: Queryable, fileId: number): Promise<FileItem[]> {
  const [file] = await q.query<{ rootId: string; path: string }>(
    `select l.root_id as "rootId", f.path from media_files f join libraries l on l.id = f.library_id where f.id = $1`,
    [fileId],
  );
  return file ? itemsOfPath(q, file.rootId, file.path) : [];
}

/** Somebody plays it now: it rests for some minutes afterwards. */
export async function noteUse(q: Queryable, sourceId: number, ref: string): Promise<void> {
  await q.query(
    `update source_items set used_at = now() where ref = $2 and source_library_id in (select id from source_libraries where source_id = $1)`,
    [sourceId, text(ref)],
  );
}

/** In which library of a source an item was listed; null: it is not known. */
export async function libraryOfItem(q: Queryable, sourceId: number, ref: string): Promise<number | null> {
  const [row] = await q.query<{ id: number }>(
    `select l.id from source_items i join source_libraries l on l.id = i.source_library_id where l.source_id = $1 and i.ref = $2 order by l.id limit 1`,
    [sourceId, text(ref)],
  );
  return row?.id ?? null;
}

/** A file has another name now (its container changed): whoever knew it under the old one knows it under the new one. */
export async function renameItems(q: Queryable, rootId: string, from: string, to: string): Promise<void> {
  await q.query(`update source_items set file_path = $3 where root_id = $1 and file_path = $2`, [rootId, text(from), text(to)]);
}

/** The files behind an item, to have them looked at. */
export function filesOfItem(q: Queryable, sourceId: number, ref: string): Promise<{ rootId: string; path: string }[]> {
  return q.query(
    `select distinct i.root_id as "rootId", i.file_path as path from source_items i join source_libraries l on l.id = i.source_library_id
      where l.source_id = $1 and i.ref = $2 and i.file_path is not null limit 100`,
    [sourceId, text(ref)],
  );
}

export interface ItemPath {
  sourceLibraryId: number;
  ref: string;
  part: string;
  path: string;
  sizeBytes: number | null;
  rootId: string | null;
  filePath: string | null;
}

const pathColumns = `i.source_library_id as "sourceLibraryId", i.ref, i.part, i.path, i.size_bytes as "sizeBytes", i.root_id as "rootId", i.file_path as "filePath"`;

/** The next page of a source's items, in the order of their key, to be mapped anew. */
export function pageOfItems(q: Queryable, sourceId: number, after: ItemPath | null, size = BATCH): Promise<ItemPath[]> {
  return q.query<ItemPath>(
    `select ${pathColumns} from source_items i join source_libraries l on l.id = i.source_library_id
      where l.source_id = $1 and ($2::int is null or (i.source_library_id, i.ref, i.part) > ($2, $3, $4))
      order by i.source_library_id, i.ref, i.part limit ${limit(size, BATCH)}`,
    [sourceId, after?.sourceLibraryId ?? null, after?.ref ?? null, after?.part ?? null],
  );
}

/** Where items are, by the rules of now. */
export async function mapItems(q: Queryable, items: ItemPath[]): Promise<void> {
  await q.query(
    `update source_items i set root_id = s.root_id, file_path = s.file_path
       from unnest($1::int[], $2::text[], $3::text[], $4::uuid[], $5::text[]) as s(source_library_id, ref, part, root_id, file_path)
      where i.source_library_id = s.source_library_id and i.ref = s.ref and i.part = s.part`,
    [
      items.map((i) => i.sourceLibraryId),
      items.map((i) => i.ref),
      items.map((i) => i.part),
      items.map((i) => i.rootId),
      items.map((i) => text(i.filePath)),
    ],
  );
}

/** Sample files of a source below a folder in its view, spread over all of it: the same ones every time. */
export function sampleItems(q: Queryable, sourceId: number, folder: string, most = 20): Promise<ItemPath[]> {
  return q.query<ItemPath>(
    `select * from (
       select distinct on (i.path) ${pathColumns} from source_items i join source_libraries l on l.id = i.source_library_id
        where l.source_id = $1 and (i.path = $2 or starts_with(i.path, $2 || '/') or starts_with(lower(i.path), lower($2) || chr(92)))
        order by i.path) found
      order by md5(path) limit ${limit(most, 100)}`,
    [sourceId, text(folder)],
  );
}

/** Known files of these sizes: where the files of a server may lie. */
export function filesOfSizes(q: Queryable, sizes: number[]): Promise<{ rootId: string; path: string; sizeBytes: number }[]> {
  return q.query(
    `select l.root_id as "rootId", f.path, f.size_bytes as "sizeBytes" from media_files f join libraries l on l.id = f.library_id
      where f.size_bytes = any($1::bigint[]) and f.status <> 'missing' limit 2000`,
    [sizes],
  );
}
