import { chosenTotals, lastCleanups, listLeftovers, readCleanup, type Cleanup } from '../../db/cleanups.ts';
import { strangersOfRoots } from '../../db/found-originals.ts';
import { listLibraries } from '../../db/libraries.ts';
import { listNodes } from '../../db/nodes.ts';
import { trashDays, trashOfRoots } from '../../db/originals.ts';
import { keepersOf, listRoots } from '../../db/roots.ts';
import { refuse } from '../errors.ts';
import { plural, size } from '../format.ts';
import { cleanupHead, cleanupListPage, standings, type CleanupListPage } from '../models/cleanup-list.ts';
import { rootCard, type CleanupPage } from '../models/cleanup.ts';
import { deleteQuestion, emptyQuestion, type CleanupConfirm } from '../models/cleanup-question.ts';
import { readListState } from '../models/list-state.ts';
import { editableGroups } from '../models/settings.ts';
import { idFrom, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { queryOf, readForm } from './form.ts';
import { trashFoundPages } from './trash-found.ts';

/** The clean-up: what was left lying about in the libraries, and what waits in their trashes. */
export const cleanupPages: PageModule = (app, web) => {
  const frame = { title: 'Clean-up', section: 'settings' } as const;

  app.get('/settings/clean-up', async (c) =>
    web.page(c, { ...frame, view: 'cleanup/index', model: await readOverview(web), live: { view: 'clean-up', refresh: false } }),
  );

  app.post('/settings/clean-up/look', async (c) => {
    const root = rootOf((await readForm(c)).get('root'));
    return web.act(
      c,
      async () => {
        const begun = await web.commands.lookForLeftovers(root, c.get('actor'));
        return begun.length > 0 ? 'Looking for leftovers. Nothing is deleted by that.' : 'A clean-up is at work there already.';
      },
      { back: url.cleanup() },
    );
  });

  trashRoutes(app, web);
  trashFoundPages(app, web);
  listRoutes(app, web);

  web.live.register('clean-up', {
    regions: {
      'cleanup-roots': {
        on: ['cleanup.changed', 'library.changed', 'node.changed', 'activity.added'],
        everyMs: 1000,
        render: async () => web.views.render('cleanup/_roots', await readOverview(web)),
      },
    },
  });
  web.live.register('clean-up-list', {
    params: ['id'],
    regions: {
      'cleanup-head': {
        on: ['cleanup.changed'],
        everyMs: 1000,
        render: async (params) => {
          const id = idFrom(params.get('id') ?? undefined);
          const cleanup = id === null ? null : await readCleanup(web.db, id);
          if (!cleanup) return '';
          return web.views.render('cleanup/_head', {
            head: cleanupHead(await named(web, cleanup), await chosenTotals(web.db, cleanup.id)),
          });
        },
      },
    },
  });
};

function trashRoutes(app: Parameters<PageModule>[0], web: Web): void {
  const ask = async (c: Ctx, rootId: string | null, problem: string | null) => {
    const trash = (await trashOfRoots(web.db)).find((t) => t.rootId === rootId);
    if (!trash || trash.held === trash.files) throw refuse('not-found', 'There is nothing in this trash that may be deleted now.');
    return confirm(web, c, emptyQuestion(await namesOf(web, trash.rootId), trash, problem));
  };
  app.get('/settings/clean-up/trash', (c) => ask(c, rootOf(queryOf(c).get('root')), null));
  app.post('/settings/clean-up/trash', async (c) => {
    const form = await readForm(c);
    const root = rootOf(form.get('root'));
    const upTo = idFrom(form.get('upTo') ?? undefined);
    if (root === null || upTo === null) throw refuse('not-found', 'There is no such trash.');
    if (form.get('sure') !== 'on') return ask(c, root, 'Tick that you have no need of them any more, then they are deleted.');
    return web.act(
      c,
      async () => {
        const { files, bytes } = await web.commands.emptyTrash(root, upTo, c.get('actor'));
        return `The trash is being emptied: ${plural(files, 'original')}, ${size(bytes)}.`;
      },
      { back: url.cleanup() },
    );
  });
}

function listRoutes(app: Parameters<PageModule>[0], web: Web): void {
  app.get('/settings/clean-up/:id', async (c) => {
    const cleanup = await cleanupOf(web, c);
    return web.page(c, {
      title: 'Leftovers',
      section: 'settings',
      view: 'cleanup/list',
      model: await readList(web, cleanup, queryOf(c)),
      live: { view: 'clean-up-list', query: { id: cleanup.id }, refresh: false },
    });
  });

  app.post('/settings/clean-up/:id/choose', async (c) => {
    const { id } = await cleanupOf(web, c);
    const form = await readForm(c);
    const shown = numbers(form.getAll('shown'));
    const chosen = new Set(numbers(form.getAll('n')));
    const here = url.cleanupList(id, { show: standingOf(form.get('show')), ...(form.get('cursor') ? cursorOf(form) : {}) });
    const folder = idFrom(form.get('folder') ?? undefined);
    return web.act(
      c,
      async () => {
        const by = c.get('actor');
        await web.commands.chooseLeftovers(id, { shown, chosen: shown.filter((n) => chosen.has(n)) }, by);
        if (folder !== null) await web.commands.chooseLeftovers(id, { folderOf: folder }, by);
        if (form.get('do') === 'delete') return undefined;
        const now = await chosenTotals(web.db, id);
        return `${plural(now.files, 'file')} chosen, ${size(now.bytes)}. Nothing was deleted yet.`;
      },
      { back: here, to: () => (form.get('do') === 'delete' ? url.cleanupAction(id, 'delete') : here) },
    );
  });

  const ask = async (c: Ctx, cleanup: Cleanup, problem: string | null) => {
    const chosen = await chosenTotals(web.db, cleanup.id);
    if (cleanup.state !== 'listed' || chosen.files === 0)
      return web.act(c, async () => 'No file is chosen, so there is nothing to delete.', { back: url.cleanupList(cleanup.id) });
    return confirm(web, c, deleteQuestion(cleanup.id, await namesOf(web, cleanup.rootId), chosen, problem));
  };
  app.get('/settings/clean-up/:id/delete', async (c) => ask(c, await cleanupOf(web, c), null));
  app.post('/settings/clean-up/:id/delete', async (c) => {
    const cleanup = await cleanupOf(web, c);
    const form = await readForm(c);
    const asked = Number(/^\d{1,9}$/.exec(form.get('asked') ?? '')?.[0] ?? 0);
    if (asked > 0 && form.get('sure') !== 'on')
      return ask(c, cleanup, 'Tick that you know what the files are that CodecShift did not make, then they are deleted.');
    return web.act(
      c,
      async () => {
        const { files, bytes } = await web.commands.deleteLeftovers(cleanup.id, asked, c.get('actor'));
        return `Deleting ${plural(files, 'file')}, ${size(bytes)}. Each is looked at once more first.`;
      },
      { back: url.cleanupList(cleanup.id) },
    );
  });
  app.post('/settings/clean-up/:id/cancel', async (c) => {
    const { id } = await cleanupOf(web, c);
    return web.act(
      c,
      async () => {
        await web.commands.cancelCleanup(id, c.get('actor'));
        return 'Stopped. What was not deleted yet stays.';
      },
      { back: url.cleanup() },
    );
  });
}

async function confirm(web: Web, c: Ctx, model: CleanupConfirm): Promise<Response> {
  return web.page(c, { title: 'Clean-up', section: 'settings', view: 'cleanup/confirm', model, status: model.problem ? 422 : 200 });
}

async function readOverview(web: Web): Promise<CleanupPage> {
  const [roots, libraries, nodes, last, trashes, strangers] = await Promise.all([
    listRoots(web.db),
    listLibraries(web.db),
    listNodes(web.db),
    lastCleanups(web.db),
    trashOfRoots(web.db),
    strangersOfRoots(web.db),
  ]);
  const names = new Map(nodes.map((node) => [node.id, node.name]));
  // a root that was only ever a machine's, without a library and without anything of ours in it, is nobody's concern
  const shown = roots.filter(
    ({ id }) =>
      libraries.some((l) => l.rootId === id) ||
      last.some((c) => c.rootId === id) ||
      [...trashes, ...strangers].some((t) => t.rootId === id),
  );
  const cards = shown.map(async ({ id }) => {
    const cleanup = last.find((c) => c.rootId === id) ?? null;
    const trash = trashes.find((t) => t.rootId === id) ?? null;
    return rootCard({
      rootId: id,
      libraries: libraries.filter((l) => l.rootId === id).map((l) => l.name),
      keepers: (await keepersOf(web.db, id)).map((k) => ({ name: names.get(k.nodeId) ?? k.nodeId, path: k.path })),
      last: cleanup && { ...cleanup, node: cleanup.nodeId === null ? null : (names.get(cleanup.nodeId) ?? null) },
      trash,
      strangers: strangers.find((s) => s.rootId === id)?.files ?? 0,
      days: trash ? await trashDays(web.db, id) : [],
    });
  });
  const found = await Promise.all(cards);
  return {
    groups: editableGroups(),
    roots: found.sort((a, b) => a.names.localeCompare(b.names)),
    keepDays: plural(Number(web.settings()['trash.keepDays'] ?? 14), 'day'),
    now: web.now(),
  };
}

async function readList(web: Web, cleanup: Cleanup, query: URLSearchParams): Promise<CleanupListPage> {
  const wanted = query.get('show');
  const standing = standings.find((s) => s.standing === wanted)?.standing ?? (cleanup.dead > 0 || cleanup.ask === 0 ? 'dead' : 'ask');
  const { after, before } = readListState(query, ['all']);
  const page = await listLeftovers(web.db, cleanup.id, standing, { after, before, size: 200 });
  return cleanupListPage({
    cleanup: await named(web, cleanup),
    names: await namesOf(web, cleanup.rootId),
    groups: editableGroups(),
    standing,
    ...page,
    cursor: after,
    chosen: await chosenTotals(web.db, cleanup.id),
    now: web.now(),
  });
}

async function named(web: Web, cleanup: Cleanup): Promise<Cleanup & { node: string | null }> {
  const node = (await listNodes(web.db)).find(({ id }) => id === cleanup.nodeId);
  return { ...cleanup, node: node?.name ?? null };
}

async function namesOf(web: Web, rootId: string): Promise<string> {
  const libraries = (await listLibraries(web.db)).filter((l) => l.rootId === rootId);
  return libraries.map((l) => l.name).join(', ') || 'a folder without a library';
}

async function cleanupOf(web: Web, c: Ctx): Promise<Cleanup> {
  const id = idFrom(c.req.param('id'));
  const cleanup = id === null ? null : await readCleanup(web.db, id);
  if (!cleanup) throw refuse('not-found', 'There is no such clean-up. Only the last ones of each library are remembered.');
  return cleanup;
}

function rootOf(text: string | null): string | null {
  return text && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text) ? text : null;
}

function standingOf(text: string | null): string | null {
  return standings.find((s) => s.standing === text)?.standing ?? null;
}

/** The page of the list on which the ticks were made. */
function cursorOf(form: URLSearchParams): { after: string | null } {
  return { after: readListState(new URLSearchParams({ after: form.get('cursor') ?? '' }), ['all']).after };
}

function numbers(texts: readonly string[]): number[] {
  return texts
    .slice(0, 200)
    .filter((text) => /^\d{1,9}$/.test(text))
    .map(Number);
}
