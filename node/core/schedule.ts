import type { Reason } from './reasons.ts';
import { isLocal, nodeRefusal, whyNot, type SchedulingJob, type SchedulingNode, type World } from './refusals.ts';
import { fetchSeconds, leaveToFaster } from './schedule-tail.ts';

/**
 * Which node runs which job, and in words why not. The callers bring the facts; this decides and never guesses: what is
 * not known (a speed, free space) neither refuses a node nor makes it wait.
 *
 *   asks for work ─▶ whyNot(node, job) for each job near the head of the queue ─▶ none may run: wait, with the first why
 *                        │ some may
 *                        ▼
 *                    shall another machine look at it, and would none be left? ─ then rather one that does not keep it
 *                        ▼
 *                    in the order of the queue, a film that is here already before a few that must be fetched
 *                        ▼
 *                    would the last file be finished sooner if the faster nodes did it? (schedule-tail.ts)
 *                        ├─ no ─▶ pick          └─ yes ─▶ wait, with the name of the faster one
 */
/** Every node with the reason why it does not take this job, null where it could: for the page of a job. */
export function whereItCanRun(
  world: Pick<World, 'nodes'>,
  job: SchedulingJob,
): { node: string; name: string; local: boolean; reason: Reason | null }[] {
  return world.nodes.map((node) => ({ node: node.id, name: node.name, local: isLocal(node, job), reason: whyNot(node, job) }));
}

/**
 * What a node that has a free slot shall take: ids, the best first, so that the caller can go on when one was taken
 * meanwhile. `candidates` in the order of the queue. Priority is strict. `overdue`: jobs that were left to a faster node
 * which should have finished them by now; they are not left any longer. `wait` is null when there is no candidate;
 * `promised`: in how many seconds each job that was left would be finished elsewhere.
 */
export function choose(
  node: SchedulingNode,
  candidates: SchedulingJob[],
  world: World,
  overdue: ReadonlySet<number> = new Set(),
): { pick: number[] } | { wait: Reason | null; promised?: ReadonlyMap<number, number> } {
  const allowed = candidates.filter((job) => whyNot(node, job) === null);
  if (allowed.length === 0) return { wait: candidates[0] ? whyNot(node, candidates[0]) : nodeRefusal(node) };
  const lone = new Map(allowed.map((job) => [job.id, overdue.has(job.id) ? null : whoseSecondLook(node, job, world)]));
  const rest = allowed.filter((job) => !lone.get(job.id));
  if (rest.length === 0) {
    const other = lone.get(allowed[0]!.id)!;
    return { wait: { code: 'left-for-second-look', params: { node: other.name } }, promised: new Map(allowed.map((job) => [job.id, 0])) };
  }
  const ordered = nearFirst(node, rest);
  const left = leaveToFaster(node, ordered, world, overdue);
  return 'wait' in left ? left : { pick: left.take.map((job) => job.id) };
}

/**
 * May a node whose slots are all taken get a film to fetch meanwhile? Not among the last ones: it would wait there for a
 * slot while another machine has one free. Null: it may.
 */
export function mayFetchAhead(node: SchedulingNode, world: World): Reason | null {
  const others = world.nodes.filter((other) => other.id !== node.id && nodeRefusal(other) === null);
  const slots = others.reduce((sum, other) => sum + other.slots, node.slots);
  return others.length > 0 && world.waiting.length + world.more < 2 * slots ? { code: 'fetch-later' } : null;
}

/**
 * Only this machine sees the library of a film that another one shall look at: then another machine with a free slot had
 * better encode it, and this one looks. Null: it may as well do it itself.
 */
function whoseSecondLook(node: SchedulingNode, job: SchedulingJob, world: World): SchedulingNode | null {
  if (!job.secondLook || !node.keeps.includes(job.root)) return null;
  const others = world.nodes.filter((other) => other.id !== node.id && other.present && other.standing === 'approved');
  if (others.some((other) => other.keeps.includes(job.root))) return null;
  return others.find((other) => other.asks && whyNot(other, job) === null) ?? null;
}

/** A film of this many heads further on may be taken first when it is here already. */
const NEAR_HEADS = 8;
/** What one film that has to wait a little longer is worth, in seconds of saved transfer. */
const JUMP_SECONDS = 60;
/** Ranks below this were put on top by a person (core/job.ts). */
const PINNED = -(2 ** 49);

/**
 * The order of the queue, except that the first film which is here already may go before the few ahead of it that would
 * have to be fetched: same priority, nothing that a person pinned, and each film jumped over must be outweighed by a
 * minute of transfer that is saved. So the order that people see stays true to within a few films.
 */
function nearFirst(node: SchedulingNode, jobs: SchedulingJob[]): SchedulingJob[] {
  const head = jobs[0]!;
  const index = jobs.slice(0, NEAR_HEADS).findIndex((job) => job.priority === head.priority && isLocal(node, job));
  const jumped = jobs.slice(0, Math.max(0, index));
  if (jumped.length === 0 || jumped.some((job) => job.rank < PINNED)) return jobs;
  if (fetchSeconds(node, head) <= JUMP_SECONDS * jumped.length) return jobs;
  return [jobs[index]!, ...jumped, ...jobs.slice(index + 1)];
}
