import type { Profile } from '../core/profile.ts';
import type { Reason } from '../core/reasons.ts';
import type { ScanSchedule } from '../core/scan-schedule.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

export interface Library {
  id: number;
  name: string;
  source: 'folder' | 'plex' | 'jellyfin' | 'emby';
  rootId: string;
  /** below the root, '/' separators; '' is the root itself */
  folder: string;
  profile: Profile;
  /** 0 high, 1 normal, 2 low: an index into `priorities` of core/job.ts */
  priority: number;
  enabled: boolean;
  /** added to be looked at first: not enabled before a person starts it */
  looking: boolean;
  /** its first whole listing ended then: what was found later was added later. Null before */
  knownSince: Date | null;
  /** why the last scan could not run */
  problem: Reason | null;
  createdAt: Date;
  lastScanAt: Date | null;
  /** of which library of a media server this is a folder */
  sourceLibraryId: number | null;
  schedule: ScanSchedule;
  /** changes on a local disk are noticed at once */
  watch: boolean;
}

export interface NewLibrary {
  name: string;
  rootId: string;
  folder: string;
  profile: Profile;
  priority?: number;
  source?: Library['source'];
  sourceLibraryId?: number;
  /** nothing of it is converted before a person says so */
  looking?: boolean;
}

/** A library with its counters, for the library page and the overview. Bytes are of files that are not missing. */
export interface LibraryOverview extends Library {
  files: number;
  bytes: number;
  /** what the library will weigh when everything that is queued has been converted */
  expectedBytes: number;
  /** size before conversion minus size after, of everything converted and still there */
  reclaimedBytes: number;
  byStatus: Record<string, number>;
}

const columns = `id, name, source, root_id as "rootId", folder, profile, priority, enabled, looking, known_since as "knownSince", problem,
  created_at as "createdAt", last_scan_at as "lastScanAt", source_library_id as "sourceLibraryId", schedule, watch`;

/**
 * Adds a folder, or returns the library that already is this folder. A name that is taken gets a number behind it.
 */
export async function addLibrary(q: Queryable, wish: NewLibrary): Promise<{ library: Library; added: boolean }> {
  for (let n = 1; n <= 1000; n++) {
    const name = text(n === 1 ? wish.name : `${wish.name} ${n}`).slice(0, 200);
    const [row] = await q.query<Library>(
      `insert into libraries (name, root_id, folder, profile, priority, source, source_library_id, looking, enabled)
       values ($1, $2, $3, $4, $5, $6, $7, $8, not $8) on conflict do nothing returning ${columns}`,
      [
        name,
        wish.rootId,
        text(wish.folder),
        json(wish.profile),
        wish.priority ?? 1,
        wish.source ?? 'folder',
        wish.sourceLibraryId ?? null,
        wish.looking ?? false,
      ],
    );
    if (row) return { library: row, added: true };
    const [old] = await q.query<Library>(`select ${columns} from libraries where root_id = $1 and folder = $2`, [
      wish.rootId,
      text(wish.folder),
    ]);
    if (old) return { library: old, added: false };
  }
  throw new Error(`no free name for the library "${wish.name}"`);
}

export function listLibraries(q: Queryable): Promise<Library[]> {
  return q.query<Library>(`select ${columns} from libraries order by lower(name), id`);
}

export async function readLibrary(q: Queryable, id: number): Promise<Library | null> {
  return (await q.query<Library>(`select ${columns} from libraries where id = $1`, [id]))[0] ?? null;
}

/** Changes what is given and leaves the rest; one that is switched on is not only looked at any more. Null when there is no such library. @throws 23505 when the name is taken */
export async function changeLibrary(
  q: Queryable,
  id: number,
  change: { name?: string; enabled?: boolean; priority?: number; profile?: Partial<Profile>; schedule?: ScanSchedule; watch?: boolean },
): Promise<Library | null> {
  const rows = await q.query<Library>(
    `update libraries set name = coalesce($2, name), enabled = coalesce($3, enabled), priority = coalesce($4, priority),
            profile = profile || coalesce($5::jsonb, '{}'), schedule = coalesce($6::jsonb, schedule), watch = coalesce($7, watch),
            looking = looking and not coalesce($3, false)
      where id = $1 returning ${columns}`,
    [
      id,
      text(change.name ?? null),
      change.enabled ?? null,
      change.priority ?? null,
      json(change.profile ?? null),
      json(change.schedule ?? null),
      change.watch ?? null,
    ],
  );
  return rows[0] ?? null;
}

