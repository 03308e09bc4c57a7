import { LAST_OUTPUTS, type Combination, type Outcome } from '../core/bench.ts';
import type { Reason } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** Encoders of nodes that are not used until a person, or another build, gives them another chance. */
export interface Benched extends Combination {
  id: number;
  nodeId: string;
  /** ffmpeg and driver that made the bad outputs */
  build: string;
  reason: Reason;
  since: Date;
}

export interface Maker extends Combination {
  nodeId: string;
  build: string;
}

const columns = `id, node_id as "nodeId", encoder, device, build, reason, since`;

/** Those of one node, or of all. */
export function listBenched(q: Queryable, nodeId: string | null = null): Promise<Benched[]> {
  return q.query<Benched>(
    `select ${columns} from benched where lifted_at is null and ($1::text is null or node_id = $1) order by node_id, encoder, device limit 1000`,
    [nodeId],
  );
}

/** The last outputs of a combination that were judged, the newest first, since it was last given another chance. */
export function lastOutcomes(q: Queryable, maker: Maker): Promise<Outcome[]> {
  return q.query<Outcome>(
    `select j.file_id as "fileId", case when (a.verdict ->> 'accepted')::boolean then null else a.verdict -> 'reason' ->> 'code' end as code,
            exists (select 1 from jobs o join attempts b on b.job_id = o.id
                     where o.file_id = j.file_id and not (b.verdict ->> 'accepted')::boolean and b.verdict -> 'reason' ->> 'code' = a.verdict -> 'reason' ->> 'code'
                       and (b.node_id, b.encoder, coalesce(b.stats ->> 'device', '')) is distinct from (a.node_id, a.encoder, $3)) as "badElsewhere"
       from attempts a join jobs j on j.id = a.job_id
      where a.node_id = $1 and a.encoder = $2 and a.verdict is not null and coalesce(a.stats ->> 'device', '') = $3
        and coalesce(a.stats ->> 'build', '') = $4
        and a.encoded_at > coalesce((select b.lifted_at from benched b where b.node_id = $1 and b.encoder = $2 and b.device = $3
                                      order by b.id desc limit 1), '-infinity')
      order by a.id desc limit ${LAST_OUTPUTS}`,
    [maker.nodeId, text(maker.encoder), text(maker.device), text(maker.build)],
  );
}

/** False when it is benched already. */
export async function bench(q: Queryable, maker: Maker, why: { reason: Reason; attemptId: number }): Promise<boolean> {
  const rows = await q.query(
    `insert into benched (node_id, encoder, device, build, reason, attempt_id) values ($1, $2, $3, $4, $5, $6)
     on conflict (node_id, encoder, device) where lifted_at is null do nothing returning 1`,
    [maker.nodeId, text(maker.encoder), text(maker.device), text(maker.build), json(why.reason), why.attemptId],
  );
  return rows.length > 0;
}

/** Gives one another chance; null when there was nothing to lift. */
export async function liftBench(q: Queryable, id: number, by: string): Promise<Benched | null> {
  const rows = await q.query<Benched>(
    `update benched set lifted_at = now(), lifted_by = $2 where id = $1 and lifted_at is null returning ${columns}`,
    [id, text(by)],
  );
  return rows[0] ?? null;
}

/** One that is benched now. */
export function readBench(q: Queryable, id: number): Promise<Benched | null> {
  return q.query<Benched>(`select ${columns} from benched where id = $1 and lifted_at is null`, [id]).then((rows) => rows[0] ?? null);
}
