import type { Found } from '../core/found.ts';
import type { Fingerprint } from '../core/media.ts';
import type { Reason } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** Originals in a trash: kept until their retention ends, then expired by a keeper; or restored by a person. */
export interface Original {
  id: number;
  attemptId: number;
  jobId: number;
  /** null when its library was removed since */
  fileId: number | null;
  title: string;
  rootId: string;
  /** where it was, below the root */
  path: string;
  /** where it waits, below the root */
  trashPath: string;
  sizeBytes: number;
  fingerprint: Fingerprint;
  /** gone: it is not in the trash any more, and nobody here deleted it */
  state: 'kept' | 'restored' | 'expired' | 'gone';
  createdAt: Date;
  expiresAt: Date;
  endedAt: Date | null;
  /** its copy is looked at once more, or was (db/rechecks.ts); null: nobody asked for it */
  recheck: 'wanted' | 'running' | 'good' | 'bad' | null;
  recheckNote: Reason | null;
  /** the books learned of it from the trash (db/found-originals.ts); null: its attempt is in them */
  found: Found | null;
}

export interface NewOriginal {
  attemptId: number;
  jobId: number;
  fileId: number;
  title: string;
  rootId: string;
  path: string;
  trashPath: string;
  fingerprint: Fingerprint;
  retentionSeconds: number;
}

const columns = `id, attempt_id as "attemptId", job_id as "jobId", file_id as "fileId", title, root_id as "rootId", path,
  trash_path as "trashPath", size_bytes as "sizeBytes", fingerprint, state, created_at as "createdAt", expires_at as "expiresAt", ended_at as "endedAt",
  recheck, recheck_note as "recheckNote", found`;

/** False when this attempt's original is already written down. */
export async function addOriginal(q: Queryable, o: NewOriginal): Promise<boolean> {
  const rows = await q.query(
    `insert into originals (attempt_id, job_id, file_id, title, root_id, path, trash_path, size_bytes, fingerprint, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(secs => $10)) on conflict (attempt_id) do nothing returning 1`,
    [
      o.attemptId,
      o.jobId,
      o.fileId,
      text(o.title),
      o.rootId,
      text(o.path),
      text(o.trashPath),
      o.fingerprint.sizeBytes,
      json(o.fingerprint),
      o.retentionSeconds,
    ],
  );
  return rows.length > 0;
}

export async function readOriginal(q: Queryable, id: number): Promise<Original | null> {
  return (await q.query<Original>(`select ${columns} from originals where id = $1`, [id]))[0] ?? null;
}

export async function originalOfAttempt(q: Queryable, attemptId: number): Promise<Original | null> {
  return (await q.query<Original>(`select ${columns} from originals where attempt_id = $1`, [attemptId]))[0] ?? null;
}

/** The originals of one file, newest first. */
export function listOriginals(q: Queryable, fileId: number): Promise<Original[]> {
  return q.query<Original>(`select ${columns} from originals where file_id = $1 order by id desc limit 100`, [fileId]);
}

/**
 * Not held for another look at the copy in its place. Where the books of that copy went with their library, nobody can look
 * at it again; what was found bad waits for a person even then. What was found in the trash may have to stay (core/found.ts).
 */
const free = `(found ->> 'stays' is null and (coalesce(recheck, 'good') = 'good' or recheck <> 'bad' and not exists (select 1 from attempts a where a.id = attempt_id)))`;

/**
 * Originals whose retention has ended, longest first, at most 100: their keepers may now delete them. Not while it is
 * doubted that the copy in their place is good.
 */
export function dueOriginals(q: Queryable): Promise<Original[]> {
  return q.query<Original>(
    `select ${columns} from originals
      where state = 'kept' and expires_at <= now() and ${free} order by expires_at limit 100`,
  );
}

/** Is it still to be deleted? It may have become doubtful since it was read. */
export async function isDue(q: Queryable, id: number): Promise<boolean> {
  return (await q.query(`select 1 from originals where id = $1 and state = 'kept' and expires_at <= now() and ${free}`, [id])).length > 0;
}

/** The keeper deleted it from the trash. False when it was not kept any more. */
export async function markExpired(q: Queryable, id: number): Promise<boolean> {
  return (
    (await q.query(`update originals set state = 'expired', ended_at = now() where id = $1 and state = 'kept' returning 1`, [id])).length >
    0
  );
}

