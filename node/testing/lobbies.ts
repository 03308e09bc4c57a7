import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { createLog } from '../log.ts';
import type { Log } from '../log.ts';
import { createLobby } from '../mesh/lobby.ts';
import type { Lobby, LobbyParts } from '../mesh/lobby.ts';

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
