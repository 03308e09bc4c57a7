import type { ClusterSettings } from '../config/schema.ts';
import { unsaid, type Program } from '../core/compatibility.ts';
import type { Certificate, Signed } from '../core/cluster.ts';
import { addActivity } from '../db/activity.ts';
import { forgiveLost, listForJob, openAttempts, overAttempts, type Attempt } from '../db/attempts.ts';
import { failAttempt, releaseAttempt } from '../db/run-ends.ts';
import { visibleName } from '../core/visible-name.ts';
import { readCluster } from '../db/cluster.ts';
import type { Database } from '../db/connect.ts';
import { listLibraries } from '../db/libraries.ts';
import { setWatching, touchNode, upsertNode, wishesOf, type NodeRow } from '../db/nodes.ts';
import { needlessPictures } from '../db/pictures.ts';
import { listRoots, setNodeRoots } from '../db/roots.ts';
import { PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest, ProtocolResponse, TopicMessage } from '../mesh/messages.ts';

type Hello = ProtocolRequest<'hello'>;
type Welcome = ProtocolResponse<'hello'>;

/**
 * Who is here, what each node can do and where it has which root. Nodes say hello when they hear of this term, when
 * something about them changed, and every fifteen seconds; presence keeps them here in between. A node that is silent
 * for 45 s is handed nothing more; what it runs lives on by its leases.
 */
export interface Roster {
  hello(facts: Hello): Promise<Welcome>;
  /** nodes heard of lately */
  present(): string[];
  /** a node told how busy it is */
  heard(presence: TopicMessage<'presence'>): Promise<void>;
  /** which process of a node a grant went to; runs of an earlier process of that node are over */
  granted(attempt: number, session: string): void;
  /** a node was removed: it is not here any more */
  forget(node: string): void;
}

export interface RosterParts {
  mesh: Mesh;
  db: Database;
  term: number;
  certificate: Signed;
  settings: () => ClusterSettings;
  events: Events;
  /** where a node is reached and how far its clock is off, if this node is connected to it */
  network: Pick<Network, 'hostOf' | 'clockOf'>;
  /** a keeper is (again) here: whatever waits for it is asked of it again */
  onKeeper: (node: string) => void;
  /** what a node said of itself is in the books */
  onSaid?: (node: NodeRow) => Promise<void>;
  /** a node's roots were told: some may have to be proved */
  onRoots: () => void;
  /** it follows a certificate of this cluster, checked, that outranks ours */
  onHigher: (certificate: Signed) => void;
  /** null when the signature is not this cluster's */
  open: (certificate: Signed) => Certificate | null;
}

/** What the coordinator wants to know of the network below it. */
export interface Network {
  connected(): string[];
  hostOf(node: string): string | null;
  clockOf(node: string): number | null;
  /** members that are connected, but whose programs are too far from ours for anything but to meet */
  apart?(): { node: string; program: Program }[];
}

const PRESENT_MS = 45_000;
/** A file whose every run was cut off by a dying node may be what kills the node. */
const MOST_INTERRUPTIONS = 8;

