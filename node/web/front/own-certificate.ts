import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';
import { codeOf } from '../../errors.ts';

export interface CertificatePair {
  cert: string;
  key: string;
}

const DAYS = 800; // some systems refuse a longer one, 825 days
const RENEW_DAYS = 30;
const MOST_NAMES = 50;

/**
 * The certificate that this machine made for itself, kept in its data directory (`dashboard.crt`, `dashboard.key`, for this
 * user alone) so that a browser that was told once to trust it need not be told again. Made anew when it is about to end, or when
 * it lacks a name or address by which this machine is called now. The key stays, for whoever trusts that; so do the names of
 * before, because a machine that goes back and forth between two networks is to be asked about once.
 * @param called those of `names` that it must have. Addresses of version 6 are not: some change every day
 */
export async function ownCertificate(
  dataDir: string,
  names: readonly string[],
  now: Date = new Date(),
  called: readonly string[] = names.filter((name) => isIP(name) !== 6),
): Promise<CertificatePair> {
  const files = { cert: path.join(dataDir, 'dashboard.crt'), key: path.join(dataDir, 'dashboard.key') };
  const kept = await readPair(files.cert, files.key).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  const good = kept !== null && isGoodUntil(kept, new Date(now.getTime() + RENEW_DAYS * 86_400_000));
  if (good && fits(kept.cert, called)) return kept;
  const made = makeCertificate([...new Set([...names, ...(good ? namesIn(kept.cert) : [])])], now, kept?.key);
  for (const [name, text] of [
    [files.key, made.key],
    [files.cert, made.cert],
  ] as const) {
    await writeFile(`${name}.tmp`, text, { mode: 0o600 });
    await rename(`${name}.tmp`, name);
  }
  return made;
}

export async function readPair(certFile: string, keyFile: string): Promise<CertificatePair> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return { cert, key };
}

function isGoodUntil({ cert, key }: CertificatePair, date: Date): boolean {
  try {
    const read = new X509Certificate(cert);
    return new Date(read.validTo) > date && read.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function fits(cert: string, called: readonly string[]): boolean {
  const has = new Set(namesIn(cert));
  return called.slice(0, MOST_NAMES).every((name) => has.has(name));
}

/** As they were given, except addresses of version 6. */
function namesIn(cert: string): string[] {
  const written = new X509Certificate(cert).subjectAltName ?? '';
  return [...written.matchAll(/(?:^|, )(?:DNS|IP Address):([^,"]+)/g)].map((found) => found[1]!).filter((name) => !name.includes(':'));
}

/** The key of before, if it is of the kind that is used here. */
function keyOf(pem: string | undefined): { privateKey: KeyObject; publicKey: KeyObject } {
  try {
    const privateKey = createPrivateKey(pem ?? '');
    if (privateKey.asymmetricKeyDetails?.namedCurve === 'prime256v1') return { privateKey, publicKey: createPublicKey(privateKey) };
  } catch {
    // none, or none that can be read: a new one is made
  }
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/**
 * A self-signed certificate of version 3 with a P-256 key (RFC 5280), written out in DER: it has one shape only, and a
 * library for all of X.509 would be the biggest dependency of this program.
 */
export function makeCertificate(names: readonly string[], now: Date, key?: string): CertificatePair {
  const { privateKey, publicKey } = keyOf(key);
  const subject = sequence(set(sequence(oid('2.5.4.3'), utf8(names[0]?.slice(0, 64) ?? 'CodecShift'))));
  const algorithm = sequence(oid('1.2.840.10045.4.3.2')); // ecdsa-with-SHA256
  const until = new Date(now.getTime() + DAYS * 86_400_000);
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    algorithm,
    subject,
    sequence(time(new Date(now.getTime() - 86_400_000)), time(until)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions(names))),
  );
  const signature = sign('sha256', body, privateKey);
  const der = sequence(body, algorithm, bitString(signature));
  const lines = der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

/** A server, no authority: trusting it must not mean trusting what it might sign. */
function extensions(names: readonly string[]): Buffer[] {
  const alternatives = names
    .slice(0, MOST_NAMES)
    .map((name) => (isIP(name) === 0 ? tagged(0x82, Buffer.from(name, 'latin1')) : tagged(0x87, addressBytes(name))));
  return [
    extension('2.5.29.19', sequence(), true),
    extension('2.5.29.15', tagged(0x03, Buffer.from([7, 0x80])), true), // digitalSignature
    extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))), // serverAuth
    extension('2.5.29.17', sequence(...alternatives)),
  ];
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail = ''] = new URL(`http://[${address.split('%', 1)[0]}]`).hostname.slice(1, -1).split('::');
  const words = (text: string): number[] => (text === '' ? [] : text.split(':').map((word) => parseInt(word, 16)));
  const [left, right] = [words(head), words(tail)];
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 255]));
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [tagged(0x01, Buffer.from([0xff]))] : []), tagged(0x04, value));
}

function tagged(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}

const sequence = (...parts: Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts));
const set = (...parts: Buffer[]): Buffer => tagged(0x31, Buffer.concat(parts));
const explicit = (number: number, value: Buffer): Buffer => tagged(0xa0 + number, value);
const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text));
const bitString = (value: Buffer): Buffer => tagged(0x03, Buffer.concat([Buffer.from([0]), value]));

/** Never negative: a first bit of one gets a zero in front. */
function integer(value: Buffer): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length > 1) bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return tagged(0x02, bytes);
}

function oid(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number) as [number, number, ...number[]];
  const bytes = rest.flatMap((part) => {
    const digits = [part & 127];
    for (let left = part >> 7; left > 0; left >>= 7) digits.unshift((left & 127) | 128);
    return digits;
  });
  return tagged(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

/** UTCTime until 2049, GeneralizedTime afterwards (RFC 5280 §4.1.2.5). */
function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  return date.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(`${digits.slice(2)}Z`)) : tagged(0x18, Buffer.from(`${digits}Z`));
}
