import type { ClusterSettings } from '../config/schema.ts';
import { jobClasses } from '../core/job.ts';
import type { Reason } from '../core/reasons.ts';
import { ableTo, jobRefusal, nodeRefusal, whyNot, type SchedulingJob, type SchedulingNode } from '../core/refusals.ts';
import { choose, mayFetchAhead } from '../core/schedule.ts';
import { claimOne, type ClaimedJob } from '../db/claims.ts';
import type { Database } from '../db/connect.ts';
import { failedEncoders } from '../db/failed-encoders.ts';
import { readHeads, readWaiting, waitingClasses } from '../db/heads.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { createFacts, withKeepers } from './facts.ts';
import { findingsOf } from './findings.ts';
import type { Roster } from './roster.ts';
import type { Tickets } from './tickets.ts';

type Wish = ProtocolRequest<'claim'>;
type Answer = ProtocolResponse<'claim'>;

/**
 * Hands out jobs. A worker asks when it has a free slot, or when its slots are busy and it could fetch a film meanwhile.
 *
 *   claim ─▶ facts (nodes, what runs) ─▶ the heads of the queue for this node ─▶ core/schedule: choose
 *              └─ refused: why               └─ nothing: why not the first         ├─ wait: why
 *                                                                                  └─ pick ─▶ db/claims: the first still free
 *
 * One question at a time, so that two nodes do not leave the same last file to each other. Offers are only a nudge to ask.
 */
export interface Dispatcher {
  /** @throws PlainError when a node asks in the name of another */
  claim(wish: Wish, from: string): Promise<Answer>;
  /** tells the nodes that there is work; at most once a second */
  offer(): void;
  /** something was decided or proved about nodes or roots: the next claim reads it */
  worldChanged(): void;
  stop(): void;
}

export interface DispatcherParts {
  mesh: Mesh;
  db: Database;
  term: number;
  settings: () => ClusterSettings;
  events: Events;
  roster: Pick<Roster, 'present' | 'granted'>;
  tickets: Pick<Tickets, 'source'>;
  /** its next free slot is wanted for something else */
  wanted?: (node: string) => boolean;
  log: Log;
  /** for tests: milliseconds since 1970 */
  now?: () => number;
}

const HEADS = 24;
/** Who asked gives up after fifteen seconds; a grant must not be made for nobody. */
const PATIENCE_MS = 10_000;
/** A granted run gives a sign of life each second: after so long without one the answer did not arrive. */
const UNHEARD_MS = 5_000;

interface Given {
  wish: Wish;
  answer: Answer;
  at: number;
}

