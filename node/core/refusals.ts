import type { Combination } from './bench.ts';
import { chooseEncoder, type EncoderReport } from './encoder-choice.ts';
import { describeWindows, isOpen, opensAt } from './hours.ts';
import { jobClasses, needsOf } from './job.ts';
import type { Window } from './node-wishes.ts';
import type { Profile } from './profile.ts';
import type { Reason } from './reasons.ts';

/** What scheduling knows of a node, and why a node cannot run a job. What is not known never refuses. */
export interface SchedulingNode {
  id: string;
  name: string;
  standing: 'pending' | 'approved' | 'rejected' | 'revoked';
  /** heard of lately */
  present: boolean;
  paused: boolean;
  draining: boolean;
  /** why it begins nothing now out of consideration for its house (core/manners.ts); left out or null: it does not hold back */
  resting?: Reason | null;
  schedule: Window[];
  /** by its own clock, from `minuteOfWeek` of core/hours.ts */
  minuteOfWeek: number;
  slots: number;
  /** encodes that it has now, those fetched ahead too */
  busy: number;
  /** it asks for work when a slot is free; one that stopped asking is not waited for */
  asks: boolean;
  /** without those for which every encoder is benched */
  classes: number[];
  /** without those that are benched */
  encoders: EncoderReport[];
  /** encoders that made bad copies and are not used for now (core/bench.ts) */
  benched?: readonly Combination[];
  /** of its workspace, after what is kept free for others and what its running encodes will need; null: not known */
  freeBytes: number | null;
  /** roots that it can read by itself */
  local: string[];
  /** roots whose originals it can replace: writable there, and proved to be the same disk */
  keeps: string[];
  /** pixels a second by encoder, measured */
  speeds: Record<string, number>;
  /** how fast a film comes to it from another node, megabits a second; null: not known */
  mbps: number | null;
}

export interface SchedulingJob {
  id: number;
  class: number;
  priority: number;
  rank: number;
  root: string;
  /** can an original under this root be replaced now: by a node that is here, by none, only by one with a possible copy */
  keeper: 'here' | 'away' | 'unproved';
  inputBytes: number;
  /** width × height × frames; null: not known */
  pixels: number | null;
  encoder: Profile['encoder'];
  /** another machine than the one that encodes it shall check it */
  secondLook?: boolean;
}

/** A run on a slot now. */
export interface RunningEncode {
  node: string;
  /** seconds until its slot is free; null: not known, or it stands still */
  left: number | null;
  /** false: fetched ahead, it begins when a slot of its node is free */
  begun: boolean;
}

export interface World {
  nodes: SchedulingNode[];
  running: RunningEncode[];
  /** the first of everything that waits, in the order of the queue, whoever may run it */
  waiting: SchedulingJob[];
  /** how many wait beyond those */
  more: number;
}

/** Why this node cannot begin this job now; null when it can. The reason that a person would mend first comes first. */
export function whyNot(node: SchedulingNode, job: SchedulingJob): Reason | null {
  return nodeRefusal(node) ?? jobRefusal(node, job) ?? slotRefusal(node);
}

/** Why this node begins nothing at all now, whatever the job. */
export function nodeRefusal(node: SchedulingNode): Reason | null {
  const { name } = node;
  if (node.standing === 'revoked') return { code: 'node-revoked', params: { node: name } };
  if (node.standing === 'rejected') return { code: 'node-rejected', params: { node: name } };
  if (node.standing === 'pending') return { code: 'node-pending', params: { node: name } };
  if (!node.present) return { code: 'node-away', params: { node: name } };
  if (node.paused) return { code: 'node-paused', params: { node: name } };
  if (node.draining) return { code: 'node-draining', params: { node: name } };
  if (node.slots < 1) return { code: 'no-slots', params: { node: name } };
  return hoursRefusal(node) ?? (node.resting ? { ...node.resting, params: { ...node.resting.params, node: name } } : null);
}

