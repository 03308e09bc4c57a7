import type { Surroundings } from '../core/standing.ts';
import type { Log } from '../log.ts';
import type { Membership } from './membership.ts';
import type { Mesh } from './mesh.ts';

/**
 * The mesh over libp2p: TCP, Noise, yamux, gossipsub. Only members get past Noise; a connection counts as admitted once
 * both sides have met (`meet`). Messages to oneself take the path of `local.ts`.
 */
export interface NetworkMesh extends Mesh {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** members that are connected and admitted now */
  connected(): string[];
  /** host part of the live connection to a node: where its data plane is reached too; null when not connected */
  hostOf(node: string): string | null;
  /** its clock minus ours in milliseconds, measured when they met */
  clockOf(node: string): number | null;
  onMet(listener: (node: string) => void): () => void;
  onLost(listener: (node: string) => void): () => void;
  /** a multiaddr or host:port, tried for ever */
  addPeer(address: string): void;
  surroundings(): Surroundings;
}

export interface NetworkParts {
  /** the bytes of node.key, libp2p's protobuf */
  key: Uint8Array;
  name: string;
  version: string;
  membership: Membership;
  port: number;
  discovery: 'lan' | 'off';
  peers: readonly string[];
  log: Log;
}

export function createNetworkMesh(_parts: NetworkParts): NetworkMesh {
  throw new Error('not built yet');
}
