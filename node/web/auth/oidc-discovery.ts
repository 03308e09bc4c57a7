import * as oauth from 'oauth4webapi';
import { messageOf, PlainError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Outgoing } from '../../outgoing.ts';
import { issuerUrl, type OidcConfig } from './oidc-config.ts';
import { oidcWords } from './oidc-words.ts';

/**
 * What a provider says about itself, kept for an hour. A provider that is down costs nothing but the sign-in through it:
 * nobody waits for it at the start, and what it said last is good for a day.
 *
 *   unknown ─ get() ─▶ asked ─▶ known ── 1 h ──▶ asked again ─┬─ answers ─▶ known
 *                        └─ away ─▶ throws, asked again at the next get()      └─ away ─▶ the old answer, up to 24 h
 */
export interface Discovery {
  /** @throws PlainError when the provider cannot be asked, says something else than its name, or points elsewhere */
  get(config: OidcConfig, signal: AbortSignal): Promise<oauth.AuthorizationServer>;
  /** asked anew, past everything that is kept: for the test of new settings */
  fresh(config: OidcConfig, signal: AbortSignal): Promise<{ server: oauth.AuthorizationServer; otherHosts: string[] }>;
  /** asks early, so that the first person need not wait; never throws */
  warm(config: OidcConfig): void;
  /** options for every request of oauth4webapi to this provider */
  options(config: OidcConfig, signal: AbortSignal): RequestOptions;
}

export interface RequestOptions {
  signal: AbortSignal;
  [oauth.customFetch]: (url: string, init: oauth.CustomFetchOptions<string, unknown>) => Promise<Response>;
  [oauth.allowInsecureRequests]: boolean;
}

const FRESH_MS = 3_600_000;
const USABLE_MS = 24 * 3_600_000;
const ASK_MS = 10_000;
const MAX_BYTES = 1_000_000;

/** the endpoints that we go to or send people to */
const endpoints = ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri', 'end_session_endpoint'] as const;

export function createDiscovery(parts: { outgoing: Pick<Outgoing, 'fetch'>; log: Log; now?: () => number }): Discovery {
  const { outgoing, log, now = Date.now } = parts;
  let known: { key: string; at: number; server: oauth.AuthorizationServer } | null = null;

  const discovery: Discovery = {
    async get(config, signal) {
      const key = `${config.issuer} ${config.allowHttp}`;
      const kept = known?.key === key ? known : null;
      if (kept && now() - kept.at < FRESH_MS) return judged(kept.server, config);
      let server: oauth.AuthorizationServer;
      try {
        server = await ask(config, signal, key);
      } catch (error) {
        const isAway = error instanceof PlainError && error.retry;
        if (!isAway || !kept || now() - kept.at > USABLE_MS) throw error;
        log.warn({ why: messageOf(error) }, 'the sign-in provider does not answer; what it said last is used');
        ({ server } = kept);
      }
      return judged(server, config);
    },
    async fresh(config, signal) {
      const server = await ask(config, signal, `${config.issuer} ${config.allowHttp}`);
      judgeSchemes(server, config);
      return { server, otherHosts: otherHostsOf(server, config) };
    },
    warm(config) {
      void discovery
        .get(config, AbortSignal.timeout(ASK_MS))
        .catch((error: unknown) =>
          log.warn({ why: messageOf(error) }, 'the sign-in provider could not be asked; it is asked again when somebody signs in'),
        );
    },
    options,
  };
  return discovery;

  async function ask(config: OidcConfig, signal: AbortSignal, key: string): Promise<oauth.AuthorizationServer> {
    const issuer = issuerUrl(config);
    try {
      const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...options(config, signal) });
      const server = await oauth.processDiscoveryResponse(issuer, answer);
      known = { key, at: now(), server };
      return server;
    } catch (error) {
      throw oidcWords(error, config.issuer);
    }
  }

  /** Every request goes out bounded, to judged addresses, and never follows a redirect (outgoing.ts). */
  function options(config: Pick<OidcConfig, 'allowHttp'>, signal: AbortSignal): RequestOptions {
    return {
      signal,
      [oauth.allowInsecureRequests]: config.allowHttp,
      [oauth.customFetch]: async (url, init) => {
        const { status, headers, body } = await outgoing.fetch(url, {
          method: init.method,
          headers: init.headers,
          ...(init.body === undefined || init.body === null ? {} : { body: String(init.body as URLSearchParams | string) }),
          ...(init.signal ? { signal: init.signal } : {}),
          timeoutMs: ASK_MS,
          maxBytes: MAX_BYTES,
        });
        const empty = status === 204 || status === 205 || status === 304;
        return new Response(empty ? null : Buffer.from(body), { status, headers });
      },
    };
  }
}

/** Looked at each time it is used: what a person confirmed may have changed, and so may what the provider says. */
function judged(server: oauth.AuthorizationServer, config: OidcConfig): oauth.AuthorizationServer {
  judgeSchemes(server, config);
  const others = otherHostsOf(server, config).filter((host) => !config.hosts.includes(host));
  if (others.length > 0)
    throw new PlainError(
      `The provider points to other addresses than its own: ${others.join(', ').slice(0, 300)}. Nobody is sent there before an administrator confirms them on the page “Sign-in settings”.`,
    );
  return server;
}

function judgeSchemes(server: oauth.AuthorizationServer, config: OidcConfig): void {
  const { protocol } = issuerUrl(config);
  for (const name of endpoints) {
    const at = server[name];
    const needed = name === 'authorization_endpoint' || name === 'token_endpoint' || name === 'jwks_uri';
    if (at === undefined && !needed) continue;
    if (URL.parse(at ?? '')?.protocol !== protocol)
      throw new PlainError(
        `The provider at ${config.issuer.slice(0, 200)} ${at === undefined ? 'does not say' : 'changes between http and https for'} its ${name.replaceAll('_', ' ')}, so it cannot be used. Look at the address it has for itself in its own settings.`,
      );
  }
}

function otherHostsOf(server: oauth.AuthorizationServer, config: OidcConfig): string[] {
  const own = issuerUrl(config).host;
  const hosts = endpoints.flatMap((name) => URL.parse(server[name] ?? '')?.host ?? []);
  return [...new Set(hosts.filter((host) => host !== own))];
}
