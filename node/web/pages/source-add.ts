import { PlainError } from '../../errors.ts';
import type { PlexSignIn } from '../../core/commands.ts';
import { isFetcher } from '../../core/source-words.ts';
import { readSource } from '../../db/sources.ts';
import { refuse } from '../errors.ts';
import { readText } from '../models/list-state.ts';
import { addSourcePage, signInPage, triedView, type AddSourceForm, type BegunSignIn } from '../models/source-add.ts';
import { kindFrom } from '../models/sources.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';

/** Sign-ins that a page began here; what became of them plex.tv knows. */
const MAX_BEGUN = 50;

/** Adding a server: by address and key, tried before anything is kept, or by a sign-in at plex.tv. */
export const addSourcePages: PageModule = (app, web) => {
  app.get('/sources/add/:kind', (c) => showAdd(c, web, { url: '', name: '', problem: '' }));
  app.post('/sources/add/:kind', async (c) => {
    const kind = kindOf(c);
    const form = await readForm(c);
    const typed = { url: readText(form.get('url'), 500) ?? '', name: readText(form.get('name'), 100) ?? '', problem: '' };
    const credential = (form.get('credential') ?? '').trim().slice(0, 2000);
    try {
      if (!typed.url) throw new PlainError('Say at which address it is, for example http://192.168.1.10:32400.');
      if (!credential) throw new PlainError(kind === 'plex' ? 'Paste the token too.' : 'Paste the API key too.');
      const answer = await web.commands.trySource({ kind, url: typed.url, credential }, c.get('actor'));
      return await showAdd(c, web, typed, triedView(answer, typed.name, kind));
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      return showAdd(c, web, { ...typed, problem: error.message });
    }
  });
  app.get('/sources/keep', (c) => c.redirect(url.sources(), 303));
  app.post('/sources/keep', async (c) => {
    const form = await readForm(c);
    const kind = kindFrom(form.get('kind') ?? undefined) ?? 'plex';
    const draft = (form.get('draft') ?? '').slice(0, 200);
    const name = readText(form.get('name'), 100) ?? undefined;
    return keep(c, web, { draft, ...(name === undefined ? {} : { name }) }, url.addSource(kind));
  });
  signInRoutes(app, web);
};

function signInRoutes(app: Parameters<PageModule>[0], web: Web): void {
  const begun = new Map<string, BegunSignIn>();

  app.post('/sources/sign-in', async (c) => {
    const flow = (await readForm(c)).get('flow') === 'jwt' ? 'jwt' : 'token';
    let id = '';
    return web.act(
      c,
      async () => {
        const returnTo = new URL(url.signInDone(), pageOrigin(c)).href;
        const { signIn, ...rest } = await web.commands.beginPlexSignIn({ returnTo, flow }, c.get('actor'));
        begun.set(signIn, rest);
        for (const old of [...begun.keys()].slice(0, -MAX_BEGUN)) begun.delete(old);
        id = signIn;
      },
      { back: url.addSource('plex'), to: () => (id ? url.signIn(id) : null) },
    );
  });
  // where a person ends who comes back from plex.tv: the newest sign-in is his
  app.get('/sources/sign-in', (c) => {
    const newest = [...begun.keys()].at(-1);
    return c.redirect(newest === undefined ? url.sources() : url.signIn(newest), 303);
  });

  const show = async (c: Ctx, id: string, problem = ''): Promise<Response> => {
    const { answer, said } = await ask(web, id, c);
    const model = signInPage(id, begun.get(id) ?? null, answer, problem || said);
    return web.page(c, {
      title: 'Sign in with Plex',
      section: 'library',
      view: 'sources/sign-in',
      model,
      // without JavaScript the page asks by loading itself again
      live: { view: 'shell', refresh: answer.state === 'waiting' },
      status: problem ? 422 : 200,
    });
  };
  app.get('/sources/sign-in/:id', (c) => show(c, signInOf(c)));
  app.get('/sources/sign-in/:id/state', async (c) => {
    const id = signInOf(c);
    const { answer } = await ask(web, id, c);
    if (answer.state !== 'waiting') c.header('HX-Redirect', url.signIn(id));
    return c.body(null, answer.state === 'waiting' ? 204 : 200);
  });
  app.post('/sources/sign-in/:id', async (c) => {
    const id = signInOf(c);
    const server = ((await readForm(c)).get('server') ?? '').slice(0, 200);
    if (!server) return show(c, id, 'Choose one of the servers.');
    return keep(c, web, { signIn: id, server }, url.signIn(id));
  });
}

/** An outage of plex.tv ends no sign-in: the page goes on waiting and says what is wrong. */
async function ask(web: Web, id: string, c: Ctx): Promise<{ answer: PlexSignIn; said: string }> {
  try {
    return { answer: await web.commands.askPlexSignIn(id, c.get('actor')), said: '' };
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    return error.reason?.code === 'source-away'
      ? { answer: { state: 'waiting' }, said: error.message }
      : { answer: { state: 'expired' }, said: error.message };
  }
}

async function keep(c: Ctx, web: Web, wish: Parameters<Web['commands']['addSource']>[0], back: string): Promise<Response> {
  let to: string | null = null;
  return web.act(
    c,
    async () => {
      const id = await web.commands.addSource(wish, c.get('actor'));
      const source = await readSource(web.db, id);
      const fetches = source !== null && isFetcher(source.kind);
      to = fetches ? url.sourcePaths(id) : url.source(id);
      return fetches
        ? `${source.name} is known now. Say where its folders are here, then it is told of new files.`
        : 'The server is known now. Tick what shall be watched.';
    },
    { back, to: () => to },
  );
}

function showAdd(c: Ctx, web: Web, form: AddSourceForm, tried: ReturnType<typeof triedView> | null = null): Promise<Response> {
  const kind = kindOf(c);
  const model = addSourcePage(kind, form, tried);
  return web.page(c, { title: `Add ${model.kindWord}`, section: 'library', view: 'sources/add', model, status: form.problem ? 422 : 200 });
}

function kindOf(c: Ctx) {
  const kind = kindFrom(c.req.param('kind'));
  if (!kind) throw refuse('not-found', 'There is no such kind of server.');
  return kind;
}

function signInOf(c: Ctx): string {
  const id = c.req.param('id') ?? '';
  if (!/^[\w-]{1,100}$/.test(id)) throw refuse('not-found', 'There is no such sign-in.');
  return id;
}

/** What the browser calls this site: only it knows whether there is TLS, and a proxy, before us. */
export function pageOrigin(c: Ctx): string {
  const host = c.req.header('host') ?? 'localhost';
  for (const said of [c.req.header('origin'), c.req.header('referer')]) {
    try {
      const at = new URL(said ?? '');
      if (at.host === host && (at.protocol === 'http:' || at.protocol === 'https:')) return at.origin;
    } catch {}
  }
  return `http://${host}`;
}
