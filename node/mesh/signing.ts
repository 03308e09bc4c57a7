import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import * as v from 'valibot';
import type { Certificate, Members, Signed, Ticket } from '../core/cluster.ts';

/**
 * The cluster's key pair and what it signs. Ed25519 by the platform; keys as raw bytes in base64url. What is signed is a
 * text with a `kind` inside, so that a signature of one kind can never be taken for another, and it is read only after
 * the signature was found good.
 */
export interface ClusterKey {
  /** base32 of the public key's hash, 26 characters: the cluster's id */
  cluster: string;
  publicKey: string;
  privateKey: string;
}

export function makeClusterKey(): ClusterKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'jwk' }).x!;
  return { cluster: clusterId(raw), publicKey: raw, privateKey: privateKey.export({ format: 'jwk' }).d! };
}

/** 130 bits of SHA-256 over the raw public key. */
export function clusterId(publicKey: string): string {
  return base32(createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest()).slice(0, 26);
}

export function sign(key: Pick<ClusterKey, 'publicKey' | 'privateKey'>, statement: Members | Certificate | Ticket): Signed {
  const payload = JSON.stringify(statement);
  const secret = createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: key.publicKey, d: key.privateKey } });
  return { payload, signature: signBytes(null, Buffer.from(payload), secret).toString('base64url') };
}

/**
 * The statement, or null when the signature is not the cluster's, it is of another kind or cluster, or malformed. Never
 * throws: what arrives here is hostile until proved otherwise.
 */
export function openMembers(publicKey: string, signed: Signed): Members | null {
  return open(publicKey, signed, membersSchema);
}

export function openCertificate(publicKey: string, signed: Signed): Certificate | null {
  return open(publicKey, signed, certificateSchema);
}

export function openTicket(publicKey: string, signed: Signed): Ticket | null {
  return open(publicKey, signed, ticketSchema);
}

function open<S extends v.GenericSchema<unknown, { cluster: string }>>(
  publicKey: string,
  signed: Signed,
  schema: S,
): v.InferOutput<S> | null {
  try {
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: publicKey } });
    if (!verifyBytes(null, Buffer.from(signed.payload), key, Buffer.from(signed.signature, 'base64url'))) return null;
    const checked = v.safeParse(schema, JSON.parse(signed.payload));
    return checked.success && checked.output.cluster === clusterId(publicKey) ? checked.output : null;
  } catch {
    return null;
  }
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const node = v.pipe(v.string(), v.regex(/^[\w.-]{1,128}$/));
const path = v.pipe(
  v.string(),
  v.maxLength(8192),
  v.check((p) => !p.startsWith('/') && !p.includes('\0') && !p.split('/').some((s) => s === '..' || s === '.')),
);
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const membersSchema = v.object({
  kind: v.literal('members'),
  cluster: v.string(),
  version: count,
  nodes: v.pipe(v.array(v.object({ id: node, name: v.pipe(v.string(), v.maxLength(63)) })), v.maxLength(500)),
});
const certificateSchema = v.object({ kind: v.literal('certificate'), cluster: v.string(), incarnation: count, term: count, node });
const about = {
  kind: v.literal('ticket'),
  cluster: v.string(),
  term: count,
  job: count,
  attempt: count,
  holder: node,
  reader: node,
  issuedAt: v.number(),
} as const;
const ticketSchema = v.variant('what', [
  v.object({
    ...about,
    what: v.literal('source'),
    root: v.pipe(v.string(), v.uuid()),
    path,
    fingerprint: v.object({ sizeBytes: count, mtimeMs: v.number(), inode: v.string(), links: count, hash }),
  }),
  v.object({
    ...about,
    what: v.literal('output'),
    extension: v.pipe(v.string(), v.regex(/^\.[A-Za-z0-9]{1,8}$/)),
    sizeBytes: count,
    sha256: hash,
  }),
]);

function base32(bytes: Buffer): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return [...bits.matchAll(/.{5}/g)].map(([five]) => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(five, 2)]!).join('');
}
