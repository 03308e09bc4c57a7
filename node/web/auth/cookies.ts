import { createHmac } from 'node:crypto';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { Ctx } from '../web.ts';

/**
 * The names of our cookies. Cookies are shared between all ports of a host: a neighbour on the same machine gets ours with every
 * visit, and another CodecShift must not take it for its own, so each cluster has a mark. Over https the name begins with `__Host-`,
 * which a browser takes only with `Secure` and from exactly this host; over plain http browsers refuse that name on a LAN.
 */
export interface Cookies {
  read(c: Ctx, name: CookieName): string | undefined;
  write(c: Ctx, name: CookieName, value: string, maxAgeSeconds?: number): void;
  drop(c: Ctx, name: CookieName): void;
  /** over https, as far as the browser is concerned */
  isSecure(c: Ctx): boolean;
}

export type CookieName = 'session' | 'setup' | 'known' | 'tx';

export function createCookies(options: { secret: string; externalUrl: () => URL | null }): Cookies {
  const instance = createHmac('sha256', options.secret).update('instance').digest('hex').slice(0, 8);
  const nameOf = (c: Ctx, name: CookieName): string => (isSecure(c) ? `__Host-cs_${name}` : `cs_${name}_${instance}`);
  return {
    isSecure,
    read: (c, name) => getCookie(c, nameOf(c, name)),
    write(c, name, value, maxAge) {
      // Lax: the way back from a provider and links from a message are visits from another site
      const how = { httpOnly: true, sameSite: 'Lax', path: '/', secure: isSecure(c) } as const;
      setCookie(c, nameOf(c, name), value, maxAge === undefined ? how : { ...how, maxAge });
    },
    drop: (c, name) => void deleteCookie(c, nameOf(c, name), { path: '/', secure: isSecure(c) }),
  };

  /** The way to this node is, or the browser came by the address from outside, in front of which a proxy ends TLS. */
  function isSecure(c: Ctx): boolean {
    if (c.env?.visitor?.secure) return true;
    const outside = options.externalUrl();
    return outside?.protocol === 'https:' && c.req.header('host')?.toLowerCase() === outside.host;
  }
}

/** The setting `web.url`, when it is an address. */
export function externalUrl(settings: Record<string, unknown>): URL | null {
  const text = settings['web.url'];
  if (typeof text !== 'string' || !/^https?:\/\//i.test(text)) return null;
  return URL.canParse(text) ? new URL(text) : null;
}
