import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { PlainError } from '../errors.ts';

/**
 * A backup under a passphrase. The key follows from it by scrypt; the stream is cut into chunks of 64 KiB, each sealed by
 * AES-256-GCM with its number as the nonce and the header and its own length as what is authenticated beside it. So a
 * chunk that was changed, left out, doubled or moved does not open, and neither does a file that ends too early: the last
 * chunk says that it is the last. docs/backup.md has the layout for whoever wants to open one without this program.
 *
 *   "CSBACKUP" · 1 (version) · log2 N · r · p · salt (16) ─▶ chunks: length (4, top bit: the last) · ciphertext · tag (16)
 */
const MAGIC = Buffer.from('CSBACKUP');
const HEADER = MAGIC.length + 4 + 16;
const CHUNK = 64 * 1024;
const TAG = 16;
const LAST = 0x8000_0000;
/** 128 MiB and a good part of a second for each guess */
const COST = { logN: 17, r: 8, p: 1 };

/** Shortest passphrase that is taken: whoever has the file may guess for ever. */
export const MIN_PASSPHRASE = 10;

export function isEncrypted(start: Uint8Array): boolean {
  return Buffer.from(start.subarray(0, MAGIC.length)).equals(MAGIC);
}

/** What the plain stream becomes. @throws PlainError for a passphrase that is too short */
export async function* encrypted(plain: AsyncIterable<Uint8Array>, passphrase: string): AsyncGenerator<Buffer> {
  requirePassphrase(passphrase);
  const header = Buffer.concat([MAGIC, Buffer.from([1, COST.logN, COST.r, COST.p]), randomBytes(16)]);
  const key = await keyOf(passphrase, header);
  yield header;
  let number = 0n;
  let kept = Buffer.alloc(0);
  for await (const piece of plain) {
    kept = Buffer.concat([kept, piece]);
    // one chunk stays behind, because only the end tells which is the last
    for (; kept.length > CHUNK; kept = kept.subarray(CHUNK)) yield seal(key, header, number++, kept.subarray(0, CHUNK), false);
  }
  yield seal(key, header, number, kept, true);
}

/** The plain stream again. @throws PlainError for a wrong passphrase, and for a file that was changed or cut off */
export async function* decrypted(sealed: AsyncIterable<Uint8Array>, passphrase: string): AsyncGenerator<Buffer> {
  const read = reader(sealed);
  const header = await read(HEADER);
  if (!header || !isEncrypted(header)) throw new PlainError('This is not an encrypted backup of CodecShift.');
  if (header[MAGIC.length] !== 1) throw new PlainError('This backup was encrypted by a newer CodecShift.');
  const key = await keyOf(passphrase, header);
  for (let number = 0n; ; number++) {
    const length = await read(4);
    if (!length) throw cutOff();
    const word = length.readUInt32BE(0);
    const size = word & ~LAST;
    const body = size <= CHUNK ? await read(size + TAG) : null;
    if (!body) throw cutOff();
    yield open(key, header, number, length, body);
    if (word & LAST) break;
  }
  if (await read(1)) throw new PlainError('The backup is damaged: something follows after its end.');
}

function cutOff(): PlainError {
  return new PlainError('The backup is cut off or damaged: it ends before its end. Take another one.');
}

function seal(key: Buffer, header: Buffer, number: bigint, plain: Buffer, last: boolean): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE((plain.length | (last ? LAST : 0)) >>> 0, 0);
  const cipher = createCipheriv('aes-256-gcm', key, nonce(number)).setAAD(Buffer.concat([header, length]));
  return Buffer.concat([length, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function open(key: Buffer, header: Buffer, number: bigint, length: Buffer, body: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(number), { authTagLength: TAG })
    .setAAD(Buffer.concat([header, length]))
    .setAuthTag(body.subarray(body.length - TAG));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, body.length - TAG)), decipher.final()]);
  } catch (cause) {
    if (number === 0n) throw new PlainError('The backup does not open with this passphrase.', { cause, reason: { code: 'secret-lost' } });
    throw new PlainError('The backup is damaged: a part of it is not what was written. Take another one.', { cause });
  }
}

/** A key is used for one file alone, so a counter never repeats under it. */
function nonce(number: bigint): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(number, 4);
  return bytes;
}

/** @throws PlainError */
export function requirePassphrase(passphrase: string): void {
  if (passphrase.length < MIN_PASSPHRASE) throw new PlainError(`A passphrase for a backup has at least ${MIN_PASSPHRASE} characters.`);
}

/** Bytes; ours take a quarter of it. */
const MOST_MEMORY = 512 * 1024 ** 2;

function keyOf(passphrase: string, header: Buffer): Promise<Buffer> {
  const [logN, r, p] = header.subarray(MAGIC.length + 1, MAGIC.length + 4);
  // a file of a stranger must not make this machine compute for hours or fill its memory
  if (logN! < 14 || logN! > 20 || r! > 16 || p! > 4 || r! < 1 || p! < 1 || 128 * 2 ** logN! * r! > MOST_MEMORY)
    throw new PlainError('The head of the encrypted backup is damaged.');
  const options = { N: 2 ** logN!, r: r!, p: p!, maxmem: 2 * 128 * 2 ** logN! * r! };
  return new Promise((resolve, reject) =>
    scrypt(passphrase.normalize('NFC'), header.subarray(HEADER - 16), 32, options, (error, key) => (error ? reject(error) : resolve(key))),
  );
}

/** Gives exactly so many bytes, or null at the end of the stream. */
function reader(stream: AsyncIterable<Uint8Array>): (bytes: number) => Promise<Buffer | null> {
  const pieces = stream[Symbol.asyncIterator]();
  let kept = Buffer.alloc(0);
  return async (bytes) => {
    while (kept.length < bytes) {
      const { done, value } = await pieces.next();
      if (done) return null;
      kept = Buffer.concat([kept, value]);
    }
    const taken = kept.subarray(0, bytes);
    kept = kept.subarray(bytes);
    return taken;
  };
}
