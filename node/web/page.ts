import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { PlainError } from '../errors.ts';
import { problemJson } from './api/problem.ts';
import { explain, isClosed } from './errors.ts';
import { readOnly } from './auth/read-only.ts';
import { mayChange, type Who } from './auth/who.ts';
import type { Live } from './live.ts';
import type { FrontLayout } from './models/front.ts';
import type { ErrorView } from './models/error.ts';
import type { Me, Section, ShellStatus, Theme, ToastView } from './models/shell.ts';
import { safeBack, url, type Query } from './routes.ts';
import { isUpload } from './security.ts';
import type { Assets } from './static.ts';
import type { Views } from './views.ts';
import type { Ctx } from './web.ts';

export interface PageWish {
  /** the h1 and the tab's title */
  title: string;
  section: Section | null;
  /** name below views/, for example "queue/index" */
  view: string;
  model: object;
  /** the page's live view; without it only the frame is live */
  live?: {
    view: string;
    query?: Query;
    /** false: without JavaScript it does not reload itself, because a person may be filling in a form */ refresh?: boolean;
  };
  /** 200 unless said; 422 for a form with mistakes */
  status?: ContentfulStatusCode;
  /** what the search field shows */
  search?: string;
}

/** A whole page in the frame; for a request by htmx the same page, so that a view never has two shapes. */
export type RenderPage = (c: Ctx, wish: PageWish) => Promise<Response>;

/** A page for somebody of whom nothing is known yet: its frame shows nothing of the house. */
export type RenderBare = (c: Ctx, wish: Pick<PageWish, 'title' | 'view' | 'model' | 'status'>) => Response;

/**
 * Does what a form asked for and answers: without htmx 303 back to where the person was, with a sentence at the top;
 * with htmx only the sentence as a toast, because the page itself is brought up to date by its stream.
 * A PlainError's sentence is shown the same way, as a 409; other errors go on to the error page.
 * `action` returns the sentence ("Paused."), or nothing. `to` names the page to go to once it is done, over what the form says.
 */
export type Act = (
  c: Ctx,
  action: () => Promise<string | void>,
  options?: { back?: string; to?: () => string | null },
) => Promise<Response>;

/**
 * Stands for the form token in everything that is rendered; each visitor gets his own in its place. So HTML can be
 * rendered once and shared, and a partial from the stream carries a working form. Random, so that no file name holds it.
 */
export function makeCsrfMark(): string {
  return `form-token-${randomBytes(18).toString('base64url')}`;
}

export interface PageParts {
  views: Views;
  assets: Assets;
  live: Live;
  csrfMark: string;
  secret: string;
  node: { name: string; version: string };
  status(): Promise<ShellStatus>;
  /** names of other clusters in this network */
  around(): readonly string[];
  /** nobody signs in here, because a person decided so: said on every page */
  isUnguarded(): Promise<boolean>;
}

