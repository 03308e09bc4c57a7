import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../node/testing/database.ts';
import { stripElf } from './strip-elf.ts';

const skip = process.platform === 'linux' ? false : 'this system has no Linux programs';

test('Node.js without its symbols is smaller, runs, and stripping it again changes nothing', { skip }, async (t) => {
  const whole = readFileSync(process.execPath);
  const stripped = stripElf(whole);
  assert.ok(stripped.length < whole.length);
  assert.ok(stripElf(stripped).equals(stripped));
  const file = join(temporaryDirectory(t), 'node');
  writeFileSync(file, stripped, { mode: 0o755 });
  const { stdout } = await promisify(execFile)(file, ['-p', 'process.version + new Intl.NumberFormat("de").format(1.5)']);
  assert.equal(stdout, `${process.version}1,5\n`);
});

test('what is no Linux program is refused', () => {
  assert.throws(() => stripElf(Buffer.alloc(100)), /not a 64-bit ELF program/);
});
