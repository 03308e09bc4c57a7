import { PlainError } from '../errors.ts';
import type { Outgoing, OutgoingAnswer, OutgoingRequest } from '../outgoing.ts';
import { record, text, whole, words } from './loose.ts';
import { deviceJwt, endOfJwt, makeDeviceKey, publicJwk } from './plex-device.ts';
import { plexHeaders } from './plex-headers.ts';
import { findWay, readServers, type PlexServer, type PlexWay } from './plex-servers.ts';
import { away, odd, refuses } from './trouble.ts';

/**
 * plex.tv: signing in, and which servers an account has. Two ways to sign in behind the same functions:
 *
 *   token  begin ─ POST pins ─▶ the browser agrees at app.plex.tv ─▶ ask: GET pins/id ─▶ a token, good until it is revoked
 *   jwt    begin ─ POST pins with our public key ─▶ the same ─▶ ask, signed by the key ─▶ a JWT for seven days
 *          renew ─ GET nonce ─▶ sign it ─ POST token ─▶ a JWT for another seven, also after the end of the old one
 *
 * plex.tv being away is never a reason to forget a token: only its own "no" is (401, 498; 422 for a key it does not know).
 */
export interface PlexAccount {
  begin(wish: { returnTo: string | null; flow: 'token' | 'jwt' }, signal: AbortSignal): Promise<PlexPin>;
  /** asks once */
  ask(
    pin: PlexPin,
    signal: AbortSignal,
  ): Promise<{ state: 'waiting' } | { state: 'expired' } | { state: 'signed-in'; account: PlexCredential }>;
  /** whose the token is; null: plex.tv no longer knows it. An outage throws `source-away`, and the token is kept */
  whose(token: string, signal: AbortSignal): Promise<string | null>;
  servers(token: string, signal: AbortSignal): Promise<PlexServer[]>;
  /** a JWT for another seven days; works after its end too. @throws PlainError `source-refuses` when a person must sign in again */
  renew(credential: PlexCredential, signal: AbortSignal): Promise<PlexCredential>;
  /** the first connection at which this very server answers, best first; no token is sent */
  findWay(server: PlexServer, signal: AbortSignal): Promise<PlexWay>;
}

export type { PlexServer } from './plex-servers.ts';

/** A sign-in under way; `deviceKey` is secret. */
export interface PlexPin {
  id: string;
  code: string;
  /** for the browser of the person */
  url: string;
  /** milliseconds since 1970 */
  expiresAt: number;
  flow: 'token' | 'jwt';
  /** PKCS #8 PEM of an Ed25519 key; null for `token` */
  deviceKey: string | null;
}

export interface PlexCredential {
  token: string;
  /** milliseconds since 1970; null: until it is revoked */
  expiresAt: number | null;
  deviceKey: string | null;
}

export interface PlexAccountParts {
  outgoing: Outgoing;
  clientId: string;
  /** stand-ins for tests */
  addresses?: { plexTv: string; clients: string; app: string };
  now?: () => number;
}

const ADDRESSES = { plexTv: 'https://plex.tv', clients: 'https://clients.plex.tv', app: 'https://app.plex.tv' };
/** where the stored pin says nothing: a strong code of plex.tv lives this long */
const PIN_MS = 30 * 60_000;