export function createDispatcher(parts: DispatcherParts): Dispatcher {
  const { db, mesh, events } = parts;
  const now = parts.now ?? Date.now;
  const facts = createFacts({ ...parts, now });
  const left = createLeft(now);
  /** grants whose runs were not heard of yet */
  const given = new Map<number, Given>();
  const off = events.on('job.progressed', ({ attemptId }) => void given.delete(attemptId));
  let turn: Promise<unknown> = Promise.resolve();
  let offered: NodeJS.Timeout | null = null;
  let offeredAt = -Infinity;
  let stopped = false;

  return {
    claim(wish, from) {
      if (from !== wish.node) return Promise.reject(new PlainError('A machine asks for work only in its own name.'));
      const since = performance.now();
      const answer = turn.then(() => {
        if (performance.now() - since > PATIENCE_MS) throw new PlainError('The database is slow now; ask again.', { retry: true });
        return give(wish);
      });
      turn = answer.catch(() => {});
      return answer;
    },
    offer() {
      offered ??= setTimeout(
        () => {
          offered = null;
          offeredAt = performance.now();
          void publishOffer();
        },
        Math.max(100, offeredAt + 1000 - performance.now()),
      ).unref();
    },
    worldChanged: () => facts.changed(),
    stop() {
      stopped = true;
      if (offered) clearTimeout(offered);
      facts.stop();
      off();
    },
  };

  async function give(wish: Wish): Promise<Answer> {
    const settings = parts.settings();
    if (settings['queue.paused']) return refuse({ code: 'paused' });
    if (!wish.ahead && parts.wanted?.(wish.node)) return refuse({ code: 'measuring-first' });
    if (wish.ahead && !settings['network.fetchAhead']) return refuse({ code: 'fetch-off' });
    const { nodes, open } = await facts.read(wish);
    const lost = lostAnswer(wish, new Set(open.map((run) => run.attemptId)));
    if (lost) return lost;
    const node = nodes.find((n) => n.id === wish.node);
    if (!node) return refuse({ code: 'node-pending', params: { node: wish.node } });
    const runs = open.filter((run) => run.nodeId === node.id).length;
    const refusal = nodeRefusal(node) ?? busy(node, runs, wish);
    if (refusal) return refuse(refusal);
    const world = await facts.world(nodes, open);
    if (wish.ahead) {
      const later = mayFetchAhead(node, world);
      if (later) return refuse(later);
    }
    const asking = { ...node, busy: Math.min(node.busy, node.slots - 1) };
    const candidates = await candidatesFor(asking, nodes, wish.ahead);
    const chosen = choose(asking, candidates, world, left.overdue(node.id));
    if ('pick' in chosen) return grant(wish, chosen.pick, nodes, settings);
    if (candidates.length === 0) return refuse(wish.ahead ? null : await whyNothing(asking, nodes));
    left.note(node.id, chosen.promised);
    return refuse(chosen.wait);
  }

  /**
   * The heads of the queue for this node. When none of them fits into its workspace, smaller ones further down; a film
   * that has to be fetched needs room twice.
   */
  async function candidatesFor(node: SchedulingNode, nodes: SchedulingNode[], ahead: boolean): Promise<SchedulingJob[]> {
    const keepers = nodes.filter((n) => n.present && n.standing === 'approved').map((n) => n.id);
    const wish = { able: ableTo(node), keepers, limit: HEADS, notUnder: ahead ? node.local : [] };
    const first = withKeepers(await readHeads(db, wish), nodes);
    for (const share of [1, 0.5]) {
      if (node.freeBytes === null || !first.every((job) => jobRefusal(node, job)?.code === 'no-space') || first.length === 0) break;
      const small = withKeepers(await readHeads(db, { ...wish, maxBytes: Math.max(0, Math.floor(node.freeBytes * share)) }), nodes);
      if (small.some((job) => jobRefusal(node, job) === null)) return small;
    }
    return first;
  }

  /** Something waits and this node gets none of it: why not the first. Null when nothing waits. */
  async function whyNothing(node: SchedulingNode, nodes: SchedulingNode[]): Promise<Reason | null> {
    const waiting = withKeepers(await readWaiting(db, 8), nodes);
    return waiting.map((job) => whyNot(node, job)).find((why) => why !== null) ?? null;
  }

  async function grant(wish: Wish, ids: number[], nodes: SchedulingNode[], settings: ClusterSettings): Promise<Answer> {
    const leaseSeconds = settings['jobs.leaseSeconds'];
    const keepers = nodes.filter((n) => n.present && n.standing === 'approved').map((n) => n.id);
    const benched = nodes.find((n) => n.id === wish.node)?.benched ?? [];
    const job = await claimOne(db, { node: wish.node, term: parts.term, leaseSeconds, keepers }, ids);
    if (!job) return refuse(null);
    parts.roster.granted(job.attemptId, wish.session);
    events.emit('job.changed', { jobId: job.jobId, fileId: job.fileId, libraryId: job.libraryId });
    const granted = {
      ...grantOf(job, wish.node, leaseSeconds),
      ...(benched.length > 0 ? { benched: [...benched] } : {}),
      colours: parts.settings()['pictures.take'],
      ...(await findingsFor(job, wish.node)),
      ...(await failedBefore(job, wish.node)),
    };
    const answer = { granted, why: null };
    given.set(job.attemptId, { wish, answer, at: now() });
    return answer;
  }

  /** The job is taken: without them its search only takes longer. */
  async function findingsFor(job: ClaimedJob, node: string): Promise<Pick<GrantedJob, 'findings'>> {
    try {
      const findings = await findingsOf(db, node, job);
      return findings ? { findings } : {};
    } catch (error) {
      parts.log.debug({ job: job.jobId, why: messageOf(error) }, 'what is known of its quality could not be read');
      return {};
    }
  }

  /** What failed with this film on this node; it is granted already, and without this only the order of encoders is another. */
  async function failedBefore(job: ClaimedJob, node: string): Promise<Pick<GrantedJob, 'failed'>> {
    if (job.failures === 0) return {};
    return { failed: await failedEncoders(db, job.jobId, node).catch(() => []) };
  }

  function grantOf(job: ClaimedJob, reader: string, leaseSeconds: number): GrantedJob {
    const { rootId: root, path, fingerprint } = job;
    const about = { job: job.jobId, attempt: job.attemptId, holder: job.keeperId, reader };
    return {
      term: parts.term,
      job: job.jobId,
      attempt: job.attemptId,
      leaseSeconds,
      keeper: job.keeperId,
      ticket: parts.tickets.source({ ...about, root, path, fingerprint }),
      root,
      path,
      title: job.title.slice(0, 500),
      fingerprint,
      probe: job.probe as unknown as Record<string, unknown>,
      plan: job.plan as unknown as Record<string, unknown>,
      profile: job.profile as unknown as Record<string, unknown>,
    };
  }

  /** An answer that got lost on its way is given once more, instead of a second job while the first is waited for in vain. */
  function lostAnswer(wish: Wish, running: ReadonlySet<number>): Answer | null {
    for (const [attempt, { wish: earlier, answer, at }] of given) {
      if (!running.has(attempt)) given.delete(attempt);
      else if (earlier.session === wish.session && earlier.node === wish.node && now() - at > UNHEARD_MS) {
        given.delete(attempt);
        return answer;
      }
    }
    return null;
  }

  async function publishOffer(): Promise<void> {
    try {
      const classes = await waitingClasses(db, Object.values(jobClasses));
      if (!stopped && classes.length > 0) mesh.publish('offers', { term: parts.term, classes });
    } catch (error) {
      parts.log.debug({ why: messageOf(error) }, 'an offer could not be made; free slots ask by themselves');
    }
  }
}

