import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, verify, type KeyObject } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { PlainError, codeOf } from '../errors.ts';

export interface Identity {
  /** the node's id: the libp2p PeerId of its key, "12D3KooW…" */
  id: string;
  /** libp2p's protobuf of the key pair */
  key: Uint8Array;
}

/**
 * This machine's Ed25519 key, made at the first start and kept in the data directory. The file has the format of libp2p
 * (a protobuf of type and seed + public key), and the id is its PeerId, so that a node is the same on every network.
 */
export async function loadIdentity(dataDir: string): Promise<Identity> {
  const file = path.join(dataDir, 'node.key');
  const bytes = (await readKey(file)) ?? (await makeKey(file));
  if (bytes.length !== 68 || !bytes.subarray(0, 4).equals(KEY_PREFIX)) {
    throw new PlainError(`${file} is not a key of CodecShift. Put the right file back, or remove it to start as a new machine.`);
  }
  return { id: peerId(bytes.subarray(36)), key: bytes };
}

/** protobuf: field 1 = 1 (Ed25519), field 2 = 64 bytes */
const KEY_PREFIX = Buffer.from([0x08, 0x01, 0x12, 0x40]);
/** identity multihash of: field 1 = 1 (Ed25519), field 2 = 32 bytes */
const ID_PREFIX = Buffer.from([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);

async function readKey(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw new PlainError(`The key of this machine, ${file}, cannot be read.`, { cause: error });
  }
}

async function makeKey(file: string): Promise<Buffer> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const bytes = Buffer.concat([KEY_PREFIX, raw(privateKey), raw(createPublicKey(privateKey))]);
  await writeSecret(file, bytes);
  return bytes;
}

function raw(key: KeyObject): Buffer {
  const jwk = key.export({ format: 'jwk' });
  return Buffer.from((key.type === 'private' ? jwk.d : jwk.x) as string, 'base64url');
}

/** Signed with this machine's own key; `what` keeps a signature of one use from being taken for another. */
export function signAsNode(key: Uint8Array, what: string, message: string): string {
  const bytes = Buffer.from(key);
  const jwk = { kty: 'OKP', crv: 'Ed25519', d: bytes.subarray(4, 36).toString('base64url'), x: bytes.subarray(36).toString('base64url') };
  return sign(null, Buffer.from(`${what}\0${message}`), createPrivateKey({ format: 'jwk', key: jwk })).toString('base64url');
}

/** Did the machine of this id sign that? A node's id is its public key, so nothing else has to be known of it. Never throws. */
export function isSignedByNode(node: string, what: string, message: string, signature: string): boolean {
  try {
    const x = publicKeyOf(node).toString('base64url');
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
    return verify(null, Buffer.from(`${what}\0${message}`), key, Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}

function publicKeyOf(node: string): Buffer {
  if (!/^1[1-9A-HJ-NP-Za-km-z]{40,60}$/.test(node)) throw new Error('not the id of a node');
  let n = 0n;
  for (const letter of node.slice(1)) n = n * 58n + BigInt(ALPHABET.indexOf(letter));
  const bytes = Buffer.from(n.toString(16).padStart((ID_PREFIX.length - 1 + 32) * 2, '0'), 'hex');
  const id = Buffer.concat([Buffer.alloc(1), bytes]);
  if (!id.subarray(0, ID_PREFIX.length).equals(ID_PREFIX) || id.length !== ID_PREFIX.length + 32) throw new Error('not the id of a node');
  return id.subarray(ID_PREFIX.length);
}

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

function peerId(publicKey: Buffer): string {
  const bytes = Buffer.concat([ID_PREFIX, publicKey]);
  let n = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (; n > 0n; n /= 58n) text = ALPHABET[Number(n % 58n)]! + text;
  return `1${text}`; // one leading zero byte
}

/** A random text that stays the same over restarts, readable by this user only. */
export async function loadSecret(dataDir: string): Promise<string> {
  const file = path.join(dataDir, 'secret');
  const known = await readFile(file, 'utf8').catch(() => '');
  if (/^[\w-]{40,}$/.test(known.trim())) return known.trim();
  const secret = randomBytes(32).toString('base64url');
  await writeSecret(file, Buffer.from(secret));
  return secret;
}

async function writeSecret(file: string, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
