import type { Queryable } from './connect.ts';

/** How fast a node encodes with one of its encoders, measured over finished files. */
export interface NodeSpeed {
  nodeId: string;
  encoder: string;
  pixelsPerSecond: number;
  runs: number;
}

export function listNodeSpeeds(q: Queryable): Promise<NodeSpeed[]> {
  return q.query<NodeSpeed>(
    `select node_id as "nodeId", encoder, pixels_per_second as "pixelsPerSecond", runs from node_speeds order by node_id, encoder`,
  );
}