/** A folder becomes a library of a media server, or a plain folder again; nothing else of it changes. */
export async function setLibrarySource(
  q: Queryable,
  id: number,
  to: { source: Library['source']; sourceLibraryId: number | null; enabled: boolean; looking: boolean },
): Promise<void> {
  await q.query(`update libraries set source = $2, source_library_id = $3, enabled = $4, looking = $5 where id = $1`, [
    id,
    to.source,
    to.sourceLibraryId,
    to.enabled,
    to.looking,
  ]);
}

/**
 * Forgets a library with its files, jobs and attempts. Refused (false) while one of its jobs runs: cancel those first.
 * The trash stays, so its originals can still be found and expire. Switched off first, and then a few hundred files at a time: all
 * of a large one in one statement would outlast every limit, and nobody could renew the coordinator's lease meanwhile. Whoever is
 * interrupted leaves a library that is switched off, finds its files again by a scan, and can be removed once more.
 */
export async function removeLibrary(q: Queryable, id: number): Promise<boolean> {
  const idle = `not exists (select 1 from jobs where library_id = $1 and state = 'running')`;
  const off = await q.query(`update libraries set enabled = false, looking = false where id = $1 and ${idle} returning 1`, [id]);
  if (off.length === 0) return false;
  const some = `delete from media_files where id in (select id from media_files where library_id = $1 order by id limit 200) and ${idle} returning 1`;
  while ((await q.query(some, [id])).length > 0);
  return (await q.query(`delete from libraries where id = $1 and ${idle} returning 1`, [id])).length > 0;
}

export async function setLibraryProblem(q: Queryable, id: number, problem: Reason | null): Promise<void> {
  await q.query(`update libraries set problem = $2 where id = $1`, [id, json(problem)]);
}

/** Every library with its counters; cheap at any size, because it reads the counters and never the files. */
export async function libraryOverview(q: Queryable): Promise<LibraryOverview[]> {
  const libraries = await listLibraries(q);
  const counts = await fileCounts(q);
  return libraries.map((library) => {
    const own = counts.filter((c) => c.libraryId === library.id);
    const there = own.filter((c) => c.status !== 'missing');
    const byStatus: Record<string, number> = {};
    for (const c of own) byStatus[c.status] = (byStatus[c.status] ?? 0) + c.files;
    const sum = (of: (c: FileCount) => number): number => there.reduce((total, c) => total + of(c), 0);
    return {
      ...library,
      files: sum((c) => c.files),
      bytes: sum((c) => c.bytes),
      expectedBytes: sum((c) => (c.status === 'queued' ? c.expectedBytes : c.bytes)),
      reclaimedBytes: sum((c) => c.originalBytes - c.bytes),
      byStatus,
    };
  });
}

/** One cell of the counters. `expectedBytes` and `originalBytes` fall back to the size where a file has none. */
export interface FileCount {
  libraryId: number;
  status: string;
  /** '' until the file was inspected */
  codec: string;
  files: number;
  bytes: number;
  expectedBytes: number;
  originalBytes: number;
}

/** Files by library, status and codec, from the counters and what was not yet folded into them. */
export function fileCounts(q: Queryable, libraryId: number | null = null): Promise<FileCount[]> {
  return q.query<FileCount>(
    `select library_id as "libraryId", status, codec, sum(n)::bigint as files, sum(bytes)::bigint as bytes,
            sum(expected)::bigint as "expectedBytes", sum(original)::bigint as "originalBytes"
       from (select library_id, status, codec, n, bytes, expected, original from file_counts
             union all select library_id, status, codec, n, bytes, expected, original from file_deltas) c
      where $1::int is null or library_id = $1
      group by 1, 2, 3 having sum(n) <> 0 order by 1, 2, 3`,
    [libraryId],
  );
}
