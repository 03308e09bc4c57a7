import { matchedRoutes } from 'hono/route';
import type { MiddlewareHandler } from 'hono';
import { messageOf } from '../../errors.ts';
import { refuse } from '../errors.ts';
import { createLimit } from '../hooks.ts';
import { safeBack, url } from '../routes.ts';
import type { Ctx, Env, Web } from '../web.ts';
import { needsProof, rightOf } from './rights.ts';
import { actorOf, mayDo, type Who } from './who.ts';

/** Requests of one token: enough for everything that is shown to a person, and no way to keep the others waiting. */
const PER_MINUTE = 600;

/**
 * Every request passes here before a page sees it. Closed by default: while nobody decided how people are let in there is one page
 * to decide it, and afterwards each route asks for its right (rights.ts).
 *
 *   who? ─▶ undecided ──────────────▶ 503 "not set up yet" (but not for the command line)
 *       ├─▶ nobody, needs somebody ─▶ to the sign-in; 401 for programs and streams
 *       ├─▶ not allowed ────────────▶ 403
 *       ├─▶ one-time password ──────▶ a new one first
 *       ├─▶ dangerous, proof is old ▶ "enter your password again"
 *       └─▶ the page
 */
export function identify(web: Pick<Web, 'auth'>): MiddlewareHandler<Env> {
  return async (c, next) => {
    const who = await web.auth.who(c as Ctx);
    c.set('who', who);
    c.set('actor', actorOf(who, c.req.path));
    await next();
  };
}

export function gate(web: Pick<Web, 'auth' | 'log' | 'settings'>): MiddlewareHandler<Env> {
  const { auth } = web;
  const isFree = createLimit(PER_MINUTE);
  return async (context, next) => {
    const c = context as Ctx;
    const who = c.get('who');
    const { method, pattern } = routeOf(c);
    const isOpen = pattern === '/metrics' && web.settings()['metrics.open'] === true;
    const right = isOpen ? 'public' : rightOf(method, pattern);
    const state = await auth.state();
    if (state === 'undecided' && who.kind !== 'host' && !isSetup(pattern)) throw refuse('not-set-up');
    if (!mayDo(who, right)) {
      if (who.kind === 'nobody') return toSignIn(c);
      throw refuse(who.kind === 'host' ? 'not-from-here' : 'not-allowed');
    }
    if (who.kind === 'token' && !isFree(who.token.id, performance.now())) {
      c.header('Retry-After', '10');
      throw refuse('too-often');
    }
    if (who.kind === 'person') {
      if (who.session.oneTime && right !== 'self' && right !== 'public') return away(c, url.account(), 403);
      if (needsProof(method, pattern) && !auth.sessions.isProved(who.session)) return away(c, url.prove(backOf(c)), 403);
      if (isDeed(c)) auth.sessions.deed(who.session);
    }
    await next();
    if (right === 'admin' && isChange(c)) await note(c, who, `${method} ${pattern}`);
  };

  /** Whatever an admin changes is in the audit log, also on a page that nobody thought of here. */
  async function note(c: Ctx, who: Who, route: string): Promise<void> {
    if ((await auth.state()) === 'open' || c.get('noted')) return;
    const status = c.res.status;
    const result = status < 400 ? 'ok' : status === 403 ? 'refused' : 'failed';
    const object = [readable(c.req.path), c.get('object') ?? ''].filter(Boolean).join(' · ');
    await auth.access
      .note({ action: route, object, result }, actorOf(who, c.req.path), auth.from(c))
      .catch((error: unknown) => web.log.warn({ why: messageOf(error), route }, 'a change could not be written into the audit log'));
  }
}

/** Of several patterns that fit, the one that was registered first answers; the gates themselves match every method. */
export function routeOf(c: Ctx): { method: string; pattern: string } {
  const method = c.req.method === 'HEAD' ? 'GET' : c.req.method;
  const pattern = patternOf(c) ?? '';
  // some groups of settings are more dangerous than others
  return { method, pattern: pattern === '/settings/:group' ? c.req.path : pattern };
}

/** Null: no route fits. */
export function patternOf(c: Ctx): string | null {
  return matchedRoutes(c).find(({ method }) => method !== 'ALL')?.path ?? null;
}

/** A path as a person reads it, where it can be read. */
function readable(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

function toSignIn(c: Ctx): Response {
  if (c.req.path.startsWith('/api/') || c.req.path === '/metrics') {
    c.header('WWW-Authenticate', 'Bearer');
    throw refuse('no-token');
  }
  return away(c, url.signInPage(backOf(c)), 401);
}

/** Somewhere else first. Only a whole page can be led there by a redirect; htmx follows a header, and a stream just ends. */
function away(c: Ctx, to: string, status: 401 | 403): Response {
  if (c.req.header('hx-request') === 'true') {
    c.header('HX-Redirect', to);
    return c.text('', status);
  }
  return c.req.path === '/events' ? c.text('', status) : c.redirect(to, 303);
}

/** Where a person goes on afterwards: this page, or the one that the form was on. */
function backOf(c: Ctx): string {
  const isPage = c.req.method === 'GET' && c.req.path !== '/events' && c.req.header('hx-request') !== 'true';
  const from = isPage ? c.req.url : (c.req.header('hx-current-url') ?? c.req.header('referer') ?? '');
  return URL.canParse(from) ? safeBack(new URL(from).pathname + new URL(from).search, '/') : '/';
}

function isSetup(pattern: string): boolean {
  return (
    pattern === '/setup' ||
    pattern.startsWith('/setup/') ||
    pattern === '/theme' ||
    pattern === '/auth/check' ||
    pattern.startsWith('/sign-in/oidc')
  );
}

function isChange(c: Ctx): boolean {
  return c.req.method !== 'GET' && c.req.method !== 'HEAD';
}

/** Did a person do this? Not a stream, not a picture, nothing that a page asks for by itself. */
function isDeed(c: Ctx): boolean {
  return isChange(c) || (c.req.path !== '/events' && (c.req.header('accept') ?? '').includes('text/html'));
}
