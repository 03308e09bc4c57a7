import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { speaks as spoken, whyApart, type ProtocolRange } from '../core/compatibility.ts';
import type { Surroundings } from '../core/standing.ts';
import type { Log } from '../log.ts';
import { createAddressBook } from './address-book.ts';
import { formatAddress, ownInterfaces, requireAddress, toMultiaddr, type Target } from './addresses.ts';
import { createCompany, type Company } from './company.ts';
import { createDelivery } from './delivery.ts';
import { lanDiscovery } from './discovery.ts';
import { encode } from './encoding.ts';
import { createEncounters } from './encounter.ts';
import { createGate, hostOf, portOf } from './gate.ts';
import { createGossip, topicNames, type Gossip } from './gossip.ts';
import { startHost, stopHost, type Host } from './host.ts';
import { createLinks, type Link } from './links.ts';
import { createMender, isAlive } from './liveness.ts';
import { createMeetings } from './meeting.ts';
import type { Membership } from './membership.ts';
import type { Mesh } from './mesh.ts';
import { MAX_TOPIC_BYTES, protocols, type Protocol } from './messages.ts';
import { createQuestions } from './questions.ts';
import { createReconciler } from './reconcile.ts';
import { createRpcServer, protocolId } from './rpc.ts';
import { createSightings } from './sightings.ts';
import { createWitness } from './witness.ts';

/**
 * The mesh over libp2p: TCP, Noise, yamux, gossipsub. Only members get past Noise; a connection counts as admitted once
 * both sides have met (`meet`). Messages to oneself take the path of `local.ts`.
 *
 *   discovery, --peer, remembered, told ──▶ address-book ──▶ reconcile ── dials ──▶ gate (member? one per pair)
 *                                                                                     │
 *   request/handle ◀── rpc ◀── links: open ──▶ meeting ──▶ admitted ◀── encounter ◀───┘
 *   publish/subscribe ◀── gossip (signed by a member, speaks for its signer)
 *
 * Everything that goes wrong around this node ends in sightings, as a sentence for a person.
 */
export interface NetworkMesh extends Mesh, Company {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** open connections to a node, admitted or not: one, or two for a moment while both dial */
  connectionsOf(node: string): number;
  onMet(listener: (node: string) => void): () => void;
  onLost(listener: (node: string) => void): () => void;
  /** a multiaddr or host:port, tried for ever; throws PlainError when it is no address */
  addPeer(address: string): void;
  surroundings(): Surroundings;
}

export interface NetworkParts {
  /** the bytes of node.key, libp2p's protobuf */
  key: Uint8Array;
  name: string;
  version: string;
  /** for tests: what another version would speak */
  speaks?: ProtocolRange;
  membership: Membership;
  port: number;
  discovery: 'lan' | 'off';
  peers: readonly string[];
  log: Log;
}

const MEET_AGAIN_MS = 60_000;
const MEND_MS = 10_000;
const STOP_MS = 2500;

