import type { Around } from '../core/founding.ts';
import type { Seen } from './neighbours.ts';

/** What the decision of `core/founding.ts` needs to know of a neighbour. */
export function aroundOf(seen: Seen): Around {
  const { node, cluster, silentMs, foundingMs, told } = seen;
  return {
    node,
    named: seen.peers.length > 0,
    cluster: cluster && { id: cluster.id, established: cluster.established, nodes: cluster.nodes },
    silentMs,
    claimingMs: foundingMs,
    told,
  };
}
