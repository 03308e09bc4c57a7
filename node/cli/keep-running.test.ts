import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { temporaryDirectory } from '../testing/database.ts';
import { copyEmbedded } from '../testing/embedded-template.ts';
import { lendProofs } from '../testing/known-encoders.ts';
import { until } from '../testing/program.ts';
import { quickFfmpegEnv, repository } from '../testing/tools.ts';

/** As the task of Windows starts it; it does the same on every system. */
function keep(
  t: TestContext,
  words: readonly string[],
): { output(): string; ended: Promise<number | null>; end(signal: NodeJS.Signals): void } {
  const main = join(repository, 'node', 'main.ts');
  const env = {
    ...process.env,
    ...quickFfmpegEnv(),
    CODECSHIFT_DISCOVERY: 'off',
    CODECSHIFT_CLUSTER: 'new',
    CODECSHIFT_MESH_PORT: '0',
    CODECSHIFT_AUTH: 'none',
  };
  const child = spawn(process.execPath, [main, 'keep-running', ...words], { stdio: ['ignore', 'pipe', 'pipe'], env });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  t.after(() => child.kill('SIGTERM'));
  return { output: () => said, ended, end: (signal) => void child.kill(signal) };
}

const pidIn = (dataDir: string): number => (JSON.parse(readFileSync(join(dataDir, 'running.json'), 'utf8')) as { pid: number }).pid;
/** A data directory with a made database and tried encoders: what that takes is no part of this. */
async function madeBefore(t: TestContext): Promise<string> {
  const dataDir = temporaryDirectory(t);
  await copyEmbedded(dataDir);
  lendProofs(dataDir);
  return dataDir;
}

const starts = (output: string): number => output.split('Dashboard:').length - 1;

test('a program that was killed is started again; one that was stopped in order stays ended', async (t) => {
  const dataDir = await madeBefore(t);
  const keeper = keep(t, ['run', '--data-dir', dataDir, '--port', '0']);
  await until('the program', () => starts(keeper.output()) === 1);
  const first = pidIn(dataDir);
  process.kill(first, 'SIGKILL');
  await until('the program again', () => starts(keeper.output()) === 2);
  assert.notEqual(pidIn(dataDir), first);

  const stop = spawn(process.execPath, [join(repository, 'node', 'main.ts'), 'stop', '--data-dir', dataDir], { stdio: 'ignore' });
  assert.equal(await new Promise((resolve) => stop.once('exit', resolve)), 0);
  assert.equal(await keeper.ended, 0);
  assert.equal(starts(keeper.output()), 2);
});

test('whoever ends the keeper ends the program too, in order', async (t) => {
  const dataDir = await madeBefore(t);
  const keeper = keep(t, ['run', '--data-dir', dataDir, '--port', '0']);
  await until('the program', () => starts(keeper.output()) === 1);
  keeper.end('SIGTERM');
  assert.equal(await keeper.ended, 0);
});

test('a mistake in the options is said once', async (t) => {
  const keeper = keep(t, ['run', '--nonsense']);
  assert.equal(await keeper.ended, 2);
  assert.equal(keeper.output().split('--nonsense').length, 2);
});
