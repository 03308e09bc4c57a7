import type { Sighting, Surroundings } from '../core/standing.ts';
import type { Lobby } from '../mesh/lobby.ts';
import type { Neighbour } from '../mesh/neighbours.ts';

/**
 * What the mesh noticed, made plain by what the lobbies say of themselves: a stranger at the mesh is only "not a member",
 * but at its lobby it says which cluster it belongs to, or that it belongs to none yet. Without a mesh, the lobby's is all.
 * @param mine the cluster of this node; null while it belongs to none
 * @param port the one that a person wished for the lobby; 0: any
 */
export function withLobby(
  noticed: Surroundings | null,
  lobby: Pick<Lobby, 'around' | 'addresses'> | null,
  mine: string | null,
  port = 0,
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
    listening: [...listening, listeningAt('lobby', shown(lobby.addresses()), port)],
    interfaces,
    sightings: [...known, ...others],
  };
}

/** The same with the data plane, which listens on every address of this machine. */
export function withData(noticed: Surroundings, port: number, wanted: number): Surroundings {
  const hosts = (noticed.listening[0]?.addresses ?? []).map((address) => address.replace(/:\d+$/, ''));
  const addresses = [...new Set(hosts)].map((host) => `${host}:${port}`);
  return { ...noticed, listening: [...noticed.listening, listeningAt('data', addresses, wanted)] };
}

function listeningAt(what: 'lobby' | 'data', addresses: string[], wanted: number): Surroundings['listening'][number] {
  const taken = wanted !== 0 && addresses.length > 0 && !addresses.some((address) => address.endsWith(`:${wanted}`));
  if (!taken) return { what, addresses };
  return { what, addresses, problem: `Port ${wanted} is taken by another program; another one is used until the next start.` };
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
