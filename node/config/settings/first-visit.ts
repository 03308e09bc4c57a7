import type { SettingSpec } from '../setting.ts';

/** Who may open the dashboard of a machine before anybody has an account, and who the first admin is. */
export const firstVisitSettings = {
  auth: {
    scope: 'node',
    group: 'node',
    type: 'choice',
    default: 'page',
    env: 'CODECSHIFT_AUTH',
    flag: 'auth',
    choices: [
      { value: 'page', label: 'page' },
      { value: 'none', label: 'none' },
    ],
    label: 'Who may open the dashboard',
    help: 'page: decided at the first visit, with the set-up token that the console shows. none: everybody who reaches it may change everything.',
  },
  setupToken: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_SETUP_TOKEN',
    secret: true,
    label: 'Set-up token',
    help: 'Asked for at the first visit, 20 characters or more. Default: a new one at each start, on the console and in the file setup-token of the data directory.',
  },
  adminUser: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_ADMIN_USER',
    label: 'First admin',
    help: 'Made at the first start when nobody is there yet, together with the password. Later starts change nothing.',
  },
  adminPassword: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_ADMIN_PASSWORD',
    secret: true,
    label: 'Password of the first admin',
    help: 'Better as a file: CODECSHIFT_ADMIN_PASSWORD_FILE.',
  },
  oidcClientSecret: {
    scope: 'node',
    group: 'node',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_OIDC_CLIENT_SECRET',
    secret: true,
    label: 'Client secret of the sign-in provider',
    help: 'Instead of the one that is kept in the cluster. Together with the issuer and the client id of the provider it lets the first admin sign in through it.',
  },
} as const satisfies Record<string, SettingSpec>;