/** Why this node cannot run this job, busy or not. */
export function jobRefusal(node: SchedulingNode, job: SchedulingJob): Reason | null {
  if (!canEncode(node, job) && node.benched?.length)
    return { code: 'no-trusted-encoder', params: { node: node.name, encoders: node.benched.map((b) => b.encoder).join(', ') } };
  if (!canEncode(node, job)) return { code: 'no-encoder-here', params: { node: node.name, needs: neededEncoder(job) } };
  const needed = neededBytes(node, job);
  if (node.freeBytes !== null && node.freeBytes < needed)
    return { code: 'no-space', params: { where: `the workspace of ${node.name}`, needed, free: Math.max(0, node.freeBytes) } };
  if (job.keeper === 'unproved') return { code: 'keeper-unproved' };
  if (job.keeper === 'away') return { code: 'keeper-away' };
  return null;
}

/** Everything whose class and wished encoder this node has: what the queue is asked for. */
export function ableTo(node: Pick<SchedulingNode, 'classes' | 'encoders'>): { class: number; encoder: Profile['encoder'] }[] {
  const wishes = ['auto', 'hardware', 'software'] as const;
  return node.classes.flatMap((one) =>
    wishes.filter((encoder) => canEncode(node, { class: one, encoder })).map((encoder) => ({ class: one, encoder })),
  );
}

export function isLocal(node: SchedulingNode, job: SchedulingJob): boolean {
  return node.local.includes(job.root) || node.keeps.includes(job.root);
}

/** Who can replace originals under this root, as `SchedulingJob.keeper` says it. */
export function keeperOf(nodes: SchedulingNode[], root: string): SchedulingJob['keeper'] {
  const here = nodes.filter((n) => n.standing === 'approved' && n.present);
  if (here.some((n) => n.keeps.includes(root))) return 'here';
  return here.some((n) => n.local.includes(root)) && !nodes.some((n) => n.keeps.includes(root)) ? 'unproved' : 'away';
}

function hoursRefusal(node: SchedulingNode): Reason | null {
  if (isOpen(node.schedule, node.minuteOfWeek)) return null;
  const opens = opensAt(node.schedule, node.minuteOfWeek);
  const params = { node: node.name, hours: describeWindows(node.schedule) };
  return { code: 'outside-hours', params: opens ? { ...params, opens } : params };
}

function slotRefusal(node: SchedulingNode): Reason | null {
  return node.busy < node.slots ? null : { code: 'all-slots-busy', params: { node: node.name, slots: node.slots } };
}

function canEncode(node: Pick<SchedulingNode, 'classes' | 'encoders'>, job: Pick<SchedulingJob, 'class' | 'encoder'>): boolean {
  if (!node.classes.includes(job.class)) return false;
  // having the class is having some encoder for it
  if (job.class === jobClasses.remux || job.encoder === 'auto') return true;
  return chosen(node, job) !== null;
}

/** The encoder that a job would get on a node, 'copy' when nothing is encoded; null when that cannot be said. */
export function encoderOf(node: SchedulingNode, job: SchedulingJob): string | null {
  if (job.class === jobClasses.remux) return 'copy';
  return chosen(node, job);
}

function chosen(node: Pick<SchedulingNode, 'encoders'>, job: Pick<SchedulingJob, 'class' | 'encoder'>): string | null {
  const needs = needsOf(job.class);
  if (!needs) return null;
  const { codec, bitDepth, hdr10 } = needs;
  return chooseEncoder(node.encoders, { encoder: job.encoder, codec }, bitDepth, { hdr10 }).choice?.name ?? null;
}

function neededEncoder(job: SchedulingJob): string {
  const needs = needsOf(job.class);
  if (!needs) return job.class === jobClasses.remux ? 'ffmpeg' : 'a newer version';
  const av1 = needs.codec === 'av1';
  const kind = { auto: 'one', hardware: 'a hardware encoder', software: av1 ? 'SVT-AV1' : 'libx265' }[job.encoder];
  return `${kind} for ${[av1 ? 'AV1' : '', needs.hdr10 ? 'HDR10' : `${needs.bitDepth} bit`].filter(Boolean).join(' in ')}`;
}

/** The output may become as large as the original before it is stopped; a fetched original lies beside it. */
function neededBytes(node: SchedulingNode, job: SchedulingJob): number {
  return job.inputBytes * (isLocal(node, job) ? 1 : 2);
}
