import { classesLeft, unbenched, type Combination } from '../core/bench.ts';
import { minuteOfWeek } from '../core/hours.ts';
import { restingOf } from '../core/manners.ts';
import type { EncoderReport } from '../core/encoder-choice.ts';
import type { Window } from '../core/node-wishes.ts';
import { keeperOf, type SchedulingJob, type SchedulingNode } from '../core/refusals.ts';
import type { Queryable } from './connect.ts';
import { pixelsSql, readHead } from './heads.ts';

/** What scheduling must know, from the database alone. */
interface NodeFact {
  id: string;
  name: string;
  standing: SchedulingNode['standing'];
  paused: boolean;
  draining: boolean;
  /** as it told it; from another machine, perhaps of another version */
  conduct: unknown;
  schedule: Window[];
  utcOffset: number | null;
  slots: number;
  slotsWished: number | null;
  mbps: number | null;
  classes: number[];
  encoders: EncoderReport[];
  benched: Combination[];
  tempBytes: number | null;
  seenSecondsAgo: number;
  speeds: Record<string, number>;
  local: string[];
  keeps: string[];
}

/** A run that has a slot now, or was fetched ahead for one. */
export interface OpenEncode {
  attemptId: number;
  jobId: number;
  nodeId: string;
  job: Omit<SchedulingJob, 'keeper'>;
  expectedBytes: number;
  paused: boolean;
  seconds: number;
}

export interface FactSettings {
  /** encodes at once where a node has no number of its own */
  slots: number;
  /** megabits a second where a node has no limit of its own; 0: not limited */
  mbps: number;
  /** kept free for others */
  minFreeBytes: number;
}

/** Heard of within this time, a node counts as here. */
export const PRESENT_SECONDS = 45;

/**
 * Every node as scheduling sees it at this moment. `present`: who is here, from whoever knows better than the database.
 * What running encodes will still write is taken off the free space.
 */
export async function schedulingNodes(
  q: Queryable,
  settings: FactSettings,
  at: { now: number; present?: readonly string[]; open?: OpenEncode[] },
): Promise<SchedulingNode[]> {
  const facts = await q.query<NodeFact>(nodesSql);
  const open = at.open ?? (await openEncodes(q));
  const here = at.present ? new Set(at.present) : null;
  return facts.map((fact) => {
    const mine = open.filter((run) => run.nodeId === fact.id);
    return {
      id: fact.id,
      name: fact.name,
      standing: fact.standing,
      present: here ? here.has(fact.id) : fact.seenSecondsAgo <= PRESENT_SECONDS,
      paused: fact.paused,
      draining: fact.draining,
      resting: restingOf(fact.conduct),
      schedule: fact.schedule,
      minuteOfWeek: minuteOfWeek(at.now, fact.utcOffset ?? 0),
      slots: fact.slotsWished ?? settings.slots,
      busy: mine.length,
      asks: true,
      classes: classesLeft(fact.classes, fact.encoders, fact.benched),
      encoders: unbenched(fact.encoders, fact.benched),
      benched: fact.benched,
      freeBytes: fact.tempBytes === null ? null : fact.tempBytes - settings.minFreeBytes - stillToWrite(mine),
      local: fact.local,
      keeps: fact.keeps,
      speeds: fact.speeds,
      mbps: fact.mbps ?? (settings.mbps > 0 ? settings.mbps : null),
    };
  });
}

/** One job and all nodes, for `whereItCanRun` of core/schedule.ts; null when there is no such job. */
export async function schedulingFactsFor(
  q: Queryable,
  jobId: number,
  settings: FactSettings,
  now: number,
): Promise<{ nodes: SchedulingNode[]; job: SchedulingJob } | null> {
  const head = await readHead(q, jobId);
  if (!head) return null;
  const nodes = await schedulingNodes(q, settings, { now });
  return { nodes, job: { ...head, keeper: keeperOf(nodes, head.root) } };
}

/** Runs that are being fetched or encoded; what is delivered or checked needs no slot. */
export async function openEncodes(q: Queryable): Promise<OpenEncode[]> {
  const rows = await q.query<Omit<OpenEncode, 'job'> & Omit<SchedulingJob, 'keeper' | 'id'>>(
    `select a.id as "attemptId", j.id as "jobId", a.node_id as "nodeId", j.class, j.priority, j.rank, l.root_id as root,
            j.input_bytes as "inputBytes", j.expected_bytes as "expectedBytes", ${pixelsSql} as pixels,
            coalesce(j.profile ->> 'encoder', 'auto') as encoder, j.paused, extract(epoch from now() - a.started_at)::float8 as seconds
       from attempts a
       join jobs j on j.id = a.job_id and j.attempt_id = a.id and j.state = 'running'
       join media_files f on f.id = j.file_id join libraries l on l.id = j.library_id
      where a.ended_at is null and a.state = 'running' order by a.id`,
  );
  return rows.map(({ attemptId, jobId, nodeId, expectedBytes, paused, seconds, ...job }) => ({
    ...{ attemptId, jobId, nodeId, expectedBytes, paused, seconds },
    job: { id: jobId, ...job },
  }));
}

/** What is written already counts twice, which errs on the side of a disk that does not run full. */
export function stillToWrite(runs: OpenEncode[]): number {
  return runs.reduce((sum, run) => sum + run.expectedBytes, 0);
}

const nodesSql = `
select n.id, n.name, n.standing, n.paused, n.draining, n.metrics -> 'conduct' as conduct, n.schedule, n.utc_offset as "utcOffset", n.slots, n.slots_wished as "slotsWished",
       n.mbps, n.classes, n.encoders, n.temp_bytes as "tempBytes", extract(epoch from now() - n.last_seen_at)::float8 as "seenSecondsAgo",
       coalesce((select json_object_agg(s.encoder, s.pixels_per_second) from node_speeds s where s.node_id = n.id), '{}') as speeds,
       coalesce((select json_agg(json_build_object('encoder', b.encoder, 'device', b.device)) from benched b
                  where b.node_id = n.id and b.lifted_at is null), '[]') as benched,
       coalesce((select json_agg(r.root_id) from node_roots r where r.node_id = n.id and r.problem is null), '[]') as local,
       coalesce((select json_agg(r.root_id) from node_roots r
                  where r.node_id = n.id and r.problem is null and r.writable and r.proved_at is not null), '[]') as keeps
  from nodes n order by lower(n.name), n.id`;