/** A retention that a person changed applies to what waits already. Returns how many got another date. */
export async function changeRetention(q: Queryable, retentionSeconds: number): Promise<number> {
  const rows = await q.query(
    `update originals set expires_at = created_at + make_interval(secs => $1) where state = 'kept' and expires_at <> created_at + make_interval(secs => $1) returning 1`,
    [retentionSeconds],
  );
  return rows.length;
}

/** How much waits in the trashes. */
export async function trashTotals(q: Queryable): Promise<{ files: number; bytes: number; nextExpiry: Date | null }> {
  const [row] = await q.query<{ files: number; bytes: number; nextExpiry: Date | null }>(
    `select count(*) as files, coalesce(sum(size_bytes), 0)::bigint as bytes, min(expires_at) as "nextExpiry" from originals where state = 'kept'`,
  );
  return row!;
}

/** What the trash of one root holds. */
export interface TrashOfRoot {
  rootId: string;
  files: number;
  bytes: number;
  oldest: Date;
  /** left out when the trash is emptied: their new files are still to be looked at again, or were found bad */
  held: number;
  heldBytes: number;
  /** of those, so many stay for another reason: the books learned of them from the trash, and nothing allows to delete them */
  stay: number;
  /** what the books learned of from the trash */
  found: number;
  /** the newest of them, so that "empty it" means what a person was shown and nothing that came later */
  upTo: number;
}

export function trashOfRoots(q: Queryable): Promise<TrashOfRoot[]> {
  return q.query<TrashOfRoot>(
    `select root_id as "rootId", count(*)::int as files, coalesce(sum(size_bytes), 0)::bigint as bytes, min(created_at) as oldest,
            count(*) filter (where not ${free})::int as held, coalesce(sum(size_bytes) filter (where not ${free}), 0)::bigint as "heldBytes",
            count(*) filter (where found ->> 'stays' is not null)::int as stay, count(*) filter (where found is not null)::int as found, max(id) as "upTo"
       from originals where state = 'kept' group by root_id order by root_id limit 500`,
  );
}

/** How much of a root's trash goes on which day, soonest first, at most 60 days. */
export function trashDays(q: Queryable, rootId: string): Promise<{ day: Date; files: number; bytes: number }[]> {
  return q.query(
    `select date_trunc('day', expires_at) as day, count(*)::int as files, sum(size_bytes)::bigint as bytes
       from originals where root_id = $1 and state = 'kept' group by 1 order by 1 limit 60`,
    [rootId],
  );
}

/** A person empties the trash of a root: everything up to an id that is not held for another look is due now. */
export async function expireNow(q: Queryable, rootId: string, upTo: number): Promise<{ files: number; bytes: number }> {
  const [row] = await q.query<{ files: number; bytes: number }>(
    `with due as (
       update originals set expires_at = least(expires_at, now()) where root_id = $1 and id <= $2 and state = 'kept' and ${free} returning size_bytes
     ) select count(*)::int as files, coalesce(sum(size_bytes), 0)::bigint as bytes from due`,
    [rootId, upTo],
  );
  return row!;
}

/** Those of one root that are due, by id, at most 100. */
export function dueOfRoot(q: Queryable, rootId: string): Promise<Original[]> {
  return q.query<Original>(
    `select ${columns} from originals where root_id = $1 and state = 'kept' and expires_at <= now() and ${free} order by id limit 100`,
    [rootId],
  );
}

/** What should be in the trash of a root, and what was missed there before its time was over; a page of 100 by id. */
export function originalsToLookFor(q: Queryable, rootId: string, after: number): Promise<Pick<Original, 'id' | 'trashPath' | 'state'>[]> {
  return q.query(
    `(select id, trash_path as "trashPath", state from originals where root_id = $1 and state = 'kept' and id > $2 order by id limit 100)
     union all
     (select id, trash_path, state from originals where root_id = $1 and state = 'gone' and id > $2 and expires_at > now() order by id limit 100)
     order by id limit 100`,
    [rootId, after],
  );
}

/** A keeper looked: they are not where they were put. Returns those of which that is news. */
export async function markGone(q: Queryable, ids: readonly number[]): Promise<number[]> {
  const rows = await q.query<{ id: number }>(
    `update originals set state = 'gone', ended_at = now() where id = any($1::bigint[]) and state = 'kept' returning id`,
    [ids],
  );
  return rows.map((row) => row.id);
}

/** They are back where they belong, so they can be put back again. */
export async function markFound(q: Queryable, ids: readonly number[]): Promise<void> {
  await q.query(`update originals set state = 'kept', ended_at = null where id = any($1::bigint[]) and state = 'gone'`, [ids]);
}
