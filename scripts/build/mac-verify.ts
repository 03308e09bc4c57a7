import { createHash } from 'node:crypto';
import { readMacProgram } from './mac-program.ts';

export interface MacSignature {
  identifier: string;
  /** signed by nobody: only the checksums count */
  adHoc: boolean;
  pages: number;
  /** everything that is wrong, in words; empty when the signature holds */
  problems: string[];
}

/**
 * Checks the signature inside a Mac program as the system does when it loads it: every page, every special slot, every
 * code directory, and that they cover the whole program up to the signature. Whose certificate it is, is not checked.
 * Shares no code with the signer but the reading of load commands. Null when there is no signature.
 */
export function verifyMacProgram(file: Buffer): MacSignature | null {
  const program = readMacProgram(file);
  if (!program.signature) return null;
  const { offset, size } = program.signature;
  const last = program.segments.at(-1);
  const problems: string[] = [];
  if (offset + size > file.length) return { identifier: '', adHoc: false, pages: 0, problems: ['the signature is cut off'] };
  if (!last || last.offset + last.size !== file.length) problems.push('the last segment does not end with the file');
  const blobs = readBlobs(file.subarray(offset, offset + size));
  // there may be one directory per kind of checksum; the kernel takes the best it knows
  const directories = [...blobs].filter(([slot]) => slot === 0 || (slot >= 0x1000 && slot < 0x1005)).map(([, bytes]) => bytes);
  if (!blobs.has(0)) return { identifier: '', adHoc: false, pages: 0, problems: ['there is no code directory'] };
  for (const directory of directories) problems.push(...check(directory, file, offset, blobs));
  const main = blobs.get(0)!;
  return { identifier: identifierOf(main), adHoc: (main.readUInt32BE(12) & 2) !== 0, pages: main.readUInt32BE(28), problems };
}

function readBlobs(signature: Buffer): Map<number, Buffer> {
  if (signature.readUInt32BE(0) !== 0xfade0cc0) throw new Error('The signature of this Mac program has no beginning.');
  const blobs = new Map<number, Buffer>();
  for (let i = 0; i < signature.readUInt32BE(8); i++) {
    const at = signature.readUInt32BE(16 + i * 8);
    blobs.set(signature.readUInt32BE(12 + i * 8), signature.subarray(at, at + signature.readUInt32BE(at + 4)));
  }
  return blobs;
}

function check(directory: Buffer, file: Buffer, signatureAt: number, blobs: Map<number, Buffer>): string[] {
  const [hashes, special, pages, covered] = [16, 24, 28, 32].map((at) => directory.readUInt32BE(at)) as [number, number, number, number];
  const [width, page] = [directory[36]!, 2 ** directory[39]!];
  const algorithm = { 1: 'sha1', 2: 'sha256', 3: 'sha256', 4: 'sha384' }[directory[37]!];
  if (!algorithm) return [`checksums of an unknown kind ${directory[37]}`];
  const sum = (bytes: Buffer): Buffer => createHash(algorithm).update(bytes).digest().subarray(0, width);
  const slot = (i: number): Buffer => directory.subarray(hashes + i * width, hashes + (i + 1) * width);

  const problems = covered === signatureAt ? [] : ['it does not cover the whole program'];
  if (pages !== Math.ceil(covered / page)) problems.push(`it has ${pages} pages for ${covered} bytes`);
  for (let i = 0; i < pages; i++) {
    if (!sum(file.subarray(i * page, Math.min((i + 1) * page, covered))).equals(slot(i))) problems.push(`page ${i} was changed`);
  }
  for (let i = 1; i <= special; i++) {
    const bytes = blobs.get(i);
    if (bytes && !sum(bytes).equals(slot(-i))) problems.push(`special slot ${i} was changed`);
  }
  return problems;
}

function identifierOf(directory: Buffer): string {
  const at = directory.readUInt32BE(20);
  return directory.toString('latin1', at, directory.indexOf(0, at));
}
