import type { Sighting, Surroundings } from '../core/standing.ts';
import type { Lobby, Neighbour } from '../mesh/lobby.ts';

/**
 * What the mesh noticed, made plain by what the lobbies say of themselves: a stranger at the mesh is only "not a member",
 * but at its lobby it says which cluster it belongs to, or that it belongs to none yet. Without a mesh, the lobby's is all.
 * @param mine the cluster of this node; null while it belongs to none
 */
export function withLobby(
  noticed: Surroundings | null,
  lobby: Pick<Lobby, 'around' | 'addresses'> | null,
  mine: string | null,
): Surroundings {
  const { listening, interfaces, sightings } = noticed ?? { listening: [], interfaces: [], sightings: [] };
  if (!lobby) return { listening, interfaces, sightings };
  const strangers = lobby.around().filter(({ cluster }) => cluster === null || cluster.id !== mine);
  const plain = new Map(strangers.map((neighbour) => [neighbour.node, neighbour]));
  const known = sightings.map((sighting) => {
    const neighbour = plain.get(sighting.node);
    plain.delete(sighting.node);
    return neighbour && sighting.state !== 'connected' ? tell(sighting, neighbour, mine) : sighting;
  });
  const others = [...plain.values()].map((neighbour) => tell(fromLobby(neighbour), neighbour, mine));
  return {
    listening: [...listening, { what: 'lobby', addresses: shown(lobby.addresses()) }],
    interfaces,
    sightings: [...known, ...others],
  };
}

/** As a person types it, without the addresses of this machine for itself. */
function shown(addresses: readonly string[]): string[] {
  const found = addresses.flatMap((address) => {
    const [, kind, host = '', port] = /^\/(ip4|ip6|dns4|dns6)\/([^/]+)\/tcp\/(\d+)/.exec(address) ?? [];
    if (!kind || host.startsWith('127.') || host === '::1') return [];
    return [kind === 'ip6' ? `[${host}]:${port}` : `${host}:${port}`];
  });
  return [...new Set(found)];
}

function fromLobby({ node, addresses }: Neighbour): Omit<Sighting, 'state' | 'says'> {
  return { node, name: null, addresses, by: 'mdns', latencyMs: null, clockMs: null, version: null, cluster: null, lastSeenMs: 0 };
}

function tell(sighting: Omit<Sighting, 'state' | 'says'>, { name, version, cluster, seenMs }: Neighbour, mine: string | null): Sighting {
  const known = { ...sighting, name, version, lastSeenMs: Math.max(sighting.lastSeenMs, seenMs) };
  if (!cluster) {
    const says = `${name} is new and belongs to no cluster yet. ${mine === null ? 'One of the two starts one, the other asks to join it.' : 'It asks to join by itself.'}`;
    return { ...known, state: 'fresh', says };
  }
  const says = `${name} belongs to the cluster "${cluster.name}". ${mine === null ? 'This machine can ask to join it.' : 'Clusters stay apart; one of the two machines can leave its own and join the other.'}`;
  return { ...known, cluster: { id: cluster.id, name: cluster.name }, state: mine === null ? 'not-approved' : 'other-cluster', says };
}
