import { encoderOf, isLocal, jobRefusal, nodeRefusal, type SchedulingJob, type SchedulingNode, type World } from './refusals.ts';
import type { Reason } from './reasons.ts';

/**
 * The end of the queue: a slow machine that takes one of the last files would still be at it long after everything else
 * is done. So while few files wait, the rest of the work is played through, as machines would do it by themselves: with
 * all of them, without the slowest, without the two slowest, and so on. When the last file is finished sooner without
 * the one that asks, it waits. A file that is left to a faster machine does not hold up those behind it.
 *
 * Each answer follows the best plan known, and following a plan keeps its value; so a later answer can only be better,
 * and with true speeds the end never comes later than if nobody had waited (schedule.test.ts plays that).
 */
export function leaveToFaster(
  node: SchedulingNode,
  ordered: SchedulingJob[],
  world: World,
  overdue: ReadonlySet<number>,
  margin = MARGIN,
): { take: SchedulingJob[] } | Left {
  // nothing known speaks for waiting with these
  const pressing = ordered.find((job) => overdue.has(job.id) || timeOf(node, job) === null);
  if (pressing === ordered[0]) return { take: ordered };
  const choice = world.more > 0 ? fluid(node, ordered, world, margin) : played(node, ordered, world, margin);
  if (choice.take.length > 0) return { take: choice.take };
  return pressing ? { take: [pressing] } : { wait: choice.why, promised: choice.promised };
}

export interface Left {
  wait: Reason;
  /** seconds from now in which each job that was left would be finished elsewhere */
  promised: ReadonlyMap<number, number>;
}

/** Seconds until the film lies on the node; 0 where it can be read in place. */
export function fetchSeconds(node: SchedulingNode, job: SchedulingJob): number {
  return isLocal(node, job) ? 0 : (job.inputBytes * 8) / ((node.mbps ?? USUAL_MBPS) * 1e6);
}

/** Seconds that a job takes on a node, with the transfer; null when its speed there is not known. */
export function timeOf(node: SchedulingNode, job: SchedulingJob): number | null {
  const speed = node.speeds[encoderOf(node, job) ?? ''];
  if (speed === undefined || !(speed > 0) || job.pixels === null) return null;
  return fetchSeconds(node, job) + job.pixels / speed;
}

/** Where the network is not known. */
const USUAL_MBPS = 100;
/** Speeds are measured on other films: a plan must be better by this share to make a node wait. */
const MARGIN = 0.1;
/** So many of the next jobs are looked at for one that this node may take instead. */
const LOOK = 8;

interface Choice {
  take: SchedulingJob[];
  why: Reason;
  promised: Left['promised'];
}

interface Stage {
  /** usable nodes whose speed is known, the fastest first */
  nodes: SchedulingNode[];
  jobs: SchedulingJob[];
  /** seconds of a job on a node; absent where it cannot run or cannot be timed */
  cost: Map<string, Map<number, number>>;
  /** when the slots of a node become free; those of which that is not known are left out */
  slots: Map<string, number[]>;
}

type Done = Map<number, { node: SchedulingNode; end: number }>;

function played(node: SchedulingNode, ordered: SchedulingJob[], world: World, margin: number): Choice {
  const stage = stageOf(world, node);
  const place = stage.nodes.findIndex((n) => n.id === node.id);
  const first = ordered[0]!;
  const idle = best(stage, range(1, place), null);
  // the fastest waits for nobody, and one whose speed is not known for nothing
  if (place < 1 || !idle || !stage.cost.get(node.id)?.has(first.id)) return { take: ordered, why: unknown, promised: new Map() };
  const take = ordered.slice(0, LOOK).filter((job, i) => {
    if (!stage.cost.get(node.id)!.has(job.id)) return true;
    const here = best(stage, range(place, stage.nodes.length), { node, job });
    return here !== null && here.end <= idle.end / (i === 0 ? 1 - margin : 1);
  });
  const there = idle.done.get(first.id);
  const promised = new Map([...idle.done].map(([id, done]) => [id, done.end]));
  return { take, why: elsewhere(node, first, stage, there?.node ?? stage.nodes[0]!, there?.end ?? idle.end), promised };
}

/** Too many wait to play them: would this node still be at the film when the faster ones have done all the rest? */
function fluid(node: SchedulingNode, ordered: SchedulingJob[], world: World, margin: number): Choice {
  const first = ordered[0]!;
  const stage = stageOf(world, node);
  const place = stage.nodes.findIndex((n) => n.id === node.id);
  const faster = stage.nodes.slice(0, Math.max(0, place));
  const work = (world.waiting.length + world.more) * meanPixels(stage.jobs);
  const take = ordered.filter((job) => {
    const rate = totalRate(faster, job);
    const here = timeOf(node, job);
    return here === null || rate === 0 || here <= work / rate / (1 - margin);
  });
  const there = work / (totalRate(faster, first) || 1);
  return { take, why: elsewhere(node, first, stage, faster[0] ?? node, there), promised: new Map(ordered.map((job) => [job.id, there])) };
}

const unknown: Reason = { code: 'waiting-for-node' };

