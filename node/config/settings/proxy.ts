import type { SettingSpec } from '../setting.ts';

/** Reverse proxies in front of the dashboard: whose word about a visitor is believed, and in which headers. */
export const proxySettings = {
  'web.proxies': {
    scope: 'cluster',
    group: 'proxy',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_PROXIES',
    label: 'Trusted proxies',
    help: 'Addresses or networks of reverse proxies in front of this page, separated by commas, for example 172.18.0.0/16. Only their X-Forwarded-For and X-Forwarded-Proto are believed.',
  },
  'proxy.signIn': {
    scope: 'cluster',
    group: 'proxy',
    type: 'boolean',
    default: false,
    env: 'CODECSHIFT_PROXY_SIGN_IN',
    label: 'Believe the proxy who somebody is',
    help: 'For a reverse proxy that signs people in itself (forward auth) and says who they are in a header. Can be switched on only through that proxy. Who is an admin follows from the groups and addresses of the sign-in provider’s page.',
  },
  'proxy.networks': {
    scope: 'cluster',
    group: 'proxy',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_PROXY_NETWORKS',
    label: 'Addresses of that proxy',
    help: 'Only connections from exactly these addresses or networks are believed, for example 172.18.0.5. Keep it as narrow as you can: everything at these addresses can be anybody.',
  },
  'proxy.userHeader': {
    scope: 'cluster',
    group: 'proxy',
    type: 'text',
    default: 'Remote-User',
    env: 'CODECSHIFT_PROXY_USER_HEADER',
    label: 'Header with the name',
    help: 'Authelia: Remote-User. Authentik: X-authentik-username.',
  },
  'proxy.groupsHeader': {
    scope: 'cluster',
    group: 'proxy',
    type: 'text',
    default: 'Remote-Groups',
    env: 'CODECSHIFT_PROXY_GROUPS_HEADER',
    label: 'Header with the groups',
    help: 'Separated by commas or |. Authentik: X-authentik-groups.',
  },
  'proxy.emailHeader': {
    scope: 'cluster',
    group: 'proxy',
    type: 'text',
    default: 'Remote-Email',
    env: 'CODECSHIFT_PROXY_EMAIL_HEADER',
    label: 'Header with the e-mail address',
    help: 'Counts as verified: the proxy is believed. Authentik: X-authentik-email.',
  },
} as const satisfies Record<string, SettingSpec>;
