import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { refuse } from './errors.ts';
import type { Who } from './auth/who.ts';
import type { Env } from './web.ts';

/**
 * Which requests are heard at all, whoever sends them; who may do what is decided behind it (auth/gate.ts). Three gates, in this order:
 *
 *   1. Host     must be a name of this machine: stops DNS rebinding (a stranger's page whose name suddenly points here).
 *               Held by the front (front.ts), because only the node that the browser talks to knows its own names.
 *   2. Origin   a request that changes something must come from this very page: `Sec-Fetch-Site: same-origin`, or where
 *               the browser sends none (plain http on a LAN name), an `Origin` equal to the Host.
 *   3. token    and carry the form's token, bound by HMAC to a cookie and to the session: another port of the same host is
 *               "same site" for cookies, and old browsers send neither header.
 *
 * The command line shows `Authorization: Bearer <secret>` instead and needs no browser's proof. The front checks it too,
 * against the secret of its own node, and tells the application who asks (`Visitor`).
 * Measured rules: research on CSRF in Chromium, see ARCHITECTURE.md.
 */
export interface Visitor {
  asks: 'page' | 'cli';
  /** where the request came from: for throttling, the audit log and the log (front/visitor.ts says when a proxy is believed) */
  address: string;
  /** the other end of the socket itself */
  peer: string;
  /** it came through the front of another node, which says all this */
  tunnelled: boolean;
  /** the browser speaks TLS, to the front or to a trusted proxy before it */
  secure: boolean;
  /** what headers said, raw: nothing to believe by itself */
  forwardedFor: string | null;
  forwardedProto: string | null;
}

const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types htmx',
].join('; ');

const fixedHeaders: Record<string, string> = {
  'Content-Security-Policy': CSP,
  'X-Content-Type-Options': 'nosniff',
  // not no-referrer: browsers would then send `Origin: null` with our own forms
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  'X-Frame-Options': 'DENY',
};

export function securityHeaders(): MiddlewareHandler<Env> {
  return async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(fixedHeaders)) c.res.headers.set(name, value);
    if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store');
  };
}

/** Gate 1, for every request. `extra`: names beside those of this machine. */
export function isKnownHost(header: string | undefined, extra: readonly string[]): boolean {
  const host = hostOf(header);
  return host !== null && isOurName(host, new Set(extra.map((name) => name.toLowerCase())));
}

/** Does the command line show the secret of this node? `none`: it is no command line. A token of the API is for the application. */
export function bearerOf(header: string | undefined, secret: string): 'none' | 'right' | 'wrong' {
  if (header === undefined || !/^Bearer /i.test(header) || isApiToken(header)) return 'none';
  return same(header.slice(7).trim(), secret) ? 'right' : 'wrong';
}

export function isApiToken(header: string | undefined): boolean {
  return header !== undefined && /^Bearer cs_/i.test(header);
}

/** What the application tells a front about a visitor; anything else is nobody. */
export function whoAsks(answer: unknown): { role: 'admin' | 'viewer' | 'nobody'; proved: boolean } {
  const { role, proved } = (answer ?? {}) as { role?: unknown; proved?: unknown };
  return { role: role === 'admin' || role === 'viewer' ? role : 'nobody', proved: proved === true };
}

/** Gates 2 and 3, for every request that may change something; also gives each visitor the cookie of gate 3. */
export function originGate(options: { secret: string }): MiddlewareHandler<Env> {
  const key = createHmac('sha256', options.secret).update('form token').digest();
  return async (c, next) => {
    const who: Who | undefined = c.get('who');
    // programs show a secret that no browser adds by itself
    if (c.env?.visitor?.asks === 'cli' || who?.kind === 'token') {
      c.set('csrf', '');
      return next();
    }
    let cookie = getCookie(c, 'codecshift_form');
    if (!cookie || !/^[\w-]{22}$/.test(cookie)) {
      cookie = randomBytes(16).toString('base64url').slice(0, 22);
      setCookie(c, 'codecshift_form', cookie, { httpOnly: true, sameSite: 'Strict', path: '/' });
    }
    const of = who?.kind === 'person' ? `${cookie} ${who.session.id}` : cookie;
    const token = createHmac('sha256', key).update(of).digest('base64url');
    c.set('csrf', token);
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      // HTTP/2 has the host in a field of its own, from which the address of the request is made
      const host = c.req.header('host') ?? new URL(c.req.url).host;
      // a house without a sign-in has no other gate that a program without a token could meet
      const [site, origin] = [c.req.header('sec-fetch-site'), c.req.header('origin')];
      if (!fromOurPage(site, origin, host))
        throw refuse(site === undefined && origin === undefined && c.req.path.startsWith('/api/') ? 'token-missing' : 'foreign-origin');
      const sent = c.req.header('x-csrf-token') ?? (await formToken(c));
      if (typeof sent !== 'string' || !same(sent, token)) throw refuse('old-form');
    }
    return next();
  };
}

/** A form that carries a file has its token in its address: to find it inside, the whole file would have to be read first. */
async function formToken(c: Context<Env>): Promise<unknown> {
  if (isUpload(c.req.path)) return c.req.query('csrf');
  return (await c.req.parseBody().catch(() => ({}) as Record<string, unknown>))['csrf'];
}

export function isUpload(path: string): boolean {
  return path === '/settings/backup/upload';
}

/** Gate 2 as a rule of its own, so that every case can be tested. */
export function fromOurPage(site: string | undefined, origin: string | undefined, host: string | undefined): boolean {
  if (site !== undefined) return site === 'same-origin';
  if (origin === undefined || origin === 'null' || host === undefined) return false;
  try {
    return new URL(origin).host === new URL(`http://${host}`).host;
  } catch {
    return false;
  }
}

/** Loopback, any address in numbers, `*.local`, this machine's own names, and what the settings add. */
export function isOurName(host: string, extra: ReadonlySet<string>): boolean {
  if (host === 'localhost' || host.endsWith('.localhost') || host.endsWith('.local')) return true;
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return true;
  if (extra.has(host)) return true;
  const machine = hostname().toLowerCase();
  const short = machine.split('.')[0]!;
  // Routers add their own suffix to a bare name; a stranger cannot register these.
  return (
    host === machine || host === short || ['.lan', '.home', '.internal', '.home.arpa', '.fritz.box'].some((end) => host === short + end)
  );
}

function hostOf(header: string | undefined): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(header ?? '');
  return match ? match[1]!.toLowerCase().replace(/\.$/, '') : null;
}

function same(a: string, b: string): boolean {
  const left = createHmac('sha256', 'compare').update(a).digest();
  const right = createHmac('sha256', 'compare').update(b).digest();
  return timingSafeEqual(left, right);
}