function elsewhere(node: SchedulingNode, job: SchedulingJob, stage: Stage, better: SchedulingNode, there: number): Reason {
  const here = stage.cost.get(node.id)?.get(job.id) ?? timeOf(node, job) ?? 0;
  return { code: 'better-elsewhere', params: { node: node.name, better: better.name, here: Math.round(here), there: Math.round(there) } };
}

/** The usable part of the world. `asking` has a free slot whatever the books say: it knows best. */
function stageOf(world: World, asking: SchedulingNode): Stage {
  const usable = world.nodes
    .map((node) => (node.id === asking.id ? asking : node))
    .filter((node) => nodeRefusal(node) === null && (node.id === asking.id || node.asks || node.busy >= node.slots));
  const cost = new Map(usable.map((node) => [node.id, costs(node, world.waiting)]));
  const jobs = world.waiting.filter((job) => usable.some((node) => cost.get(node.id)!.has(job.id)));
  const nodes = usable.filter((node) => cost.get(node.id)!.size > 0).toSorted((a, b) => pace(a, jobs, cost) - pace(b, jobs, cost));
  return { nodes, jobs, cost, slots: new Map(nodes.map((node) => [node.id, slotsOf(node, world, node.id === asking.id)])) };
}

function costs(node: SchedulingNode, jobs: SchedulingJob[]): Map<number, number> {
  const known = jobs.map((job) => [job.id, jobRefusal(node, job) === null ? timeOf(node, job) : null] as const);
  return new Map(known.filter((pair): pair is readonly [number, number] => pair[1] !== null));
}

/** Seconds per pixel over what it can do, so that one that does only small things is not taken for fast. */
function pace(node: SchedulingNode, jobs: SchedulingJob[], cost: Stage['cost']): number {
  const mine = cost.get(node.id)!;
  const done = jobs.filter((job) => mine.has(job.id));
  return (
    sum(done, (job) => mine.get(job.id)!) /
    Math.max(
      1,
      sum(done, (job) => job.pixels ?? 0),
    )
  );
}

function slotsOf(node: SchedulingNode, world: World, asking: boolean): number[] {
  const runs = world.running.filter((run) => run.node === node.id);
  const slots = runs.filter((run) => run.begun).map((run) => run.left ?? Infinity);
  // a slot that is taken by something not listed is not known to become free
  while (!asking && slots.length < node.busy - runs.filter((run) => !run.begun).length) slots.push(Infinity);
  while (slots.length < node.slots) slots.push(0);
  if (asking && !slots.includes(0)) slots.push(0);
  // what was fetched ahead goes into the slot that is free first
  for (const run of runs.filter((r) => !r.begun)) {
    slots.sort((a, b) => a - b);
    slots[0]! += run.left ?? Infinity;
  }
  return slots.filter(Number.isFinite);
}

/** The plan among several that ends first; null when none gets everything done. */
function best(stage: Stage, fastest: number[], taken: Taken | null): { end: number; done: Done } | null {
  let found: { end: number; done: Done } | null = null;
  for (const count of fastest) {
    const done = play(stage, count, taken);
    if (done.size < stage.jobs.length) continue;
    const end = Math.max(0, ...[...done.values()].map((d) => d.end));
    if (!found || end < found.end) found = { end, done };
  }
  return found;
}

interface Taken {
  node: SchedulingNode;
  job: SchedulingJob;
}

/** Plays the queue with the `count` fastest nodes: whichever slot is free first takes the first job that it can run. */
function play(stage: Stage, count: number, taken: Taken | null): Done {
  const slots = stage.nodes.slice(0, count).flatMap((node, order) => stage.slots.get(node.id)!.map((free) => ({ node, order, free })));
  const waiting = new Set(stage.jobs);
  const done: Done = new Map();
  const give = (slot: (typeof slots)[number], job: SchedulingJob): void => {
    slot.free += stage.cost.get(slot.node.id)!.get(job.id)!;
    waiting.delete(job);
    done.set(job.id, { node: slot.node, end: slot.free });
  };
  if (taken) {
    // without a place among the fastest it takes this one job and no more
    const own = slots.find((slot) => slot.node.id === taken.node.id && slot.free === 0);
    const job = stage.jobs.find((j) => j.id === taken.job.id)!;
    give(own ?? { node: taken.node, order: Infinity, free: 0 }, job);
  }
  while (waiting.size > 0 && slots.length > 0) {
    const slot = slots.reduce((a, b) => (b.free < a.free || (b.free === a.free && b.order < a.order) ? b : a));
    const able = stage.cost.get(slot.node.id)!;
    const next = [...waiting].find((j) => able.has(j.id));
    if (next) give(slot, next);
    else slots.splice(slots.indexOf(slot), 1);
  }
  return done;
}

/** Pixels a second of these nodes together, each with all of its slots. */
function totalRate(nodes: SchedulingNode[], job: SchedulingJob | null): number {
  if (!job) return 0;
  return sum(nodes, (node) => (jobRefusal(node, job) === null ? node.slots * (node.speeds[encoderOf(node, job) ?? ''] ?? 0) : 0));
}

function meanPixels(jobs: SchedulingJob[]): number {
  return jobs.length === 0 ? 0 : sum(jobs, (job) => job.pixels ?? 0) / jobs.length;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

function sum<T>(all: readonly T[], value: (one: T) => number): number {
  return all.reduce((total, one) => total + value(one), 0);
}
