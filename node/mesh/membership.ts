import type { Certificate, Members, Signed } from '../core/cluster.ts';

/**
 * What this node knows of its cluster and keeps on its disk (`cluster.json`): the pinned key, the newest signed list of
 * members, the highest certificate, the addresses of other members. Everything that arrives is verified against the
 * pinned key; lower versions are ignored, whoever sends them.
 */
export interface Membership {
  readonly cluster: { id: string; name: string; publicKey: string };
  /** this node hosts the embedded database, for good (mesh spike §7: sticky, never elected) */
  readonly hosts: boolean;
  isMember(node: string): boolean;
  nameOf(node: string): string | null;
  members(): { version: number; nodes: { id: string; name: string }[]; signed: Signed | null };
  /** True when it was valid and newer: it is kept, on the disk too, and listeners are told. */
  adoptMembers(signed: Signed): boolean;
  /** the highest certificate known, opened and as it was signed */
  certificate(): { certificate: Certificate; signed: Signed } | null;
  adoptCertificate(signed: Signed): boolean;
  /** addresses of members, for networks that multicast does not cross and for the next start */
  remembered(): { node: string; addresses: string[] }[];
  remember(node: string, addresses: string[]): void;
  onMembers(listener: (members: Members) => void): () => void;
  onCertificate(listener: (certificate: Certificate) => void): () => void;
  /** writes what is still to be written */
  flush(): Promise<void>;
}

export interface Pinned {
  cluster: { id: string; name: string; publicKey: string };
  hosts: boolean;
  members: Signed | null;
  certificate: Signed | null;
  peers: { node: string; addresses: string[] }[];
}

/** Opens what an earlier start kept; null on a node that belongs to no cluster yet. */
export async function loadMembership(_dataDir: string): Promise<Membership | null> {
  throw new Error('not built yet');
}

/** Pins a cluster: this node was approved, founded it, or found its key in PostgreSQL. */
export async function pinCluster(_dataDir: string, _pinned: Pinned): Promise<Membership> {
  throw new Error('not built yet');
}

/** Forgets the cluster; the file is kept aside under another name, never deleted. */
export async function forgetCluster(_dataDir: string): Promise<void> {
  throw new Error('not built yet');
}
