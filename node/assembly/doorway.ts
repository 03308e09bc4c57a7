import { dissolves } from '../core/founding.ts';
import { readCluster } from '../db/cluster.ts';
import type { Database } from '../db/connect.ts';
import { messageOf } from '../errors.ts';
import { createLobby, type Lobby } from '../mesh/lobby.ts';
import type { Membership } from '../mesh/membership.ts';
import type { JoinAnswer, JoinRequest } from '../mesh/messages.ts';
import type { NetworkMesh } from '../mesh/network.ts';
import { version } from '../version.ts';
import type { House } from './house.ts';

/** The lobby of a member: strangers ask here, and what it sees of other clusters is looked at. */
export interface Doorway {
  start(): Promise<void>;
  stop(): Promise<void>;
  lobby: Lobby;
  /** names of other clusters around */
  others(): string[];
}

export interface DoorwayParts {
  membership: Membership;
  mesh: NetworkMesh;
  db: Database | null;
  coordinator: () => string | null;
  /** this cluster is empty and met another one that shall be joined */
  onDissolve: (into: string) => void;
}

export function createDoorway(house: House, parts: DoorwayParts): Doorway {
  const { membership, mesh, db } = parts;
  const { id, options } = house;
  const log = house.log.child({ room: 'mesh' });
  const { cluster } = membership;
  // only a cluster with an embedded database can be so empty that it gives way
  let established = !db?.embedded;
  let timers: NodeJS.Timeout[] = [];
  let off = (): void => {};
  const lobby = createLobby({
    key: house.key,
    port: options.meshPort === 0 ? 0 : options.meshPort + 1,
    discovery: options.discovery,
    peers: house.peers,
    self: () => ({
      node: id,
      name: options.name,
      version,
      cluster: {
        id: cluster.id,
        name: cluster.name,
        publicKey: cluster.publicKey,
        established,
        nodes: membership.members().nodes.length,
      },
      lookingMs: null,
    }),
    onJoin: relay,
    members: () => membership.members().signed,
    log,
  });

  return {
    lobby,
    async start() {
      if (!established) await lookWhetherToDissolve();
      await lobby.start();
      lobby.onAround(() => quietly(async () => (await lookWhetherToDissolve(), await (isOut() ? lookWhetherRemoved() : undefined))));
      timers = [setInterval(() => quietly(lookWhetherToDissolve), 5000), setInterval(() => quietly(lookWhetherRemoved), 15_000)];
      for (const timer of timers) timer.unref();
      off = mesh.onLost(() => quietly(lookWhetherRemoved));
    },
    async stop() {
      off();
      for (const timer of timers) clearInterval(timer);
      await lobby.stop();
    },
    others() {
      const found = lobby.around().flatMap((n) => (n.cluster && n.cluster.id !== cluster.id ? [n.cluster.name] : []));
      return [...new Set(found)].slice(0, 20);
    },
  };

  async function lookWhetherToDissolve(): Promise<void> {
    if (established) return;
    established = (await readCluster(db!))?.establishedAt != null;
    if (established) return;
    const mine = { id: cluster.id, established };
    const other = lobby.around().find((n) => n.cluster && n.cluster.id !== cluster.id && dissolves({ mine, other: n.cluster }));
    if (other?.cluster) parts.onDissolve(other.cluster.id);
  }

  function isOut(): boolean {
    return !membership.isMember(id);
  }

  /**
   * Nobody of this cluster speaks to us: perhaps we were removed while we were away, or let in again. A lobby of it shows the newest list,
   * and that is signed, so that no stranger can make us believe it.
   */
  async function lookWhetherRemoved(): Promise<void> {
    if (db || mesh.connected().length > 0) return;
    for (const { node } of lobby.around().filter((n) => n.cluster?.id === cluster.id)) {
      const list = await lobby.standing({ node }, AbortSignal.timeout(5000)).catch(() => null);
      if (list) membership.adoptMembers(list);
    }
  }

  /** Whoever asks at this door is decided about by the coordinator. */
  async function relay(asked: JoinRequest, address: string): Promise<JoinAnswer> {
    const to = parts.coordinator();
    if (!to) return { state: 'away', why: 'Nobody coordinates this cluster at this moment.' };
    try {
      return await mesh.request(to, 'join', { asked, address, lobby: id }, { signal: AbortSignal.timeout(8000) });
    } catch (error) {
      return { state: 'away', why: messageOf(error).slice(0, 500) };
    }
  }

  function quietly(look: () => Promise<void>): void {
    void look().catch((error: unknown) => log.debug({ why: messageOf(error) }, 'the neighbours could not be looked at'));
  }
}
