import type { SettingChange, SettingProblem } from '../../core/commands.ts';
import { isTimeZone } from '../../core/house-time.ts';
import { messageOf, PlainError } from '../../errors.ts';
import { readNetworks } from '../front/networks.ts';
import type { Ctx, Web } from '../web.ts';
import { externalUrl } from './cookies.ts';
import { issuerUrl } from './oidc-config.ts';
import { isHeaderName, isThroughProxy, SECRET_HEADER } from './proxy-sign-in.ts';

/**
 * What speaks against changes of settings beyond the shape of a value: each would lock people out, or let others in. Asked by
 * every way that settings are saved.
 */
export async function objectionsTo(c: Ctx, web: Web, changes: readonly SettingChange[]): Promise<SettingProblem[]> {
  const values: Record<string, unknown> = { ...web.settings(), ...Object.fromEntries(changes.map(({ key, value }) => [key, value])) };
  const problems: SettingProblem[] = [];
  for (const { key, value } of changes) {
    const why = value === null ? null : await objection(c, web, key, value, values);
    if (why !== null) problems.push({ key, problem: why });
  }
  // a word that is believed already must not be believed of others than it was
  const widened = changes.some(({ key }) => key === 'proxy.networks' || key === 'proxy.userHeader');
  if (widened && problems.length === 0 && values['proxy.signIn'] === true && !changes.some(({ key }) => key === 'proxy.signIn')) {
    const why = await whyNotThroughProxy(c, web, values);
    if (why !== null) problems.push({ key: 'proxy.networks', problem: why });
  }
  return problems;
}

async function objection(c: Ctx, web: Web, key: string, value: unknown, values: Record<string, unknown>): Promise<string | null> {
  switch (key) {
    case 'web.url':
      return externalUrl({ 'web.url': value }) ? null : 'must begin with http:// or https://';
    case 'notifications.timeZone':
      return isTimeZone(String(value)) ? null : 'is not known; it is written like Europe/Berlin';
    case 'web.proxies':
    case 'proxy.networks':
      return said(() => void readNetworks(value));
    case 'proxy.userHeader':
    case 'proxy.groupsHeader':
    case 'proxy.emailHeader':
      return isHeaderName(value) ? null : 'is no name of a header that only a proxy would send';
    case 'proxy.signIn':
      return value === true ? whyNotThroughProxy(c, web, values) : null;
    case 'oidc.issuer':
      return said(() => void issuerUrl({ issuer: String(value).trim(), allowHttp: values['oidc.allowHttp'] === true }));
    case 'oidc.enabled':
      return value === true && (!values['oidc.issuer'] || !values['oidc.clientId'])
        ? 'needs the issuer and the client id first'
        : value === true && !externalUrl(values)
          ? 'needs the address of the dashboard from outside (page “Signing in”): the provider sends people back there'
          : null;
    case 'oidc.passwords':
      return value === false ? whyNotWithoutPasswords(c, values) : null;
    default:
      return null;
  }
}

/** Who came in through the provider has shown that it works; from any other side the door could close behind everybody. */
function whyNotWithoutPasswords(c: Ctx, values: Record<string, unknown>): string | null {
  if (values['oidc.enabled'] !== true) return 'needs a provider first, through which people sign in instead';
  const who = c.get('who');
  return who.kind === 'person' && who.session.method === 'oidc'
    ? null
    : 'can be switched off only by somebody who signed in through the provider, so that it is known to work';
}

/** Why this request may not switch a proxy's word on; null: it came through it. A door is not opened from outside of it. */
export async function whyNotThroughProxy(c: Ctx, web: Web, values: Record<string, unknown>): Promise<string | null> {
  const visitor = c.env?.visitor;
  const networks = readNetworks(values['proxy.networks']);
  if (networks.empty) return 'No address of a proxy is named yet.';
  if (!visitor || visitor.asks === 'cli') return 'It can be switched on only by a browser that comes through the proxy.';
  const secret = (await web.auth.provider?.openProxySecret()) ?? null;
  if (isThroughProxy(visitor, networks, secret, c.req.header(SECRET_HEADER))) return null;
  const where = visitor.tunnelled ? ', at another machine of the cluster' : '';
  return `This page did not come to you through such a proxy: the other end of the connection is ${visitor.peer}${where}. Open it through the proxy and switch it on there.`;
}

function said(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    return messageOf(error);
  }
}
