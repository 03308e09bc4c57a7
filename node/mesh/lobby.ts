import type { Log } from '../log.ts';
import type { JoinAnswer, JoinRequest } from './messages.ts';

/**
 * Where strangers meet: a second, tiny libp2p host with one protocol and its own mDNS name. A member's lobby says which
 * cluster is here and takes requests to join; a node without a cluster has a lobby too, so that two of them find each
 * other. Nothing of the mesh is reachable here.
 */
export interface Lobby {
  start(): Promise<void>;
  stop(): Promise<void>;
  addresses(): string[];
  /** other lobbies around, asked anew every few seconds; the oldest answer is half a minute old */
  around(): Neighbour[];
  onAround(listener: () => void): () => void;
  /** asks at one lobby, by the node that runs it or by an address (host:port of its mesh or its lobby, or a multiaddr) */
  ask(where: { node: string } | { address: string }, request: JoinRequest, signal: AbortSignal): Promise<JoinAnswer>;
  /** what a lobby says of itself; throws PlainError when nothing answers there */
  look(where: { node: string } | { address: string }, signal: AbortSignal): Promise<Neighbour>;
}

export interface Neighbour {
  node: string;
  name: string;
  version: string;
  addresses: string[];
  /** null: it belongs to no cluster yet */
  cluster: { id: string; name: string; publicKey: string; established: boolean; nodes: number } | null;
  /** milliseconds since this node began to look for a cluster, to break ties between two fresh ones */
  lookingMs: number | null;
  seenMs: number;
}

export interface LobbyParts {
  key: Uint8Array;
  port: number;
  discovery: 'lan' | 'off';
  peers: readonly string[];
  /** what this lobby says of its node */
  self: () => Omit<Neighbour, 'addresses' | 'seenMs'>;
  /** answers a request to join; `address` is the asker's host. Absent on a node without a cluster: it refuses */
  onJoin: ((asked: JoinRequest, address: string) => Promise<JoinAnswer>) | null;
  /** the newest signed list, also for a node that was removed: the proof that it was */
  members: () => { payload: string; signature: string } | null;
  log: Log;
}

export function createLobby(_parts: LobbyParts): Lobby {
  throw new Error('not built yet');
}
