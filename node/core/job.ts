import type { WorkPlan } from './plan.ts';

/**
 * A job is one wanted change to one media file. An attempt is one run of it by one node.
 *
 *   job      available ──claim──▶ running ──▶ completed (replaced | kept)
 *              ▲   ▲                │ │ └────▶ failed ──retry (a person)──▶ a new job
 *              │   └─ retry_at due ─┘ └──────▶ cancelled
 *              └──── a person ─── held ◀── needs a person
 *
 *   attempt  running ─▶ delivering ─▶ verifying ─▶ replacing ─▶ succeeded
 *              └───────────┴─────────────┴────────────┴──▶ failed · lost · rejected · cancelled
 */
export type JobState = 'available' | 'running' | 'completed' | 'failed' | 'cancelled' | 'held';
export type AttemptState =
  | 'running'
  | 'delivering'
  | 'verifying'
  | 'replacing'
  | 'succeeded'
  | 'failed'
  | 'lost'
  | 'rejected'
  | 'cancelled';
export const fileStatusNames = ['new', 'settling', 'queued', 'done', 'kept', 'skipped', 'failed', 'missing'] as const;
export type FileStatus = (typeof fileStatusNames)[number];

export const priorities = ['high', 'normal', 'low'] as const;
export type Priority = (typeof priorities)[number];

/** The closed set of job classes; a node says which it can run. The claim index leads with it. */
export const jobClasses = { encode8: 0, encode10: 1, remux: 2 } as const;

/** Which kind of node a plan needs. */
export function jobClass(plan: WorkPlan): number {
  if (plan.action === 'remux' || !plan.video) return jobClasses.remux;
  return plan.video.bitDepth === 10 ? jobClasses.encode10 : jobClasses.encode8;
}

const TOP = -(2 ** 50);

/** Order inside a priority: the biggest expected saving first. */
export function savingRank(inputBytes: number, expectedBytes: number): number {
  return -Math.max(0, Math.round(inputBytes - expectedBytes));
}

/** A pin to the top or the end; a later pin goes before (or behind) an earlier one. `sequence` only grows. */
export function pinRank(where: 'top' | 'end', sequence: number): number {
  return where === 'top' ? TOP - sequence : -TOP + sequence;
}

/**
 * When a failed attempt may be tried again, in seconds from now: 30 s, 2 min, 8 min, … at most six hours, with a fifth
 * of jitter. `random` is in [0, 1).
 */
export function retryDelaySeconds(failures: number, random: number): number {
  return Math.min(6 * 3600, 30 * 4 ** Math.max(0, failures - 1)) * (0.8 + 0.4 * random);
}