export function createPlexAccount({ outgoing, clientId, addresses = ADDRESSES, now = Date.now }: PlexAccountParts): PlexAccount {
  const home = (flow: PlexPin['flow']): string => (flow === 'jwt' ? addresses.clients : addresses.plexTv);

  return {
    async begin({ returnTo, flow }, signal) {
      const deviceKey = flow === 'jwt' ? makeDeviceKey() : null;
      const body = deviceKey === null ? {} : { body: JSON.stringify({ jwk: publicJwk(deviceKey), strong: true }) };
      const query = flow === 'jwt' ? '' : '?strong=true';
      const said = read(await ask(`${home(flow)}/api/v2/pins${query}`, signal, { method: 'POST', ...body }));
      const [id, code] = [text(said['id'], 40), text(said['code'], 100)];
      if (id === null || !/^\d+$/.test(id) || code === null) throw odd(PLEX_TV, 'a sign-in without a code');
      const lasts = whole(said['expiresIn']);
      return { id, code, url: agreeUrl(code, returnTo), expiresAt: now() + (lasts === null ? PIN_MS : lasts * 1000), flow, deviceKey };
    },
    async ask(pin, signal) {
      if (now() >= pin.expiresAt) return { state: 'expired' };
      const proof = pin.deviceKey === null ? '' : `?deviceJWT=${deviceJwt(pin.deviceKey, clientId, now())}`;
      const answer = await ask(`${home(pin.flow)}/api/v2/pins/${pin.id}${proof}`, signal, {}, [404]);
      if (answer.status === 404) return { state: 'expired' };
      const token = text(read(answer)['authToken'], 8000);
      return token === null ? { state: 'waiting' } : { state: 'signed-in', account: credential(token, pin.deviceKey) };
    },
    async whose(token, signal) {
      const answer = await ask(`${addresses.plexTv}/api/v2/user`, signal, { headers: { 'x-plex-token': token } }, [401, EXPIRED]);
      if (answer.status === 401 || answer.status === EXPIRED) return null;
      const said = read(answer);
      return words(said['username']) || words(said['title']) || words(said['email']) || 'a Plex account';
    },
    async servers(token, signal) {
      const query = 'includeHttps=1&includeRelay=0&includeIPv6=1';
      const answer = await ask(`${addresses.clients}/api/v2/resources?${query}`, signal, { headers: { 'x-plex-token': token } });
      return readServers(parse(answer));
    },
    async renew(old, signal) {
      if (old.deviceKey === null) return old;
      const nonce = text(read(await ask(`${addresses.clients}/api/v2/auth/nonce`, signal, {}))['nonce'], 1000);
      if (nonce === null) throw odd(PLEX_TV, 'no nonce');
      const jwt = deviceJwt(old.deviceKey, clientId, now(), { nonce, scope: 'username' });
      const answer = await ask(`${addresses.clients}/api/v2/auth/token`, signal, { method: 'POST', body: JSON.stringify({ jwt }) });
      const said = read(answer);
      const token = text(said['auth_token'], 8000) ?? text(said['authToken'], 8000);
      if (token === null) throw odd(PLEX_TV, 'no new token');
      return credential(token, old.deviceKey);
    },
    findWay: (server, signal) => findWay(server, outgoing, clientId, signal),
  };

  async function ask(url: string, signal: AbortSignal, init: OutgoingRequest, allow: number[] = []): Promise<OutgoingAnswer> {
    const headers = { ...plexHeaders(clientId), ...(init.body !== undefined && { 'content-type': 'application/json' }), ...init.headers };
    const answer = await outgoing.fetch(url, { ...init, headers, signal }).catch((error: unknown) => {
      throw error instanceof PlainError && error.reason?.code === 'source-away'
        ? away(PLEX_TV, String(error.reason.params?.['message']), error)
        : error;
    });
    const { status } = answer;
    if ((status >= 200 && status < 300) || allow.includes(status)) return answer;
    if (status === 401 || status === 403 || status === EXPIRED || status === UNKNOWN_KEY) throw refuses(PLEX_TV);
    if (status === 429) throw away(PLEX_TV, 'it asks us to wait, there were too many requests');
    if (status >= 500) throw away(PLEX_TV, `it says it can’t now (${status})`);
    throw odd(PLEX_TV, `status ${status}`);
  }

  /** The code is in the fragment, which no server sees. Of addresses to come back to only http(s) is taken. */
  function agreeUrl(code: string, returnTo: string | null): string {
    const back = returnTo === null ? null : URL.parse(returnTo);
    const wish = new URLSearchParams({ clientID: clientId, code, 'context[device][product]': 'CodecShift' });
    if (back?.protocol === 'http:' || back?.protocol === 'https:') wish.set('forwardUrl', back.href);
    return `${addresses.app}/auth#?${wish.toString()}`;
  }
}

const PLEX_TV = 'plex.tv';
/** the two that Plex made up or borrowed: the JWT is over; its signature or key is not known */
const EXPIRED = 498;
const UNKNOWN_KEY = 422;

function credential(token: string, deviceKey: string | null): PlexCredential {
  // a token of the old kind is no JWT, and says nothing of an end
  return { token, expiresAt: deviceKey === null ? null : endOfJwt(token), deviceKey };
}

function read(answer: OutgoingAnswer): Record<string, unknown> {
  return record(parse(answer));
}

function parse({ body }: OutgoingAnswer): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    throw odd(PLEX_TV, 'it is no JSON');
  }
}
