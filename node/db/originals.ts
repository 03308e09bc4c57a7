import type { Fingerprint } from '../core/media.ts';
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
  state: 'kept' | 'restored' | 'expired';
  createdAt: Date;
  expiresAt: Date;
  endedAt: Date | null;
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
  trash_path as "trashPath", size_bytes as "sizeBytes", fingerprint, state, created_at as "createdAt", expires_at as "expiresAt", ended_at as "endedAt"`;

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

/** Originals whose retention has ended, longest first, at most 100: their keepers may now delete them. */
export function dueOriginals(q: Queryable): Promise<Original[]> {
  return q.query<Original>(`select ${columns} from originals where state = 'kept' and expires_at <= now() order by expires_at limit 100`);
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
