import { plannedCodec, type WorkPlan } from './plan.ts';
import type { Profile } from './profile.ts';

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

/**
 * The closed set of job classes; a node says which it can run. The claim index leads with it. A node of an earlier version
 * does not know the later ones, never asks for them, and so never gets a film that it would encode wrongly.
 */
export const jobClasses = { encode8: 0, encode10: 1, remux: 2, encodeHdr10: 3, av1Eight: 4, av1Ten: 5, av1Hdr10: 6 } as const;

/** What an encoder must be able to do for a job. */
export interface EncodeNeeds {
  codec: Profile['codec'];
  bitDepth: 8 | 10;
  /** carry HDR10's fixed values over */
  hdr10: boolean;
}

const needs: Record<number, EncodeNeeds> = {
  [jobClasses.encode8]: { codec: 'hevc', bitDepth: 8, hdr10: false },
  [jobClasses.encode10]: { codec: 'hevc', bitDepth: 10, hdr10: false },
  [jobClasses.encodeHdr10]: { codec: 'hevc', bitDepth: 10, hdr10: true },
  [jobClasses.av1Eight]: { codec: 'av1', bitDepth: 8, hdr10: false },
  [jobClasses.av1Ten]: { codec: 'av1', bitDepth: 10, hdr10: false },
  [jobClasses.av1Hdr10]: { codec: 'av1', bitDepth: 10, hdr10: true },
};

/** What the encoder of a job of this class must be able to do; null when nothing is encoded, or the class is not known. */
export function needsOf(jobClass: number): EncodeNeeds | null {
  return needs[jobClass] ?? null;
}

/** Every class that needs an encoder. */
export const encodeClasses: readonly number[] = Object.keys(needs).map(Number);

/** Which kind of node a plan needs. */
export function jobClass(plan: WorkPlan): number {
  const { video } = plan;
  if (plan.action === 'remux' || !video) return jobClasses.remux;
  const wanted = { codec: plannedCodec(plan), bitDepth: video.bitDepth, hdr10: video.hdr10 ?? false };
  const same = (n: EncodeNeeds): boolean => n.codec === wanted.codec && n.bitDepth === wanted.bitDepth && n.hdr10 === wanted.hdr10;
  return encodeClasses.find((one) => same(needs[one]!)) ?? jobClasses.encode10;
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
