import type { ClusterSettings } from '../config/schema.ts';
import { noWishes } from '../core/node-wishes.ts';
import { addActivity } from '../db/activity.ts';
import { listForJob, openAttempts, overAttempts, type Attempt } from '../db/attempts.ts';
import { failAttempt, releaseAttempt } from '../db/claims.ts';
import type { Database } from '../db/connect.ts';
import { touchNode, upsertNode } from '../db/nodes.ts';
import { setNodeRoots } from '../db/roots.ts';
import type { Events } from '../events.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest, ProtocolResponse, TopicMessage } from '../mesh/messages.ts';

type Hello = ProtocolRequest<'hello'>;
type Welcome = ProtocolResponse<'hello'>;

/** Knows which nodes are here, what each can do and where it has which root. */
export interface Roster {
  hello(facts: Hello): Promise<Welcome>;
  /** nodes heard of lately */
  present(): string[];
  /** a node told how busy it is */
  heard(presence: TopicMessage<'presence'>): Promise<void>;
  /** which process of a node a grant went to; runs of an earlier process of that node are over */
  granted(attempt: number, session: string): void;
}

export interface RosterParts {
  mesh: Mesh;
  db: Database;
  term: number;
  settings: () => ClusterSettings;
  events: Events;
  /** a keeper is (again) here: whatever waits for it is asked of it again */
  onKeeper: (node: string) => void;
}

/** A node that was not heard of for this long is not handed anything; its running work lives on by its leases. */
const PRESENT_MS = 45_000;
/** A file whose every run was cut off by a dying node may be what kills the node. */
const MOST_INTERRUPTIONS = 8;

export function createRoster(parts: RosterParts): Roster {
  const { db, mesh, events } = parts;
  const seen = new Map<string, { session: string; at: number }>();
  const grantedTo = new Map<number, string>();

  return {
    async hello(facts) {
      await remember(facts);
      await endInterrupted(facts);
      const drop = facts.attempts.length ? await overAttempts(db, facts.attempts) : [];
      const settings = parts.settings();
      return {
        term: parts.term,
        coordinator: mesh.self,
        certificate: null,
        members: null,
        wishes: noWishes,
        roots: [],
        leaseSeconds: settings['jobs.leaseSeconds'],
        stallSeconds: settings['jobs.stallMinutes'] * 60,
        slots: settings['jobs.atOnce'],
        minFreeBytes: Math.round(settings['jobs.minFreeGb'] * 1e9),
        drop,
      };
    },

    present,
    async heard({ node, load, freeBytes, busy }) {
      const known = seen.get(node);
      if (!known) return;
      known.at = Date.now();
      await touchNode(db, node, { cpuPercent: Math.round(load * 100), freeBytes, busy });
      events.emit('node.changed', { nodeId: node });
    },
    granted: (attempt, session) => void grantedTo.set(attempt, session),
  };

  function present(): string[] {
    const since = Date.now() - PRESENT_MS;
    return [...seen].filter(([, s]) => s.at >= since).map(([node]) => node);
  }

  async function remember(facts: Hello): Promise<void> {
    const returned = seen.get(facts.node)?.session !== facts.session;
    seen.set(facts.node, { session: facts.session, at: Date.now() });
    const { node: id, name, version, platform, slots, classes, encoders, hardware } = facts;
    await db.tx(async (q) => {
      await upsertNode(q, { id, name, version, platform, slots, classes, encoders, hardware, address: null, tempBytes: facts.freeBytes, clockMs: null, utcOffset: facts.utcOffset }, 'approved');
      await setNodeRoots(q, id, facts.roots);
    });
    events.emit('node.changed', { nodeId: id });
    if (returned) parts.onKeeper(facts.node);
  }

  /** Runs that an earlier process of this node had and the present one does not know were cut off when that one died. */
  async function endInterrupted(facts: Hello): Promise<void> {
    const mine = new Set(facts.attempts);
    const cut = (await openAttempts(db)).filter(
      (a) => a.nodeId === facts.node && a.state === 'running' && !mine.has(a.id) && grantedTo.get(a.id) !== facts.session,
    );
    for (const attempt of cut) await interrupted(attempt);
  }

  async function interrupted(attempt: Attempt): Promise<void> {
    const run = { jobId: attempt.jobId, attemptId: attempt.id };
    const reason = { code: 'interrupted' } as const;
    // stops and disks that were away are runs too, but not the film's doing
    const cutOff = (await listForJob(db, attempt.jobId)).filter((a) => a.reason?.code === 'interrupted').length + 1;
    const ended =
      cutOff >= MOST_INTERRUPTIONS ? await failAttempt(db, run, { reason, retry: false }) : await releaseAttempt(db, run, reason);
    if (ended?.state === 'failed')
      await addActivity(db, { kind: 'failed', severity: 2, jobId: ended.jobId, nodeId: ended.nodeId, params: { reason } });
    if (ended) events.emit('job.changed', { jobId: ended.jobId, fileId: ended.fileId, libraryId: ended.libraryId });
  }
}