export function createPages(parts: PageParts): {
  page: RenderPage;
  bare: RenderBare;
  act: Act;
  fail: (c: Ctx, error: unknown) => Promise<Response>;
} {
  const flash = createFlash(parts.secret);

  const page: RenderPage = async (c, wish) => {
    const body = parts.views.render(wish.view, wish.model);
    const status = await parts.status();
    const unguarded = await parts.isUnguarded();
    return html(c, frame(c, { ...wish, body, status, unguarded, toasts: flash.take(c) }), wish.status ?? 200);
  };

  const bare: RenderBare = (c, wish) => {
    const layout: FrontLayout = {
      title: wish.title,
      heading: wish.title,
      body: parts.views.render(wish.view, wish.model),
      theme: themeOf(c),
      css: parts.assets.css,
      frontCssHref: parts.assets.frontCss,
      js: parts.assets.js,
      favicon: parts.assets.favicon,
      build: parts.assets.build,
      live: null,
      refresh: false,
      nodeName: parts.node.name,
      version: '',
      toasts: flash.take(c),
      here: 'door',
    };
    return html(c, parts.views.render('front/layout', layout), wish.status ?? 200);
  };

  const act: Act = async (c, action, options = {}) => {
    const isHtmx = c.req.header('hx-request') === 'true';
    const toast: ToastView = { tone: 'note', text: '' };
    try {
      toast.text = (await action()) ?? '';
    } catch (error) {
      if (!(error instanceof PlainError)) throw error;
      const told = explain(error, c.get('requestId'));
      if (!isHtmx && !('status' in error)) {
        flash.put(c, { tone: 'error', text: told.message });
        return c.redirect(await back(c, options.back), 303);
      }
      throw error;
    }
    if (isHtmx) return html(c, toast.text ? toastPartial(toast) : '', 200);
    if (toast.text) flash.put(c, toast);
    return c.redirect(options.to?.() ?? (await back(c, options.back)), 303);
  };

  /** Everything that was thrown ends here: a toast for htmx, JSON for the API, else a page in the frame. */
  const fail = async (c: Ctx, error: unknown): Promise<Response> => {
    const told = explain(error, c.get('requestId') ?? '');
    const status = told.status as ContentfulStatusCode;
    if (c.req.path.startsWith('/api/')) return c.json(problemJson(error, told.requestId), status);
    if (c.req.path === '/events' || c.req.path === '/metrics') return c.text(told.message, status);
    if (c.req.header('hx-request') === 'true') return html(c, toastPartial({ tone: 'error', text: told.message }), status);
    if (isClosed(error)) return bare(c, { title: told.title, view: 'access/closed', model: parts.node, status });
    // a stranger's mistake shows nothing of the house either
    if ((whoOf(c)?.kind ?? 'nobody') === 'nobody') return bare(c, { title: told.title, view: 'access/error', model: told, status });
    return html(
      c,
      frame(c, {
        title: told.title,
        section: null,
        body: parts.views.render('errors/error', told satisfies ErrorView),
        status: await statusOrNone(),
        unguarded: false,
        toasts: [],
      }),
      status,
    );
  };

  return { page, bare, act, fail };

  function frame(
    c: Ctx,
    view: {
      title: string;
      section: Section | null;
      body: string;
      status: ShellStatus;
      unguarded: boolean;
      toasts: ToastView[];
      live?: PageWish['live'];
      search?: string;
    },
  ): string {
    const live = view.section === null ? null : url.events(view.live?.view ?? 'shell', view.live?.query);
    return parts.views.render('layout', {
      title: view.title,
      section: view.section,
      body: view.body,
      status: view.status,
      me: meOf(c),
      unguarded: view.unguarded,
      toasts: view.toasts,
      live,
      refresh: view.live !== undefined && view.live.refresh !== false,
      theme: themeOf(c),
      css: parts.assets.css,
      js: parts.assets.js,
      favicon: parts.assets.favicon,
      build: parts.assets.build,
      around: parts.around().slice(0, 3).join(', '),
      nodeName: parts.node.name,
      version: parts.node.version,
      search: view.search ?? '',
      here: hereOf(c),
    });
  }

  function html(c: Ctx, text: string, status: ContentfulStatusCode): Response {
    c.header('Vary', 'HX-Request, Cookie');
    const who = whoOf(c);
    const seen = who?.kind === 'person' && !mayChange(who) ? readOnly(text) : text;
    return c.html(seen.replaceAll(parts.csrfMark, c.get('csrf') ?? ''), status);
  }

  function toastPartial(toast: ToastView): string {
    return `<hx-partial hx-target="#toasts" hx-swap="append">${parts.views.render('shared/_toast', { toast })}</hx-partial>`;
  }

  /** An error page must appear even when the database does not. */
  async function statusOrNone(): Promise<ShellStatus> {
    const none: ShellStatus = { waiting: 0, paused: null, scanning: [], hasLibraries: true };
    return parts.status().catch(() => none);
  }
}

/** Absent when a request fails before it is known who sent it. */
function whoOf(c: Ctx): Who | undefined {
  return c.get('who') as Who | undefined;
}

function meOf(c: Ctx): Me | null {
  const who = whoOf(c);
  return who?.kind === 'person' ? { name: who.session.displayName || who.session.name, role: who.session.role } : null;
}

/** The form may say where it stands; otherwise the browser does. One that carries a file is not read for that: it would be held in memory. */
async function back(c: Ctx, otherwise: string | undefined): Promise<string> {
  if (isUpload(c.req.path)) return otherwise ?? '/';
  const body = await c.req.parseBody().catch(() => ({}) as Record<string, unknown>);
  if (body['back'] !== undefined) return safeBack(body['back'], otherwise ?? '/');
  if (otherwise !== undefined) return otherwise;
  const referer = c.req.header('referer');
  try {
    const from = referer === undefined ? null : new URL(referer);
    return from === null ? '/' : safeBack(from.pathname + from.search, '/');
  } catch {
    return '/';
  }
}

export function themeOf(c: Ctx): Theme {
  const theme = getCookie(c, 'codecshift_theme');
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

function hereOf(c: Ctx): string {
  const at = new URL(c.req.url);
  return c.req.method === 'GET' ? safeBack(at.pathname + at.search, '/') : '/';
}

/** One sentence that survives a redirect, signed: another program on this host must not put words into the page. */
export function createFlash(secret: string) {
  const sign = (text: string): string => createHmac('sha256', secret).update(`flash ${text}`).digest('base64url');
  return {
    put(c: Ctx, toast: ToastView): void {
      const text = Buffer.from(JSON.stringify({ ...toast, text: toast.text.slice(0, 600) })).toString('base64url');
      setCookie(c, 'codecshift_flash', `${text}.${sign(text)}`, { httpOnly: true, sameSite: 'Strict', path: '/', maxAge: 60 });
    },
    take(c: Ctx): ToastView[] {
      const [text, signature] = (getCookie(c, 'codecshift_flash') ?? '').split('.');
      if (!text || !signature) return [];
      deleteCookie(c, 'codecshift_flash', { path: '/' });
      const right = Buffer.from(sign(text));
      const given = Buffer.from(signature);
      if (right.length !== given.length || !timingSafeEqual(right, given)) return [];
      return [JSON.parse(Buffer.from(text, 'base64url').toString()) as ToastView];
    },
  };
}
