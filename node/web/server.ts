import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { PlainError } from '../errors.ts';
import { createFeed } from './api/feed.ts';
import { createAuth } from './auth/auth.ts';
import { gate, identify, patternOf } from './auth/gate.ts';
import { whileMay } from './auth/while-may.ts';
import { mayChange } from './auth/who.ts';
import { explain, isClosed, refuse } from './errors.ts';
import { createForecasts } from './forecasts.ts';
import { createFront } from './front.ts';
import type { LocalApp } from './front/parts.ts';
import { judgeVisitor } from './front/visitor.ts';
import { hookRoutes, loggedPath } from './hooks.ts';
import { createLive } from './live.ts';
import { createDisks } from './metrics/disks.ts';
import { createMetrics } from './metrics/metrics.ts';
import { createPages, makeCsrfMark } from './page.ts';
import { pageModules } from './pages/all.ts';
import { backupUpload } from './pages/backup-upload.ts';
import { isUpload, originGate, securityHeaders } from './security.ts';
import { readShellStatus, registerShell } from './shell.ts';
import { createBarcodes } from './barcodes.ts';
import { createReadiness } from './ready.ts';
import { loadAssets } from './static.ts';
import { timeLimit } from './time-limit.ts';
import { createViews } from './views.ts';
import type { Ctx, Env, Web, WebParts } from './web.ts';

/**
 * The application of the node that coordinates: HTTP in front of the books. It reads with functions of db/, acts only
 * through the `Commands` it is handed, and shows with views/. Pages are whole HTML documents that work without JavaScript;
 * htmx adds live data. The socket, the Host gate and the command line's secret belong to the front of each node (front.ts).
 *
 *   front ─▶ id ─▶ headers ─▶ (webhooks, hooks.ts) ─▶ body limit ─▶ who? ─▶ Origin gate ─▶ may he? ─▶ time limit ─▶ page module ─▶ view
 *                                                               (auth/gate.ts)                           └─ threw ─▶ error page, toast or JSON
 *
 * How to add a page (see pages/overview.ts for a whole one):
 *
 *   1. `models/x.ts`      a plain interface of what the view shows, and a pure function that makes it from rows
 *   2. `views/x/index.eta` first line: an eta comment with @type {import("../../node/web/models/x.ts").XView}, as in views/overview/index.eta
 *                          helpers in every view: url, format, charts, icon('pause'), csrf; includes say '/x/_row'
 *   3. `pages/x.ts`       export const xPages: PageModule = (app, web) => { app.get('/x', (c) => web.page(c, {…})) }
 *                          listed in pages/all.ts
 *   4. actions            <form method="post" action="<%= url.jobAction(…) %>" hx-post="…" hx-swap="none">
 *                            <input type="hidden" name="csrf" value="<%= csrf %>"> <button class="btn">…</button></form>
 *                          app.post(path, (c) => web.act(c, async () => { await web.commands.…(c.get('actor')); return 'Done.'; }))
 *                          leave hx-post away where the page must be loaded again (303 back)
 *   5. live               web.live.register('x', { regions, tick })   see live.ts
 *   6. errors             throw refuse('not-found', 'There is no job 7.'); a PlainError becomes a 409 with its sentence
 *
 * A form with mistakes: answer the same page with status 422. `data-confirm="Cancel this job?"` on a form or button asks
 * first in a dialog. The search field in the frame is GET /files?q=….
 */
export interface App {
  app: Hono<Env>;
  web: Web;
  /** what the front calls while this node coordinates; the tunnel's end is `tunnelEntrance` (front/proxy.ts) */
  fetch: LocalApp;
  /** ends the streams of all pages; they open them again, wherever the dashboard is then */
  stop(): void;
}

export type AloneParts = WebParts & { host: string; port: number; allowedHosts?: readonly string[] };

/** Application and front of a node that has no other beside it. */
export function createWeb(parts: AloneParts): { start(): Promise<{ url: string }>; stop(): Promise<void> } {
  let app: App | null = null;
  const cluster = { id: 'alone', name: 'this cluster' };
  const alone = async (): Promise<void> => {
    throw new PlainError('This machine works alone.');
  };
  const front = createFront({
    host: parts.host,
    port: parts.port,
    secret: parts.secret,
    node: parts.node,
    access: { open: parts.auth.open, token: parts.auth.setup },
    log: parts.log,
    local: () => app?.fetch ?? null,
    tunnel: () => null,
    standing: () => ({ state: 'member', cluster, hosts: null, coordinator: { node: parts.node.id, name: parts.node.name } }),
    surroundings: () => ({ listening: [], interfaces: [], sightings: [] }),
    actions: { askAgain: alone, foundOwn: alone, leaveAndJoin: alone, addPeer: alone, stop: alone, neighbours: () => [] },
    allowedHosts: () => [...(parts.allowedHosts ?? []), ...namesOfSetting(parts.settings())],
    ...(parts.strict ? { strict: true } : {}),
  });
  return {
    async start() {
      app = await createApp(parts);
      return front.start();
    },
    async stop() {
      app?.stop();
      await front.stop();
    },
  };
}