export function createNetworkMesh(parts: NetworkParts): NetworkMesh {
  const { membership, log } = parts;
  const self = peerIdFromPrivateKey(privateKeyFromProtobuf(parts.key)).toString();
  const isMember = (node: string): boolean => membership.isMember(node);
  const delivery = createDelivery(log);
  const links = createLinks(log);
  const sightings = createSightings({ nameOf: (node) => membership.nameOf(node) });
  const book = createAddressBook(isMember);
  const witness = createWitness({ self, sightings, book, log });
  const program = { name: parts.name, version: parts.version, speaks: parts.speaks ?? spoken };
  const meetings = createMeetings({ self, ...program, membership, book, own: listening });
  const encounters = createEncounters({ ...program, membership, meetings, links, book, sightings, versionOf, log });
  const mender = createMender({ links, log });
  const questions = createQuestions({ self, nameOf: (node) => membership.nameOf(node), delivery, links, apart });
  const reconciler = createReconciler({
    self,
    members: () => membership.members().nodes.map(({ id }) => id),
    isOpen: (node) => open(node).length > 0,
    book,
    port: () => port,
    dial,
    onUnreachable: witness.unreachable,
    onPeerUnreachable: witness.peerUnreachable,
    log,
  });
  const rpc = createRpcServer({
    admitted: (connection) => links.admission(connection),
    apart: (connection) => apart(links.of(connection.remotePeer.toString())),
    answer: async (protocol, text, connection) =>
      protocol === 'meet' ? encounters.answer(text, connection) : await delivery.answer(protocol, text, connection.remotePeer.toString()),
    log,
  });
  let host: Host | null = null;
  let gossip: Gossip | null = null;
  let port = 0;
  let portTaken = false;
  let ended = false;
  /** when multicast last told of a member */
  const heardOf = new Map<string, number>();
  let askedAnew = -Infinity;
  let undo: (() => void)[] = [];
  for (const text of parts.peers) addPeer(text);

  return {
    self,
    start,
    stop,
    request: questions.request,
    handle: (protocol, handler) => delivery.handle(protocol, handler),
    publish(topic, message) {
      const text = encode(message, MAX_TOPIC_BYTES);
      // a list of members is not adopted here: who is removed by it would be cut off before it could hear why
      delivery.deliver(topic, delivery.open(topic, text, self), self);
      gossip?.publish(topic, text);
    },
    subscribe: (topic, listener) => delivery.subscribe(topic, listener),
    ...createCompany({ self, program, links, apart }),
    connectionsOf: (node) => open(node).length,
    onMet: (listener) => links.onMet(listener),
    onLost: (listener) => links.onLost(listener),
    addPeer,
    surroundings,
  };

  async function start(): Promise<void> {
    const gate = createGate({ self, isMember, open, alive: isAlive, onStranger: witness.stranger, onProved });
    const discovery = parts.discovery === 'lan' ? lanDiscovery({ id: self, onFound, log }) : null;
    const topics = topicNames(membership.cluster.id);
    for (const { node, addresses } of membership.remembered()) book.learn(node, addresses, 'remembered');
    const { key, version } = parts;
    const started = await startHost({ key, version, port: parts.port, gate, topics, isMember, discovery, prepare, log });
    portTaken = started.portTaken;
    port =
      started.host
        .getMultiaddrs()
        .map(portOf)
        .find((one) => one > 0) ?? 0;
    gossip?.subscribe();
    undo.push(
      membership.onMembers(onMembers),
      links.onMet((node) => reconciler.met(node)),
      links.onLost(onLost),
    );
    for (const timer of [setInterval(() => encounters.again('dialled'), MEET_AGAIN_MS), setInterval(() => mender.look(), MEND_MS)]) {
      timer.unref();
      undo.push(() => clearInterval(timer));
    }
    reconciler.start();
    log.info({ listening: listening() }, 'the mesh listens');
  }

  function apart(link: Link | null): string | null {
    return link && whyApart(program, { ...link, name: membership.nameOf(link.node) ?? link.name });
  }

  async function prepare(made: Host): Promise<void> {
    host = made;
    on(made, 'connection:open', opened);
    on(made, 'connection:close', closed);
    for (const protocol of Object.keys(protocols) as Protocol[]) {
      const serve = (stream: Stream, connection: Connection): Promise<void> => rpc.serve(protocol, stream, connection);
      await made.handle(protocolId(protocol), serve, { maxInboundStreams: 64, maxOutboundStreams: 128 });
    }
    const { pubsub } = made.services;
    gossip = createGossip({ pubsub, cluster: membership.cluster.id, self, isMember, delivery, onUnknown, onMessage: onTopic, log });
  }

  async function stop(): Promise<void> {
    ended = true;
    reconciler.stop();
    for (const one of undo) one();
    undo = [];
    gossip = null;
    if (host) await stopHost(host, STOP_MS, log);
  }

  function opened(connection: Connection): void {
    links.opened(connection);
    if (connection.direction === 'outbound') void encounters.dialled(connection);
  }

  function closed(connection: Connection): void {
    links.closed(connection);
    reconciler.wake();
  }

  function onLost(node: string): void {
    questions.forget(node);
    if (ended || !isMember(node)) return;
    witness.lost(node);
    log.info({ node, name: membership.nameOf(node) }, 'the connection to a node ended');
  }

  /** Whoever is no member any more is cut off now, not at its next message. */
  function onMembers(): void {
    for (const connection of host?.getConnections() ?? []) {
      const node = connection.remotePeer.toString();
      if (isMember(node)) continue;
      connection.abort(new Error('no member any more'));
      book.forget(node);
      witness.removed(node);
    }
    reconciler.wake();
  }

  function onTopic(topic: string, message: unknown): void {
    if (topic === 'members') membership.adoptMembers(message as never);
  }

  function onFound(node: string, addresses: string[]): void {
    if (ended) return;
    if (node === self) return witness.ourselves(addresses, listening());
    if (!isMember(node)) return witness.announced(node, addresses);
    const silentMs = performance.now() - (heardOf.get(node) ?? -Infinity);
    heardOf.set(node, performance.now());
    // A sign of life after a silence: the cable is back, or the machine woke up.
    if (book.learn(node, addresses, 'mdns') || silentMs > 2 * MEND_MS) reconciler.wake(node);
  }

  function onProved(node: string, address: string): void {
    reconciler.proved(address, node);
    sightings.clear(address);
  }

  function open(node: string): Connection[] {
    return host?.getConnections(peerIdFromString(node)).filter(({ status }) => status === 'open') ?? [];
  }

  /** By libp2p's own identify, which every version speaks. */
  async function versionOf(connection: Connection): Promise<string | null> {
    const said = await host?.services.identify.identify(connection, { signal: AbortSignal.timeout(2000) }).catch(() => null);
    return /^codecshift\/(\d[\w.+-]{0,30})(?: |$)/.exec(said?.agentVersion ?? '')?.[1] ?? null;
  }

  async function dial(target: Target, signal: AbortSignal): Promise<void> {
    if (!host) throw new Error('the mesh does not run');
    await host.dial(multiaddr(toMultiaddr(target)), { signal });
  }

  function addPeer(text: string): void {
    reconciler.addPeer(requireAddress(text, parts.port));
  }

  /** At most every few seconds, whatever is said. */
  function onUnknown(): void {
    if (performance.now() - askedAnew < MEND_MS) return;
    askedAnew = performance.now();
    encounters.again('all');
  }

  function listening(): string[] {
    const found = (host?.getMultiaddrs() ?? []).map((address) => formatAddress({ host: hostOf(address), port: portOf(address) }));
    return [...new Set(found)];
  }

  function surroundings(): Surroundings {
    const interfaces =
      host?.services.discovery?.interfaces() ??
      ownInterfaces('IPv4').map(({ name, address }) => ({ name, address, multicast: 'off' as const, problem: null }));
    const problem = portTaken ? `Port ${parts.port} is taken by another program; another one is used until the next start.` : null;
    return {
      listening: [{ what: 'mesh', addresses: listening(), ...(problem ? { problem } : {}) }],
      interfaces,
      sightings: witness.list().filter(({ node, state }) => node !== self || state === 'twin'),
    };
  }
}

/** libp2p re-throws what a listener throws where nobody can catch it. */
function on(host: Host, event: 'connection:open' | 'connection:close', listener: (connection: Connection) => void): void {
  host.addEventListener(event, ({ detail }) => {
    try {
      listener(detail);
    } catch {
      detail.abort(new Error('a listener failed'));
    }
  });
}
