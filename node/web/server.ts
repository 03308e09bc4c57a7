import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { codeOf, PlainError } from '../errors.ts';
import { explain, refuse } from './errors.ts';
import { createLive } from './live.ts';
import { createPages, makeCsrfMark } from './page.ts';
import { pageModules } from './pages/all.ts';
import { hostGate, originGate, securityHeaders } from './security.ts';
import { readShellStatus, registerShell } from './shell.ts';
import { loadAssets } from './static.ts';
import { createViews } from './views.ts';
import type { Ctx, Env, Web, WebParts } from './web.ts';

/**
 * The web room: HTTP in front of the books. It reads with functions of db/, acts only through the `Commands` it is
 * handed, and shows with views/. Pages are whole HTML documents that work without JavaScript; htmx adds live data.
 *
 *   request ─▶ id ─▶ headers ─▶ Host gate ─▶ Origin gate ─▶ body limit ─▶ time limit ─▶ page module ─▶ view
 *                                                                              └─ threw ─▶ error page, toast or JSON
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
export function createWeb(parts: WebParts): { start(): Promise<{ url: string }>; stop(): Promise<void> } {
  let server: Server | null = null;
  let endStreams = (): void => {};

  return {
    /** @throws PlainError when the address cannot be used, with one sentence that says why */
    async start() {
      const { app, web } = await createApp(parts);
      endStreams = () => web.live.stop();
      server = createAdaptorServer({ fetch: app.fetch }) as Server;
      server.headersTimeout = 20_000;
      server.requestTimeout = 60_000;
      server.keepAliveTimeout = 5_000;
      const port = await listen(server, parts.host, parts.port);
      return { url: `http://${nameInUrl(parts.host)}:${port}/` };
    },

    /** Streams end at once, requests under way are finished, for at most five seconds. */
    async stop() {
      const closing = server;
      server = null;
      endStreams();
      if (!closing) return;
      // close() alone waits for keep-alive connections that become idle later (measured: 3.7 s instead of 0.7 s)
      const sweep = setInterval(() => closing.closeIdleConnections(), 50);
      const force = setTimeout(() => closing.closeAllConnections(), 5000);
      await new Promise<void>((resolve) => closing.close(() => resolve()));
      clearInterval(sweep);
      clearTimeout(force);
    },
  };
}

/** The application without a socket, for tests that need none. */
export async function createApp(parts: WebParts): Promise<{ app: Hono<Env>; web: Web }> {
  const log = parts.log.child({ room: 'web' });
  const assets = await loadAssets();
  const csrfMark = makeCsrfMark();
  const live = createLive({ events: parts.events, log, build: assets.build, csrfMark });
  const views = createViews({ strict: parts.strict ?? false, icons: assets.icons, csrf: csrfMark });
  const now = parts.now ?? (() => new Date());
  const { page, act, fail } = createPages({
    views,
    assets,
    live,
    csrfMark,
    secret: parts.secret,
    node: parts.node,
    status: () => readShellStatus(web),
  });
  const web: Web = { ...parts, log, now, views, live, page, act };

  const app = new Hono<Env>();
  app.use(async (c, next) => {
    const id = randomBytes(5).toString('hex');
    c.set('requestId', id);
    c.header('X-Request-Id', id);
    await next();
  });
  app.use(securityHeaders());
  app.onError((error, c) => {
    const status = explain(error, '').status;
    if (status >= 500) log.error({ err: error, requestId: c.get('requestId'), path: c.req.path }, 'a request failed');
    return fail(c as Ctx, error);
  });
  app.notFound((c) => fail(c as Ctx, refuse('not-found')));
  app.use(hostGate({ secret: parts.secret, allowedHosts: () => namesOf(parts) }));
  app.get('/healthz', (c) => c.text('ok'));
  app.get('/static/*', async (c) => {
    const asset = await assets.get(c.req.path, c.req.header('accept-encoding') ?? '');
    if (!asset) throw refuse('not-found');
    return c.body(asset.body, 200, asset.headers);
  });
  app.use(
    bodyLimit({
      maxSize: 1_000_000,
      onError: () => {
        throw refuse('too-large');
      },
    }),
  );
  app.use(originGate({ secret: parts.secret, allowedHosts: () => namesOf(parts) }));
  app.get('/events', (c) => events(c, web));
  app.use(timeLimit(30_000));

  registerShell(web);
  for (const module of pageModules) module(app, web);
  return { app, web };
}

/** The address a person chose to listen on, if it is a name, and what the setting adds. */
function namesOf(parts: WebParts): string[] {
  const wished = parts.settings()['web.hosts'];
  const names =
    typeof wished === 'string'
      ? wished
          .split(',')
          .map((name) => name.trim())
          .filter(Boolean)
      : [];
  return [parts.host, ...(parts.allowedHosts ?? []), ...names];
}

/** Never a redirect: hx-sse takes any 200 for the stream and would loop on a page (research/ux §1.3). */
function events(c: Ctx, web: Web): Response {
  const query = new URL(c.req.url).searchParams;
  const stream = web.live.open(query.get('view') ?? '', query, { csrf: c.get('csrf'), signal: c.req.raw.signal });
  if (!stream) throw refuse('too-many');
  return c.body(stream, 200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  });
}

function timeLimit(ms: number) {
  return async (_c: Ctx, next: () => Promise<void>): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(refuse('too-slow')), ms)));
    await Promise.race([next(), late]).finally(() => clearTimeout(timer));
  };
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  }).catch((error: unknown) => {
    const code = codeOf(error);
    if (code === 'EADDRINUSE')
      throw new PlainError(`Port ${port} is already in use on ${host}; choose another with --port, or stop the program that uses it.`, {
        cause: error,
      });
    if (code === 'EACCES')
      throw new PlainError(`This user may not listen on port ${port}; choose a port above 1023 with --port.`, { cause: error });
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new PlainError(`${host} is not an address of this machine; choose another with --host.`, { cause: error });
    throw error;
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function nameInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::' || host === '127.0.0.1') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
