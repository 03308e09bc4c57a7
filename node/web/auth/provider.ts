import type { Safe } from '../../core/safe.ts';
import { readIdToken } from '../../db/sessions.ts';
import type { Queryable } from '../../db/connect.ts';
import { messageOf, PlainError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Outgoing } from '../../outgoing.ts';
import { externalUrl } from './cookies.ts';
import { createOidc, type Oidc } from './oidc.ts';
import { readOidcSettings, type OidcConfig, type OidcSettings } from './oidc-config.ts';
import { createDiscovery, type Discovery } from './oidc-discovery.ts';
import { signOutAddress, type OidcPerson } from './oidc-flow.ts';

/** The provider as this cluster has it in its settings: everything the pages need to send people there and to have them back. */
export interface Provider {
  settings(): OidcSettings;
  /** @throws PlainError that says what is missing */
  config(): Promise<OidcConfig>;
  /** what the provider has to be told, or null while the address of this page is not set */
  redirectUri(): string | null;
  discovery: Discovery;
  oidc: Oidc;
  /** asks the provider early, so that the first person need not wait; never throws, and nobody waits for it */
  warm(): void;
  /** kept with the session, for signing out there; null where nothing can be sealed */
  sealIdToken(person: OidcPerson): Promise<string | null>;
  /** where a session ends at the provider too, or null; never throws */
  signOutAddress(session: string): Promise<string | null>;
  safe: Safe;
  secretFromEnvironment: boolean;
  /** null: none is kept. @throws PlainError `secret-lost`: then no proxy is believed */
  openProxySecret(): Promise<string | null>;
  /** the last trial of these settings, in words, by who made it */
  trials: Map<number | null, Trial>;
}

export interface Trial {
  at: Date;
  person: string;
  groups: string[];
  says: string;
  good: boolean;
}

export interface ProviderParts {
  safe: Safe;
  outgoing: Outgoing;
  /** CODECSHIFT_OIDC_CLIENT_SECRET of the machine that coordinates; before the one that is kept */
  clientSecret: string | null;
}

const SIGN_OUT_MS = 3000;

export function createProvider(
  parts: ProviderParts & { db: Queryable; values: () => Record<string, unknown>; now: () => Date; log: Log },
): Provider {
  const { safe, db, values, log } = parts;
  const discovery = createDiscovery({ outgoing: parts.outgoing, log });
  const provider: Provider = {
    settings: () => readOidcSettings(values()),
    async config() {
      const { config } = readOidcSettings(values());
      if (!config) throw new PlainError('The sign-in provider is not set up: its issuer and client id are missing.');
      const kept = config.clientAuth === 'none' ? null : (parts.clientSecret ?? (await safe.open('oidc.clientSecret')));
      if (kept === null && config.clientAuth !== 'none')
        throw new PlainError(
          'The client secret of the sign-in provider is missing. An administrator can enter it on the page “Sign-in provider”.',
        );
      return { ...config, clientSecret: kept };
    },
    redirectUri() {
      const here = externalUrl(values());
      return here && new URL('/sign-in/oidc/callback', here).href;
    },
    discovery,
    oidc: createOidc({ discovery, now: () => parts.now().getTime() }),
    warm() {
      if (readOidcSettings(values()).enabled)
        provider
          .config()
          .then(discovery.warm, (error: unknown) => log.warn({ why: messageOf(error) }, 'nobody can sign in through the provider'));
    },
    sealIdToken: (person) =>
      safe.seal('sessions.id_token', person.idToken).catch((error: unknown) => {
        log.warn({ why: messageOf(error) }, 'signing out will not reach the provider: nothing can be sealed');
        return null;
      }),
    async signOutAddress(session) {
      try {
        const sealed = await readIdToken(db, session);
        const here = externalUrl(values());
        if (sealed === null || !here) return null;
        const config = await provider.config();
        const server = await discovery.get(config, AbortSignal.timeout(SIGN_OUT_MS));
        const idToken = await safe.unseal('sessions.id_token', sealed);
        return signOutAddress(server, { config, idToken, back: new URL('/signed-out', here).href });
      } catch (error) {
        log.info({ why: messageOf(error) }, 'the provider was not told that somebody signed out');
        return null;
      }
    },
    safe,
    secretFromEnvironment: parts.clientSecret !== null,
    openProxySecret: () => safe.open('proxy.secret'),
    trials: new Map(),
  };
  return provider;
}
