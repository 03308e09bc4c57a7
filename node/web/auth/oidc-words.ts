import * as oauth from 'oauth4webapi';
import { PlainError } from '../../errors.ts';

/**
 * What went wrong with a provider, in a sentence for the person at the door. Nothing that came from outside is repeated
 * except codes of the standard; secrets, tokens and codes never are.
 */
export function oidcWords(error: unknown, issuer: string): PlainError {
  if (error instanceof PlainError) return error;
  const cause = new Error(safeCause(error));
  return new PlainError(sentence(error, issuer.slice(0, 200)), { cause, retry: codeOfError(error) === null });
}

function sentence(error: unknown, issuer: string): string {
  if (error instanceof oauth.AuthorizationResponseError) return fromAuthorization(error.error);
  const said = errorOf(error);
  if (said === 'invalid_client' || said === 'unauthorized_client' || error instanceof oauth.WWWAuthenticateChallengeError)
    return 'The provider does not accept this program: the client id or the client secret is wrong, or it wants another way of showing the secret. An administrator can correct it on the page “Sign-in settings”.';
  if (said === 'invalid_grant') return 'The provider says that this sign-in was used up or took too long. Please sign in again.';
  if (said !== null) return `The provider refused the sign-in (${said}). Please try again; if it stays like this, look at its log.`;
  switch (codeOfError(error)) {
    case oauth.HTTP_REQUEST_FORBIDDEN:
      return `The issuer ${issuer} is without TLS (http). Use https, or allow http for a provider in your own house.`;
    case oauth.JSON_ATTRIBUTE_COMPARISON:
      return `Another provider answers at ${issuer}: it calls itself by another name. Copy the issuer exactly as the provider shows it, with or without the slash at its end.`;
    case oauth.JWT_TIMESTAMP_CHECK:
      return 'The sign-in has expired or comes from the future: the clocks of the provider and of this machine differ. Set them right and try again.';
    case oauth.JWT_CLAIM_COMPARISON:
      return 'The answer of the provider belongs to another sign-in or another program, so it was not believed. Please sign in again.';
    case oauth.KEY_SELECTION:
      return 'The answer of the provider is not signed with a key it shows, so it was not believed.';
    case oauth.RESPONSE_IS_NOT_JSON:
    case oauth.RESPONSE_IS_NOT_CONFORM:
    case oauth.PARSE_ERROR:
      return `What answers at ${issuer} is no sign-in provider, or the path of the issuer is wrong: its page /.well-known/openid-configuration is not there.`;
    case oauth.UNSUPPORTED_OPERATION:
      return 'The provider signs in a way that is not supported here (HS256, or encrypted). Choose a signing key in its settings, so that it signs with RS256 or ES256.';
    case oauth.INVALID_RESPONSE:
      if (error instanceof Error && error.message.includes('signature'))
        return 'The answer of the provider is not signed by it: its signature is not right, so it was not believed.';
      return 'The answer of the provider does not fit this sign-in, so it was not believed. Please sign in again.';
    case oauth.MISSING_SERVER_METADATA:
    case oauth.INVALID_SERVER_METADATA:
      return `The provider at ${issuer} does not say everything that a sign-in needs.`;
    default:
      return 'The sign-in through the provider did not work. Please try again; if it stays like this, look at the log.';
  }
}

function fromAuthorization(code: string): string {
  if (code === 'access_denied') return 'The sign-in was cancelled at the provider. Nobody was signed in.';
  if (code === 'temporarily_unavailable' || code === 'server_error')
    return 'The provider has trouble of its own at the moment. Please try again later.';
  if (code === 'invalid_scope')
    return 'The provider does not know one of the scopes in the sign-in settings. An administrator can correct it there.';
  if (/^(login|interaction|consent|account_selection)_required$/.test(code))
    return 'The provider wants you to sign in there first. Please try again.';
  return `The provider refused the sign-in (${wordOf(code) ?? 'without a reason'}).`;
}

/** Wrong secrets come in two shapes: as a body with `post`, as a challenge with `basic`. */
function errorOf(error: unknown): string | null {
  if (error instanceof oauth.ResponseBodyError) return wordOf(error.error);
  if (error instanceof oauth.WWWAuthenticateChallengeError) return wordOf(error.cause[0]?.parameters['error']) ?? 'invalid_client';
  return null;
}

function wordOf(text: unknown): string | null {
  return typeof text === 'string' && /^[a-z_]{1,40}$/.test(text) ? text : null;
}

function codeOfError(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('OAUTH_') ? code : null;
}

/** For the log: kind and code. The library's causes hold whole answers, with tokens. */
function safeCause(error: unknown): string {
  const code = codeOfError(error);
  const message = error instanceof Error ? error.message.replaceAll(/[^\x20-\x7e]/g, '').slice(0, 120) : 'no error';
  return code === null ? message : `${code}: ${message}`;
}
