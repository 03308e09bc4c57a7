import { createHash } from 'node:crypto';
import { CODE_SIGNATURE, HEADER_BYTES, readMacProgram } from './mac-program.ts';

/**
 * Signs a Mac program "ad hoc": with the checksum of each of its pages and nobody's name. macOS starts no arm64 program
 * without that, and building drops the signature that Node.js came with. It says nothing about who built it; a name costs an
 * Apple account and a Mac. The form is that of xnu's `cs_blobs.h`; `codesign -v` on a Mac judges it.
 *
 *   the program ─ padding ─ [super blob: code directory (a SHA-256 per 4 KiB) · empty requirements · empty CMS]
 *
 * Returns the signed program; the same input gives the same bytes.
 */
export function signMacProgram(input: Buffer, identifier: string): Buffer {
  const program = readMacProgram(input);
  const link = program.segments.find(({ name }) => name === '__LINKEDIT');
  const text = program.segments.find(({ name }) => name === '__TEXT');
  if (!link || !text || link.offset + link.size !== input.length) throw new Error('The symbols of this Mac program are not its last part.');
  const codeEnd = program.signature?.offset ?? input.length;
  const offset = align(codeEnd, 16);
  const size = align(signatureBytes(offset, identifier), 16);

  const out = Buffer.alloc(offset + size);
  input.copy(out, 0, 0, codeEnd);
  const command = program.signature?.at ?? addCommand(out, program);
  [CODE_SIGNATURE, 16, offset, size].forEach((value, i) => out.writeUInt32LE(value, command + i * 4));
  const linkBytes = offset + size - link.offset;
  out.writeBigUInt64LE(BigInt(align(linkBytes, VM_PAGE)), link.at + 32);
  out.writeBigUInt64LE(BigInt(linkBytes), link.at + 48);
  makeSignature(out.subarray(0, offset), text, identifier).copy(out, offset);
  return out;
}

// all numbers of a signature are big-endian
const MAGIC = { superBlob: 0xfade0cc0, codeDirectory: 0xfade0c02, requirements: 0xfade0c01, cms: 0xfade0b01 };
const SLOT = { codeDirectory: 0, requirements: 2, cms: 0x10000 };
const PAGE = 4096;
const VM_PAGE = 16_384;
const HASH = 32;
/** of the code directory before its identifier, in the version that says where the executable segment lies */
const FIXED = 88;
const VERSION = 0x20400;
const AD_HOC = 2;
const SPECIAL_SLOTS = 2;

const emptyRequirements = blob(MAGIC.requirements, Buffer.alloc(4));
const emptyCms = blob(MAGIC.cms, Buffer.alloc(0));
const superHead = 12 + 3 * 8;

function signatureBytes(codeBytes: number, identifier: string): number {
  return superHead + directoryBytes(codeBytes, identifier) + emptyRequirements.length + emptyCms.length;
}

function directoryBytes(codeBytes: number, identifier: string): number {
  return FIXED + identifier.length + 1 + (SPECIAL_SLOTS + Math.ceil(codeBytes / PAGE)) * HASH;
}

function addCommand(out: Buffer, { commands, commandBytes, firstContent }: ReturnType<typeof readMacProgram>): number {
  const at = HEADER_BYTES + commandBytes;
  if (at + 16 > firstContent) throw new Error('This Mac program has no room for a signature.');
  out.writeUInt32LE(commands + 1, 16);
  out.writeUInt32LE(commandBytes + 16, 20);
  return at;
}

function makeSignature(code: Buffer, text: { offset: number; size: number }, identifier: string): Buffer {
  const directory = codeDirectory(code, text, identifier);
  const parts: [number, Buffer][] = [
    [SLOT.codeDirectory, directory],
    [SLOT.requirements, emptyRequirements],
    [SLOT.cms, emptyCms],
  ];
  const head = Buffer.alloc(superHead);
  head.writeUInt32BE(MAGIC.superBlob, 0);
  head.writeUInt32BE(signatureBytes(code.length, identifier), 4);
  head.writeUInt32BE(parts.length, 8);
  let at = superHead;
  for (const [i, [slot, bytes]] of parts.entries()) {
    head.writeUInt32BE(slot, 12 + i * 8);
    head.writeUInt32BE(at, 16 + i * 8);
    at += bytes.length;
  }
  return Buffer.concat([head, ...parts.map(([, bytes]) => bytes)]);
}

function codeDirectory(code: Buffer, text: { offset: number; size: number }, identifier: string): Buffer {
  const pages = Math.ceil(code.length / PAGE);
  const out = Buffer.alloc(directoryBytes(code.length, identifier));
  const hashes = FIXED + identifier.length + 1 + SPECIAL_SLOTS * HASH;
  const numbers = [MAGIC.codeDirectory, out.length, VERSION, AD_HOC, hashes, FIXED, SPECIAL_SLOTS, pages, code.length];
  for (const [i, value] of numbers.entries()) out.writeUInt32BE(value, i * 4);
  out.set([HASH, 2 /* SHA-256 */, 0, Math.log2(PAGE)], 36);
  out.writeBigUInt64BE(BigInt(text.offset), 64);
  out.writeBigUInt64BE(BigInt(text.size), 72);
  out.writeBigUInt64BE(1n, 80); // a main program, not a library
  out.write(identifier, FIXED, 'latin1');
  // special slots count downwards from the pages: -2 are the requirements, -1 (an Info.plist) stays empty
  sha256(emptyRequirements).copy(out, hashes - SLOT.requirements * HASH);
  for (let page = 0; page < pages; page++) sha256(code.subarray(page * PAGE, (page + 1) * PAGE)).copy(out, hashes + page * HASH);
  return out;
}

function blob(magic: number, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(magic, 0);
  head.writeUInt32BE(8 + content.length, 4);
  return Buffer.concat([head, content]);
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function align(size: number, to: number): number {
  return Math.ceil(size / to) * to;
}
