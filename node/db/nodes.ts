import type { EncoderReport } from '../core/encoder-choice.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

export interface NodeRow {
  id: string;
  name: string;
  version: string;
  platform: string;
  standing: 'pending' | 'approved' | 'revoked';
  draining: boolean;
  encoders: EncoderReport[];
  hardware: Record<string, unknown>;
  slots: number;
  classes: number[];
  joinedAt: Date;
  lastSeenAt: Date;
  metrics: Record<string, unknown>;
}

/** What detection found, as the node said it in its hello. */

export interface NodeFacts {
  id: string;
  name: string;
  version: string;
  platform: string;
  slots: number;
  classes: number[];
  encoders: EncoderReport[];
  hardware: Record<string, unknown>;
}

export interface NodeRoot {
  nodeId: string;
  rootId: string;
  path: string;
  writable: boolean;
  problem: string | null;
  checkedAt: Date;
}

const columns = `id, name, version, platform, standing, draining, encoders, hardware, slots, classes,
  joined_at as "joinedAt", last_seen_at as "lastSeenAt", metrics`;

/** Writes what a hello said. `standing` is the standing of a node not seen before; a known node keeps its own. */
export async function upsertNode(q: Queryable, facts: NodeFacts, standing: NodeRow['standing']): Promise<NodeRow> {
  const [row] = await q.query<NodeRow>(
    `insert into nodes (id, name, version, platform, slots, classes, encoders, hardware, standing)
     values ($1, $2, $3, $4, $5, $6::smallint[], $7, $8, $9)
     on conflict (id) do update set name = excluded.name, version = excluded.version, platform = excluded.platform,
       slots = excluded.slots, classes = excluded.classes, encoders = excluded.encoders, hardware = excluded.hardware,
       last_seen_at = now()
     returning ${columns}`,
    [
      facts.id,
      text(facts.name),
      text(facts.version),
      text(facts.platform),
      facts.slots,
      facts.classes,
      json(facts.encoders),
      json(facts.hardware),
      standing,
    ],
  );
  return row!;
}

/** A heartbeat. False when the node is not known: it must say hello first. */
export async function touchNode(q: Queryable, id: string, metrics: Record<string, unknown>): Promise<boolean> {
  const rows = await q.query(`update nodes set last_seen_at = now(), metrics = $2 where id = $1 returning 1`, [id, json(metrics)]);
  return rows.length > 0;
}

export async function setDraining(q: Queryable, id: string, draining: boolean): Promise<boolean> {
  return (await q.query(`update nodes set draining = $2 where id = $1 returning 1`, [id, draining])).length > 0;
}

export async function setStanding(q: Queryable, id: string, standing: NodeRow['standing']): Promise<boolean> {
  return (await q.query(`update nodes set standing = $2 where id = $1 returning 1`, [id, standing])).length > 0;
}

export async function readNode(q: Queryable, id: string): Promise<NodeRow | null> {
  return (await q.query<NodeRow>(`select ${columns} from nodes where id = $1`, [id]))[0] ?? null;
}

export function listNodes(q: Queryable): Promise<NodeRow[]> {
  return q.query<NodeRow>(`select ${columns} from nodes order by lower(name), id`);
}
