import type { FileStatus } from '../core/job.ts';
import type { Fingerprint } from '../core/media.ts';
import type { Reason } from '../core/reasons.ts';
import { atomically } from './atomically.ts';
import type { Queryable } from './connect.ts';
import { fileColumns, type MediaFileRow } from './media-files.ts';
import { json, text } from './values.ts';

/** A file is known again by its content, under whatever name it is found. */

/** Missing files with this very content: where a file that seems new may have come from. The one lost last comes first. */
export function findMoved(q: Queryable, hash: string, sizeBytes: number): Promise<MediaFileRow[]> {
  return q.query<MediaFileRow>(
    `select ${fileColumns} from media_files f where f.hash = $1 and f.size_bytes = $2 and f.status = 'missing' order by f.updated_at desc limit 20`,
    [hash, sizeBytes],
  );
}

export interface Move {
  libraryId: number;
  path: string;
  title: string;
  detail: string;
  fingerprint: Fingerprint;
  status: FileStatus;
  reason: Reason | null;
}

/**
 * A missing file was found under another name: its row, with its history, moves there. A row that a scan has meanwhile
 * made for the new name goes away. False when the row is not missing any more or the newcomer already has a job.
 */
export function moveFile(q: Queryable, id: number, to: Move): Promise<boolean> {
  return atomically(q, async (t) => {
    const [target] = await t.query<{ busy: boolean }>(
      `select exists (select 1 from jobs j where j.file_id = f.id) as busy from media_files f
        where library_id = $1 and path = $2 and id <> $3 for update`,
      [to.libraryId, text(to.path), id],
    );
    if (target?.busy) return false;
    const [old] = await t.query(`select 1 from media_files where id = $1 and status = 'missing' for update`, [id]);
    if (!old) return false;
    if (target)
      await t.query(`delete from media_files where library_id = $1 and path = $2 and id <> $3`, [to.libraryId, text(to.path), id]);
    const print = to.fingerprint;
    await t.query(
      `update media_files set library_id = $2, path = $3, title = $4, detail = $5, size_bytes = $6, mtime_ms = $7, inode = $8, links = $9,
              hash = $10, status = $11, reason = $12, updated_at = now() where id = $1`,
      [
        id,
        to.libraryId,
        text(to.path),
        text(to.title),
        text(to.detail),
        print.sizeBytes,
        Math.round(print.mtimeMs),
        print.inode,
        print.links,
        print.hash,
        to.status,
        json(to.reason),
      ],
    );
    await t.query(`update jobs set library_id = $2 where file_id = $1 and library_id <> $2`, [id, to.libraryId]);
    return true;
  });
}

/** The file whose delivered output has this fingerprint: we made this content, so it is never queued again. */
export async function findByMadeHash(q: Queryable, hash: string): Promise<MediaFileRow | null> {
  return (
    (await q.query<MediaFileRow>(`select ${fileColumns} from media_files f where f.made_hash = $1 order by f.id limit 1`, [hash]))[0] ??
    null
  );
}
