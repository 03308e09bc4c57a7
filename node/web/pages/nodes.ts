import type { Actor } from '../../core/commands.ts';
import { readCluster } from '../../db/cluster.ts';
import { listJoinTokens } from '../../db/join-tokens.ts';
import { readNode, type NodeRow } from '../../db/nodes.ts';
import { PlainError } from '../../errors.ts';
import { typedToStart } from '../../program.ts';
import { refuse } from '../errors.ts';
import { readKnownNodes } from '../known-nodes.ts';
import { nodeDetail, type RootFacts } from '../models/node-page.ts';
import {
  askingViews,
  clusterView,
  emptyTokenForm,
  readTokenForm,
  tokenView,
  type NodesListView,
  type NodesPageView,
  type NodesSide,
} from '../models/nodes-page.ts';
import { idFrom, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';
import { nodeSettingsPages } from './node-settings.ts';

/** The machines: who wants to join, who is a member with everything that was tested, how to add one. */
export const nodePages: PageModule = (app, web) => {
  web.live.register('nodes', {
    regions: {
      'node-list': {
        on: ['node.changed', 'job.changed', 'coordinator.changed', 'library.changed'],
        render: async () => web.views.render('nodes/_list', await readList(web)),
      },
    },
  });
  app.get('/nodes', (c) => show(c, web, {}));
  clusterRoutes(app, web);

  for (const [name, action] of Object.entries(actions)) {
    app.post(`/nodes/:id/${name}`, (c) =>
      web.act(
        c,
        async () => {
          const node = await nodeOf(web, c);
          return action(web, node, c.get('actor'));
        },
        { back: url.nodes() },
      ),
    );
  }
  app.post('/nodes/:id/benched/:bench/try-again', (c) =>
    web.act(
      c,
      async () => {
        const bench = idFrom(c.req.param('bench'));
        if (bench === null) throw refuse('not-found', 'There is no such encoder.');
        await web.commands.liftBench(bench, c.get('actor'));
        return 'It is used again, and its copies are counted from now on.';
      },
      { back: url.nodes() },
    ),
  );
  nodeSettingsPages(app, web);
};

/** Everything that needs no form: what is asked for, and the sentence that says what follows from it. */
const actions: Record<string, (web: Web, node: NodeRow, by: Actor) => Promise<string>> = {
  detect: async ({ commands }, { id, name }, by) => (await commands.detectEncoders(id, by), `The encoders of ${name} are being tested.`),
  approve: async ({ commands }, { id, name }, by) => (
    await commands.approveNode(id, by),
    `${name} is a member now. It tests its encoders first, then it gets work.`
  ),
  reject: async ({ commands }, { id, name }, by) => (
    await commands.declineNode(id, 'reject', by),
    `${name} was rejected. It stays outside until somebody approves it after all.`
  ),
  later: async ({ commands }, { id, name }, by) => (
    await commands.declineNode(id, 'later', by),
    `Not now: ${name} is not asked about for an hour.`
  ),
  pause: async ({ commands }, { id, name }, by) => (
    await commands.changeNode(id, { paused: true }, by),
    `${name} is paused: what it runs stands still until you resume it.`
  ),
  resume: async ({ commands }, { id, name }, by) => (await commands.changeNode(id, { paused: false }, by), `${name} goes on.`),
  drain: async ({ commands }, { id, name }, by) => (
    await commands.changeNode(id, { draining: true }, by),
    `${name} finishes what it runs and begins nothing new.`
  ),
  undrain: async ({ commands }, { id, name }, by) => (await commands.changeNode(id, { draining: false }, by), `${name} takes work again.`),
  'hand-over': async ({ commands }, { id, name }, by) => (
    await commands.handOver(id, by),
    `${name} is asked to coordinate. That takes a few seconds; running encodes go on.`
  ),
};

function clusterRoutes(app: Parameters<PageModule>[0], web: Web): void {
  app.post('/nodes/cluster', async (c) => {
    const name = ((await readForm(c)).get('name') ?? '').trim().slice(0, 200);
    if (name === '' || name.length > 63) {
      const problem = name === '' ? 'A cluster needs a name.' : 'The name may have at most 63 characters.';
      return show(c, web, { rename: { name, problem } });
    }
    return web.act(
      c,
      async () => {
        await web.commands.renameCluster(name, c.get('actor'));
        return `This cluster is called ${name} now.`;
      },
      { back: url.nodes() },
    );
  });

  // where a person ends who loads the answer of one of these forms again
  for (const path of ['/nodes/cluster', '/nodes/tokens']) app.get(path, (c) => c.redirect(url.nodes(), 303));
  // no redirect: the token is shown in the answer itself, and nowhere else ever again
  app.post('/nodes/tokens', async (c) => {
    const { wish, form } = readTokenForm(await readForm(c));
    if (!wish) return show(c, web, { tokenForm: form });
    try {
      const { token } = await web.commands.createJoinToken(wish, c.get('actor'));
      return await show(c, web, { fresh: { token, command: `${typedToStart} --join ${token}`, label: wish.label } });
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      return show(c, web, { tokenForm: { ...form, problem: error.message } });
    }
  });
  app.post('/nodes/tokens/:id/revoke', (c) =>
    web.act(
      c,
      async () => {
        await web.commands.revokeJoinToken(c.req.param('id'), c.get('actor'));
        return 'The token is revoked. Machines that joined with it stay members.';
      },
      { back: url.nodes() },
    ),
  );
}

async function show(c: Ctx, web: Web, more: Partial<NodesSide>): Promise<Response> {
  const wrong = Boolean(more.rename?.problem) || Boolean(more.tokenForm?.problem);
  if (more.fresh) c.header('Cache-Control', 'no-store');
  return web.page(c, {
    title: 'Nodes',
    section: 'nodes',
    view: 'nodes/index',
    model: await readPage(web, more),
    // without JavaScript it reloads only where nobody types and nothing is shown once
    live: { view: 'nodes', refresh: false },
    status: wrong ? 422 : 200,
  });
}

async function readPage(web: Web, more: Partial<NodesSide>): Promise<NodesPageView> {
  const [list, cluster, tokens] = await Promise.all([readList(web), readCluster(web.db), listJoinTokens(web.db)]);
  return {
    ...list,
    side: {
      cluster: clusterView(cluster),
      rename: { name: cluster?.name ?? '', problem: '' },
      tokens: tokens.map((token) => tokenView(token, web.now())),
      tokenForm: emptyTokenForm,
      fresh: null,
      ...more,
    },
  };
}

async function readList(web: Web): Promise<NodesListView> {
  const known = await readKnownNodes(web);
  const now = web.now();
  const coordinator = known.find(({ leads }) => leads)?.node ?? null;
  return {
    ...askingViews(
      known.map(({ node }) => node),
      now,
    ),
    nodes: known
      .filter(({ node }) => node.standing === 'approved')
      .map(({ running, roots, ...facts }) =>
        nodeDetail({
          ...facts,
          now,
          coordinator,
          busy: running.length,
          roots: roots.map((root): RootFacts => ({ ...root, problem: root.says, libraries: root.libraries.map(({ name }) => name) })),
        }),
      ),
  };
}

async function nodeOf(web: Web, c: Ctx): Promise<NodeRow> {
  const node = await readNode(web.db, c.req.param('id') ?? '');
  if (!node) throw refuse('not-found', 'There is no such machine. It may have been removed.');
  return node;
}
