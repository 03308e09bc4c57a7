import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { besideExecutable, inExecutable, ownCommand, packageFile, programFile } from './program.ts';
import { version } from './version.ts';

/** From source; testing/scenarios/executable.test.ts shows the same of the single executable. */
test('the program can call itself from any directory', async () => {
  const { file, args } = ownCommand();
  const { stdout } = await promisify(execFile)(file, [...args, '--version'], { cwd: tmpdir(), env: {} });
  assert.equal(stdout, `${version}\n`);
});

test('its files lie in the repository, those of packages where npm put them', () => {
  assert.deepEqual([inExecutable, besideExecutable()], [false, null]);
  for (const file of [programFile('views'), programFile('migrations', '0001_house.sql'), packageFile('htmx.org', 'dist', 'htmx.min.js')])
    assert.ok(existsSync(file), file);
  assert.throws(() => packageFile('no-such-package', 'x'));
});
