import { frameRateOf } from '../core/estimate.ts';
import { filmStreams, type Fingerprint, type Probe } from '../core/media.ts';
import type { FileStatus } from '../core/job.ts';
import type { Reason } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { json, limit, text } from './values.ts';

/**
 * Media files: what a scan found and what inspection said of it. A file with a running job is never changed by a scan:
 * its keeper compares fingerprints before the swap, and the next scan sees the difference again.
 */
export interface MediaFile extends MediaFileRow {
  probe: Probe | null;
}

export interface MediaFileRow {
  id: number;
  libraryId: number;
  path: string;
  title: string;
  detail: string;
  sizeBytes: number;
  mtimeMs: number;
  inode: string;
  links: number;
  hash: string | null;
  container: string | null;
  codec: string | null;
  width: number | null;
  height: number | null;
  durationMs: number | null;
  bitrate: number | null;
  bitDepth: number | null;
  hdr: string | null;
  status: FileStatus;
  reason: Reason | null;
  expectedBytes: number | null;
  originalBytes: number | null;
  madeHash: string | null;
  excludedBy: string | null;
  createdAt: Date;
  updatedAt: Date;
}

export interface KnownFile {
  id: number;
  path: string;
  sizeBytes: number;
  mtimeMs: number;
  inode: string;
  hash: string | null;
  status: FileStatus;
}

/** A file that a walk found new or changed. */
export interface ListedFile {
  path: string;
  title: string;
  detail: string;
  sizeBytes: number;
  mtimeMs: number;
  inode: string;
  links: number;
  status: FileStatus;
  reason: Reason | null;
}

export interface InspectedFile {
  id: number;
  fingerprint: Fingerprint | null;
  /** null when ffprobe could not read it; the reason says why */
  probe: Probe | null;
  status: FileStatus;
  reason: Reason | null;
  /** size after conversion when there is something to win */
  expectedBytes: number | null;
  /** it is to be decided again by itself in so many milliseconds */
  againInMs?: number | null;
}

export const fileColumns = `f.id, f.library_id as "libraryId", f.path, f.title, f.detail, f.size_bytes as "sizeBytes", f.mtime_ms as "mtimeMs",
  f.inode, f.links, f.hash, f.container, f.codec, f.width, f.height, f.duration_ms as "durationMs", f.bitrate,
  f.bit_depth as "bitDepth", f.hdr, f.status, f.reason, f.expected_bytes as "expectedBytes", f.original_bytes as "originalBytes",
  f.made_hash as "madeHash", f.excluded_by as "excludedBy", f.created_at as "createdAt", f.updated_at as "updatedAt"`;

const notRunning = `not exists (select 1 from jobs r where r.file_id = f.id and r.state = 'running')`;

/**
 * The next page of what is known of a library, in byte order of the path, to be compared with a walk; `below`: only what
 * lies in this folder. After '/' comes '0' in that order.
 */
export function knownFiles(
  q: Queryable,
  libraryId: number,
  after: string | null,
  { below = null, size = 5000 }: { below?: string | null; size?: number } = {},
): Promise<KnownFile[]> {
  return q.query<KnownFile>(
    `select id, path, size_bytes as "sizeBytes", mtime_ms as "mtimeMs", inode, hash, status from media_files
      where library_id = $1 and ($2::text is null or path > $2 collate "C") and ($3::text is null or path < $3 collate "C")
      order by path limit ${limit(size, 20_000)}`,
    [libraryId, after ?? (below === null ? null : `${text(below)}/`), below === null ? null : `${text(below)}0`],
  );
}

/**
 * Writes new and changed files, in batches of 5,000. A changed file's waiting job is cancelled with `changed` as its
 * reason, because its plan was made for other content. Returns the ids in no particular order.
 */
export async function upsertListed(
  q: Queryable,
  libraryId: number,
  files: ListedFile[],
  changed: Reason,
): Promise<{ id: number; path: string; added: boolean }[]> {
  const written: { id: number; path: string; added: boolean }[] = [];
  for (let i = 0; i < files.length; i += 5000) {
    written.push(...(await upsertBatch(q, libraryId, files.slice(i, i + 5000), changed)));
  }
  return written;
}

