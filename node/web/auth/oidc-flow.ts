import * as oauth from 'oauth4webapi';
import type { Claims } from '../../core/sign-in-rules.ts';
import { PlainError } from '../../errors.ts';
import type { OidcConfig } from './oidc-config.ts';
import type { Discovery } from './oidc-discovery.ts';
import { oidcWords } from './oidc-words.ts';

/**
 * One sign-in at a provider: authorization code with PKCE, as a certified client does it (OpenID Connect Core 3.1, OAuth 2.1).
 *
 *   begin ─▶ {state, nonce, verifier} kept here ─▶ person at the provider ─▶ callback ─▶ finish
 *     finish: state, iss (RFC 9207) ─▶ code for tokens ─▶ ID token: aud, exp, nonce, and always its signature ─▶ userinfo, same sub
 *
 * The library checks no signature by itself where TLS is thought to be enough; a house with a proxy in between has less.
 */
export interface Secrets {
  state: string;
  nonce: string;
  verifier: string;
}

/** Somebody as the provider knows them. `issuer` and `subject` together are who it is; an e-mail address never is. */
export interface OidcPerson {
  issuer: string;
  subject: string;
  /** as shown, at most 100 characters */
  name: string;
  email: string | null;
  claims: Claims;
  /** the hint for signing out there; secret */
  idToken: string;
}

const MAX_SUBJECT = 255;
/** An ID token from further in the future than this means that our own clock is behind; the library does not look. */
const FUTURE_SECONDS = 300;
const TOLERANCE_SECONDS = 30;

export function newSecrets(): Secrets {
  return { state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), verifier: oauth.generateRandomCodeVerifier() };
}

/** Where the person is sent. `again`: the provider asks for the password although it knows the person. */
export async function signInAddress(
  server: oauth.AuthorizationServer,
  wish: { config: OidcConfig; secrets: Secrets; redirectUri: string; again: boolean },
): Promise<string> {
  const { config, secrets, redirectUri } = wish;
  const url = new URL(server.authorization_endpoint!);
  const parameters = {
    client_id: config.clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: config.scopes,
    state: secrets.state,
    nonce: secrets.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(secrets.verifier),
    code_challenge_method: 'S256',
    ...(wish.again ? { prompt: 'login' } : {}),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/**
 * The provider's answer becomes a person.
 * @throws PlainError with a sentence; whatever was wrong, nobody is signed in
 */
export async function personFrom(
  discovery: Discovery,
  server: oauth.AuthorizationServer,
  wish: { config: OidcConfig; secrets: Secrets; redirectUri: string; answer: URLSearchParams; signal: AbortSignal; now?: () => number },
): Promise<OidcPerson> {
  try {
    return await exchange(discovery, server, wish);
  } catch (error) {
    throw oidcWords(error, wish.config.issuer);
  }
}

async function exchange(
  discovery: Discovery,
  server: oauth.AuthorizationServer,
  { config, secrets, redirectUri, answer, signal, now = Date.now }: Parameters<typeof personFrom>[2],
): Promise<OidcPerson> {
  const client: oauth.Client = { client_id: config.clientId, [oauth.clockTolerance]: TOLERANCE_SECONDS };
  const options = discovery.options(config, signal);
  const parameters = oauth.validateAuthResponse(server, client, answer, secrets.state);
  const tokens = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    clientAuthOf(config),
    parameters,
    redirectUri,
    secrets.verifier,
    options,
  );
  const result = await oauth.processAuthorizationCodeResponse(server, client, tokens, {
    expectedNonce: secrets.nonce,
    requireIdToken: true,
  });
  const token = oauth.getValidatedIdTokenClaims(result)!;
  if (token.iat > now() / 1000 + FUTURE_SECONDS)
    throw new PlainError('The sign-in comes from the future: the clock of this machine is behind. Set it right and try again.');
  if (typeof token.sub !== 'string' || token.sub === '' || token.sub.length > MAX_SUBJECT)
    throw new PlainError('The provider gave no usable name for this account, so nobody was signed in.');
  await oauth.validateApplicationLevelSignature(server, tokens, options);
  const more = await userinfo(server, client, result.access_token, token.sub, options);
  return personOf(token as Claims & { sub: string }, more, config.issuer, result.id_token!);
}

/** Groups and addresses are often there only; a provider without it has said everything in the token. */
async function userinfo(
  server: oauth.AuthorizationServer,
  client: oauth.Client,
  accessToken: string,
  subject: string,
  options: ReturnType<Discovery['options']>,
): Promise<Claims> {
  if (server.userinfo_endpoint === undefined) return {};
  const answer = await oauth.userInfoRequest(server, client, accessToken, options);
  return { ...(await oauth.processUserInfoResponse(server, client, subject, answer)) };
}

function personOf(token: Claims & { sub: string }, more: Claims, issuer: string, idToken: string): OidcPerson {
  const claims = merged(token, more);
  const text = (name: string): string | null => (typeof claims[name] === 'string' && claims[name] !== '' ? claims[name] : null);
  return {
    issuer: typeof token['iss'] === 'string' ? token['iss'] : issuer,
    subject: token.sub,
    name: (text('preferred_username') ?? text('name') ?? text('email') ?? 'somebody').slice(0, 100).toWellFormed(),
    email: text('email')?.slice(0, 320).toWellFormed() ?? null,
    claims,
    idToken,
  };
}

/** Userinfo is the fuller and newer of the two; what names the sign-in itself stays as it was signed. */
function merged(token: Claims, more: Claims): Claims {
  const signed = ['iss', 'sub', 'aud', 'exp', 'iat', 'nonce', 'auth_time', 'acr', 'amr'].flatMap((name) =>
    Object.hasOwn(token, name) ? [[name, token[name]] as const] : [],
  );
  return { ...token, ...more, ...Object.fromEntries(signed) };
}

function clientAuthOf({ clientAuth, clientSecret }: OidcConfig): oauth.ClientAuth {
  if (clientAuth === 'none' || clientSecret === null) return oauth.None();
  return clientAuth === 'post' ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret);
}

/** Where the provider ends its own session too; null when it cannot, and then only ours ends. */
export function signOutAddress(
  server: oauth.AuthorizationServer,
  wish: { config: Pick<OidcConfig, 'clientId'>; idToken: string | null; back: string },
): string | null {
  if (server.end_session_endpoint === undefined) return null;
  const url = new URL(server.end_session_endpoint);
  if (wish.idToken !== null) url.searchParams.set('id_token_hint', wish.idToken);
  url.searchParams.set('client_id', wish.config.clientId);
  url.searchParams.set('post_logout_redirect_uri', wish.back);
  return url.href;
}
