/**
 * What the cluster's key signs. Whoever holds PostgreSQL holds the key; every node pins the public half when it joins,
 * so that each of these can be checked offline by anybody (mesh/signing.ts).
 */
export interface Signed {
  /** JSON text: what was signed, byte for byte */
  payload: string;
  /** Ed25519, base64url */
  signature: string;
}

/** The only nodes that may speak. The highest valid version wins, wherever it comes from. */
export interface Members {
  kind: 'members';
  cluster: string;
  version: number;
  nodes: { id: string; name: string }[];
}

/** Who coordinates. A higher incarnation wins over any term; inside one, the highest term. */
export interface Certificate {
  kind: 'certificate';
  cluster: string;
  incarnation: number;
  term: number;
  node: string;
}

/**
 * One node may read one file of another, for one attempt. `source`: the original, below a root of its keeper.
 * `output`: what the attempt made, in the workspace of its worker.
 */
export type Ticket = {
  kind: 'ticket';
  cluster: string;
  term: number;
  job: number;
  attempt: number;
  holder: string;
  reader: string;
  /** milliseconds since 1970 by the coordinator's clock; refused when days old, however the clocks of the nodes differ */
  issuedAt: number;
} & (
  | {
      what: 'source';
      root: string;
      path: string;
      fingerprint: { sizeBytes: number; mtimeMs: number; inode: string; links: number; hash: string };
    }
  | { what: 'output'; extension: string; sizeBytes: number; sha256: string }
);

/** Which of two certificates of one cluster is followed. */
export function outranks(a: Pick<Certificate, 'incarnation' | 'term'>, b: Pick<Certificate, 'incarnation' | 'term'>): boolean {
  return a.incarnation > b.incarnation || (a.incarnation === b.incarnation && a.term > b.term);
}