function upsertBatch(
  q: Queryable,
  libraryId: number,
  files: ListedFile[],
  changed: Reason,
): Promise<{ id: number; path: string; added: boolean }[]> {
  return q.query(
    `with said as (
       select distinct on (path) * from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::int[], $9::text[], $10::jsonb[])
         as s(path, title, detail, size_bytes, mtime_ms, inode, links, status, reason) order by path
     ), written as (
       insert into media_files as f (library_id, path, title, detail, size_bytes, mtime_ms, inode, links, status, reason)
       select $1, path, title, detail, size_bytes, mtime_ms, inode, links, status, reason from said
       on conflict (library_id, path) do update set title = excluded.title, detail = excluded.detail, size_bytes = excluded.size_bytes,
         mtime_ms = excluded.mtime_ms, inode = excluded.inode, links = excluded.links, status = excluded.status, reason = excluded.reason,
         expected_bytes = null, look_at = null, updated_at = now()
       where ${notRunning}
       returning id, path, xmax = 0 as added
     ), stale as (
       update jobs j set state = 'cancelled', retry_at = null, finished_at = now(), reason = $11
         from written w where j.file_id = w.id and not w.added and j.state in ('available', 'held')
     )
     select id, path, added from written`,
    [
      libraryId,
      files.map((f) => text(f.path)),
      files.map((f) => text(f.title)),
      files.map((f) => text(f.detail)),
      files.map((f) => f.sizeBytes),
      files.map((f) => Math.round(f.mtimeMs)),
      files.map((f) => f.inode),
      files.map((f) => f.links),
      files.map((f) => f.status),
      files.map((f) => json(f.reason)),
      json(changed),
    ],
  );
}

/**
 * Writes what inspection said, all in one statement. A null probe clears what an older one said. A file that was finished
 * or went missing since the inspection began is left as it is. Returns the ids written.
 */
export async function saveInspected(q: Queryable, files: InspectedFile[]): Promise<number[]> {
  const rows = await q.query<{ id: number }>(
    `update media_files f set size_bytes = coalesce(s.size_bytes, f.size_bytes), mtime_ms = coalesce(s.mtime_ms, f.mtime_ms),
            inode = coalesce(s.inode, f.inode), links = coalesce(s.links, f.links), hash = s.hash, container = s.container, codec = s.codec,
            width = s.width, height = s.height, duration_ms = s.duration_ms, bitrate = s.bitrate, bit_depth = s.bit_depth, hdr = s.hdr,
            frame_rate = s.frame_rate, probe = s.probe, status = s.status, reason = s.reason, expected_bytes = s.expected_bytes,
            look_at = now() + make_interval(secs => s.again_in_ms / 1000), updated_at = now()
       from jsonb_to_recordset($1::jsonb) as s(id bigint, size_bytes bigint, mtime_ms bigint, inode text, links int, hash text, container text,
            codec text, width int, height int, duration_ms bigint, bitrate bigint, bit_depth smallint, hdr text, frame_rate real, probe jsonb,
            status text, reason jsonb, expected_bytes bigint, again_in_ms float8)
      where f.id = s.id and f.status not in ('done', 'kept', 'missing') and ${notRunning}
      returning f.id`,
    [json(files.map(inspectedColumns))],
  );
  return rows.map((row) => row.id);
}

function inspectedColumns(file: InspectedFile): Record<string, unknown> {
  return {
    id: file.id,
    ...fingerprintColumns(file.fingerprint),
    ...probeColumns(file.probe),
    status: file.status,
    reason: file.reason,
    expected_bytes: file.expectedBytes,
    again_in_ms: file.againInMs ?? null,
  };
}

function fingerprintColumns(print: Fingerprint | null): Record<string, unknown> {
  if (!print) return { hash: null };
  return { size_bytes: print.sizeBytes, mtime_ms: Math.round(print.mtimeMs), inode: print.inode, links: print.links, hash: print.hash };
}

