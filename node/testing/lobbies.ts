import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { randomUUID } from 'node:crypto';
import type { Signed } from '../core/cluster.ts';
import { createLog } from '../log.ts';
import type { Log } from '../log.ts';
import { clusterProof, joinProof } from '../mesh/join-token.ts';
import { createLobby } from '../mesh/lobby.ts';
import type { Lobby, LobbyParts } from '../mesh/lobby.ts';
import type { JoinAnswer, JoinRequest } from '../mesh/messages.ts';
import { commitOf, pairingCode } from '../mesh/pairing-code.ts';
import { makeClusterKey, sign } from '../mesh/signing.ts';
import type { ClusterKey } from '../mesh/signing.ts';

/** A lobby on real sockets of this machine, without multicast: tests that run at the same time must not hear each other. */
export interface TestLobby extends Lobby {
  node: string;
  key: Uint8Array;
  parts: LobbyParts;
  /** where it listens on the loopback: a multiaddr with the node's id */
  at: string;
  port: number;
}

export const silentLog: Log = createLog({ level: 'silent', pretty: false });

export interface NodeKey {
  key: Uint8Array;
  node: string;
}

export async function makeNodeKey(): Promise<NodeKey> {
  const key = await generateKeyPair('Ed25519');
  return { key: privateKeyToProtobuf(key), node: peerIdFromPrivateKey(key).toString() };
}

export async function startLobby(
  some: Partial<Omit<LobbyParts, 'self' | 'key'>> & { id?: NodeKey; self?: Partial<ReturnType<LobbyParts['self']>> } = {},
): Promise<TestLobby> {
  const { key, node } = some.id ?? (await makeNodeKey());
  const startedAt = performance.now();
  const parts: LobbyParts = {
    port: 0,
    discovery: 'off',
    peers: [],
    onJoin: null,
    members: () => null,
    log: silentLog,
    ...some,
    key,
    self: () => ({ node, name: 'test', version: '1', cluster: null, lookingMs: Math.round(performance.now() - startedAt), ...some.self }),
  };
  const lobby = createLobby(parts);
  await lobby.start();
  const at = lobby.addresses().find((address) => address.includes('/ip4/127.0.0.1/'))!;
  return Object.assign(lobby, { node, key, parts, at, port: Number(/tcp\/(\d+)/.exec(at)![1]) });
}

/** What the coordinator of a cluster does with requests to join, in a few lines and in memory. */
export interface TestCluster {
  key: ClusterKey;
  facts: { id: string; name: string; publicKey: string; established: boolean; nodes: number };
  onJoin: (asked: JoinRequest) => Promise<JoinAnswer>;
  /** node → the code that the Nodes page shows */
  codes: Map<string, string>;
  approve(node: string): void;
  refuse(node: string, why: string): void;
  asked: JoinRequest[];
  members: () => Signed;
  /** overrides every answer, to play a cluster that lies */
  answer: ((asked: JoinRequest) => JoinAnswer) | null;
}

export function makeCluster(name = 'Home', options: { secretHash?: string; established?: boolean } = {}): TestCluster {
  const key = makeClusterKey();
  const nonces = new Map<string, { commit: string; nonce: string }>();
  const nodes: { id: string; name: string }[] = [];
  const refused = new Map<string, string>();
  const cluster: TestCluster = {
    key,
    facts: { id: key.cluster, name, publicKey: key.publicKey, established: options.established ?? true, nodes: 1 },
    codes: new Map(),
    asked: [],
    answer: null,
    approve: (node) => void nodes.push({ id: node, name: node.slice(-8) }),
    refuse: (node, why) => void refused.set(node, why),
    members: () => sign(key, { kind: 'members', cluster: key.cluster, version: nodes.length + 1, nodes }),
    async onJoin(asked) {
      cluster.asked.push(asked);
      const { node } = asked;
      if (cluster.answer) return cluster.answer(asked);
      const who = { cluster: key.cluster, name, publicKey: key.publicKey };
      const { secretHash } = options;
      const proved = secretHash !== undefined && asked.token?.proof === joinProof(secretHash, key.publicKey, node);
      if (proved) cluster.approve(node);
      if (nodes.some(({ id }) => id === node)) {
        const proof = secretHash === undefined ? null : clusterProof(secretHash, key.publicKey, node);
        return { state: 'approved', ...who, members: cluster.members(), certificate: null, peers: [], proof };
      }
      if (refused.has(node)) return { state: 'refused', cluster: key.cluster, name, why: refused.get(node)! };
      if (nonces.get(node)?.commit !== asked.commit) nonces.set(node, { commit: asked.commit, nonce: randomUUID() });
      const { nonce } = nonces.get(node)!;
      if (asked.reveal !== null && commitOf(asked.reveal) === asked.commit) {
        cluster.codes.set(node, pairingCode({ publicKey: key.publicKey, node, reveal: asked.reveal, nonce }));
      }
      return { state: 'pending', ...who, nonce };
    },
  };
  return cluster;
}
