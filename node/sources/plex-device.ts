import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/** A device key of ours (Ed25519) as plex.tv's newer sign-in asks for it: its public half as a JWK, and short statements signed by it. */
export function makeDeviceKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

export function publicJwk(deviceKey: string): Record<string, string> {
  const { x = '' } = createPublicKey(deviceKey).export({ format: 'jwk' });
  return { kty: 'OKP', crv: 'Ed25519', x, kid: thumbprint(x), alg: 'EdDSA', use: 'sig' };
}

/** @param claims beside audience and issuer; times in seconds since 1970 */
export function deviceJwt(deviceKey: string, clientId: string, now: number, claims: Record<string, unknown> = {}): string {
  const key: KeyObject = createPrivateKey(deviceKey);
  const seconds = Math.floor(now / 1000);
  const header = encode({ alg: 'EdDSA', typ: 'JWT', kid: publicJwk(deviceKey)['kid'] });
  const payload = encode({ aud: 'plex.tv', iss: clientId, iat: seconds, exp: seconds + LIFE_SECONDS, ...claims });
  return `${header}.${payload}.${sign(null, Buffer.from(`${header}.${payload}`), key).toString('base64url')}`;
}

/** When a JWT of plex.tv ends, in milliseconds since 1970; its signature is theirs to check. null: it does not say. */
export function endOfJwt(token: string): number | null {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown };
    return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : null;
  } catch {
    return null;
  }
}

const LIFE_SECONDS = 300;

/** RFC 7638: the members in this order and nothing else. */
function thumbprint(x: string): string {
  return createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url');
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
