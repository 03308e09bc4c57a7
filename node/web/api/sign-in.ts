import * as v from 'valibot';
import type { SecretName } from '../../core/safe.ts';
import { listSecrets } from '../../db/secrets.ts';
import { testProvider } from '../auth/provider-check.ts';
import { needProvider } from '../pages/oidc.ts';
import type { Ctx, Web } from '../web.ts';
import { maybe, maybeTime } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { text } from './inputs.ts';
import { needsAPerson } from './lasting.ts';

const kept = v.strictObject({ since: v.pipe(maybeTime, v.description('null: none is kept')), by: v.string() });

/** The secrets and the test of the sign-in provider and the reverse proxy; their other settings are under /settings. */
export const signInApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/settings/provider',
    right: 'admin',
    in: 'Settings',
    does: 'What the sign-in provider has to be told, and since when secrets are kept; never the secrets.',
    answer: v.strictObject({
      callback: v.pipe(maybe.text, v.description('null: the address of the dashboard from outside is not set')),
      secret: kept,
      secretFromEnvironment: v.boolean(),
      proxySecret: kept,
    }),
    run: async ({ web }) => {
      const provider = needProvider(web);
      return {
        callback: provider.redirectUri(),
        secret: await keptSince(web, 'oidc.clientSecret'),
        secretFromEnvironment: provider.secretFromEnvironment,
        proxySecret: await keptSince(web, 'proxy.secret'),
      };
    },
  }),
  keep(
    '/settings/provider/secret',
    'oidc.clientSecret',
    'Keeps the client secret of the sign-in provider, or throws it away. It is never told again. Not for a token.',
  ),
  keep(
    '/settings/proxy/secret',
    'proxy.secret',
    'Keeps the secret that the reverse proxy shows, or throws it away. It is never told again. Not for a token.',
  ),
  route({
    method: 'POST',
    path: '/settings/provider/test',
    right: 'admin',
    in: 'Settings',
    does: 'Asks the sign-in provider who it is and where it wants people to go. Lets nobody in.',
    answer: v.strictObject({
      good: v.boolean(),
      lines: v.array(v.strictObject({ ok: v.boolean(), text: v.string() })),
      hosts: v.array(v.string()),
    }),
    run: async ({ web }) => testProvider(needProvider(web)),
  }),
];

function keep(path: string, name: SecretName, does: string): ApiRoute {
  return route({
    method: 'POST',
    path,
    right: 'admin',
    in: 'Settings',
    does,
    body: v.strictObject({ secret: v.nullable(text(500)) }),
    answer: v.strictObject({ kept: v.boolean() }),
    run: async ({ web, body: { secret }, by, c }) => {
      needsAPerson(c as Ctx, 'The secret is as it was.');
      await needProvider(web).safe.keep(name, secret, by);
      return { kept: secret !== null };
    },
  });
}

async function keptSince(web: Web, name: SecretName) {
  const found = (await listSecrets(web.db)).find((secret) => secret.name === name);
  return { since: found?.changedAt ?? null, by: found?.changedBy ?? '' };
}
