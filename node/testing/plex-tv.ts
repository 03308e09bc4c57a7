import { createPublicKey, randomUUID, verify, type KeyObject } from 'node:crypto';
import { startHeardServer, type Answer, type Heard, type HeardServer } from './heard.ts';

/** plex.tv as far as a sign-in needs it: pins, devices, tokens of both kinds, and the page on which a person agrees. */
export interface TestPlexTv extends HeardServer {
  /** for `createPlexAccount` */
  addresses: { plexTv: string; clients: string; app: string };
  account: string;
  /** what `servers` of an account shows, in plex.tv's own shape */
  resources: unknown[];
  /** the person agrees to the sign-in with this code */
  approve(code: string): void;
  /** pins are over from now on */
  expire(): void;
  /** no token is good any more */
  revoke(): void;
  /** the next answers, before anything else is looked at */
  trouble: { status: number; times: number } | null;
  tokens: Set<string>;
}

interface Pin {
  id: number;
  code: string;
  key: KeyObject | null;
  client: string;
  token: string | null;
}

const RENEWED_SECONDS = 7 * 86_400;

export async function startPlexTv(t: { after(fn: () => Promise<void> | void): void } | null): Promise<TestPlexTv> {
  const pins = new Map<string, Pin>();
  const keys = new Map<string, KeyObject>();
  const nonces = new Set<string>();
  let over = false;
  const base = await startHeardServer(t, answer);
  const plexTv: TestPlexTv = Object.assign(base, {
    addresses: { plexTv: base.url, clients: base.url, app: base.url },
    account: 'me@example.test',
    resources: [] as unknown[],
    trouble: null as TestPlexTv['trouble'],
    tokens: new Set<string>(),
    approve(code: string) {
      const pin = [...pins.values()].find((one) => one.code === code);
      if (!pin) throw new Error('there is no such sign-in');
      if (pin.key) keys.set(pin.client, pin.key);
      pin.token = pin.key ? jwt(pin.client) : `account-token-${pin.id}`;
      plexTv.tokens.add(pin.token);
    },
    expire: () => void (over = true),
    revoke: () => plexTv.tokens.clear(),
  });
  return plexTv;

  function answer(request: Heard): Answer {
    const { method, path, headers } = request;
    if (plexTv.trouble && plexTv.trouble.times-- > 0)
      return { status: plexTv.trouble.status, body: { errors: [{ code: 1, message: 'no' }] } };
    if (path === '/auth') return { body: agreePage };
    if (path === '/agree' && method === 'POST') {
      plexTv.approve(request.query['code'] ?? '');
      return {};
    }
    const client = headers['x-plex-client-identifier'];
    if (!client) return { status: 400, body: { errors: [{ code: 1000, message: 'X-Plex-Client-Identifier is missing' }] } };
    const pin = /^\/api\/v2\/pins\/(\d+)$/.exec(path)?.[1];
    if (method === 'POST' && path === '/api/v2/pins') return newPin(request, client);
    if (method === 'GET' && pin) return askPin(pin, request.query['deviceJWT']);
    if (path === '/api/v2/auth/nonce') {
      const nonce = randomUUID();
      nonces.add(nonce);
      return { body: { nonce } };
    }
    if (path === '/api/v2/auth/token' && method === 'POST') return renew(request.body, client);
    if (!plexTv.tokens.has(headers['x-plex-token'] ?? ''))
      return { status: 401, body: { errors: [{ code: 1001, message: 'User could not be authenticated' }] } };
    if (path === '/api/v2/user')
      return { body: { id: 1, uuid: 'abc', username: plexTv.account, title: plexTv.account, email: plexTv.account } };
    if (path === '/api/v2/resources') return { body: plexTv.resources };
    return { status: 404, body: {} };
  }

  function newPin({ body, query }: Heard, client: string): Answer {
    const wish = (body.startsWith('{') ? JSON.parse(body) : {}) as { jwk?: Record<string, string>; strong?: boolean };
    const strong = wish.strong === true || query['strong'] === 'true';
    const key = wish.jwk ? createPublicKey({ key: wish.jwk, format: 'jwk' }) : null;
    const id = 564_964_751 + pins.size;
    const code = strong ? `strong${id}fxf8e` : 'AB12';
    pins.set(String(id), { id, code, key, client, token: null });
    return { status: 201, body: pinAnswer(pins.get(String(id))!) };
  }

  function askPin(id: string, deviceJwt: string | undefined): Answer {
    const pin = pins.get(id);
    if (!pin || over) return { status: 404, body: { errors: [{ code: 1020, message: 'Code not found or expired' }] } };
    if (pin.key && pin.token && !isSigned(deviceJwt ?? '', pin.key, pin.client)) return { status: 422, body: {} };
    return { body: pinAnswer(pin) };
  }

  function pinAnswer({ id, code, token }: Pin): unknown {
    const expiresAt = new Date(Date.now() + 1_800_000).toISOString();
    return {
      id,
      code,
      product: 'CodecShift',
      trusted: false,
      clientIdentifier: 'x',
      expiresIn: 1800,
      expiresAt,
      authToken: token,
      newRegistration: null,
    };
  }

  function renew(body: string, client: string): Answer {
    const text = (JSON.parse(body) as { jwt: string }).jwt;
    const key = keys.get(client);
    const claims = key ? isSigned(text, key, client) : null;
    if (!claims || !nonces.delete(String(claims['nonce'])) || claims['scope'] !== 'username') return { status: 422, body: {} };
    const token = jwt(client);
    plexTv.tokens.add(token);
    return { status: 201, body: { auth_token: token } };
  }
}

function jwt(client: string): string {
  const exp = Math.floor(Date.now() / 1000) + RENEWED_SECONDS;
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return [encode({ alg: 'EdDSA' }), encode({ iss: 'plex.tv', aud: client, exp, jti: randomUUID() }), 'signature'].join('.');
}

/** Really verified: header, Ed25519 signature, audience and issuer. */
function isSigned(text: string, key: KeyObject, client: string): Record<string, unknown> | null {
  const [header = '', payload = '', signature = ''] = text.split('.');
  if (!verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))) return null;
  const read = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  const claims = read(payload);
  const now = Date.now() / 1000;
  const good =
    read(header)['alg'] === 'EdDSA' && typeof read(header)['kid'] === 'string' && claims['aud'] === 'plex.tv' && claims['iss'] === client;
  return good && Number(claims['exp'] ?? now + 1) > now ? claims : null;
}

/** The code is in the fragment, as at the real one, so that only the browser knows it. */
const agreePage = `<!doctype html><title>Sign in</title><button id="agree">Allow</button><script>
const wish = new URLSearchParams(location.hash.replace(/^#!?\\??/, ''));
agree.onclick = async () => {
  await fetch('/agree?code=' + encodeURIComponent(wish.get('code')), { method: 'POST' });
  if (wish.get('forwardUrl')) location.href = wish.get('forwardUrl');
  else document.body.textContent = 'You can close this page';
};
</script>`;
