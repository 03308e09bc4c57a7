import type { Finding, Metric, Target } from '../core/quality.ts';
import type { Queryable } from './connect.ts';
import { text } from './values.ts';

export interface NewFinding {
  nodeId: string;
  encoder: string;
  device: string | null;
  titleClass: string;
  target: Target;
  metric: Metric;
  quality: number;
  score: number;
}

/**
 * A setting that met its goal, for titles of one kind. Kept as a mean in which the last eight or so films count: kinds are
 * coarse, and a new driver changes what a setting gives.
 */
export async function recordFinding(q: Queryable, found: NewFinding): Promise<void> {
  await q.query(
    `insert into quality_findings as f (node_id, encoder, device, title_class, target, metric, quality, score)
     select $1, $2, $3, $4, $5, $6, $7, $8 where exists (select 1 from nodes where id = $1)
     on conflict (node_id, encoder, device, title_class, target, metric) do update
       set quality = f.quality + (excluded.quality - f.quality) / least(f.runs + 1, 8),
           score = f.score + (excluded.score - f.score) / least(f.runs + 1, 8),
           runs = least(f.runs, 1000000) + 1, measured_at = now()`,
    [
      found.nodeId,
      text(found.encoder),
      text(found.device ?? ''),
      text(found.titleClass),
      found.target,
      found.metric,
      found.quality,
      found.score,
    ],
  );
}

/** What a node found for titles of one kind, for all its encoders; the best proved first. */
export function listFindings(q: Queryable, nodeId: string, titleClass: string, target: Target): Promise<Finding[]> {
  return q.query<Finding>(
    `select encoder, nullif(device, '') as device, metric, quality, score, runs from quality_findings
      where node_id = $1 and title_class = $2 and target = $3 order by runs desc limit 20`,
    [nodeId, text(titleClass), target],
  );
}
