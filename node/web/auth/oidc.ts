import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { PlainError } from '../../errors.ts';
import type { OidcConfig } from './oidc-config.ts';
import type { Discovery } from './oidc-discovery.ts';
import { newSecrets, personFrom, signInAddress, type OidcPerson, type Secrets } from './oidc-flow.ts';

/**
 * Sign-ins that are under way at a provider. Each belongs to the browser that began it, can be used once whether it ends
 * well or not, and is over after ten minutes. They are kept in the memory of the coordinator: strangers begin them, and
 * nobody who is not signed in writes into the database. After a change of coordinator a person presses the button again.
 *
 *   begun ──callback, its browser──▶ taken ─▶ person, or a sentence why not
 *     ├─ callback of another browser ─▶ taken, refused      (login CSRF: a stranger's account in my browser)
 *     ├─ the same callback again ─────▶ unknown, refused    (replay)
 *     └─ 10 min ──────────────────────▶ gone
 */
export interface Oidc {
  /**
   * @param browser what the cookie of the browser holds, if it is one of ours: two tabs of a browser share it
   * @throws PlainError when the provider cannot be asked, or the address begins too many
   */
  begin(wish: LoginWish, signal: AbortSignal): Promise<{ location: string; browser: string }>;
  /** @throws PlainError `ended` as `login` names the purpose also then, where it was found */
  finish(answer: URLSearchParams, browser: string | undefined, signal: AbortSignal): Promise<{ person: OidcPerson; login: Login }>;
}

export type Purpose =
  | { kind: 'sign-in' }
  /** adds the provider's account to a person who is signed in */
  | { kind: 'link'; user: number }
  /** proves once more that the person of this session is there */
  | { kind: 'step-up'; user: number; session: string }
  /** settings that are not in force yet; nobody is signed in by it */
  | { kind: 'trial'; user: number | null }
  /** the first person of all */
  | { kind: 'setup' };

export interface LoginWish {
  config: OidcConfig;
  redirectUri: string;
  purpose: Purpose;
  returnTo: string;
  browser: string | undefined;
  /** of the visitor, for the limit */
  address: string;
}

export interface Login {
  config: OidcConfig;
  redirectUri: string;
  purpose: Purpose;
  returnTo: string;
}

/** A sentence about a sign-in that was found, so that the person is brought back to where it began. */
export class LoginFailed extends PlainError {
  readonly login: Login;
  constructor(cause: PlainError, login: Login) {
    super(cause.message, { cause: cause.cause ?? cause, retry: cause.retry });
    this.login = login;
  }
}

interface Begun extends Login {
  secrets: Secrets;
  browser: Buffer;
  until: number;
}

export const LOGIN_MS = 600_000;
const MAX_LOGINS = 5000;
const PER_MINUTE = 20;

export function createOidc(parts: { discovery: Discovery; now?: () => number }): Oidc {
  const { discovery, now = Date.now } = parts;
  /** by hash of the state: the state itself is worth a sign-in */
  const begun = new Map<string, Begun>();
  const starts = new Map<string, { count: number; until: number }>();

  return {
    async begin({ config, redirectUri, purpose, returnTo, browser, address }, signal) {
      countStart(address);
      const server = await discovery.get(config, signal);
      const secrets = newSecrets();
      const holder = browser !== undefined && /^[\w-]{43}$/.test(browser) ? browser : randomBytes(32).toString('base64url');
      const again = purpose.kind === 'step-up';
      const location = await signInAddress(server, { config, secrets, redirectUri, again });
      forgetOld();
      begun.set(hash(secrets.state).toString('hex'), {
        config,
        redirectUri,
        purpose,
        returnTo,
        secrets,
        browser: hash(holder),
        until: now() + LOGIN_MS,
      });
      return { location, browser: holder };
    },

    async finish(answer, browser, signal) {
      const found = take(answer.get('state') ?? '');
      if (!found)
        throw new PlainError(
          'This sign-in was already used, took longer than ten minutes, or began before a restart. Please sign in again.',
        );
      const { secrets, browser: holder, until: _until, ...login } = found;
      try {
        if (browser === undefined || !timingSafeEqual(hash(browser), holder))
          throw new PlainError('This sign-in began in another browser, so it does not count here. Please sign in again.');
        const server = await discovery.get(login.config, signal);
        return { person: await personFrom(discovery, server, { ...login, secrets, answer, signal, now }), login };
      } catch (error) {
        if (error instanceof PlainError) throw new LoginFailed(error, login);
        throw error;
      }
    },
  };

  /** Gone once it was looked at: a failed try is no second try. */
  function take(state: string): Begun | null {
    const key = hash(state).toString('hex');
    const found = begun.get(key) ?? null;
    begun.delete(key);
    return found && found.until > now() ? found : null;
  }

  function forgetOld(): void {
    for (const [key, { until }] of begun) {
      if (until > now() && begun.size < MAX_LOGINS) return;
      begun.delete(key);
    }
  }

  function countStart(address: string): void {
    for (const [key, { until }] of starts) if (until <= now()) starts.delete(key);
    const mine = starts.get(address) ?? { count: 0, until: now() + 60_000 };
    if (++mine.count > PER_MINUTE)
      throw new PlainError('Too many sign-ins were begun from your address. Wait a minute and try again.', { retry: true });
    if (starts.size < MAX_LOGINS) starts.set(address, mine);
  }
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
