import { sentence } from '../../core/reasons.ts';
import { readLease } from '../../db/coordinator.ts';
import { listLibraries } from '../../db/libraries.ts';
import { readNode, type NodeRow } from '../../db/nodes.ts';
import { listNodeRoots, listRoots } from '../../db/roots.ts';
import { PlainError } from '../../errors.ts';
import { refuse } from '../errors.ts';
import { nodeSettingsPage, readNodeForm, type NodeForm } from '../models/node-form.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';

interface Typed {
  form?: NodeForm;
  path?: { rootId: string; typed: string; problem: string };
}

/** One machine's own page: what a person wishes of it, where it has the libraries, and how it leaves. */
export const nodeSettingsPages: PageModule = (app, web) => {
  app.get('/nodes/:id', (c) => show(c, web, {}));
  app.post('/nodes/:id', async (c) => {
    const node = await memberOf(web, c);
    const form = readNodeForm(await readForm(c));
    const { wishes } = form;
    if (!wishes) return show(c, web, { form });
    return web.act(
      c,
      async () => {
        await web.commands.changeNode(node.id, wishes, c.get('actor'));
        return `Saved. ${node.name} keeps to it from now on.`;
      },
      { back: url.node(node.id) },
    );
  });

  app.post('/nodes/:id/roots', async (c) => {
    const node = await memberOf(web, c);
    const form = await readForm(c);
    const rootId = (form.get('root') ?? '').slice(0, 100);
    const typed = (form.get('path') ?? '').trim().slice(0, 4096);
    if (!(await listRoots(web.db)).some((root) => root.id === rootId)) throw refuse('not-found', 'There is no such library.');
    if (typed === '')
      return show(c, web, { path: { rootId, typed, problem: `Say the whole path on ${node.name}, for example /mnt/films.` } });
    try {
      await web.commands.locateRoot({ node: node.id, root: rootId, path: typed }, c.get('actor'));
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      return show(c, web, { path: { rootId, typed, problem: error.message } });
    }
    return web.act(
      c,
      async () => `Found. ${node.name} reads it there now; nothing is replaced there before it is proved to be the same disk.`,
      {
        back: url.node(node.id),
      },
    );
  });

  app.get('/nodes/:id/remove', async (c) => askToRemove(c, web, await memberOf(web, c), null));
  app.post('/nodes/:id/remove', async (c) => {
    const node = await memberOf(web, c);
    const typed = ((await readForm(c)).get('typed') ?? '').trim().normalize();
    if (typed !== node.name.trim().normalize())
      return askToRemove(c, web, node, `Type ${node.name} exactly as it is written, then it is removed.`);
    return web.act(
      c,
      async () => {
        await web.commands.removeNode(node.id, c.get('actor'));
        return `${node.name} was removed. It may ask to join again.`;
      },
      { back: url.nodes() },
    );
  });
};

async function show(c: Ctx, web: Web, typed: Typed): Promise<Response> {
  const node = await memberOf(web, c);
  const [here, known, libraries, lease] = await Promise.all([
    listNodeRoots(web.db, node.id),
    listRoots(web.db),
    listLibraries(web.db),
    readLease(web.db),
  ]);
  const roots = known.map(({ id }) => {
    const at = here.find((r) => r.rootId === id);
    return {
      rootId: id,
      path: at?.path ?? null,
      writable: at?.writable ?? false,
      problem: at?.problem ? sentence({ code: at.problem, params: { path: at.path } }) : '',
      provedAt: at?.provedAt ?? null,
      libraries: libraries.filter((l) => l.rootId === id).map((l) => l.name),
    };
  });
  const model = nodeSettingsPage(
    node,
    // a root without a library matters only where a machine still has it
    roots.filter((r) => r.libraries.length > 0 || r.path !== null),
    { coordinator: lease.held && lease.holder === node.id, now: web.now(), typed: typed.form ?? null, path: typed.path ?? null },
  );
  const status = typed.form || typed.path ? 422 : 200;
  return web.page(c, { title: node.name, section: 'nodes', view: 'nodes/settings', model, status });
}

function askToRemove(c: Ctx, web: Web, node: NodeRow, problem: string | null): Promise<Response> {
  return web.page(c, {
    title: 'Remove a machine',
    section: 'nodes',
    view: 'queue/confirm',
    status: problem ? 422 : 200,
    model: {
      question: `Remove “${node.name}”?`,
      text: 'It loses every right at once, on every machine. What it encodes now waits again and begins anew elsewhere. No film is touched, also not on its own disks; it may ask to join again.',
      action: url.nodeAction(node.id, 'remove'),
      confirmed: '1',
      button: 'Remove this machine',
      back: url.node(node.id),
      hidden: [],
      typed: node.name,
      problem,
    },
  });
}

async function memberOf(web: Web, c: Ctx): Promise<NodeRow> {
  const node = await readNode(web.db, c.req.param('id') ?? '');
  if (!node || node.standing !== 'approved') throw refuse('not-found', 'There is no such machine. It may have been removed.');
  return node;
}
