import type { Fingerprint } from '../core/media.ts';
import { FOUND_FROM, type Found } from '../core/found.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** Originals that lay in a trash without being in the books: taken in from the notes beside them, or only remembered as strangers. */
export interface NewFound {
  rootId: string;
  fileId: number | null;
  title: string;
  path: string;
  trashPath: string;
  fingerprint: Fingerprint;
  found: Found;
  retentionSeconds: number;
}

/** Of these places in a trash, those that no row of the books speaks of. */
export async function unknownPlaces(q: Queryable, rootId: string, trashPaths: readonly string[]): Promise<string[]> {
  const rows = await q.query<{ path: string }>(
    `select p.path from unnest($2::text[]) as p(path)
      where not exists (select 1 from originals o where o.root_id = $1 and o.trash_path = p.path and o.state in ('kept', 'gone'))`,
    [rootId, trashPaths.map(text)],
  );
  return rows.map((row) => row.path);
}

/** The film that stands where an original was: known by what replaced it, else by its name. */
export async function fileInPlace(
  q: Queryable,
  rootId: string,
  paths: readonly string[],
  hash: string | null,
): Promise<{ id: number; title: string } | null> {
  const [row] = await q.query<{ id: number; title: string }>(
    `select f.id, f.title from media_files f join libraries l on l.id = f.library_id
      where l.root_id = $1 and f.status <> 'missing' and (f.hash = $3 or f.path = any($2::text[]))
      order by (f.hash = $3) desc nulls last, f.id limit 1`,
    [rootId, paths.map(text), hash],
  );
  return row ?? null;
}

/**
 * Its time begins now, however long it has waited: that is never earlier than it would have gone. Its number is like an
 * attempt's and never one of those. Null when it became known meanwhile.
 */
export async function addFound(q: Queryable, o: NewFound): Promise<number | null> {
  const [row] = await q.query<{ id: number }>(
    `with n as (select nextval(pg_get_serial_sequence('originals', 'id')) as id)
     insert into originals (id, attempt_id, job_id, file_id, title, root_id, path, trash_path, size_bytes, fingerprint, found, expires_at)
     overriding system value
     select n.id, $1::bigint + n.id, $1::bigint + n.id, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(secs => $10) from n
      where not exists (select 1 from originals o where o.root_id = $4 and o.trash_path = $6 and o.state in ('kept', 'gone'))
     returning id`,
    [
      FOUND_FROM,
      o.fileId,
      text(o.title),
      o.rootId,
      text(o.path),
      text(o.trashPath),
      o.fingerprint.sizeBytes,
      json(o.fingerprint),
      json(o.found),
      o.retentionSeconds,
    ],
  );
  return row?.id ?? null;
}

/** Its own attempt reports it after all: the books have it as any other from now on. */
export async function forgetFound(q: Queryable, rootId: string, trashPath: string): Promise<void> {
  await q.query(`delete from originals where root_id = $1 and trash_path = $2 and found is not null and state in ('kept', 'gone')`, [
    rootId,
    text(trashPath),
  ]);
}

export interface FoundOriginal {
  id: number;
  fileId: number | null;
  title: string;
  path: string;
  sizeBytes: number;
  expiresAt: Date;
  found: Found;
}

/** What was found in the trash of a root and waits there, oldest find first; a page of 100 by id. */
export function listFound(q: Queryable, rootId: string, after: number): Promise<FoundOriginal[]> {
  return q.query(
    `select id, file_id as "fileId", title, path, size_bytes as "sizeBytes", expires_at as "expiresAt", found
       from originals where root_id = $1 and id > $2 and state = 'kept' and found is not null order by id limit 100`,
    [rootId, after],
  );
}

export interface Stranger {
  trashPath: string;
  sizeBytes: number;
  mtimeMs: number;
  why: string;
}

/** At most 500: a trash full of a person's own files is listed in part. */
export async function writeStrangers(q: Queryable, rootId: string, strangers: readonly Stranger[]): Promise<void> {
  const some = strangers.slice(0, 500);
  await q.query(
    `with gone as (delete from trash_strangers where root_id = $1 and trash_path <> all($2::text[]))
     insert into trash_strangers (root_id, trash_path, size_bytes, mtime_ms, why)
     select $1, * from unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[])
     on conflict (root_id, trash_path) do update set size_bytes = excluded.size_bytes, mtime_ms = excluded.mtime_ms, why = excluded.why`,
    [
      rootId,
      some.map((s) => text(s.trashPath)),
      some.map((s) => s.sizeBytes),
      some.map((s) => Math.round(s.mtimeMs)),
      some.map((s) => text(s.why)),
    ],
  );
}

export function listStrangers(q: Queryable, rootId: string): Promise<Stranger[]> {
  return q.query(
    `select trash_path as "trashPath", size_bytes as "sizeBytes", mtime_ms as "mtimeMs", why from trash_strangers
      where root_id = $1 order by trash_path limit 500`,
    [rootId],
  );
}

/** How many there are below each root that has any. */
export function strangersOfRoots(q: Queryable): Promise<{ rootId: string; files: number; bytes: number }[]> {
  return q.query(
    `select root_id as "rootId", count(*)::int as files, sum(size_bytes)::bigint as bytes from trash_strangers group by root_id limit 500`,
  );
}
