import { PlainError } from '../../errors.ts';
import type { TestView } from '../models/provider-page.ts';
import { issuerUrl } from './oidc-config.ts';
import type { Provider } from './provider.ts';

/** Asks the provider who it is and where it wants people to go. What it says is shown as what was found, never as it came. */
export async function testProvider(provider: Provider): Promise<TestView> {
  const lines: TestView['lines'] = [];
  let hosts: string[] = [];
  try {
    const config = await provider.config();
    lines.push({
      ok: true,
      text: `Issuer, client id and ${config.clientSecret === null ? 'no client secret' : 'client secret'} are there.`,
    });
    const { server, otherHosts } = await provider.discovery.fresh(config, AbortSignal.timeout(15_000));
    lines.push({ ok: true, text: `The provider answers at ${issuerUrl(config).host} and calls itself by that name.` });
    hosts = otherHosts.filter((host) => !config.hosts.includes(host));
    lines.push(
      hosts.length === 0
        ? { ok: true, text: 'Everything it points to is at its own address, or was confirmed.' }
        : {
            ok: false,
            text: `It points to other addresses: ${hosts.join(', ').slice(0, 300)}. Confirm them by adding them to “Other addresses of the provider”, if they are its own.`,
          },
    );
    const scopes = server.scopes_supported;
    const unknown = config.scopes.split(' ').filter((scope) => scopes !== undefined && !scopes.includes(scope));
    if (unknown.length > 0) lines.push({ ok: false, text: `It does not list these scopes: ${unknown.join(', ').slice(0, 200)}.` });
    if (server.userinfo_endpoint === undefined) lines.push({ ok: true, text: 'It has no userinfo: groups have to be in the ID token.' });
    if (server.end_session_endpoint === undefined) lines.push({ ok: true, text: 'Signing out here does not reach it.' });
    lines.push(redirectLine(provider.redirectUri()));
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    lines.push({ ok: false, text: error.message });
  }
  return { good: lines.every(({ ok }) => ok), lines, hosts };
}

function redirectLine(redirectUri: string | null): TestView['lines'][number] {
  return redirectUri === null
    ? {
        ok: false,
        text: 'The address of the dashboard from outside is not set, so nobody can be sent back. It is on the page “Signing in”.',
      }
    : { ok: true, text: 'The client secret itself is checked by the trial: only a whole sign-in shows it.' };
}
