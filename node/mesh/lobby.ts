import type { Libp2p } from '@libp2p/interface';
import { randomUUID } from 'node:crypto';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { formatAddress } from './addresses.ts';
import { stopHost } from './host.ts';
import { createLanMdns } from './lan-mdns.ts';
import type { LanMdns } from './lan-mdns.ts';
import { createAnnounced } from './lobby-announced.ts';
import { createCalls, unexpected } from './lobby-calls.ts';
import type { Where } from './lobby-calls.ts';
import { createDoor } from './lobby-door.ts';
import type { Errand } from './lobby-errand.ts';
import { startLobbyHost } from './lobby-host.ts';
import type { LobbyAnswer, LobbyQuestion } from './lobby-messages.ts';
import type { JoinAnswer, JoinRequest } from './messages.ts';
import { createNeighbours } from './neighbours.ts';
import type { Neighbour, Seen, Statement } from './neighbours.ts';

/**
 * Where strangers meet: a second, tiny libp2p host with one protocol and its own mDNS name. A member's lobby says which
 * cluster is here and takes requests to join; a node without a cluster has a lobby too, so that two of them find each
 * other. Nothing of the mesh is reachable here.
 *
 *   announced by multicast, or named by a person ─▶ looked at, every few seconds ─▶ neighbour ─silent for 30 s─▶ forgotten
 *   looked at by another lobby ────────────────────────────────────────────────────▶ neighbour
 */
export interface Lobby {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** multiaddrs with this node's id */
  addresses(): string[];
  /** other lobbies around, asked anew every few seconds; the oldest answer is half a minute old */
  around(): Seen[];
  onAround(listener: () => void): () => void;
  /** asks at one lobby, by the node that runs it or by an address (host:port of its mesh or its lobby, or a multiaddr) */
  ask(where: Where, request: JoinRequest, signal: AbortSignal): Promise<JoinAnswer>;
  /** what a lobby says of itself; throws PlainError when nothing answers there */
  look(where: Where, signal: AbortSignal): Promise<Seen>;
  /** the newest list of members that a lobby has: the proof for a node that was removed */
  standing(where: Where, signal: AbortSignal): Promise<{ payload: string; signature: string } | null>;
  /** this node claims the founding of a cluster, or does so no more (core/founding.ts); everybody around is told at once */
  claimFounding(claims: boolean): void;
  /** addresses given by a person at which nothing answers, and how many lobbies were announced that have not answered yet */
  silent(): { peers: string[]; announced: number };
}

export interface LobbyParts {
  key: Uint8Array;
  /** by convention the one after the port of the mesh: 0, or one that is taken, means any */
  port: number;
  discovery: 'lan' | 'off';
  peers: readonly string[];
  /** what this lobby says of its node */
  self: () => Omit<Neighbour, 'addresses' | 'seenMs'>;
  /** answers a request to join; `address` is the asker's host. Absent on a node without a cluster: it refuses. Read anew for each request */
  onJoin: ((asked: JoinRequest, address: string) => Promise<JoinAnswer>) | null;
  /** the newest signed list, also for a node that was removed: the proof that it was */
  members: () => { payload: string; signature: string } | null;
  log: Log;
}

const MDNS_NAME = '_codecshift-join._udp.local';
/** rounds: who begins to look for a cluster is in a hurry; who shows the neighbours to a person wants them fresh */
const HURRY_MS = 40_000;
const EVERY_MS = { hurry: 1000, listened: 3000, idle: 15_000 } as const;
const JOIN_MS = 12_000;
const MAX_VISITS = 16;
const TELL_MS = 200;
const STOP_MS = 2500;

