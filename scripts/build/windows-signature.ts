import { execFileSync } from 'node:child_process';
import { renameSync } from 'node:fs';

/**
 * A Windows program without its signature. Node.js comes signed, and after our parts are added that signature is wrong,
 * which Windows takes worse than none. Taken off before anything is added: the table of certificates is the last part of
 * the file, and two numbers of the header point at it. Returns the file unchanged when it has none.
 * @throws when it is not a 64-bit Windows program, or something follows its signature
 */
export function unsignWindowsProgram(program: Buffer): Buffer {
  const header = program.readUInt16BE(0) === 0x4d5a ? program.readUInt32LE(0x3c) : -1;
  if (header < 0 || program.readUInt32BE(header) !== 0x50450000) throw new Error('This is not a Windows program.');
  const optional = header + 24;
  if (program.readUInt16LE(optional) !== 0x20b) throw new Error('This is not a 64-bit Windows program.');
  const [checksum, directory] = [optional + 64, optional + 112 + 4 * 8];
  const [at, size] = [program.readUInt32LE(directory), program.readUInt32LE(directory + 4)];
  if (at === 0) return program;
  if (at + size !== program.length) throw new Error('Something follows the signature of this Windows program.');
  const bare = Buffer.from(program.subarray(0, at));
  bare.fill(0, directory, directory + 8);
  bare.fill(0, checksum, checksum + 4); // Windows reads it of drivers only; 0 means: not stated
  return bare;
}

export interface WindowsCertificate {
  /** PEM file with the certificate and those above it */
  certificate: string;
  /** PEM file with its key */
  key: string;
  /** of a service that states the time, so that the signature outlives the certificate */
  timestamps: string | null;
}

/** What the environment gives for signing: CODECSHIFT_WINDOWS_CERT, _KEY and _TIMESTAMP; null without a certificate. */
export function windowsCertificate(env: NodeJS.ProcessEnv): WindowsCertificate | null {
  const [certificate, key] = [env['CODECSHIFT_WINDOWS_CERT'], env['CODECSHIFT_WINDOWS_KEY']];
  if (!certificate && !key) return null;
  if (!certificate || !key) throw new Error('CODECSHIFT_WINDOWS_CERT and CODECSHIFT_WINDOWS_KEY belong together: name both files or none.');
  return { certificate, key, timestamps: env['CODECSHIFT_WINDOWS_TIMESTAMP'] ?? null };
}

/** Signs the file in its place by osslsigncode, which has to be installed. */
export function signWindowsProgram(file: string, { certificate, key, timestamps }: WindowsCertificate): void {
  const time = timestamps ? ['-ts', timestamps] : [];
  const words = [
    'sign',
    '-h',
    'sha256',
    '-certs',
    certificate,
    '-key',
    key,
    '-n',
    'CodecShift',
    ...time,
    '-in',
    file,
    '-out',
    `${file}.signed`,
  ];
  execFileSync('osslsigncode', words, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 120_000 });
  renameSync(`${file}.signed`, file);
}
