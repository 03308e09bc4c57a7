import { placeOfUrl } from '../../outgoing-address.ts';
import { PlainError } from '../../errors.ts';
import { namesIn, type SignInRules } from '../../core/sign-in-rules.ts';

/** How this cluster is known at its provider, and who of the provider's people may come in. */
export interface OidcConfig {
  /** as the provider writes it: a slash at its end counts */
  issuer: string;
  clientId: string;
  /** null: a public client, PKCE alone */
  clientSecret: string | null;
  clientAuth: 'basic' | 'post' | 'none';
  scopes: string;
  /** an issuer without TLS, at home only */
  allowHttp: boolean;
  /** host names beside the issuer's that a person confirmed: providers of the internet spread their endpoints */
  hosts: readonly string[];
  rules: SignInRules;
}

export interface OidcSettings {
  enabled: boolean;
  /** words on the button: "Sign in with …" */
  label: string;
  /** of a reverse proxy too */
  rules: SignInRules;
  config: Omit<OidcConfig, 'clientSecret'> | null;
}

/** The provider's part of the effective settings; null as long as issuer or client are not set. */
export function readOidcSettings(values: Readonly<Record<string, unknown>>): OidcSettings {
  const text = (key: string): string => (typeof values[key] === 'string' ? values[key].trim() : '');
  const issuer = text('oidc.issuer');
  const clientId = text('oidc.clientId');
  const clientAuth = text('oidc.clientAuth');
  const rules: SignInRules = {
    groupsClaim: text('oidc.groupsClaim') || 'groups',
    adminGroups: namesIn(values['oidc.adminGroups']),
    viewerGroups: namesIn(values['oidc.viewerGroups']),
    adminEmails: namesIn(values['oidc.adminEmails']),
    viewerEmails: namesIn(values['oidc.viewerEmails']),
    requireVerified: values['oidc.requireVerified'] !== false,
  };
  return {
    enabled: values['oidc.enabled'] === true,
    label: text('oidc.label') || 'your provider',
    rules,
    config:
      issuer === '' || clientId === ''
        ? null
        : {
            issuer,
            clientId,
            clientAuth: clientAuth === 'post' || clientAuth === 'none' ? clientAuth : 'basic',
            scopes: scopesOf(text('oidc.scopes')),
            allowHttp: values['oidc.allowHttp'] === true,
            hosts: namesIn(text('oidc.hosts')).map((host) => host.toLowerCase()),
            rules,
          },
  };
}

function scopesOf(text: string): string {
  const scopes = new Set([
    'openid',
    ...(text || 'openid profile email').split(/[\s,]+/).filter((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)),
  ]);
  return [...scopes].join(' ');
}

/**
 * The issuer as an address that may be asked.
 * @throws PlainError when it is none, or is without TLS where a person did not allow that
 */
export function issuerUrl({ issuer, allowHttp }: Pick<OidcConfig, 'issuer' | 'allowHttp'>): URL {
  const url = URL.parse(issuer);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new PlainError('The issuer is not an address like https://login.example.org/ . Copy it from the pages of your provider.');
  if (url.protocol === 'http:' && !allowHttp)
    throw new PlainError(
      `The issuer ${placeOfUrl(url)} is without TLS (http). Everybody in between could sign in as anybody; use https, or allow http for a provider in your own house.`,
    );
  if (url.protocol === 'http:' && !isAtHome(url.hostname))
    throw new PlainError(
      `The issuer ${placeOfUrl(url)} is without TLS and not an address of a home network, so it is not asked. Use https.`,
    );
  return url;
}

/** Loopback, private and unique local addresses, and names that only a house knows. */
function isAtHome(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (/^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(name)) return true;
  if (name === '::1' || /^f[cd][0-9a-f]{2}:/.test(name)) return true;
  return !/[.:]/.test(name) || /\.(local|lan|home|internal|localhost|home\.arpa|fritz\.box)$/.test(name);
}
