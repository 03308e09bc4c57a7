import { unsaid, type Program, type ProtocolRange } from '../core/compatibility.ts';
import type { EncoderReport } from '../core/encoder-choice.ts';
import { mannersOf } from '../core/manner-wishes.ts';
import type { FfmpegTold } from '../core/ffmpeg-choice.ts';
import type { NodeWishes, Window } from '../core/node-wishes.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** A folder of a library that a node was asked to watch. */
export interface Watching {
  root: string;
  folder: string;
  watching: boolean;
  /** why not, as a sentence goes on */
  why: string | null;
}

export interface NodeRow {
  id: string;
  name: string;
  version: string;
  /** which messages its program understands */
  speaks?: ProtocolRange;
  platform: string;
  standing: 'pending' | 'approved' | 'rejected' | 'revoked';
  draining: boolean;
  encoders: EncoderReport[];
  hardware: Record<string, unknown>;
  /** every ffmpeg of it, as it told them; null when it did not say */
  ffmpeg?: FfmpegTold | null;
  slots: number;
  classes: number[];
  joinedAt: Date;
  lastSeenAt: Date;
  metrics: Record<string, unknown>;
  watching: Watching[];
  /** host from where it asked, or is connected now */
  address: string | null;
  /** six characters that its own console shows too; while pending */
  code: string | null;
  askedAt: Date | null;
  /** "not now": hidden until then */
  putOffUntil: Date | null;
  decidedBy: string | null;
  paused: boolean;
  slotsWished: number | null;
  schedule: Window[];
  mbps: number | null;
  /** as core/manner-wishes.ts has it, perhaps of another version */
  manners: Record<string, unknown>;
  /** free in its workspace */
  tempBytes: number | null;
  /** what its own unfinished work holds there; null when it did not say */
  tempUsedBytes?: number | null;
  /** its clock minus the coordinator's */
  clockMs: number | null;
  /** minutes */
  utcOffset: number | null;
}

export interface NodeFacts {
  id: string;
  name: string;
  version: string;
  speaks?: ProtocolRange;
  platform: string;
  slots: number;
  classes: number[];
  encoders: EncoderReport[];
  hardware: Record<string, unknown>;
  ffmpeg?: FfmpegTold | null;
  address: string | null;
  tempBytes: number;
  tempUsedBytes?: number | null;
  clockMs: number | null;
  utcOffset: number;
}

export interface NodeRoot {
  nodeId: string;
  rootId: string;
  path: string;
  writable: boolean;
  problem: string | null;
  checkedAt: Date;
  /** null: it may be a copy of the disk; it is read, but nothing is replaced there */
  provedAt: Date | null;
}

const columns = `id, name, version, json_build_object('min', speaks_min, 'max', speaks_max) as speaks, platform, standing, draining, encoders, hardware, ffmpeg, slots, classes,
  joined_at as "joinedAt", last_seen_at as "lastSeenAt", metrics, watching,
  address, code, asked_at as "askedAt", put_off_until as "putOffUntil", decided_by as "decidedBy", paused,
  slots_wished as "slotsWished", schedule, mbps, manners, temp_bytes as "tempBytes", temp_used_bytes as "tempUsedBytes", clock_ms as "clockMs", utc_offset as "utcOffset"`;

