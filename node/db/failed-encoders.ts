import type { EncoderRef } from '../core/encoder-choice.ts';
import { triesAnother } from '../core/fallback.ts';
import type { Queryable } from './connect.ts';

/** The encoders that failed with a job on a node, once for each time, by the last fifty runs of that job. */
export async function failedEncoders(q: Queryable, jobId: number, nodeId: string): Promise<EncoderRef[]> {
  const rows = await q.query<EncoderRef & { nodeId: string; code: string | null }>(
    `select a.encoder as name, a.stats ->> 'device' as device, a.node_id as "nodeId", a.reason ->> 'code' as code
       from attempts a where a.job_id = $1 and a.state in ('failed', 'rejected') and a.encoder is not null order by a.id desc limit 50`,
    [jobId],
  );
  return rows
    .filter((row) => row.nodeId === nodeId && row.code !== null && triesAnother(row.code))
    .map(({ name, device }) => ({ name, device }));
}
