import type { Provider as Button } from '../models/access.ts';
import { url } from '../routes.ts';
import type { Web } from '../web.ts';

/**
 * The buttons of providers on the pages of signing in, proving and linking: one when one is set up and switched on. For the set-up
 * it need not be switched on: what the environment says of a provider is enough to begin with it.
 */
export async function providersOf(web: Web, purpose: 'sign-in' | 'link' | 'step-up' | 'setup', back: string): Promise<Button[]> {
  const provider = web.auth.provider;
  const settings = provider?.settings();
  if (!provider || !settings?.config || provider.redirectUri() === null) return [];
  if (!settings.enabled && purpose !== 'setup') return [];
  const words = { 'sign-in': 'Sign in with', link: 'Link', 'step-up': 'Prove it at', setup: 'Begin with' } as const;
  const hrefs = {
    'sign-in': url.providerSignIn(back),
    link: url.account(),
    'step-up': url.providerProve(back),
    setup: url.providerSetup(),
  };
  return [{ label: `${words[purpose]} ${settings.label}`, href: hrefs[purpose] }];
}

/**
 * Whether a name and a password let anybody in. Without a provider they always do; beside one they may be switched off, and then
 * only a one-time password does (it comes from whoever has the machine, or from an admin), and serves to prove who one is.
 */
export function passwordsWork(settings: Record<string, unknown>): boolean {
  return settings['oidc.enabled'] !== true || settings['oidc.passwords'] !== false;
}
