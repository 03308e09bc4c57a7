import { createHash, createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import * as v from 'valibot';
import { PlainError } from '../errors.ts';
import { keepSecret } from '../redact.ts';

/**
 * A text that lets a machine join without a click: which cluster, where it may be found, and a secret with which both
 * sides prove to each other that they know this very token.
 *
 *   csj1.<id>.<secret, 32 bytes base64url>.<cluster id>[.<addresses, JSON list in base64url>]
 *
 * PostgreSQL holds only `secretHash` = SHA-256(secret), and every proof is made with that hash as the key, since the
 * coordinator has nothing else. Whoever can read the database could therefore use the token; he can sign members anyway.
 */
export interface JoinToken {
  id: string;
  /** base64url */
  secret: string;
  cluster: string;
  /** host:port or multiaddr of meshes of that cluster */
  addresses: string[];
}

/** A new token and what to store of it; the text itself is shown once and kept nowhere. */
export function newToken(clusterId: string, addresses: readonly string[]): { id: string; token: string; secretHash: string } {
  const id = randomUUID();
  const secret = randomBytes(32).toString('base64url');
  keepSecret(secret);
  const token = makeToken({ id, secret, cluster: clusterId, addresses: addresses.slice(0, MAX_ADDRESSES) });
  return { id, token, secretHash: secretHashOf(secret) };
}

export function makeToken(token: Omit<JoinToken, 'addresses'> & { addresses: readonly string[] }): string {
  const where = token.addresses.length === 0 ? [] : [Buffer.from(JSON.stringify(token.addresses)).toString('base64url')];
  return [PREFIX, token.id, token.secret, token.cluster, ...where].join('.');
}

/** @throws PlainError that says what is wrong with the text, never repeating it: it is a secret */
export function parseToken(text: string): JoinToken {
  const [prefix, id = '', secret = '', cluster = '', where, ...rest] = text.trim().split('.');
  if (prefix !== PREFIX) throw new PlainError('This is not a join token of CodecShift: it does not begin with "csj1.".');
  const whole = UUID.test(id) && SECRET.test(secret) && CLUSTER.test(cluster) && rest.length === 0;
  const addresses = whole ? addressesOf(where) : null;
  if (!addresses) {
    throw new PlainError('The join token is damaged or not complete. Copy it again from the Nodes page, from "csj1." to its end.');
  }
  return { id, secret, cluster, addresses };
}

/** SHA-256 of the secret, hex: what is stored, and the key of all proofs. */
export function secretHashOf(secret: string): string {
  return createHash('sha256').update(Buffer.from(secret, 'base64url')).digest('hex');
}

/** The joiner knows the token: HMAC-SHA256 over the cluster's key and its own id, so that it fits no other pair. Hex. */
export function joinProof(secretHash: string, publicKey: string, node: string): string {
  return proof('join', secretHash, publicKey, node);
}

/** The cluster knows the token. */
export function clusterProof(secretHash: string, publicKey: string, node: string): string {
  return proof('cluster', secretHash, publicKey, node);
}

/** Compares without telling by its time how much was right. */
export function sameProof(a: string, b: string): boolean {
  const [one, two] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(one!, two!);
}

const PREFIX = 'csj1';
const MAX_ADDRESSES = 20;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SECRET = /^[\w-]{43}$/;
const CLUSTER = /^[a-z2-7]{26}$/;
const addressList = v.pipe(v.array(v.pipe(v.string(), v.nonEmpty(), v.maxLength(300))), v.maxLength(MAX_ADDRESSES));

function addressesOf(part: string | undefined): string[] | null {
  if (part === undefined) return [];
  try {
    const checked = v.safeParse(addressList, JSON.parse(Buffer.from(part, 'base64url').toString()));
    return checked.success ? checked.output : null;
  } catch {
    return null;
  }
}

function proof(who: 'join' | 'cluster', secretHash: string, publicKey: string, node: string): string {
  return createHmac('sha256', Buffer.from(secretHash, 'hex')).update(`codecshift ${who}\n${publicKey}\n${node}`).digest('hex');
}
