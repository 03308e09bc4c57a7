import type { Queryable } from './connect.ts';

/** A node that holds this database and could coordinate, with how many other members it reaches. */
export interface Candidate {
  nodeId: string;
  reaches: number;
  at: Date;
  /** heard of in the last fifteen seconds, by the database's clock */
  fresh: boolean;
}

/** Every candidate writes its own row, also while another leads; that is why this table is not fenced. */
export async function noteCandidate(q: Queryable, nodeId: string, session: string, reaches: number): Promise<void> {
  await q.query(
    `insert into candidates (node_id, session, reaches) values ($1, $2, $3)
     on conflict (node_id) do update set session = excluded.session, reaches = excluded.reaches, at = now()`,
    [nodeId, session, reaches],
  );
}

export function listCandidates(q: Queryable): Promise<Candidate[]> {
  return q.query<Candidate>(
    `select node_id as "nodeId", reaches, at, at > now() - interval '15 seconds' as fresh from candidates order by node_id`,
  );
}

export async function removeCandidate(q: Queryable, nodeId: string): Promise<void> {
  await q.query(`delete from candidates where node_id = $1`, [nodeId]);
}