/** The application. It has no socket: whoever reaches a front gets here, on the coordinator directly or through a tunnel. */
export async function createApp(parts: WebParts): Promise<App> {
  const log = parts.log.child({ room: 'web' });
  const assets = await loadAssets();
  const csrfMark = makeCsrfMark();
  const live = createLive({ events: parts.events, log, build: assets.build, csrfMark });
  const views = createViews({ strict: parts.strict ?? false, icons: assets.icons, csrf: csrfMark });
  const now = parts.now ?? (() => new Date());
  const auth = createAuth({ ...parts, ...parts.auth, log, now });
  const { page, bare, act, fail } = createPages({
    views,
    assets,
    live,
    csrfMark,
    secret: parts.secret,
    node: parts.node,
    status: () => readShellStatus(web),
    around: () => parts.around?.() ?? [],
    isUnguarded: async () => (await auth.state()) === 'none',
  });
  const feed = createFeed({ events: parts.events });
  const barcodes = createBarcodes(parts.db, parts.events);
  const disks = createDisks(parts.events);
  const metrics = createMetrics({ ...parts, live, now, disks });
  const forecasts = createForecasts({ ...parts, now });
  const web: Web = { ...parts, auth, log, now, views, live, feed, metrics, barcodes, forecasts, page, bare, act };

  const app = new Hono<Env>();
  app.use(async (c, next) => {
    const id = randomBytes(5).toString('hex');
    c.set('requestId', id);
    c.header('X-Request-Id', id);
    await next();
  });
  app.use(async (c, next) => {
    if (c.env?.visitor) c.env.visitor = judgeVisitor(c.env.visitor, web.settings()['web.proxies']);
    await next();
    if (c.env?.visitor?.secure && isOwnHttps(c.req.header('host'), web.settings()['web.url']))
      c.res.headers.set('Strict-Transport-Security', 'max-age=31536000');
  });
  app.use(async (c, next) => {
    const began = performance.now();
    await next();
    const route = patternOf(c as Ctx) ?? 'none';
    // a stream lasts for as long as somebody looks
    if (!route.endsWith('/events'))
      metrics.observe({ route, method: c.req.method, status: c.res.status, seconds: (performance.now() - began) / 1000 });
  });
  app.use(securityHeaders());
  app.onError((error, c) => {
    const status = explain(error, '').status;
    if (status >= 500 && !isClosed(error))
      log.error({ err: error, requestId: c.get('requestId'), path: loggedPath(c.req.path) }, 'a request failed');
    return fail(c as Ctx, error);
  });
  app.notFound((c) => fail(c as Ctx, refuse('not-found')));
  app.get('/healthz', (c) => c.text('ok'));
  const readiness = createReadiness(web);
  app.get('/readyz', async (c) => {
    const { ready, words } = await readiness();
    return c.text(words, ready ? 200 : 503);
  });
  app.get('/static/*', async (c) => {
    const asset = await assets.get(c.req.path, c.req.header('accept-encoding') ?? '');
    if (!asset) throw refuse('not-found');
    return c.body(asset.body, 200, asset.headers);
  });
  hookRoutes(app, web);
  const limited = bodyLimit({
    maxSize: 1_000_000,
    onError: () => {
      throw refuse('too-large');
    },
  });
  // a backup may be as big as it likes, and is never held in memory (pages/backup-upload.ts)
  app.use((c, next) => (isUpload(c.req.path) ? next() : limited(c, next)));
  app.use(identify(web));
  app.use(originGate({ secret: parts.secret }));
  app.use(gate(web));
  app.get('/events', (c) => events(c, web));
  backupUpload(app, web);
  app.use(timeLimit());

  registerShell(web);
  for (const module of pageModules) module(app, web);
  return {
    app,
    web,
    fetch: (request, env) => app.fetch(request, env),
    stop: () => (barcodes.stop(), disks.stop(), live.stop(), feed.stop(), auth.stop()),
  };
}

/** The names of the setting `web.hosts`, for the front's `allowedHosts`. */
export function namesOfSetting(settings: Record<string, unknown>): string[] {
  const wished = settings['web.hosts'];
  if (typeof wished !== 'string') return [];
  return wished
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
}

/** A browser shall insist on https only for the name that a person gave this page with https. */
function isOwnHttps(host: string | undefined, address: unknown): boolean {
  const url = typeof address === 'string' ? URL.parse(address) : null;
  return url?.protocol === 'https:' && url.host === host?.toLowerCase();
}

/** Never a redirect: hx-sse takes any 200 for the stream and would loop on a page (research/ux §1.3). */
function events(c: Ctx, web: Web): Response {
  const query = new URL(c.req.url).searchParams;
  const who = c.get('who');
  const view = query.get('view') ?? '';
  if (web.live.isForAdmins(view) && !mayChange(who)) throw refuse('not-allowed');
  const valid = whileMay(web, c, web.live.isForAdmins(view) ? 'admin' : 'read');
  const stream = web.live.open(view, query, {
    csrf: c.get('csrf'),
    signal: AbortSignal.any([c.req.raw.signal, valid.signal]),
    readOnly: who.kind === 'person' && !mayChange(who),
    onEnd: () => valid.release(),
  });
  if (!stream) {
    valid.release();
    throw refuse('too-many');
  }
  return c.body(stream, 200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  });
}
