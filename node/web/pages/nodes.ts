import { sentence } from '../../core/reasons.ts';
import { readLease } from '../../db/coordinator.ts';
import { runningJobs } from '../../db/job-lists.ts';
import { listLibraries } from '../../db/libraries.ts';
import { listNodes, readNode } from '../../db/nodes.ts';
import { listNodeRoots } from '../../db/roots.ts';
import { refuse } from '../errors.ts';
import { isAway, nodeCard, nodeDetail, type NodesPageView } from '../models/node.ts';
import type { PageModule, Web } from '../web.ts';

/** The nodes with everything that was tested on them, and the reason for each thing that does not work. */
export const nodePages: PageModule = (app, web) => {
  web.live.register('nodes', {
    regions: {
      'node-list': {
        on: ['node.changed', 'job.changed', 'coordinator.changed', 'library.changed'],
        render: async () => web.views.render('nodes/_list', await readPage(web)),
      },
    },
  });
  app.get('/nodes', async (c) =>
    web.page(c, { title: 'Nodes', section: 'nodes', view: 'nodes/index', model: await readPage(web), live: { view: 'nodes' } }),
  );
  app.post('/nodes/:id/detect', (c) =>
    web.act(c, async () => {
      const node = await readNode(web.db, c.req.param('id'));
      if (!node) throw refuse('not-found', 'There is no such node.');
      await web.commands.detectEncoders(node.id, c.get('actor'));
      return `The encoders of ${node.name} are being tested.`;
    }),
  );
};

async function readPage({ db, now, node: self }: Web): Promise<NodesPageView> {
  const [nodes, running, lease, roots, libraries] = await Promise.all([
    listNodes(db),
    runningJobs(db),
    readLease(db),
    listNodeRoots(db),
    listLibraries(db),
  ]);
  return {
    nodes: nodes.map((node) => {
      const busy = running.filter((job) => job.nodeId === node.id).length;
      const leader = lease.held ? lease.holder : null;
      const card = nodeCard(node, busy, leader === node.id, isAway(node, [self.id, leader], now()), now());
      const own = roots
        .filter((r) => r.nodeId === node.id)
        .map((r) => ({
          path: r.path,
          writable: r.writable,
          problem: r.problem ? sentence({ code: r.problem, params: { path: r.path } }) : '',
          libraries: libraries
            .filter((l) => l.rootId === r.rootId)
            .map((l) => l.name)
            .join(', '),
        }));
      return nodeDetail(node, card, own, now());
    }),
  };
}
