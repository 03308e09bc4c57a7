import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
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
