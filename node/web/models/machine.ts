import type { ClusterName, Sighting, Surroundings } from '../../core/standing.ts';
import { ago, duration, exact, plural } from '../format.ts';
import { url } from '../routes.ts';
import { clustersAround, standingView, type StandingFacts, type StandingView } from './standing.ts';

/** The page "This machine": where it stands, what it sees of the others, and why not more. */
export interface MachineView {
  standing: StandingView;
  nodeName: string;
  nodeId: string;
  version: string;
  listening: { what: string; addresses: string[]; problem: string }[];
  interfaces: { name: string; address: string; works: boolean; says: string }[];
  seen: SeenView[];
  clusters: { name: string; says: string; leaveHref: string }[];
  /** how leaving is called: a machine without a cluster has nothing to leave */
  member: boolean;
}

export interface SeenView {
  name: string;
  node: string;
  tone: 'won' | 'warn' | 'bad' | '';
  state: string;
  says: string;
  facts: string[];
  addresses: string;
  seen: string;
  seenExact: string;
}

/** The list alone, and the page around it with its form. */
export interface MachinePage {
  machine: MachineView;
  address: string;
  problem: string;
  /** the visitor may do something here */
  acts: boolean;
}
/** Who has the machine shows it with its token. */
export interface MachineTokenPage {
  nodeName: string;
  problem: string;
}
export interface MachineStandingPart {
  standing: StandingView;
}
export interface MachinePart {
  machine: MachineView;
}
export interface WaitingPage {
  standing: StandingView;
  /** "Nothing was changed." for a form that came while nobody could take it */
  unsaved: string;
  backHref: string;
  /** the visitor may do something here; otherwise he is told how he could */
  acts: boolean;
}

const states: Record<Sighting['state'], [string, SeenView['tone']]> = {
  connected: ['Connected', 'won'],
  connecting: ['Connecting', ''],
  unreachable: ['Not reachable', 'bad'],
  'other-cluster': ['Another cluster', ''],
  fresh: ['No cluster yet', ''],
  'not-approved': ['Not approved', 'warn'],
  'other-version': ['Other version', 'bad'],
  twin: ['Same identity', 'bad'],
  clock: ['Clock differs', 'bad'],
};
const ways: Record<Sighting['by'], string> = {
  mdns: 'found on the network',
  peer: 'an address that was given',
  remembered: 'remembered from before',
  told: 'named by another machine',
  inbound: 'called this machine',
};
const services = { mesh: 'Listens to its cluster', lobby: 'Listens to newcomers', data: 'Sends films from' };

export function machineView(facts: StandingFacts & { surroundings: Surroundings; node: { version: string } }): MachineView {
  const { surroundings, standing, node, neighbours, now } = facts;
  const mine = 'cluster' in standing ? (standing.cluster?.id ?? null) : null;
  return {
    standing: standingView(facts),
    nodeName: node.name,
    nodeId: node.id,
    version: node.version,
    listening: surroundings.listening.map((l) => ({
      what: services[l.what],
      addresses: l.addresses.map(plainAddress),
      problem: l.problem ?? '',
    })),
    interfaces: surroundings.interfaces.map((i) => ({ name: i.name, address: i.address, works: i.multicast === 'ok', says: multicast(i) })),
    seen: [...surroundings.sightings]
      .sort(byUse)
      .slice(0, 200)
      .map((s) => seenView(s, now)),
    clusters: standing.state === 'member' ? clustersAround(neighbours, mine).map(clusterView) : [],
    member: standing.state === 'member',
  };
}

function clusterView(c: { id: string; name: string; nodes: number; by: string[] }): MachineView['clusters'][number] {
  const by = c.by.slice(0, 3).join(', ') + (c.by.length > 3 ? ` and ${c.by.length - 3} more` : '');
  return { name: c.name, says: `${plural(c.nodes, 'machine')}, heard from ${by}`, leaveHref: url.machineLeave(c.id) };
}

function multicast(i: Surroundings['interfaces'][number]): string {
  if (i.multicast === 'ok') return 'Machines are found by themselves here';
  if (i.multicast === 'off') return i.problem ?? 'Looking around is switched off';
  return `Nothing is found by itself here${i.problem ? `: ${i.problem}` : ''}`;
}

/** What needs a person first, then what works, then what is on its way. */
function byUse(a: Sighting, b: Sighting): number {
  const rank = (s: Sighting): number =>
    states[s.state][1] === 'bad' ? 0 : s.state === 'not-approved' ? 1 : s.state === 'connected' ? 3 : 2;
  return rank(a) - rank(b) || (a.name ?? a.node).localeCompare(b.name ?? b.node, 'en');
}

function seenView(s: Sighting, now: Date): SeenView {
  const [state, tone] = states[s.state];
  const at = new Date(s.lastSeenMs);
  const facts = [ways[s.by]];
  if (s.cluster && s.state === 'other-cluster') facts.push(`cluster ${s.cluster.name}`);
  if (s.version) facts.push(`version ${s.version}`);
  if (s.latencyMs !== null) facts.push(`${s.latencyMs < 10 ? s.latencyMs.toFixed(1) : Math.round(s.latencyMs)} ms away`);
  if (s.clockMs !== null && Math.abs(s.clockMs) >= 1000)
    facts.push(`clock ${duration(Math.abs(s.clockMs))} ${s.clockMs > 0 ? 'ahead' : 'behind'}`);
  return {
    name: s.name ?? shortId(s.node),
    node: s.node,
    tone,
    state,
    says: s.says,
    facts,
    addresses: [...new Set(s.addresses.map(plainAddress))].slice(0, 8).join('  '),
    seen: ago(at, now),
    seenExact: exact(at),
  };
}

/** What a person would type: 192.168.1.20:7331 for /ip4/192.168.1.20/tcp/7331/p2p/…; anything else as it is. */
function plainAddress(address: string): string {
  const [, kind, host, port] = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d+)(?:\/p2p\/\w+)?$/.exec(address) ?? [];
  if (host === undefined) return address;
  return kind === 'ip6' ? `[${host}]:${port}` : `${host}:${port}`;
}

function shortId(node: string): string {
  return node === '' ? 'Unknown' : node.length > 14 ? `…${node.slice(-8)}` : node;
}

/** The question before a machine changes sides. */
export interface LeaveView {
  /** '' for a machine without a cluster */
  from: string;
  to: string;
  cluster: string;
  nodeName: string;
  /** this machine keeps the database of the cluster that it would leave */
  keepsBooks: boolean;
  problem: string;
}

export function leaveView(options: {
  from: ClusterName | null;
  to: ClusterName;
  nodeName: string;
  keepsBooks: boolean;
  problem: string;
}): LeaveView {
  const { from, to, ...rest } = options;
  return { from: from?.name ?? '', to: to.name, cluster: to.id, ...rest };
}