export function createLobby(parts: LobbyParts): Lobby {
  const { log } = parts;
  const self = parts.self().node;
  const session = randomUUID();
  const stopping = new AbortController();
  const neighbours = createNeighbours(self);
  const announced = createAnnounced();
  const calls = createCalls({ neighbours, announced, closed: stopping.signal });
  const listeners = new Set<() => void>();
  /** what is being looked at now; true: once more when done, with what changed meanwhile */
  const visits = new Map<string, boolean>();
  let host: Libp2p | null = null;
  let mdns: LanMdns | null = null;
  let timer: NodeJS.Timeout | undefined;
  let telling: NodeJS.Timeout | undefined;
  let claims = 0;
  let claiming = false;
  let ticks = 0;

  return {
    async start() {
      host = await startLobbyHost({
        key: parts.key,
        version: parts.self().version,
        port: parts.port,
        door: createDoor({ reply, log }),
        log,
      });
      calls.open(host);
      if (parts.discovery === 'lan') {
        const onFound = (node: string, addresses: string[]): void => {
          if (node !== self && announced.heard(node, addresses, (known) => neighbours.get(known) !== null)) lookAt(node);
        };
        mdns = createLanMdns({ tag: MDNS_NAME, id: self, addresses, onFound, log });
        mdns.start();
      }
      round();
    },
    async stop() {
      stopping.abort(new Error('the lobby is closed'));
      clearTimeout(timer);
      clearTimeout(telling);
      mdns?.stop();
      if (host) await stopHost(host, STOP_MS, log);
    },
    addresses,
    around: () => neighbours.list(),
    onAround(listener) {
      listeners.add(listener);
      if (listeners.size === 1) round();
      return () => void listeners.delete(listener);
    },
    async ask(where, request, signal) {
      const { answer } = await calls.call(where, { ask: 'join', ...request }, signal, JOIN_MS);
      if (answer.to !== 'join') throw unexpected(where, answer);
      return answer.answer;
    },
    async look(where, signal) {
      const { node, answer } = await lookThere(where, signal);
      const seen = neighbours.get(node);
      if (!seen) throw unexpected(where, answer);
      return seen;
    },
    async standing(where, signal) {
      const { answer } = await calls.call(where, { ask: 'standing' }, signal);
      if (answer.to !== 'standing') throw unexpected(where, answer);
      return answer.members;
    },
    claimFounding(wanted) {
      if (wanted === claiming) return;
      claiming = wanted;
      claims++;
      neighbours.forgetTold();
      round();
    },
    silent() {
      return { peers: calls.silent(parts.peers), announced: announced.nodes().filter((node) => neighbours.get(node) === null).length };
    },
  };

  function addresses(): string[] {
    const all = host?.getMultiaddrs().map(String) ?? [];
    return all.toSorted((a, b) => Number(a.includes('/127.')) - Number(b.includes('/127.')));
  }

  // what others ask

  async function reply(question: LobbyQuestion, from: string, address: string): Promise<LobbyAnswer> {
    if (question.ask === 'standing') return { to: 'standing', members: parts.members() };
    if (question.ask === 'look') {
      heard({ ...question.self, node: from }, { address: null, peer: null, told: question.knows && claiming });
      return { to: 'look', self: statement() };
    }
    if (!parts.onJoin) return { to: 'join', answer: { state: 'away', why: 'This machine belongs to no cluster yet.' } };
    const { ask: _, ...asked } = question;
    return { to: 'join', answer: await parts.onJoin({ ...asked, node: from }, address) };
  }

  /** A new tick for each: of two statements that overtake each other on the way, the later one counts. */
  function statement(): Statement {
    const { name, version, cluster, lookingMs } = parts.self();
    const own = addresses().filter((address) => !address.includes('/127.') && !address.includes('/::1/'));
    return {
      node: self,
      name: name.slice(0, 63),
      version: version.slice(0, 40),
      addresses: own.slice(0, 8),
      cluster: cluster && { ...cluster, name: cluster.name.slice(0, 63), nodes: Math.min(cluster.nodes, 500) },
      lookingMs: lookingMs === null ? null : Math.max(0, Math.round(lookingMs)),
      founding: claiming && cluster === null,
      session,
      tick: ++ticks,
    };
  }

  // what we ask others

  function round(): void {
    if (stopping.signal.aborted || !host) return;
    clearTimeout(timer);
    const lookedMs = parts.self().lookingMs ?? Infinity;
    const hurry = claiming || lookedMs < HURRY_MS;
    if (lookedMs < HURRY_MS / 4) mdns?.ask();
    timer = setTimeout(round, hurry ? EVERY_MS.hurry : listeners.size > 0 ? EVERY_MS.listened : EVERY_MS.idle).unref();
    for (const peer of parts.peers) visit(`peer ${peer}`, { address: peer });
    const named = new Set(neighbours.list().flatMap(({ node, peers }) => (peers.length > 0 ? [node] : [])));
    for (const node of new Set([...neighbours.list().map(({ node: known }) => known), ...announced.nodes()])) {
      if (!named.has(node)) lookAt(node);
    }
  }

  function lookAt(node: string): void {
    visit(`node ${node}`, { node });
  }

  function visit(key: string, where: Where): void {
    if (visits.has(key)) return void visits.set(key, true);
    if (visits.size >= MAX_VISITS + parts.peers.length) return;
    visits.set(key, false);
    const claim = claims;
    void lookThere(where, stopping.signal)
      .catch((error: unknown) => log.debug({ where, why: messageOf(error) }, 'a lobby did not answer'))
      .finally(() => {
        const again = visits.get(key) === true && claim !== claims;
        visits.delete(key);
        if (again && !stopping.signal.aborted) visit(key, where);
      });
  }

  async function lookThere(where: Where, signal: AbortSignal): Promise<Errand> {
    const claim = claiming ? claims : null;
    const known = 'node' in where ? neighbours.get(where.node) : neighbours.list().find(({ peers }) => peers.includes(where.address));
    const knows = known?.founding ?? false;
    const peer = 'address' in where && parts.peers.includes(where.address) ? where.address : null;
    const found = await calls.call(where, { ask: 'look', self: statement(), knows }, signal);
    if (peer) calls.answered(peer);
    if (found.answer.to === 'look') {
      const said = { ...found.answer.self, node: found.node };
      heard(said, { address: formatAddress(found.target), peer, told: claim !== null && claim === claims });
    }
    return found;
  }

  function heard(said: Statement, how: Parameters<typeof neighbours.heard>[1]): void {
    neighbours.heard(said, how);
    // gathered: strangers must not set the pace of those who listen
    telling ??= setTimeout(tell, TELL_MS).unref();
  }

  function tell(): void {
    telling = undefined;
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        log.error({ err: error }, 'a listener of the lobby failed');
      }
    }
  }
}
