import type { ClusterSettings } from '../config/schema.ts';
import { classesLeft } from '../core/bench.ts';
import { nodeRefusal, keeperOf, type RunningEncode, type SchedulingJob, type SchedulingNode, type World } from '../core/refusals.ts';
import { timeOf } from '../core/schedule-tail.ts';
import type { Database } from '../db/connect.ts';
import { countsByState } from '../db/counters.ts';
import { readWaiting, type Head } from '../db/heads.ts';
import { openEncodes, schedulingNodes, type OpenEncode } from '../db/schedule-facts.ts';
import type { Events, Progress } from '../events.ts';

/**
 * What the dispatcher knows of the world: rows, kept for a moment because every free slot asks every few seconds, and what
 * only this process hears: who asks, and how long running encodes will still take.
 */
export interface Facts {
  /** every node and what runs, with `asking` as it describes itself */
  read(asking: Asking): Promise<{ nodes: SchedulingNode[]; open: OpenEncode[] }>;
  /** the same with the queue, for who waits for whom */
  world(nodes: SchedulingNode[], open: OpenEncode[]): Promise<World>;
  /** rows changed: read them anew */
  changed(): void;
  stop(): void;
}

export interface Asking {
  node: string;
  classes: number[];
  freeBytes: number;
  ahead: boolean;
  freeSlots: number;
}

export interface FactsParts {
  db: Database;
  settings: () => ClusterSettings;
  events: Events;
  roster: { present(): string[] };
  /** milliseconds since 1970 */
  now: () => number;
}

/** Rows about nodes are kept for so long. */
const KEPT_MS = 1500;
/** A free slot asks every five seconds. */
const ASKS_MS = 20_000;
/** So many waiting jobs are played through one by one. */
const PLAYED = 32;

export function createFacts(parts: FactsParts): Facts {
  const { db, now } = parts;
  const began = now();
  const asked = new Map<string, number>();
  const progress = new Map<number, Progress & { at: number }>();
  const off = parts.events.on('job.progressed', (p) => void progress.set(p.attemptId, { ...p, at: now() }));
  let kept: { at: number; nodes: SchedulingNode[] } | null = null;
  let changes = 0;

  return {
    async read(asking) {
      asked.set(asking.node, now());
      const open = await openEncodes(db);
      const running = new Set(open.map((run) => run.attemptId));
      for (const attempt of progress.keys()) if (!running.has(attempt)) progress.delete(attempt);
      const present = parts.roster.present();
      const nodes = (await rows(open)).map((node) => asItIs(node, open, present));
      return { nodes: nodes.map((node) => (node.id === asking.node ? asItSays(node, asking) : node)), open };
    },
    async world(nodes, open) {
      const running = nodes.flatMap((node) => runsOf(node, open));
      // one that is alone waits for nobody
      if (nodes.filter((node) => nodeRefusal(node) === null).length < 2) return { nodes, running, waiting: [], more: 0 };
      const heads = await readWaiting(db, PLAYED + 1);
      const more = heads.length > PLAYED ? Math.max(1, ((await countsByState(db))['available'] ?? 0) - PLAYED) : 0;
      return { nodes, running, waiting: withKeepers(heads.slice(0, PLAYED), nodes), more };
    },
    changed() {
      kept = null;
      changes++;
    },
    stop: off,
  };

  async function rows(open: OpenEncode[]): Promise<SchedulingNode[]> {
    if (kept && now() - kept.at < KEPT_MS && now() >= kept.at) return kept.nodes;
    const settings = parts.settings();
    const wanted = {
      slots: settings['jobs.atOnce'],
      mbps: settings['network.mbps'],
      minFreeBytes: settings['jobs.minFreeGb'] * 1e9,
    };
    const [at, before] = [now(), changes];
    const nodes = await schedulingNodes(db, wanted, { now: at, open });
    // what changed while they were read may not be in them
    if (before === changes) kept = { at, nodes };
    return nodes;
  }

  /** What changes from one second to the next is never taken from memory. */
  function asItIs(node: SchedulingNode, open: OpenEncode[], present: string[]): SchedulingNode {
    return {
      ...node,
      present: present.includes(node.id),
      busy: open.filter((run) => run.nodeId === node.id).length,
      asks: now() - Math.max(began, asked.get(node.id) ?? 0) < ASKS_MS,
    };
  }

  /** Who asks is here, and knows its slots and its space better than any row; a run whose end is on its way is over for it. */
  function asItSays(node: SchedulingNode, asking: Asking): SchedulingNode {
    const minFree = parts.settings()['jobs.minFreeGb'] * 1e9;
    return {
      ...node,
      present: true,
      asks: true,
      resting: null,
      classes: classesLeft(asking.classes, node.encoders, node.benched ?? []),
      freeBytes: asking.freeBytes - minFree,
      busy: asking.ahead ? node.slots : Math.max(0, node.slots - asking.freeSlots),
    };
  }

  /** Of its runs, so many as it has slots have begun; those that encode already first. */
  function runsOf(node: SchedulingNode, open: OpenEncode[]): RunningEncode[] {
    const mine = open.filter((run) => run.nodeId === node.id);
    const encodes = (run: OpenEncode): boolean => progress.get(run.attemptId)?.phase === 'encoding';
    const ordered = [...mine.filter(encodes), ...mine.filter((run) => !encodes(run))];
    return ordered.map((run, i) => ({ node: node.id, left: leftOf(node, run, i < node.slots), begun: i < node.slots }));
  }

  function leftOf(node: SchedulingNode, run: OpenEncode, begun: boolean): number | null {
    const heard = progress.get(run.attemptId);
    if (run.paused || heard?.paused || node.paused) return null;
    if (heard?.phase === 'encoding' && heard.leftMs !== null) return Math.max(0, heard.leftMs - (now() - heard.at)) / 1000;
    const whole = timeOf(node, { ...run.job, keeper: 'here' });
    return whole === null ? null : Math.max(0, whole - (begun ? run.seconds : 0));
  }
}

/** Jobs as scheduling sees them, with who keeps their root now. */
export function withKeepers(heads: Head[], nodes: SchedulingNode[]): SchedulingJob[] {
  const known = new Map<string, SchedulingJob['keeper']>();
  return heads.map((head) => {
    const keeper = known.get(head.root) ?? keeperOf(nodes, head.root);
    known.set(head.root, keeper);
    return { ...head, keeper };
  });
}
