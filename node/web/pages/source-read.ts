import { listLibraries } from '../../db/libraries.ts';
import { listNodes } from '../../db/nodes.ts';
import { listNodeRoots } from '../../db/roots.ts';
import { readSource, type Source } from '../../db/sources.ts';
import { refuse } from '../errors.ts';
import { rootChoices, type RootChoice } from '../models/source-paths.ts';
import { idFrom } from '../routes.ts';
import type { Ctx, Web } from '../web.ts';

/** The roots that this house knows, as people know them: by their libraries, and by a path. */
export async function readRoots(web: Pick<Web, 'db'>): Promise<RootChoice[]> {
  const [places, nodes, libraries] = await Promise.all([listNodeRoots(web.db), listNodes(web.db), listLibraries(web.db)]);
  const names = new Map(nodes.map((node) => [node.id, node.name]));
  return rootChoices(
    places.map((place) => ({ rootId: place.rootId, path: place.path, node: names.get(place.nodeId) ?? 'a former node' })),
    libraries,
  );
}

export async function sourceOf(web: Web, c: Ctx): Promise<Source> {
  const id = idFrom(c.req.param('id'));
  const source = id === null || id > 2 ** 31 - 1 ? null : await readSource(web.db, id);
  if (!source) throw refuse('not-found', 'There is no such media server. It may have been removed.');
  return source;
}
