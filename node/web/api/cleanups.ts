import { sentence } from '../../core/reasons.ts';
import { chosenTotals, lastCleanups, listLeftovers, readCleanup, type Cleanup } from '../../db/cleanups.ts';
import { listLibraries } from '../../db/libraries.ts';
import { listNodes } from '../../db/nodes.ts';
import { trashOfRoots } from '../../db/originals.ts';
import { keepersOf, listRoots } from '../../db/roots.ts';
import { refuse } from '../errors.ts';
import type { Web } from '../web.ts';
import {
  bodyAs,
  cleanupBody,
  cleanupChoiceBody,
  cleanupDeleteBody,
  leftoversQuery,
  nothingBody,
  pathId,
  queryAs,
  trashBody,
  type ApiContext,
} from './v1.ts';

type Route = (path: string, answer: (c: ApiContext) => Promise<Response>) => void;

/** What was left lying about in the libraries, and their trashes: looked for, listed, and deleted where a person says so. */
export function cleanupRoutes(get: Route, post: Route, web: Web): void {
  const { db, commands } = web;

  get('/cleanups', async (c) => c.json({ items: await roots(web) }));
  post('/cleanups', async (c) => {
    const { root } = await bodyAs(c, cleanupBody);
    if (root != null && !(await listRoots(db)).some(({ id }) => id === root)) throw refuse('not-found', 'There is no such library root.');
    return c.json({ started: await commands.lookForLeftovers(root ?? null, c.get('actor')) }, 202);
  });
  get('/cleanups/:id', async (c) => {
    const cleanup = await cleanupOf(web, c);
    return c.json({ ...cleanupJson(cleanup), chosen: await chosenTotals(db, cleanup.id) });
  });
  get('/cleanups/:id/files', async (c) => {
    const { standing, after, before, limit } = queryAs(c, leftoversQuery);
    const { id } = await cleanupOf(web, c);
    const page = await listLeftovers(db, id, standing, { after: after ?? null, before: before ?? null, size: limit });
    return c.json({ items: page.rows.map(({ inode: _inode, ...row }) => row), before: page.before, after: page.after });
  });
  post('/cleanups/:id/choose', async (c) => {
    const { files, chosen } = await bodyAs(c, cleanupChoiceBody);
    const { id } = await cleanupOf(web, c);
    const changed = await commands.chooseLeftovers(id, { shown: files, chosen: chosen ? files : [] }, c.get('actor'));
    return c.json({ changed, chosen: await chosenTotals(db, id) });
  });
  post('/cleanups/:id/delete', async (c) => {
    const { asked } = await bodyAs(c, cleanupDeleteBody);
    const { id } = await cleanupOf(web, c);
    return c.json({ id, ...(await commands.deleteLeftovers(id, asked, c.get('actor'))) }, 202);
  });
  post('/cleanups/:id/cancel', async (c) => {
    await bodyAs(c, nothingBody);
    const { id } = await cleanupOf(web, c);
    await commands.cancelCleanup(id, c.get('actor'));
    return c.json({ id });
  });
  post('/trash/empty', async (c) => {
    const { root, upTo } = await bodyAs(c, trashBody);
    const trash = (await trashOfRoots(db)).find((t) => t.rootId === root);
    if (!trash) throw refuse('not-found', 'There is nothing in this trash.');
    return c.json(await commands.emptyTrash(root, upTo, c.get('actor')), 202);
  });
}

async function roots({ db }: Web): Promise<object[]> {
  const [all, libraries, nodes, last, trashes] = await Promise.all([
    listRoots(db),
    listLibraries(db),
    listNodes(db),
    lastCleanups(db),
    trashOfRoots(db),
  ]);
  const names = new Map(nodes.map((node) => [node.id, node.name]));
  return Promise.all(
    all.map(async ({ id }) => {
      const cleanup = last.find((c) => c.rootId === id);
      const { rootId: _root, ...trash } = trashes.find((t) => t.rootId === id) ?? { rootId: id, files: 0, bytes: 0 };
      return {
        root: id,
        libraries: libraries.filter((l) => l.rootId === id).map((l) => ({ id: l.id, name: l.name })),
        keepers: (await keepersOf(db, id)).map((k) => ({ id: k.nodeId, name: names.get(k.nodeId) ?? null, path: k.path })),
        cleanup: cleanup ? cleanupJson(cleanup) : null,
        trash,
      };
    }),
  );
}

async function cleanupOf({ db }: Web, c: ApiContext): Promise<Cleanup> {
  const cleanup = await readCleanup(db, pathId(c, 'clean-up'));
  if (!cleanup) throw refuse('not-found', 'There is no such clean-up. Only the last ones of each library are remembered.');
  return cleanup;
}

function cleanupJson({ reason, rootId, ...cleanup }: Cleanup): object {
  return { ...cleanup, root: rootId, reason: reason && { code: reason.code, params: reason.params ?? {}, sentence: sentence(reason) } };
}
