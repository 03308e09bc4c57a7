import { randomBytes } from 'node:crypto';
import { Hono, type Context, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { PlainError } from '../../errors.ts';
import { problemJson } from '../api/problem.ts';
import { explain, refuse, type Refusal } from '../errors.ts';
import { loggedPath } from '../hooks.ts';
import type { FrontLayout } from '../models/front.ts';
import { createFlash, makeCsrfMark, themeOf } from '../page.ts';
import { url } from '../routes.ts';
import { originGate, securityHeaders } from '../security.ts';
import type { Assets } from '../static.ts';
import { createViews } from '../views.ts';
import type { Ctx, Env } from '../web.ts';
import { createDoor, type Door } from './door.ts';
import { registerMachineLogs } from './machine-logs.ts';
import { registerMachine } from './machine.ts';
import type { FrontParts } from './parts.ts';
import type { Reach } from './reach.ts';
import { readyWords } from './ready.ts';
import { createFrontStreams, type FrontStreams } from './stream.ts';
import { renderPart, waiting } from './waiting.ts';

/** Why a request ends at this node. `trouble` null: nobody was there to take it. */
export interface Note {
  refusal?: Refusal;
  trouble?: { error: Error; sent: boolean };
}

export type FrontEnv = Env & { Bindings: Env['Bindings'] & { note?: Note } };
export type FrontCtx = Context<FrontEnv>;

/** What the front's own pages work with. */
export interface FrontWeb {
  parts: FrontParts;
  reach: Reach;
  assets: Assets;
  streams: FrontStreams;
  door: Door;
  /** HTML of a view */
  render(view: string, model: object): string;
  /** a whole page in the front's own frame */
  page(c: FrontCtx, wish: FrontPage): Response;
  /** does what a form asked for and goes back to this machine's page with a sentence */
  act(c: FrontCtx, action: () => Promise<string>): Promise<Response>;
  html(c: FrontCtx, text: string, status: FrontStatus): Response;
}

export type FrontStatus = 200 | 400 | 403 | 404 | 409 | 413 | 421 | 422 | 429 | 500 | 503 | 504;

export interface FrontPage {
  title: string;
  view: string;
  model: object;
  here: FrontLayout['here'];
  live: 'waiting' | 'node' | null;
  status?: FrontStatus;
}

/**
 * The pages that a node answers by itself, without database and without coordinator: `/node` (this machine), and in place of
 * everything else the page that says what is waited for.
 */
export function createFrontApp(parts: FrontParts, reach: Reach, assets: Assets): { app: Hono<FrontEnv>; streams: FrontStreams } {
  const log = parts.log.child({ room: 'front' });
  const csrfMark = makeCsrfMark();
  const flash = createFlash(parts.secret);
  const views = createViews({ strict: parts.strict ?? false, icons: assets.icons, csrf: csrfMark });
  const streams = createFrontStreams({
    csrfMark,
    build: assets.build,
    isReady: () => reach.way().kind !== 'nowhere',
    render: (view, acts) => renderPart(web, view, acts),
    onError: (error) => log.error({ err: error }, 'a part of this machine’s own page could not be made'),
  });
  const web: FrontWeb = {
    parts,
    reach,
    assets,
    streams,
    door: createDoor(parts, reach),
    render: (view, model) => views.render(view, model),
    page,
    act,
    html,
  };
  const app = new Hono<FrontEnv>();

  app.use(async (c, next) => {
    const id = randomBytes(5).toString('hex');
    c.set('requestId', id);
    c.header('X-Request-Id', id);
    await next();
  });
  app.use(securityHeaders() as MiddlewareHandler<FrontEnv>);
  app.onError((error, c) => fail(c as FrontCtx, error));
  app.use(async (c, next) => {
    if (c.env.note?.refusal) throw c.env.note.refusal;
    await next();
  });
  app.get('/healthz', (c) => c.text('ok'));
  app.get('/readyz', async (c) => {
    const { ready, words } = await readyWords(parts, reach, c.req.header('host') ?? 'localhost', c.env.visitor!);
    return c.text(words, ready ? 200 : 503);
  });
  app.get('/static/*', async (c) => {
    const asset = await assets.get(c.req.path, c.req.header('accept-encoding') ?? '');
    if (!asset) throw refuse('not-found');
    return c.body(asset.body, 200, asset.headers);
  });
  // what could not be forwarded is not read here either: its token is another one, and its body may be half gone
  app.use(async (c, next) => (isOwn(c.req.path) || isRead(c) ? next() : waiting(web, c)));
  app.use(
    bodyLimit({
      maxSize: 100_000,
      onError: () => {
        throw refuse('too-large');
      },
    }),
  );
  app.use(originGate({ secret: parts.secret }) as MiddlewareHandler<FrontEnv>);
  registerMachine(app, web);
  registerMachineLogs(app, web);
  // what this machine answers by itself waits for no coordinator: nothing else will ever answer it
  app.all('*', (c) => {
    if (isOwn(c.req.path)) throw refuse('not-found');
    return waiting(web, c);
  });
  return { app, streams };

  function page(c: FrontCtx, wish: FrontPage): Response {
    const layout: FrontLayout = {
      title: wish.title,
      heading: wish.here === 'machine' ? wish.title : `CodecShift on ${parts.node.name}`,
      body: views.render(wish.view, wish.model),
      theme: themeOf(c as unknown as Ctx),
      css: assets.css,
      frontCssHref: assets.frontCss,
      js: assets.js,
      favicon: assets.favicon,
      build: assets.build,
      live: wish.live ? url.machineEvents(wish.live) : null,
      refresh: wish.live === 'waiting',
      nodeName: parts.node.name,
      version: parts.node.version,
      toasts: flash.take(c as unknown as Ctx),
      here: wish.here,
    };
    return html(c, views.render('front/layout', layout), wish.status ?? 200);
  }

  function html(c: FrontCtx, text: string, status: FrontStatus): Response {
    c.header('Vary', 'HX-Request, Cookie');
    return c.html(text.replaceAll(csrfMark, c.get('csrf') ?? ''), status);
  }

  async function act(c: FrontCtx, action: () => Promise<string>): Promise<Response> {
    try {
      flash.put(c as unknown as Ctx, { tone: 'note', text: await action() });
    } catch (error) {
      if (!(error instanceof PlainError) || 'status' in error) throw error;
      flash.put(c as unknown as Ctx, { tone: 'error', text: error.message });
    }
    return c.redirect(url.machine(), 303);
  }

  function fail(c: FrontCtx, error: unknown): Response {
    const told = explain(error, c.get('requestId') ?? '');
    if (told.status >= 500) log.error({ err: error, requestId: told.requestId, path: loggedPath(c.req.path) }, 'a request failed');
    const status = told.status as FrontStatus;
    if (c.req.path.startsWith('/api/')) return c.json(problemJson(error, told.requestId), status);
    if (c.req.path === '/events' || c.req.path === '/node/events') return c.text(told.message, status);
    return page(c, { title: told.title, view: 'front/error', model: told, here: 'waiting', live: null, status });
  }
}

/** What every node answers for itself, whoever coordinates. */
export function isOwn(path: string): boolean {
  return /^\/(healthz|readyz|api\/v1\/node|api\/v1\/node\/(stop|logs|log-levels|support-bundle)|node|node\/.*)$/s.test(path);
}

function isRead(c: FrontCtx): boolean {
  return c.req.method === 'GET' || c.req.method === 'HEAD';
}