export function createRoster(parts: RosterParts): Roster {
  const { db, mesh, events } = parts;
  const seen = new Map<string, { session: string; at: number }>();
  const grantedTo = new Map<number, string>();

  return {
    async hello(facts) {
      if (facts.certificate && parts.open(facts.certificate)) parts.onHigher(facts.certificate);
      const row = await remember(facts);
      await parts.onSaid?.(row);
      await endInterrupted(facts);
      const drop = facts.attempts.length ? await overAttempts(db, facts.attempts) : [];
      if (drop.length) await forgive(facts.node, drop);
      return welcome(facts, row, drop);
    },
    present,
    async heard({ node, load, freeBytes, busy, conduct }) {
      const known = seen.get(node);
      if (!known) return;
      known.at = Date.now();
      await touchNode(db, node, { cpuPercent: Math.round(load * 100), freeBytes, busy, conduct: conduct ?? null });
      events.emit('node.changed', { nodeId: node });
    },
    granted: (attempt, session) => void grantedTo.set(attempt, session),
    forget: (node) => void seen.delete(node),
  };

  /** It came back with what was given up as lost: it slept, or could not be reached. */
  async function forgive(node: string, attempts: number[]): Promise<void> {
    const jobs = await forgiveLost(db, node, attempts);
    if (jobs.length > 0) events.emit('queue.changed', { why: 'a machine came back' });
  }

  function present(): string[] {
    const since = Date.now() - PRESENT_MS;
    return [...seen].filter(([, s]) => s.at >= since).map(([node]) => node);
  }

  async function welcome(facts: Hello, row: NodeRow, drop: number[]): Promise<Welcome> {
    const settings = parts.settings();
    const cluster = await readCluster(db);
    const wishes = wishesOf(row);
    return {
      term: parts.term,
      coordinator: mesh.self,
      certificate: parts.certificate,
      members: cluster && cluster.membersVersion > facts.membersVersion ? cluster.members : null,
      wishes: { ...wishes, mbps: wishes.mbps ?? (settings['network.mbps'] || null) },
      roots: (await listRoots(db)).map((root) => root.id),
      watch: (await listLibraries(db))
        .filter((l) => l.watch && (l.enabled || l.looking))
        .slice(0, 200)
        .map((l) => ({ root: l.rootId, folder: l.folder })),
      leaseSeconds: settings['jobs.leaseSeconds'],
      stallSeconds: settings['jobs.stallMinutes'] * 60,
      slots: settings['jobs.atOnce'],
      minFreeBytes: Math.round(settings['jobs.minFreeGb'] * 1e9),
      drop,
      dropPictures: facts.pictures?.length ? await needlessPictures(db, facts.node, facts.pictures) : [],
    };
  }

  async function remember(hello: Hello): Promise<NodeRow> {
    const facts = plainly(hello);
    const returned = seen.get(facts.node)?.session !== facts.session;
    const { node: id, name, version, speaks = unsaid, platform, slots, classes, encoders, hardware, utcOffset, ffmpeg = null } = facts;
    const here = {
      address: parts.network.hostOf(id),
      tempBytes: facts.freeBytes,
      tempUsedBytes: facts.usedBytes ?? null,
      clockMs: id === mesh.self ? 0 : parts.network.clockOf(id),
      utcOffset,
    };
    const row = await db.tx(async (q) => {
      const node = await upsertNode(
        q,
        { id, name, version, speaks, platform, slots, classes, encoders, hardware, ffmpeg, ...here },
        'approved',
      );
      // said before it heard that it was removed: what it has is not wanted back in the books
      if (node.standing !== 'approved') throw new PlainError(`${node.name} is no member of this cluster any more.`);
      await setNodeRoots(q, id, facts.roots);
      await setWatching(q, id, facts.watching ?? []);
      return node;
    });
    seen.set(id, { session: facts.session, at: Date.now() });
    events.emit('node.changed', { nodeId: id });
    for (const { root, problem, freeBytes } of facts.roots)
      if (problem === null && freeBytes !== undefined) events.emit('root.measured', { rootId: root, freeBytes });
    parts.onRoots();
    if (returned) parts.onKeeper(id);
    return row;
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
    const ended = await db.tx(async (q) => {
      if (cutOff < MOST_INTERRUPTIONS) return releaseAttempt(q, run, reason);
      const over = await failAttempt(q, run, { reason, retry: false });
      if (over?.state === 'failed')
        await addActivity(q, { kind: 'failed', severity: 2, jobId: over.jobId, nodeId: over.nodeId, params: { reason } });
      return over;
    });
    if (ended) events.emit('job.changed', { jobId: ended.jobId, fileId: ended.fileId, libraryId: ended.libraryId });
  }
}

/** What a machine says of itself is read by people: what moves a cursor or turns the writing round is shown, not done. */
function plainly(facts: Hello): Hello {
  const plain = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return visibleName(value, 300);
    if (Array.isArray(value)) return depth > 4 ? [] : value.slice(0, 200).map((inner) => plain(inner, depth + 1));
    if (typeof value !== 'object' || value === null) return value;
    const pairs = depth > 4 ? [] : Object.entries(value).slice(0, 200);
    return Object.fromEntries(pairs.map(([key, inner]) => [visibleName(key, 60), plain(inner, depth + 1)]));
  };
  return {
    ...facts,
    name: visibleName(facts.name, 63),
    version: visibleName(facts.version, 40),
    platform: visibleName(facts.platform, 60),
    hardware: plain(facts.hardware, 0) as Hello['hardware'],
    ...(facts.ffmpeg ? { ffmpeg: plain(facts.ffmpeg, 0) as NonNullable<Hello['ffmpeg']> } : {}),
  };
}
