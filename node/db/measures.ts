import type { Reason } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** A person asked to measure a library; one at a time for each. */
export interface Measure {
  id: number;
  libraryId: number;
  state: 'running' | 'completed' | 'failed' | 'cancelled';
  /** films to be tried; 0 until they were chosen */
  films: number;
  tried: number;
  failed: number;
  reason: Reason | null;
  askedBy: string;
  startedAt: Date;
  endedAt: Date | null;
}

const columns = `id, library_id as "libraryId", state, films, tried, failed, reason, asked_by as "askedBy", started_at as "startedAt",
  ended_at as "endedAt"`;

/** Null when one of this library runs already. */
export async function startMeasure(q: Queryable, libraryId: number, by: string): Promise<Measure | null> {
  const rows = await q.query<Measure>(
    `insert into measures (library_id, asked_by) values ($1, $2) on conflict (library_id) where state = 'running' do nothing returning ${columns}`,
    [libraryId, text(by)],
  );
  return rows[0] ?? null;
}

export async function progressMeasure(
  q: Queryable,
  id: number,
  so: { films: number; tried: number; failed: number; reason: Reason | null },
): Promise<void> {
  await q.query(`update measures set films = $2, tried = $3, failed = $4, reason = $5 where id = $1 and state = 'running'`, [
    id,
    so.films,
    so.tried,
    so.failed,
    json(so.reason),
  ]);
}

/** `reason` stays what it was when none is given. */
export async function endMeasure(
  q: Queryable,
  id: number,
  state: 'completed' | 'failed' | 'cancelled',
  reason: Reason | null,
): Promise<void> {
  await q.query(
    `update measures set state = $2, reason = coalesce($3::jsonb, reason), ended_at = now() where id = $1 and state = 'running'`,
    [id, state, json(reason)],
  );
}

/** What a term that ended left running; the samples that it took stay. Returns how many. */
export async function endAbandonedMeasures(q: Queryable, reason: Reason): Promise<number> {
  const rows = await q.query(`update measures set state = 'cancelled', reason = $1, ended_at = now() where state = 'running' returning 1`, [
    json(reason),
  ]);
  return rows.length;
}

/** The newest one of a library; null when there was none. */
export async function lastMeasure(q: Queryable, libraryId: number): Promise<Measure | null> {
  return (await q.query<Measure>(`select ${columns} from measures where library_id = $1 order by id desc limit 1`, [libraryId]))[0] ?? null;
}

export interface NewSample {
  libraryId: number;
  fileId: number;
  class: string;
  wish: string;
  nodeId: string;
  encoder: string;
  device: string | null;
  quality: number;
  pieces: number;
  sourceBytes: number;
  outputBytes: number;
  filmMs: number;
  pixelsPerSecond: number;
  fileBytes: number;
  guessedBytes: number;
  measuredBytes: number;
}

/** The newest measurement of one film on one encoder replaces the one before. */
export async function saveSample(q: Queryable, one: NewSample): Promise<void> {
  await q.query(
    `insert into film_samples (library_id, file_id, class, wish, node_id, encoder, device, quality, pieces, source_bytes, output_bytes,
                               film_ms, pixels_per_second, file_bytes, guessed_bytes, measured_bytes)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
     on conflict (file_id, node_id, encoder, device, wish) do update
       set class = excluded.class, quality = excluded.quality, pieces = excluded.pieces, source_bytes = excluded.source_bytes,
           output_bytes = excluded.output_bytes, film_ms = excluded.film_ms, pixels_per_second = excluded.pixels_per_second,
           file_bytes = excluded.file_bytes, guessed_bytes = excluded.guessed_bytes, measured_bytes = excluded.measured_bytes,
           measured_at = now()`,
    [
      one.libraryId,
      one.fileId,
      text(one.class),
      text(one.wish),
      one.nodeId,
      text(one.encoder),
      text(one.device ?? ''),
      one.quality,
      one.pieces,
      one.sourceBytes,
      one.outputBytes,
      Math.round(one.filmMs),
      one.pixelsPerSecond,
      one.fileBytes,
      one.guessedBytes,
      one.measuredBytes,
    ],
  );
}
