// A keeper of its own process that fetches one output and stops in the middle, to be killed there. For incoming.test.ts only.
import { appendFileSync } from 'node:fs';
import { locateTools } from '../ffmpeg/locate.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';
import { createOutbox } from '../mesh/outbox.ts';
import { createKeeper } from './keeper.ts';
import { loadRoots } from './roots.ts';

export interface Order {
  node: string;
  dataDir: string;
  grant: ProtocolRequest<'grant'>;
  /** base64 */
  firstHalf: string;
}

const order = JSON.parse(process.argv[2] ?? '') as Order;
const log = createLog({ level: 'fatal', pretty: true });
const mesh = createLocalMesh(order.node, log);
const keeper = createKeeper({
  mesh,
  roots: await loadRoots(order.dataDir),
  tools: await locateTools(),
  outbox: createOutbox({ directory: `${order.dataDir}/outbox`, mesh, coordinator: () => null, log }),
  outputOf: () => Promise.reject(new Error('made elsewhere')),
  fetch({ target }) {
    appendFileSync(target, Buffer.from(order.firstHalf, 'base64'));
    process.stdout.write('half\n');
    return new Promise(() => {});
  },
  onAdopted: async () => {},
  log,
});
await keeper.start();
await mesh.request(order.node, 'grant', order.grant);
setInterval(() => {}, 1000);
