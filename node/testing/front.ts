import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Sighting, Standing, Surroundings } from '../core/standing.ts';
import { createLog } from '../log.ts';
import { createFront } from '../web/front.ts';
import type { FrontParts, LocalApp, NeighbourNode, Tunnel } from '../web/front/parts.ts';
import { tunnelEntrance } from '../web/front/proxy.ts';

/** The real front of one node on a real port; what the node knows is set by the test. */
export interface TestFront {
  url: string;
  port: number;
  secret: string;
  /** change it, then call `changed` */
  knows: FrontKnowledge;
  changed(): void;
  certificate(): string | null;
  /** what a person pressed, oldest first */
  asked: [string, ...unknown[]][];
  complaints: string[];
  stop(): Promise<void>;
}

export interface FrontKnowledge {
  standing: Standing;
  local: LocalApp | null;
  tunnel: Tunnel | null;
  surroundings: Surroundings;
  neighbours: NeighbourNode[];
  /** what an action does beside being written down */
  answer: ((action: string) => void) | null;
}

type T = { after(fn: () => Promise<void> | void): void };
const home = { id: 'cluster-home', name: 'Home' };

export function member(coordinator: { node: string; name: string } | null, hosts: 'embedded' | 'postgres' | null = null): Standing {
  return { state: 'member', cluster: home, hosts, coordinator };
}

export async function startFront(t: T, name: string, first: Partial<FrontKnowledge>, more: Partial<FrontParts> = {}): Promise<TestFront> {
  const knows: FrontKnowledge = {
    standing: { state: 'starting' },
    local: null,
    tunnel: null,
    surroundings: { listening: [], interfaces: [], sightings: [] },
    neighbours: [],
    answer: null,
    ...first,
  };
  const asked: TestFront['asked'] = [];
  const complaints: string[] = [];
  const note = (...what: [string, ...unknown[]]): void => {
    asked.push(what);
    knows.answer?.(what[0]);
  };
  const secret = `secret-of-${name}`;
  const front = createFront({
    host: '127.0.0.1',
    port: 0,
    secret,
    access: { open: true, token: null },
    node: { id: `node-${name}`, name, version: '0.1.0' },
    log: createLog({ level: 'error', pretty: false, write: (line) => complaints.push(line) }),
    local: () => knows.local,
    tunnel: () => knows.tunnel,
    standing: () => knows.standing,
    surroundings: () => knows.surroundings,
    actions: {
      askAgain: async (cluster) => note('askAgain', cluster),
      foundOwn: async () => note('foundOwn'),
      leaveAndJoin: async (cluster) => note('leaveAndJoin', cluster),
      addPeer: async (address) => note('addPeer', address),
      stop: async (how) => note('stop', how),
      neighbours: () => knows.neighbours,
    },
    allowedHosts: () => [],
    strict: true,
    ...more,
  });
  const { url } = await front.start();
  t.after(() => front.stop());
  return {
    url: url.replace(/\/$/, ''),
    port: Number(new URL(url).port),
    secret,
    knows,
    changed: () => front.changed(),
    certificate: () => front.certificate(),
    asked,
    complaints,
    stop: () => front.stop(),
  };
}

/** The coordinator's end of the tunnel on plain HTTP, in place of the data plane. */
export async function serveTunnel(t: T, local: () => LocalApp | null): Promise<{ tunnel: Tunnel; port: number; server: Server }> {
  const server = createServer(tunnelEntrance(local)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { tunnel: tunnelTo(port), port, server };
}

export function tunnelTo(port: number): Tunnel {
  return (options) => request({ host: '127.0.0.1', port, ...options });
}

/** A machine seen on the network, all well unless said otherwise. */
export function sightingOf(change: Partial<Sighting>): Sighting {
  return {
    node: '12D3KooWNode',
    name: 'nas',
    addresses: ['192.168.1.20:7331'],
    by: 'mdns',
    state: 'connected',
    says: '',
    latencyMs: 0.4,
    clockMs: 12,
    version: '0.1.0',
    cluster: null,
    lastSeenMs: Date.now(),
    ...change,
  };
}
