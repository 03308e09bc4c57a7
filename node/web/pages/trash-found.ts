import { listFound, listStrangers } from '../../db/found-originals.ts';
import { readOriginal } from '../../db/originals.ts';
import { listLibraries } from '../../db/libraries.ts';
import { refuse } from '../errors.ts';
import { editableGroups } from '../models/settings.ts';
import { trashFoundPage } from '../models/trash-found.ts';
import { idFrom, url } from '../routes.ts';
import type { PageModule } from '../web.ts';
import { queryOf, readForm } from './form.ts';

/** What lay in a trash without being in the books: each with its reason, and a way back. */
export const trashFoundPages: PageModule = (app, web) => {
  app.get('/settings/clean-up/found', async (c) => {
    const query = queryOf(c);
    const rootId = query.get('root') ?? '';
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(rootId)) throw refuse('not-found', 'There is no such trash.');
    const [found, strangers, libraries] = await Promise.all([
      listFound(web.db, rootId, idFrom(query.get('after') ?? undefined) ?? 0),
      listStrangers(web.db, rootId),
      listLibraries(web.db),
    ]);
    const names = libraries.filter((l) => l.rootId === rootId).map((l) => l.name);
    const model = trashFoundPage({
      ...{ groups: editableGroups(), rootId, names: names.join(', ') || 'a folder without a library' },
      ...{ found, more: found.length === 100, strangers, now: web.now() },
    });
    return web.page(c, { title: 'Found in the trash', section: 'settings', view: 'cleanup/found', model });
  });

  app.post('/settings/clean-up/put-back', async (c) => {
    const id = idFrom((await readForm(c)).get('original') ?? undefined);
    const original = id === null ? null : await readOriginal(web.db, id);
    return web.act(
      c,
      async () => {
        if (!original?.found || original.state !== 'kept') throw refuse('not-found', 'This original is no longer in the trash.');
        await web.commands.restore(original.id, c.get('actor'));
        return 'The original is being put back.';
      },
      { back: original ? url.cleanupFound(original.rootId) : url.cleanup() },
    );
  });
};
