import { isFetcher } from '../../core/source-words.ts';
import type { SourceKind } from '../../core/commands.ts';
import { sentence } from '../../core/reasons.ts';
import { listLibraries } from '../../db/libraries.ts';
import { listSourceLibraries } from '../../db/source-libraries.ts';
import { listMessages, readMessage } from '../../db/source-messages.ts';
import { listSourcePaths } from '../../db/source-paths.ts';
import { sourceOverview, type SourceOverview } from '../../db/sources.ts';
import { PlainError } from '../../errors.ts';
import { refuse } from '../errors.ts';
import { readText } from '../models/list-state.ts';
import { messageLine } from '../models/source-messages.ts';
import {
  hookWords,
  libraryLine,
  pathLine,
  removeWords,
  secretWord,
  watchLabel,
  watchedWords,
  type SourcePage,
} from '../models/source-page.ts';
import { kindChoices, shownAddress, sourceView, type SourcesPage } from '../models/sources.ts';
import { idFrom, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';
import { addSourcePages, pageOrigin } from './source-add.ts';
import { sourcePathPages } from './source-paths.ts';
import { readRoots, sourceOf } from './source-read.ts';

/** What of a server's page is there for one answer only. */
interface Once {
  change?: Partial<SourcePage['change']>;
  fresh?: SourcePage['hook']['fresh'];
}

/** Media servers and the programs that fetch films: all of them, one with its libraries, and what they were told. */
export const sourcePages: PageModule = (app, web) => {
  addSourcePages(app, web);
  app.get('/sources', async (c) =>
    web.page(c, {
      title: 'Media servers',
      section: 'library',
      view: 'sources/index',
      model: await readList(web),
      live: { view: 'sources', refresh: false },
    }),
  );
  app.post('/sources/messages/:id/tell-again', (c) =>
    web.act(c, async () => {
      const id = idFrom(c.req.param('id'));
      const message = id === null ? null : await readMessage(web.db, id);
      if (!message) throw refuse('not-found', 'There is no such message. It may have gone with its server.');
      await web.commands.tellSourceAgain(message.id, c.get('actor'));
      return `${message.source} is told once more.`;
    }),
  );
  app.get('/sources/:id', (c) => show(c, web, {}));
  sourcePathPages(app, web);
  actionRoutes(app, web);
  hookRoute(app, web);
  removeRoutes(app, web);
  live(web);
};

function actionRoutes(app: Parameters<PageModule>[0], web: Web): void {
  app.post('/sources/:id/refresh', (c) =>
    web.act(c, async () => {
      const source = await sourceOf(web, c);
      await web.commands.refreshSource(source.id, c.get('actor'));
      const now = await sourceOf(web, c);
      return now.problem ? sentence(now.problem) : `${source.name} was asked, and answered.`;
    }),
  );
  for (const enabled of [true, false]) {
    app.post(`/sources/:id/${enabled ? 'enable' : 'disable'}`, (c) =>
      web.act(c, async () => {
        const source = await sourceOf(web, c);
        await web.commands.changeSource(source.id, { enabled }, c.get('actor'));
        return enabled
          ? `${source.name} is asked and told again.`
          : `${source.name} is left alone now: it is neither asked nor told anything.`;
      }),
    );
  }
  app.post('/sources/:id/change', async (c) => {
    const source = await sourceOf(web, c);
    const form = await readForm(c);
    const name = readText(form.get('name'), 100) ?? '';
    const address = readText(form.get('url'), 500) ?? '';
    const credential = (form.get('credential') ?? '').trim().slice(0, 2000);
    const renames = form.get('renames') === 'on';
    try {
      if (!name || !address) throw new PlainError(name ? 'Say at which address it is.' : 'A server needs a name.');
      const change = {
        ...(name === source.name ? {} : { name }),
        ...(address === shownAddress(source.url) ? {} : { url: address }),
        ...(credential ? { credential } : {}),
        ...(isFetcher(source.kind) && renames !== source.renames ? { renames } : {}),
      };
      if (Object.keys(change).length > 0) await web.commands.changeSource(source.id, change, c.get('actor'));
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      return show(c, web, { change: { name, url: address, problem: error.message } });
    }
    return web.act(c, async () => 'Saved.', { back: url.source(source.id) });
  });
  app.post('/sources/:id/watch', async (c) => {
    const source = await sourceOf(web, c);
    const form = await readForm(c);
    const wanted = new Set(form.getAll('key'));
    const lookFirst = form.get('lookFirst') === 'on';
    const [libraries, rules] = await Promise.all([listSourceLibraries(web.db, source.id), listSourcePaths(web.db, source.id)]);
    const keys = libraries.filter((l) => wanted.has(l.key) && l.goneAt === null).map((l) => l.key);
    const lines = libraries.map((l) => libraryLine(l, rules, [], web.now()));
    const unknown = lines.filter((l) => keys.includes(l.key) && !l.known);
    if (unknown.length > 0) return c.redirect(url.sourcePaths(source.id, { watch: keys.join(','), look: lookFirst ? 'first' : null }), 303);
    return web.act(
      c,
      async () => {
        await web.commands.watchLibraries(source.id, keys, { lookFirst }, c.get('actor'));
        return keys.length === 0 ? 'None of its libraries is watched any more. They stay here, switched off.' : watchedWords(keys.length);
      },
      { back: url.source(source.id) },
    );
  });
}

/** No redirect: the address is shown in the answer itself, and nowhere else ever again. */
function hookRoute(app: Parameters<PageModule>[0], web: Web): void {
  app.get('/sources/:id/hook', async (c) => c.redirect(url.source((await sourceOf(web, c)).id), 303));
  app.post('/sources/:id/hook', async (c) => {
    const source = await sourceOf(web, c);
    try {
      const { path, user, password } = await web.commands.makeHook(source.id, c.get('actor'));
      return await show(c, web, { fresh: { address: new URL(path, pageOrigin(c)).href, user, password } });
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      return web.act(c, () => Promise.reject(error), { back: url.source(source.id) });
    }
  });
}

function removeRoutes(app: Parameters<PageModule>[0], web: Web): void {
  const ask = async (c: Ctx, source: SourceOverview, problem: string | null): Promise<Response> =>
    web.page(c, {
      title: 'Remove a media server',
      section: 'library',
      view: 'queue/confirm',
      status: problem ? 422 : 200,
      model: {
        question: `Remove “${source.name}”?`,
        text: removeWords(source, source.watched, source.telling),
        action: url.sourceAction(source.id, 'remove'),
        confirmed: '1',
        button: 'Remove this server',
        back: url.source(source.id),
        hidden: [],
        typed: source.name,
        problem,
      },
    });
  app.get('/sources/:id/remove', async (c) => ask(c, await overviewOf(web, c), null));
  app.post('/sources/:id/remove', async (c) => {
    const source = await overviewOf(web, c);
    const typed = ((await readForm(c)).get('typed') ?? '').trim().normalize();
    if (typed !== source.name.trim().normalize())
      return ask(c, source, `Type ${source.name} exactly as it is written, then it is removed.`);
    return web.act(
      c,
      async () => {
        await web.commands.removeSource(source.id, c.get('actor'));
        return `${source.name} was removed. Its libraries are plain folders now; no file was touched.`;
      },
      { back: url.sources() },
    );
  });
}

function live(web: Web): void {
  web.live.register('sources', {
    regions: {
      'source-list': {
        on: ['source.changed', 'library.changed'],
        everyMs: 2000,
        render: async () => web.views.render('sources/_list', await readList(web)),
      },
    },
  });
  const concerns = (_type: string, event: object, params: URLSearchParams): boolean =>
    !('sourceId' in event) || String(event.sourceId) === params.get('id');
  const region =
    (view: string, part: (page: SourcePage) => object) =>
    async (params: URLSearchParams): Promise<string> => {
      const id = idFrom(params.get('id') ?? undefined);
      const source = (await sourceOverview(web.db)).find((s) => s.id === id);
      return source ? web.views.render(view, part(await readPage(web, source, {}))) : '';
    };
  web.live.register('source', {
    params: ['id'],
    regions: {
      'source-head': { on: ['source.changed'], when: concerns, render: region('sources/_head', (p) => ({ source: p.source, now: p.now })) },
      'source-messages': {
        on: ['source.changed'],
        when: concerns,
        render: region('sources/_messages', (p) => ({ messages: p.messages, ofServer: true, back: url.source(p.source.id), now: p.now })),
      },
    },
  });
}

async function show(c: Ctx, web: Web, once: Once): Promise<Response> {
  const source = await overviewOf(web, c);
  if (once.fresh) c.header('Cache-Control', 'no-store');
  return web.page(c, {
    title: source.name,
    section: 'library',
    view: 'sources/show',
    model: await readPage(web, source, once),
    live: { view: 'source', query: { id: source.id }, refresh: false },
    status: once.change?.problem ? 422 : 200,
  });
}

async function readList(web: Web): Promise<SourcesPage> {
  const [sources, libraries, rules] = await Promise.all([sourceOverview(web.db), listSourceLibraries(web.db), listSourcePaths(web.db)]);
  const now = web.now();
  return { sources: sources.map((s) => sourceView(s, libraries, rules, now)), kinds: kindChoices(null), now };
}

async function readPage(web: Web, source: SourceOverview, once: Once): Promise<SourcePage> {
  const now = web.now();
  const [offered, rules, here, messages, roots] = await Promise.all([
    listSourceLibraries(web.db, source.id),
    listSourcePaths(web.db, source.id),
    listLibraries(web.db),
    listMessages(web.db, source.id, { size: 30 }),
    readRoots(web),
  ]);
  const libraries = offered.map((l) => libraryLine(l, rules, here, now));
  const kind: SourceKind = source.kind;
  return {
    source: sourceView(source, offered, rules, now),
    libraries,
    watchLabel: watchLabel(libraries),
    paths: rules.map((rule) => pathLine(rule, roots.find((root) => root.id === rule.rootId)?.label ?? 'a folder that no machine has now')),
    messages: messages.rows.map((m) => messageLine(m, now)),
    hook: { made: source.hasHook || Boolean(once.fresh), fresh: once.fresh ?? null, ...hookWords(kind) },
    change: {
      name: source.name,
      url: shownAddress(source.url),
      secretWord: secretWord(kind),
      renames: isFetcher(kind) ? source.renames : null,
      problem: '',
      ...once.change,
    },
    now,
  };
}

async function overviewOf(web: Web, c: Ctx): Promise<SourceOverview> {
  const { id } = await sourceOf(web, c);
  const source = (await sourceOverview(web.db)).find((s) => s.id === id);
  if (!source) throw refuse('not-found', 'There is no such media server. It may have been removed.');
  return source;
}