/** Writes what a hello said. `standing` is the standing of a node not seen before; a known node keeps its own. */
export async function upsertNode(q: Queryable, facts: NodeFacts, standing: NodeRow['standing']): Promise<NodeRow> {
  const [row] = await q.query<NodeRow>(
    `insert into nodes (id, name, version, platform, slots, classes, encoders, hardware, standing, address, temp_bytes, clock_ms, utc_offset,
       temp_used_bytes, ffmpeg, speaks_min, speaks_max)
     values ($1, $2, $3, $4, $5, $6::smallint[], $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
     on conflict (id) do update set name = excluded.name, version = excluded.version, platform = excluded.platform,
       slots = excluded.slots, classes = excluded.classes, encoders = excluded.encoders, hardware = excluded.hardware,
       address = coalesce(excluded.address, nodes.address), temp_bytes = excluded.temp_bytes, clock_ms = excluded.clock_ms,
       utc_offset = excluded.utc_offset, temp_used_bytes = excluded.temp_used_bytes, ffmpeg = excluded.ffmpeg,
       speaks_min = excluded.speaks_min, speaks_max = excluded.speaks_max, last_seen_at = now()
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
      text(facts.address),
      facts.tempBytes,
      facts.clockMs === null ? null : Math.round(facts.clockMs),
      Math.round(facts.utcOffset),
      facts.tempUsedBytes ?? null,
      facts.ffmpeg ? json(facts.ffmpeg) : null,
      (facts.speaks ?? unsaid).min,
      (facts.speaks ?? unsaid).max,
    ],
  );
  return row!;
}

/** Which folders of libraries it watches, as it said it last; written only when that is news. */
export async function setWatching(q: Queryable, id: string, watching: readonly Watching[]): Promise<void> {
  await q.query(`update nodes set watching = $2::jsonb where id = $1 and watching <> $2::jsonb`, [id, json(watching)]);
}

/** A heartbeat. False when the node is not known: it must say hello first. */
export async function touchNode(q: Queryable, id: string, metrics: Record<string, unknown>): Promise<boolean> {
  const rows = await q.query(`update nodes set last_seen_at = now(), metrics = $2 where id = $1 returning 1`, [id, json(metrics)]);
  return rows.length > 0;
}

/** A member that is connected, but too far from us in versions to say hello: that it is here, and what it runs. */
export async function noteProgram(q: Queryable, id: string, { version, speaks }: Program): Promise<boolean> {
  const rows = await q.query(
    `update nodes set version = $2, speaks_min = $3, speaks_max = $4, last_seen_at = now() where id = $1 and standing = 'approved' returning 1`,
    [id, text(version), speaks.min, speaks.max],
  );
  return rows.length > 0;
}

/** A stranger asked to join. A node that was decided about before keeps that decision, except that a revoked one may ask again. */
export async function askToJoin(
  q: Queryable,
  asked: {
    id: string;
    name: string;
    version: string;
    platform: string;
    hardware: Record<string, unknown>;
    address: string;
    code: string | null;
  },
): Promise<NodeRow> {
  const [row] = await q.query<NodeRow>(
    `insert into nodes (id, name, version, platform, hardware, address, code, asked_at, standing, slots)
     values ($1, $2, $3, $4, $5, $6, $7, now(), 'pending', 0)
     on conflict (id) do update set name = excluded.name, version = excluded.version, platform = excluded.platform,
       hardware = excluded.hardware, address = excluded.address, code = coalesce(excluded.code, nodes.code), asked_at = now(),
       last_seen_at = now()
     returning ${columns}`,
    [asked.id, text(asked.name), text(asked.version), text(asked.platform), json(asked.hardware), text(asked.address), text(asked.code)],
  );
  return row!;
}

/** How many ask now, so that a flood of made-up machines cannot fill the table. */
export async function countPending(q: Queryable): Promise<number> {
  return (await q.query<{ n: number }>(`select count(*)::int as n from nodes where standing = 'pending'`))[0]?.n ?? 0;
}

/** Machines that asked, were never decided about and have gone away since. Returns how many went. */
export async function forgetPending(q: Queryable): Promise<number> {
  return (await q.query(`delete from nodes where standing = 'pending' and asked_at < now() - interval '7 days' returning 1`)).length;
}

export async function setStanding(q: Queryable, id: string, standing: NodeRow['standing'], by: string): Promise<NodeRow | null> {
  const rows = await q.query<NodeRow>(
    `update nodes set standing = $2, decided_by = $3, put_off_until = null, code = case when $2 = 'pending' then code end
      where id = $1 returning ${columns}`,
    [id, standing, text(by)],
  );
  return rows[0] ?? null;
}

/** "Not now": the page hides the question for so long. */
export async function putOff(q: Queryable, id: string, minutes: number): Promise<boolean> {
  const rows = await q.query(
    `update nodes set put_off_until = now() + make_interval(mins => $2) where id = $1 and standing = 'pending' returning 1`,
    [id, minutes],
  );
  return rows.length > 0;
}

export async function setWishes(q: Queryable, id: string, wishes: NodeWishes): Promise<boolean> {
  const rows = await q.query(
    `update nodes set paused = $2, draining = $3, slots_wished = $4, schedule = $5, mbps = $6, manners = $7 where id = $1 returning 1`,
    [id, wishes.paused, wishes.draining, wishes.slots, json(wishes.schedule), wishes.mbps, json(wishes.manners)],
  );
  return rows.length > 0;
}

/** What a person wishes of a node, out of its row. */
export function wishesOf(row: Pick<NodeRow, 'paused' | 'draining' | 'slotsWished' | 'schedule' | 'mbps' | 'manners'>): NodeWishes {
  const { paused, draining, slotsWished: slots, schedule, mbps } = row;
  return { paused, draining, slots, schedule, mbps, manners: mannersOf(row.manners) };
}

export function approvedNodes(q: Queryable): Promise<{ id: string; name: string }[]> {
  return q.query(`select id, name from nodes where standing = 'approved' order by id`);
}

export async function readNode(q: Queryable, id: string): Promise<NodeRow | null> {
  return (await q.query<NodeRow>(`select ${columns} from nodes where id = $1`, [text(id)]))[0] ?? null;
}

/** The same, and nobody else changes it before this transaction ends. */
export async function lockNode(q: Queryable, id: string): Promise<NodeRow | null> {
  return (await q.query<NodeRow>(`select ${columns} from nodes where id = $1 for update`, [text(id)]))[0] ?? null;
}

export function listNodes(q: Queryable): Promise<NodeRow[]> {
  return q.query<NodeRow>(`select ${columns} from nodes order by lower(name), id`);
}