/** A node knows its slots best, but not even its mistakes may take the whole queue. */
function busy(node: SchedulingNode, runs: number, wish: Wish): Reason | null {
  const full = wish.ahead ? runs >= 2 * node.slots : wish.freeSlots < 1 || runs >= 2 * node.slots + 2;
  return full ? { code: 'all-slots-busy', params: { node: node.name, slots: node.slots } } : null;
}

function refuse(why: Reason | null): Answer {
  return { granted: null, why };
}

/** Which jobs were left to a faster node, and until when that one has time: it may vanish, or be slower than it was. */
function createLeft(now: () => number): {
  note: (node: string, promised: ReadonlyMap<number, number> | undefined) => void;
  overdue: (node: string) => Set<number>;
} {
  const until = new Map<string, number>();
  return {
    note(node, promised = new Map()) {
      for (const [id, seconds] of promised) if (!until.has(`${node} ${id}`)) until.set(`${node} ${id}`, now() + (60 + 2 * seconds) * 1000);
    },
    overdue(node) {
      const over = new Set<number>();
      for (const [key, at] of until) {
        const [of, job] = key.split(' ') as [string, string];
        if (at + 600_000 < now()) until.delete(key);
        else if (of === node && at <= now()) over.add(Number(job));
      }
      return over;
    },
  };
}
