import { PlainError } from '../../errors.ts';
import type { EventMap } from '../../events.ts';
import { priorities } from '../../core/job.ts';
import { libraryOverview, listLibraries } from '../../db/libraries.ts';
import { plural } from '../format.ts';
import { libraryFigure, rulesPage, type AddForm, type LibraryPage, type RulesPage } from '../models/library-page.ts';
import { fileStatuses } from '../models/library.ts';
import { readListState, readText } from '../models/list-state.ts';
import { readLibraryForm } from '../models/profile-form.ts';
import { idFrom, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { queryOf, readForm } from './form.ts';
import { gone, libraryId, readList, readPage, readView, statusAsState } from './library-read.ts';
import { scanningRoute } from './library-scanning.ts';

/** Libraries: what is in them, what could be won, their scans and their rules. */
export const libraryPages: PageModule = (app, web) => {
  const listPage = (add: Omit<AddForm, 'machines'> = { path: '', name: '', node: '', lookFirst: false, problem: null }) =>
    readList(web, add);

  app.get('/library', async (c) =>
    web.page(c, {
      title: 'Library',
      section: 'library',
      view: 'library/index',
      model: await listPage(),
      live: { view: 'libraries', refresh: false },
    }),
  );

  app.post('/library', async (c) => {
    const form = await readForm(c);
    const wish = {
      path: readText(form.get('path'), 4096) ?? '',
      name: readText(form.get('name'), 200) ?? '',
      node: readText(form.get('node'), 128) ?? '',
      lookFirst: form.get('lookFirst') === 'on',
    };
    try {
      if (!wish.path) throw new PlainError('Say which folder: its whole path on that machine, for example /mnt/films.');
      const before = await listLibraries(web.db);
      const id = await web.commands.addLibrary(
        {
          path: wish.path,
          ...(wish.lookFirst ? { lookFirst: true } : {}),
          ...(wish.node ? { node: wish.node } : {}),
          ...(wish.name ? { name: wish.name } : {}),
        },
        c.get('actor'),
      );
      const known = before.find((l) => l.id === id);
      const told = known ? `This folder is the library “${known.name}” already.` : 'The library was added. The first scan has begun.';
      return await web.act(c, async () => told, { back: url.library(id) });
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      const model = await listPage({ ...wish, problem: error.message });
      return web.page(c, { title: 'Library', section: 'library', view: 'library/index', model, status: 422 });
    }
  });

  app.get('/library/:id', async (c) => {
    const page = await readPage(web, libraryId(c), readListState(statusAsState(queryOf(c)), ['all', ...fileStatuses.map((s) => s.status)]));
    return web.page(c, {
      title: page.library.name,
      section: 'library',
      view: 'library/show',
      model: page,
      live: { view: 'library', query: { id: page.library.id }, refresh: false },
    });
  });

  app.post('/library/:id/locate', async (c) => {
    const library = (await listLibraries(web.db)).find((l) => l.id === libraryId(c));
    if (!library) throw gone();
    const form = await readForm(c);
    const wish = { node: readText(form.get('node'), 128) ?? '', path: readText(form.get('path'), 4096) ?? '' };
    try {
      if (!wish.path) throw new PlainError('Say the whole path on that machine, for example /mnt/films.');
      await web.commands.locateRoot({ node: wish.node, root: library.rootId, path: wish.path }, c.get('actor'));
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      const model = await readPage(web, library.id, readListState(new URLSearchParams(), ['all']), { ...wish, problem: error.message });
      return web.page(c, { title: library.name, section: 'library', view: 'library/show', model, status: 422 });
    }
    return web.act(c, async () => 'Found there. Nothing is replaced through it before it is proved to be the same disk.', {
      back: `${url.library(library.id)}#places`,
    });
  });

  app.post('/library/:id/scan', (c) =>
    web.act(c, async () => {
      const started = await web.commands.scan(libraryId(c), c.get('actor'));
      return started > 0 ? 'The scan has begun.' : 'A scan of this library is running already.';
    }),
  );
  app.post('/library/:id/cancel-scan', (c) =>
    web.act(c, async () => {
      await web.commands.cancelScan(libraryId(c), c.get('actor'));
      return 'The scan was stopped. What it found so far stays.';
    }),
  );
  for (const enabled of [true, false]) {
    app.post(`/library/:id/${enabled ? 'enable' : 'disable'}`, (c) =>
      web.act(c, async () => {
        await web.commands.changeLibrary(libraryId(c), { enabled }, c.get('actor'));
        return enabled ? 'Its files are converted from now on.' : 'Switched off: no file of it is converted.';
      }),
    );
  }
  scanningRoute(app, web, libraryId);
  rulesRoutes(app, web);
  removeRoutes(app, web);

  web.live.register('libraries', {
    regions: {
      'library-list': {
        on: ['library.changed', 'scan.progressed', 'queue.changed', 'job.changed'],
        everyMs: 2000,
        render: async () => web.views.render('library/_cards', await listPage()),
      },
    },
  });
  const one =
    (view: string) =>
    async (params: URLSearchParams): Promise<string> => {
      const id = idFrom(params.get('id') ?? undefined);
      const library = id === null ? null : await readView(web, id);
      return library ? web.views.render(view, { library, figure: libraryFigure(library), now: web.now() }) : '';
    };
  const concerns = (_type: string, event: object, params: URLSearchParams): boolean =>
    !('libraryId' in event) || event.libraryId === null || String(event.libraryId) === params.get('id');
  const files: (keyof EventMap)[] = ['library.changed', 'scan.progressed', 'job.changed', 'queue.changed'];
  const page =
    (view: string, part: (page: LibraryPage) => object) =>
    async (params: URLSearchParams): Promise<string> => {
      const id = idFrom(params.get('id') ?? undefined);
      return id === null ? '' : web.views.render(view, part(await readPage(web, id, readListState(new URLSearchParams(), ['all']))));
    };
  web.live.register('library', {
    params: ['id'],
    regions: {
      'files-live': { on: files, when: concerns, everyMs: 3000, render: page('files/_rows', (p) => p.files) },
      'lib-count': { on: files, when: concerns, everyMs: 3000, render: page('library/_count', (p) => p.files) },
      'lib-wins': { on: files, when: concerns, everyMs: 3000, render: page('library/_wins', (p) => p) },
      'lib-places': { on: ['library.changed', 'node.changed'], when: concerns, everyMs: 3000, render: page('library/_places', (p) => p) },
      'lib-origin': { on: ['source.changed', 'library.changed'], everyMs: 3000, render: page('library/_origin', (p) => p) },
      'lib-scans': { on: ['library.changed', 'scan.progressed'], when: concerns, everyMs: 3000, render: page('library/_scans', (p) => p) },
      'lib-card': {
        on: files,
        when: concerns,
        everyMs: 2000,
        render: one('library/_head'),
      },
      'lib-actions': { on: ['library.changed', 'scan.progressed'], when: concerns, everyMs: 2000, render: one('library/_actions') },
    },
  });
};

function rulesRoutes(app: Parameters<PageModule>[0], web: Web): void {
  const show = async (c: Ctx, model: RulesPage, status: 200 | 422) =>
    web.page(c, { title: `Rules of ${model.name || 'a library'}`, section: 'library', view: 'library/rules', model, status });
  const read = async (c: Ctx) => {
    const library = (await listLibraries(web.db)).find((l) => l.id === libraryId(c));
    if (!library) throw gone();
    return { ...library, priority: priorities[library.priority] ?? ('normal' as const) };
  };
  app.get('/library/:id/rules', async (c) => show(c, rulesPage(await read(c), null), 200));
  app.post('/library/:id/rules', async (c) => {
    const library = await read(c);
    const form = await readForm(c);
    const result = readLibraryForm(form);
    if (Object.keys(result.problems).length > 0) return show(c, rulesPage(library, { form, result }), 422);
    try {
      const { name, enabled, priority, profile } = result;
      await web.commands.changeLibrary(library.id, { name, enabled, priority, profile }, c.get('actor'));
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      return show(c, rulesPage(library, { form, result }, { name: `could not be saved: ${error.message.replace(/\.$/, '')}` }), 422);
    }
    return web.act(c, async () => 'Saved. It applies to every file that has not been encoded yet.', { back: url.library(library.id) });
  });
}

function removeRoutes(app: Parameters<PageModule>[0], web: Web): void {
  const ask = async (c: Ctx, problem: string | null) => {
    const library = (await libraryOverview(web.db)).find((l) => l.id === libraryId(c));
    if (!library) throw gone();
    return web.page(c, {
      title: 'Remove a library',
      section: 'library',
      view: 'queue/confirm',
      status: problem ? 422 : 200,
      model: {
        question: `Remove “${library.name}”?`,
        text: `CodecShift forgets its ${plural(library.files, 'file')}, their history and their place in the queue. That cannot be undone. No file is touched; originals stay in the trash until their time is over.`,
        action: `${url.library(library.id)}/remove`,
        confirmed: '1',
        button: 'Remove this library',
        back: url.library(library.id),
        hidden: [],
        typed: library.name,
        problem,
      },
    });
  };
  app.get('/library/:id/remove', (c) => ask(c, null));
  app.post('/library/:id/remove', async (c) => {
    const id = libraryId(c);
    const library = (await listLibraries(web.db)).find((l) => l.id === id);
    if (!library) throw gone();
    const typed = ((await readForm(c)).get('typed') ?? '').trim().normalize();
    if (typed !== library.name.trim().normalize()) return ask(c, `Type ${library.name} exactly as it is written, then it is removed.`);
    return web.act(
      c,
      async () => {
        await web.commands.removeLibrary(id, c.get('actor'));
        return `“${library.name}” was removed. No file was touched.`;
      },
      { back: url.library() },
    );
  });
}
