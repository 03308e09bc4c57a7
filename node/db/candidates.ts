import type { Queryable } from './connect.ts';
import { json } from './values.ts';

/** A node that holds this database and could coordinate, with how many other members it reaches. */
export interface Candidate {
  nodeId: string;
  reaches: number;
  at: Date;
  /** heard of in the last fifteen seconds, by the database's clock */
  fresh: boolean;
  /** how many migrations its program knows; null: one that is too old to say */
  schema: number | null;
}

/** Every candidate writes its own row, also while another leads; that is why this table is not fenced. */
export async function noteCandidate(
  q: Queryable,
  nodeId: string,
  session: string,
  reaches: number,
  program: { schema: number; version: string },
): Promise<void> {
  await q.query(
    `insert into candidates (node_id, session, reaches, schema, version) values ($1, $2, $3, $4, $5)
     on conflict (node_id) do update set session = excluded.session, reaches = excluded.reaches, schema = excluded.schema,
       version = excluded.version, at = now()`,
    [nodeId, session, reaches, program.schema, program.version],
  );
}

/**
 * A newer program asks for the lease, in a database that has its old schema still. One that leads and knows the column
 * hands over; older ones give way to whoever reaches many more machines than they do, which is said to them instead.
 */
export async function noteWaiting(q: Queryable, nodeId: string, session: string, schema: number): Promise<void> {
  const [column] = await q.query(
    `select 1 from information_schema.columns where table_schema = 'public' and table_name = 'candidates' and column_name = 'schema'`,
  );
  const [name, value] = column ? ['schema', schema] : ['reaches', MORE_THAN_ANYBODY];
  await q.query(
    `insert into candidates (node_id, session, ${name}) values ($1, $2, $3)
     on conflict (node_id) do update set session = excluded.session, ${name} = excluded.${name}, at = now()`,
    [nodeId, session, value],
  );
}

const MORE_THAN_ANYBODY = 1_000_000;

export function listCandidates(q: Queryable): Promise<Candidate[]> {
  return q.query<Candidate>(
    `select node_id as "nodeId", reaches, at, at > now() - interval '15 seconds' as fresh, schema from candidates order by node_id`,
  );
}

/** Names of machines other than this one that hold this database and were heard of in the last fifteen seconds. */
export async function standIns(q: Queryable, but: string): Promise<string[]> {
  const rows = await q.query<{ name: string }>(
    `select coalesce(n.name, c.node_id) as name from candidates c left join nodes n on n.id = c.node_id
      where c.node_id <> $1 and c.at > now() - interval '15 seconds' and coalesce(n.standing, 'approved') = 'approved' order by 1 limit 10`,
    [but],
  );
  return rows.map(({ name }) => name);
}

export async function removeCandidate(q: Queryable, nodeId: string): Promise<void> {
  await q.query(`delete from candidates where node_id = $1`, [nodeId]);
}

/** A candidate's own key for receiving, signed by its machine; kept as it was written, judged by whoever reads it. */
export interface Exchange {
  /** raw X25519, base64url */
  publicKey: string;
  signature: string;
}

/** The key of stored secrets, for the eyes of one candidate. */
export interface Wrapped {
  /** which key of the candidate it is for */
  to: string;
  /** the machine that wrapped it, and signed everything here */
  from: string;
  /** which key is inside */
  id: string;
  publicKey: string;
  box: string;
  signature: string;
}

export interface ExchangeRow {
  nodeId: string;
  exchange: Exchange | null;
  wrapped: Wrapped | null;
}

/** Who asks for the key of stored secrets, and what was handed out; heard of in the last minute. */
export function readExchanges(q: Queryable): Promise<ExchangeRow[]> {
  return q.query<ExchangeRow>(
    `select node_id as "nodeId", exchange, wrapped from candidates where exchange is not null and at > now() - interval '1 minute' order by node_id limit 100`,
  );
}

/** Asks for the key, or with null asks no more. False while this candidate has no row yet. */
export async function writeExchange(q: Queryable, nodeId: string, exchange: Exchange | null): Promise<boolean> {
  const rows = await q.query(`update candidates set exchange = $2, wrapped = null where node_id = $1 returning 1`, [
    nodeId,
    json(exchange),
  ]);
  return rows.length > 0;
}

/** Hands the key to a candidate that still asks with the key that it was wrapped for. */
export async function writeWrapped(q: Queryable, nodeId: string, wrapped: Wrapped): Promise<boolean> {
  const rows = await q.query(`update candidates set wrapped = $2 where node_id = $1 and exchange ->> 'publicKey' = $3 returning 1`, [
    nodeId,
    json(wrapped),
    wrapped.to,
  ]);
  return rows.length > 0;
}
