import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Reason } from '../core/reasons.ts';
import type { Maker } from './benched.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/**
 * Outputs that are looked at once more while their originals are still in the trash, because what made them was benched.
 *
 *   (nothing) ─▶ wanted ─▶ running ─┬─▶ good ─▶ the original expires as before
 *                  ▲  not now ──────┤
 *                  └────────────────┼─▶ bad: the original stays until a person puts it back or accepts the copy (good)
 *                                   └─▶ (nothing): the copy or the original is not what it was any more
 */
export type RecheckState = 'wanted' | 'running' | 'good' | 'bad';

export interface Recheck {
  /** of the original */
  id: number;
  attemptId: number;
  jobId: number;
  fileId: number | null;
  title: string;
  rootId: string;
  trashPath: string;
  originalBytes: number;
  originalHash: string;
  /** where the output stands now, below the root; null: it is gone, or nobody knows */
  path: string | null;
  outputBytes: number;
  sha256: string;
  encoderNode: string;
  probe: Probe;
  plan: WorkPlan;
  profile: Profile;
}

/** Everything that this maker made and whose original is still there shall be looked at again. Returns how many. */
export async function wantRechecks(q: Queryable, maker: Maker): Promise<number> {
  const rows = await q.query(
    `update originals o set recheck = 'wanted', recheck_asked = null, recheck_note = null
       from attempts a
      where a.node_id = $1 and a.encoder = $2 and a.verdict is not null and coalesce(a.stats ->> 'device', '') = $3
        and coalesce(a.stats ->> 'build', '') = $4 and a.state = 'succeeded'
        and o.attempt_id = a.id and o.state = 'kept' and o.recheck is null returning 1`,
    [maker.nodeId, text(maker.encoder), text(maker.device), text(maker.build)],
  );
  return rows.length;
}

const columns = `o.id, o.attempt_id as "attemptId", o.job_id as "jobId", o.file_id as "fileId", o.title, o.root_id as "rootId", o.trash_path as "trashPath",
  o.size_bytes as "originalBytes", o.fingerprint ->> 'hash' as "originalHash", f.path, a.output_bytes as "outputBytes", a.sha256,
  a.node_id as "encoderNode", a.stats -> 'originalProbe' as probe, j.plan, j.profile`;
const joined = `originals o join attempts a on a.id = o.attempt_id join jobs j on j.id = a.job_id
  left join media_files f on f.id = o.file_id and f.status <> 'missing'`;

/** The one that is being looked at, with how many seconds ago its keeper was asked. */
export async function runningRecheck(q: Queryable): Promise<(Recheck & { askedAgo: number }) | null> {
  const rows = await q.query<Recheck & { askedAgo: number }>(
    `select ${columns}, coalesce(extract(epoch from now() - o.recheck_asked), 1e9)::float8 as "askedAgo"
       from ${joined} where o.recheck = 'running' and o.state = 'kept' order by o.id limit 1`,
  );
  return rows[0] ?? null;
}

/** The next one; what could not be looked at rests for ten minutes and comes after the others. */
export async function nextRecheck(q: Queryable): Promise<Recheck | null> {
  const rows = await q.query<Recheck>(
    `select ${columns} from ${joined}
      where o.recheck = 'wanted' and o.state = 'kept' and (o.recheck_asked is null or o.recheck_asked < now() - interval '10 minutes')
      order by o.recheck_asked nulls first, o.id limit 1`,
  );
  return rows[0] ?? null;
}

/** One step of the drawing above, and when its keeper was last asked. False when it was not in one of `from`, or left the trash. */
export async function setRecheck(
  q: Queryable,
  id: number,
  from: RecheckState[],
  to: RecheckState | null,
  note: Reason | null = null,
): Promise<boolean> {
  const rows = await q.query(
    `update originals set recheck = $3, recheck_asked = now(), recheck_note = $4
      where id = $1 and state = 'kept' and recheck = any($2::text[]) returning 1`,
    [id, from, to, json(note)],
  );
  return rows.length > 0;
}

export interface BadCopy {
  id: number;
  jobId: number;
  fileId: number | null;
  title: string;
  note: Reason | null;
}

/** Copies that were found bad and wait for a person, the oldest first. */
export function badCopies(q: Queryable): Promise<BadCopy[]> {
  return q.query<BadCopy>(
    `select id, job_id as "jobId", file_id as "fileId", title, recheck_note as note from originals
      where recheck = 'bad' and state = 'kept' order by recheck_asked nulls first, id limit 20`,
  );
}
