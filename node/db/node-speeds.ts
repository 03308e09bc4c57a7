import type { Queryable } from './connect.ts';
import { text } from './values.ts';

export interface NodeSpeed {
  nodeId: string;
  encoder: string;
  pixelsPerSecond: number;
  runs: number;
}

/**
 * How fast a node finished one film: pixels (width × height × frames of the output) a second. Kept as a mean in which the
 * last ten or so films count, so that a machine that got a new card, or lost its cooling, is believed again soon.
 * A speed that cannot be (nothing done, no time, no such node) is not kept.
 */
export async function recordSpeed(q: Queryable, nodeId: string, encoder: string, pixelsPerSecond: number): Promise<void> {
  if (!Number.isFinite(pixelsPerSecond) || pixelsPerSecond <= 0) return;
  await q.query(
    `insert into node_speeds as s (node_id, encoder, pixels_per_second)
     select $1, $2, $3 where exists (select 1 from nodes where id = $1)
     on conflict (node_id, encoder) do update
       set pixels_per_second = s.pixels_per_second + (excluded.pixels_per_second - s.pixels_per_second) / least(s.runs + 1, 10),
           runs = least(s.runs, 1000000) + 1`,
    [nodeId, text(encoder), pixelsPerSecond],
  );
}

/** A speed that a few pieces of film told, for a node that has finished nothing with this encoder yet. */
export async function seedSpeed(q: Queryable, nodeId: string, encoder: string, pixelsPerSecond: number): Promise<void> {
  if (!Number.isFinite(pixelsPerSecond) || pixelsPerSecond <= 0) return;
  await q.query(
    `insert into node_speeds (node_id, encoder, pixels_per_second)
     select $1, $2, $3 where exists (select 1 from nodes where id = $1) on conflict do nothing`,
    [nodeId, text(encoder), pixelsPerSecond],
  );
}

/** The speed of one film from what an encode reports; null when it does not say enough, or was too short to tell. */
export function speedOf(film: { width: number; height: number } | null, frames: number | null, encodeMs: unknown): number | null {
  if (!film || frames === null || typeof encodeMs !== 'number' || !(encodeMs >= 2000) || frames < 100) return null;
  return (film.width * film.height * frames) / (encodeMs / 1000);
}

export function listSpeeds(q: Queryable): Promise<NodeSpeed[]> {
  return q.query<NodeSpeed>(
    `select node_id as "nodeId", encoder, pixels_per_second as "pixelsPerSecond", runs from node_speeds order by node_id, encoder`,
  );
}
