import type { Signed, Ticket } from '../core/cluster.ts';
import { sign, type ClusterKey } from '../mesh/signing.ts';

/** Gives one node the right to read one file of another, for one attempt. Null when both are the same node. */
export interface Tickets {
  source(about: Pick<Extract<Ticket, { what: 'source' }>, Common | 'root' | 'path' | 'fingerprint'>): Signed | null;
  output(about: Pick<Extract<Ticket, { what: 'output' }>, Common | 'extension' | 'sizeBytes' | 'sha256'>): Signed | null;
}

type Common = 'job' | 'attempt' | 'holder' | 'reader';

/** Signed with the cluster's key: the holder needs to ask nobody whether the reader may. */
export function createTickets(key: ClusterKey, term: number): Tickets {
  const common = { kind: 'ticket', cluster: key.cluster, term } as const;
  return {
    source: (about) => (about.holder === about.reader ? null : sign(key, { ...common, what: 'source', ...about, issuedAt: Date.now() })),
    output: (about) => (about.holder === about.reader ? null : sign(key, { ...common, what: 'output', ...about, issuedAt: Date.now() })),
  };
}