/** The columns that lists show and filter by, taken from the first film stream; a music file shows its audio codec. */
export function probeColumns(probe: Probe | null): Record<string, unknown> {
  if (!probe) return { probe: null };
  const film = filmStreams(probe)[0];
  const whole = (value: number | null): number | null => (value !== null && Number.isFinite(value) ? Math.round(value) : null);
  return {
    container: probe.container,
    codec: film?.codec ?? probe.streams.find((s) => s.kind === 'audio')?.codec ?? 'none',
    width: film?.width ?? null,
    height: film?.height ?? null,
    duration_ms: whole(probe.durationMs),
    bitrate: whole(probe.bitrate),
    bit_depth: film?.bitDepth ?? null,
    hdr: film?.hdr?.kind ?? null,
    frame_rate: film ? frameRateOf(film) : null,
    probe,
  };
}

/**
 * Files that a complete scan did not see. Their waiting jobs are cancelled. A file that changed since the scan began is left
 * alone: it may have got its present name (a new extension, a restore) after the walk had passed. Returns how many were marked.
 */
export async function markMissing(q: Queryable, ids: number[], reason: Reason, scanBegan: Date): Promise<number> {
  const rows = await q.query(
    `with gone as (
       update media_files f set status = 'missing', reason = $2, updated_at = now()
        where f.id = any($1::bigint[]) and f.status <> 'missing' and f.updated_at < $3 and ${notRunning} returning f.id
     ), stale as (
       update jobs j set state = 'cancelled', retry_at = null, finished_at = now(), reason = $2
         from gone g where j.file_id = g.id and j.state in ('available', 'held')
     )
     select id from gone`,
    [ids, json(reason), scanBegan],
  );
  return rows.length;
}

export async function readFile(q: Queryable, id: number): Promise<MediaFile | null> {
  return (await q.query<MediaFile>(`select ${fileColumns}, f.probe from media_files f where f.id = $1`, [id]))[0] ?? null;
}

export async function findFile(q: Queryable, libraryId: number, path: string): Promise<MediaFile | null> {
  const rows = await q.query<MediaFile>(`select ${fileColumns}, f.probe from media_files f where f.library_id = $1 and f.path = $2`, [
    libraryId,
    text(path),
  ]);
  return rows[0] ?? null;
}

/**
 * The path of another film of the library that is called `target` already, or will be when the job that it has in the queue is
 * done (Film.avi and Film.wmv); null: there is none. Reads only names that begin alike: the paths are sorted by bytes, and a
 * slash comes right after a dot.
 */
export async function takerOfName(q: Queryable, libraryId: number, path: string, target: string): Promise<string | null> {
  if (path === target) return null;
  const [stem, extension] = [target.slice(0, target.lastIndexOf('.')), target.slice(target.lastIndexOf('.'))];
  const rows = await q.query<{ path: string }>(
    `select f.path from media_files f
      where f.library_id = $1 and f.path > $2 || '.' and f.path < $2 || '/' and f.path <> $3 and f.status <> 'missing'
        and (f.path = $4 or (strpos(substr(f.path, length($2) + 2), '.') = 0 and exists (
              select 1 from jobs j where j.file_id = f.id and j.state in ('available', 'running', 'held') and j.plan ->> 'extension' = $5)))
      order by f.path <> $4 limit 1`,
    [libraryId, text(stem), text(path), text(target), extension],
  );
  return rows[0]?.path ?? null;
}

/** Files waiting to be looked at: new ones and those that were still being written, oldest first. */
export function filesToInspect(q: Queryable, libraryId: number, afterId: number, size = 200): Promise<KnownFile[]> {
  return q.query<KnownFile>(
    `select id, path, size_bytes as "sizeBytes", mtime_ms as "mtimeMs", inode, hash, status from media_files
      where library_id = $1 and status = 'new' and id > $2 order by id limit ${limit(size, 5000)}`,
    [libraryId, afterId],
  );
}

/** What is known of these paths of a library; unknown ones are not in the answer. */
export function filesByPath(q: Queryable, libraryId: number, paths: string[]): Promise<KnownFile[]> {
  return q.query<KnownFile>(
    `select id, path, size_bytes as "sizeBytes", mtime_ms as "mtimeMs", inode, hash, status from media_files
      where library_id = $1 and path = any($2::text[])`,
    [libraryId, paths.map((path) => text(path))],
  );
}
