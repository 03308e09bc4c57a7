import type { Outgoing } from '../outgoing.ts';

/**
 * plex.tv: signing in, and which servers an account has. Two ways to sign in behind the same functions:
 * `token` is good until it is revoked, `jwt` (a device key of ours) for seven days and is renewed by `renew`.
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
  findWay(server: PlexServer, signal: AbortSignal): Promise<{ url: string; secure: boolean; others: string[] }>;
}

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

export interface PlexServer {
  id: string;
  name: string;
  version: string;
  owned: boolean;
  /** reaches this server only: what is kept instead of the account's token */
  accessToken: string;
  /** best first: local before remote, verified https before http; relays are left out */
  connections: { url: string; local: boolean; secure: boolean }[];
}

export interface PlexAccountParts {
  outgoing: Outgoing;
  clientId: string;
  /** stand-ins for tests */
  addresses?: { plexTv: string; clients: string; app: string };
  now?: () => number;
}

export function createPlexAccount(_parts: PlexAccountParts): PlexAccount {
  throw new Error('not yet');
}
