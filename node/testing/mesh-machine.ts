import type { Signed } from '../core/cluster.ts';
import { createNetworkMesh } from '../mesh/network.ts';
import type { ClusterKey } from '../mesh/signing.ts';
import { memoryMembership, quiet, type Cluster } from './mesh-nodes.ts';

/**
 * A program that is nothing but a mesh: for tests about processes and networks. Told by MESH_MACHINE what it is; says one
 * JSON line for each event; on any line of input it says what it sees around it.
 */
export interface MachineOrders {
  key: string;
  name: string;
  cluster: Pick<ClusterKey, 'cluster' | 'publicKey'>;
  list: Signed;
  discovery: 'lan' | 'off';
  port: number;
  peers: string[];
}

const orders = JSON.parse(process.env['MESH_MACHINE']!) as MachineOrders;
const say = (event: string, more: object): void => void process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

const mesh = createNetworkMesh({
  key: Buffer.from(orders.key, 'base64'),
  name: orders.name,
  version: '0.0.0-test',
  membership: memoryMembership({ key: orders.cluster } as Cluster, orders.list),
  port: orders.port,
  discovery: orders.discovery,
  peers: orders.peers,
  log: quiet,
});
mesh.onMet((node) => say('met', { node }));
mesh.onLost((node) => say('lost', { node }));
mesh.subscribe('presence', ({ busy }, from) => say('heard', { from, busy }));
process.stdin.on('data', () => {
  mesh.publish('presence', { node: mesh.self, name: orders.name, slots: 1, busy: 7, freeBytes: 1, load: 0, at: 1 });
  say('around', { around: mesh.surroundings(), connected: mesh.connected() });
});
await mesh.start();
say('started', { listening: mesh.surroundings().listening[0]!.addresses });
