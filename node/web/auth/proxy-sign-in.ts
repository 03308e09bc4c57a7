import { createHash, timingSafeEqual } from 'node:crypto';
import type { SignInRules } from '../../core/sign-in-rules.ts';
import { readNetworks, type Networks } from '../front/networks.ts';
import type { Visitor } from '../security.ts';
import type { Ctx } from '../web.ts';
import type { Provider } from './provider.ts';
import type { Stranger } from './strangers.ts';

/**
 * A reverse proxy that signs people in by itself says in headers who they are. Anybody can write such headers, so they count only
 * when the other end of the very connection is that proxy; through the front of another machine, which might be a bad one, the
 * proxy has to show its secret as well. Whatever is said by anybody else is not even read.
 *
 *   connection ─▶ from `proxy.networks`? ─▶ secret right, where one is kept (or the way leads through another machine)?
 *        ─▶ exactly one name in `proxy.userHeader` ─▶ a stranger, for the rules to decide about
 */
export interface ProxyConfig {
  networks: Networks;
  userHeader: string;
  groupsHeader: string;
  emailHeader: string;
  rules: SignInRules;
}

export const PROXY_ISSUER = 'reverse-proxy';
export const SECRET_HEADER = 'x-codecshift-proxy-secret';
const MAX_HEADER = 2000;

/** Null: it is switched off, or was stored before it was checked. */
export function readProxyConfig(values: Readonly<Record<string, unknown>>, rules: SignInRules): ProxyConfig | null {
  if (values['proxy.signIn'] !== true) return null;
  try {
    const networks = readNetworks(values['proxy.networks']);
    if (networks.empty) return null;
    const header = (key: string, otherwise: string): string => (isHeaderName(values[key]) ? values[key].toLowerCase() : otherwise);
    return {
      networks,
      userHeader: header('proxy.userHeader', 'remote-user'),
      groupsHeader: header('proxy.groupsHeader', 'remote-groups'),
      emailHeader: header('proxy.emailHeader', 'remote-email'),
      rules: { ...rules, groupsClaim: 'groups' },
    };
  } catch {
    return null;
  }
}

/** Names that browsers and proxies use for something else could be sent by anybody. */
export function isHeaderName(text: unknown): text is string {
  return (
    typeof text === 'string' &&
    /^[a-z][a-z0-9-]{1,63}$/i.test(text) &&
    !/^(host|cookie|authorization|origin|referer|user-agent|accept.*|content-.*|connection|sec-.*|x-forwarded-.*|x-csrf-token|hx-.*)$/i.test(
      text,
    )
  );
}

/** Whether this very connection may speak for people. `secret`: what is kept; `shown`: what the request has. */
export function isThroughProxy(visitor: Visitor, networks: Networks, secret: string | null, shown: string | undefined): boolean {
  if (!networks.has(visitor.peer)) return false;
  if (secret === null) return !visitor.tunnelled;
  return shown !== undefined && same(secret, shown);
}

/** Whom the proxy names with this request, and the rules for it; null: nobody, or it is no such proxy. */
export async function strangerOfProxy(
  c: Ctx,
  values: Readonly<Record<string, unknown>>,
  provider: Pick<Provider, 'settings' | 'openProxySecret'>,
): Promise<{ stranger: Stranger; rules: SignInRules } | null> {
  const visitor = c.env?.visitor;
  const config = visitor && readProxyConfig(values, provider.settings().rules);
  // the address first: of anybody else nothing is read, and nothing is looked up
  if (!visitor || !config || !config.networks.has(visitor.peer)) return null;
  if (!isThroughProxy(visitor, config.networks, await provider.openProxySecret(), c.req.header(SECRET_HEADER))) return null;
  const stranger = strangerFrom(config, (name) => c.req.header(name));
  return stranger && { stranger, rules: config.rules };
}

/** Who the proxy says it is; null: nobody, or two at once. */
export function strangerFrom(config: ProxyConfig, header: (name: string) => string | undefined): Stranger | null {
  const name = only(header(config.userHeader));
  if (name === null) return null;
  const groups = (header(config.groupsHeader) ?? '')
    .slice(0, MAX_HEADER)
    .split(/[,|]/)
    .map((group) => group.trim())
    .filter(Boolean);
  const email = only(header(config.emailHeader));
  return {
    issuer: PROXY_ISSUER,
    subject: name,
    name,
    label: email ?? name,
    claims: { sub: name, preferred_username: name, groups, ...(email === null ? {} : { email, email_verified: true }) },
  };
}

/** Two headers of one name arrive as one with a comma: one of them may be the visitor's own. */
function only(value: string | undefined): string | null {
  const text = value?.trim() ?? '';
  return text === '' || text.length > 200 || text.includes(',') ? null : text;
}

function same(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
