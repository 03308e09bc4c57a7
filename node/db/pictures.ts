import type { Run } from './claims.ts';
import type { Queryable } from './connect.ts';
import { json } from './values.ts';

/** What belongs to an attempt and is only looked at: frames to compare, which lie on a node, and the film's colours. */
export interface PicturesOf {
  attemptId: number;
  nodeId: string;
  pairs: number;
}

/** A keeper took frames; `times` are theirs, in milliseconds into the film. None is worth knowing too: the page says so. */
export async function savePictures(q: Queryable, attemptId: number, nodeId: string, times: readonly number[]): Promise<void> {
  await q.query(
    `update attempts set pictures = $3::int, pictures_node = case when $3::int > 0 then $2::text end, stats = stats || jsonb_build_object('pictureMs', $4::jsonb)
      where id = $1`,
    [attemptId, nodeId, times.length, json(times)],
  );
}

/** Null when this attempt of the job has none. */
export async function readPictures(q: Queryable, run: Run): Promise<PicturesOf | null> {
  const rows = await q.query<PicturesOf>(
    `select id as "attemptId", pictures_node as "nodeId", pictures as pairs from attempts
      where id = $1 and job_id = $2 and pictures > 0 and pictures_node is not null`,
    [run.attemptId, run.jobId],
  );
  return rows[0] ?? null;
}

/** The pictures of a job's last attempt that has any, or of whom it is known that there are none. */
export interface PicturesOfJob {
  attemptId: number;
  /** null: they are gone with the original, or none could be taken */
  nodeId: string | null;
  pairs: number;
  /** of the frames that were taken, in milliseconds into the film */
  times: number[];
}

export async function lastPictures(q: Queryable, jobId: number): Promise<PicturesOfJob | null> {
  const rows = await q.query<PicturesOfJob>(
    `select id as "attemptId", pictures_node as "nodeId", pictures as pairs, stats -> 'pictureMs' as times from attempts
      where job_id = $1 and jsonb_typeof(stats -> 'pictureMs') = 'array' order by id desc limit 1`,
    [jobId],
  );
  return rows[0] ?? null;
}

/**
 * Frames that have had their time, oldest first, at most 100: their original left the trash, or there never was one there
 * and so long has passed. Only those of the nodes that can be told now, and of nodes that are members no more.
 */
export function duePictures(q: Queryable, keepSeconds: number, nodes: readonly string[]): Promise<PicturesOf[]> {
  return q.query<PicturesOf>(
    `select a.id as "attemptId", a.pictures_node as "nodeId", a.pictures as pairs
       from attempts a left join originals o on o.attempt_id = a.id
      where a.pictures > 0 and a.ended_at is not null
        and (o.state <> 'kept' or (o.id is null and a.ended_at <= now() - make_interval(secs => $1)))
        and (a.pictures_node = any($2::text[]) or not exists (select 1 from nodes n where n.id = a.pictures_node and n.standing = 'approved'))
      order by a.id limit 100`,
    [keepSeconds, nodes],
  );
}

/** Of the attempts whose frames a node says to have: those that are over, or unknown, and whose frames the books do not seek there. */
export async function needlessPictures(q: Queryable, nodeId: string, attempts: readonly number[]): Promise<number[]> {
  const rows = await q.query<{ id: number }>(
    `select s.id from unnest($2::bigint[]) as s(id)
      where not exists (select 1 from attempts a where a.id = s.id and (a.ended_at is null or (a.pictures > 0 and a.pictures_node = $1)))`,
    [nodeId, attempts],
  );
  return rows.map((row) => row.id);
}

/** They are gone from their node, or it is gone with them. */
export async function forgetPictures(q: Queryable, attempts: readonly number[]): Promise<void> {
  await q.query(`update attempts set pictures = 0, pictures_node = null where id = any($1::bigint[])`, [attempts]);
}

/** The colours of a film that is being encoded, said by the node that encodes it. False when they are known, or it is another's run. */
export async function setBarcode(q: Queryable, run: Run, nodeId: string, barcode: string): Promise<boolean> {
  const rows = await q.query(
    `update attempts set barcode = $4 where id = $1 and job_id = $2 and node_id = $3 and barcode is null and ended_at is null returning 1`,
    [run.attemptId, run.jobId, nodeId, barcode],
  );
  return rows.length > 0;
}

/** The colours as bytes, three for each column; null when they are not known. */
export async function readBarcode(q: Queryable, run: Run): Promise<Buffer | null> {
  const [row] = await q.query<{ barcode: string | null }>(`select barcode from attempts where id = $1 and job_id = $2`, [
    run.attemptId,
    run.jobId,
  ]);
  const bytes = Buffer.from(row?.barcode ?? '', 'base64');
  return bytes.length >= 3 ? bytes.subarray(0, bytes.length - (bytes.length % 3)) : null;
}

/** Which of these attempts have colours. */
export async function paintedAttempts(q: Queryable, attempts: readonly number[]): Promise<number[]> {
  const rows = await q.query<{ id: number }>(`select id from attempts where id = any($1::bigint[]) and barcode is not null`, [attempts]);
  return rows.map((row) => row.id);
}
