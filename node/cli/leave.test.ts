import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { temporaryDirectory } from '../testing/database.ts';
import { startProgram } from '../testing/program.ts';

const posix = process.platform === 'win32' ? 'Windows has no such pipes' : false;

/** Whoever opens it for reading or writing hangs until somebody opens its other end. */
function pipe(folder: string, name: string): string {
  const file = join(folder, name);
  execFileSync('mkfifo', [file]);
  return file;
}

test(
  'a process in which a call hangs in a disk leaves with its code, and what listens for its end hears of it',
  { skip: posix },
  async (t) => {
    const file = pipe(temporaryDirectory(t), 'hangs');
    const code = `
    import { open } from 'node:fs';
    import { leave } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'leave.ts')).href)};
    process.on('exit', (code) => process.stdout.write('heard ' + code));
    open(${JSON.stringify(file)}, 'r', () => {});
    setImmediate(() => leave(7));`;
    const ended = await new Promise<{ code: unknown; stdout: string }>((resolve) => {
      execFile(process.execPath, ['--input-type=module', '-e', code], (error, stdout) => resolve({ code: error?.code ?? 0, stdout }));
    });
    assert.deepEqual(ended, { code: 7, stdout: 'heard 7' });
  },
);

test('a program that is stopped while a call of it hangs in a file ends in order and at once', { skip: posix }, async (t) => {
  const dataDir = temporaryDirectory(t);
  pipe(dataDir, 'setup-token'); // written at the start, and nobody reads it
  const program = await startProgram({ dataDir, env: { CODECSHIFT_AUTH: 'page' } });
  const { code, output } = await program.stop();
  assert.equal(code, 0);
  assert.match(output, /"msg":"stopped"/);
});
