import type { SettingGroup } from '../../config/setting.ts';
import { listSecrets } from '../../db/secrets.ts';
import { PlainError } from '../../errors.ts';
import { providerHelp } from '../auth/oidc-help.ts';
import { testProvider } from '../auth/provider-check.ts';
import { SECRET_HEADER } from '../auth/proxy-sign-in.ts';
import { externalUrl } from '../auth/cookies.ts';
import { whyNotThroughProxy } from '../auth/objections.ts';
import type { KeptView, ProviderPage, ProxyPage, TestView } from '../models/provider-page.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';
import { needProvider, onward } from './oidc.ts';
import { readSettingsPage, saveGroup } from './settings.ts';
import type { SecretName } from '../../core/safe.ts';

/**
 * "Sign-in provider" and "Reverse proxy": two groups of settings with more than fields. The secrets of both can be written and
 * replaced, never read. Nothing here lets anybody in by itself: a test asks the provider, a trial shows who would come in as what.
 */
export const providerSettingsPages: PageModule = (app, web) => {
  app.get('/settings/provider', (c) => showProvider(c, web, null));
  app.post('/settings/provider', (c) => saveGroup(c, web, 'provider'));
  app.post('/settings/provider/secret', (c) => keepSecret(c, web, 'oidc.clientSecret', 'provider'));
  app.post('/settings/provider/test', async (c) => showProvider(c, web, await testProvider(needProvider(web))));
  app.post('/settings/provider/trial', (c) => {
    const who = c.get('who');
    return onward(c, web, { kind: 'trial', user: who.kind === 'person' ? who.session.userId : null }, url.settings('provider'));
  });

  // a group like any other, but with routes of its own: only an admin sees it, and a change asks for a fresh proof (auth/rights.ts)
  app.get('/settings/access', async (c) =>
    web.page(c, { title: 'Settings', section: 'settings', view: 'settings/index', model: await readSettingsPage(web, 'access', null) }),
  );
  app.post('/settings/access', (c) => saveGroup(c, web, 'access'));

  app.get('/settings/proxy', (c) => showProxy(c, web));
  app.post('/settings/proxy', (c) => saveGroup(c, web, 'proxy'));
  app.post('/settings/proxy/secret', (c) => keepSecret(c, web, 'proxy.secret', 'proxy'));
};

async function showProvider(c: Ctx, web: Web, tested: TestView | null): Promise<Response> {
  const provider = needProvider(web);
  const settings = provider.settings();
  const here = externalUrl(web.settings());
  const who = c.get('who');
  const model: ProviderPage = {
    ...(await readSettingsPage(web, 'provider', null)),
    callback: provider.redirectUri(),
    signedOut: here && new URL('/signed-out', here).href,
    secret: { ...(await kept(web, 'oidc.clientSecret')), fromEnvironment: provider.secretFromEnvironment },
    testable: settings.config !== null,
    test: tested,
    trial: provider.trials.get(who.kind === 'person' ? who.session.userId : null) ?? null,
    help: [...providerHelp],
  };
  return web.page(c, { title: 'Settings', section: 'settings', view: 'access/provider', model });
}

async function showProxy(c: Ctx, web: Web): Promise<Response> {
  const visitor = c.env?.visitor;
  const model: ProxyPage = {
    ...(await readSettingsPage(web, 'proxy', null)),
    secret: { ...(await kept(web, 'proxy.secret')), fromEnvironment: false },
    secretHeader: SECRET_HEADER,
    peer: visitor?.peer ?? 'unknown',
    address: visitor?.address ?? 'unknown',
    tunnelled: visitor?.tunnelled ?? false,
    says: (await whyNotThroughProxy(c, web, web.settings())) ?? 'This page came to you through such a proxy.',
  };
  return web.page(c, { title: 'Settings', section: 'settings', view: 'access/proxy', model });
}

async function keepSecret(c: Ctx, web: Web, name: SecretName, group: SettingGroup): Promise<Response> {
  const form = await readForm(c);
  const typed = (form.get('secret') ?? '').trim();
  return web.act(
    c,
    async () => {
      const remove = form.has('remove');
      if (!remove && (typed === '' || typed.length > 500)) throw new PlainError('Type the secret, 500 characters at most.');
      await needProvider(web).safe.keep(name, remove ? null : typed, c.get('actor'));
      return remove ? 'The secret is thrown away.' : 'The secret is kept. It is never shown again.';
    },
    { back: url.settings(group) },
  );
}

async function kept(web: Web, name: SecretName): Promise<Omit<KeptView, 'fromEnvironment'>> {
  const found = (await listSecrets(web.db)).find((secret) => secret.name === name);
  return { since: found?.changedAt ?? null, by: found?.changedBy ?? '' };
}
