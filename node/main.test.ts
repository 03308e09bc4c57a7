import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from './testing/database.ts';

const run = promisify(execFile);
const main = path.join(import.meta.dirname, 'main.ts');

async function codecshift(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, CODECSHIFT_DATA_DIR: path.join(import.meta.dirname, 'no-such-directory') };
  return run(process.execPath, [main, ...args], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  );
}

test('help answers without loading anything but the argument parser', async () => {
  const script = `process.argv = [process.execPath, ${JSON.stringify(main)}, '--help'];
    process.once('exit', () => {
      const own = process.moduleLoadList.filter((m) => /NativeModule (http|https|http2|sqlite|child_process|dgram)$/.test(m));
      console.error(JSON.stringify(own));
    });
    await import(${JSON.stringify(main)});`;
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script]);
  assert.match(stdout, /codecshift <command> \[options\]/);
  assert.deepEqual(JSON.parse(stderr.trim()), []);
});

test(
  'calls that hang in a disk stop no other one',
  { skip: process.platform === 'win32' ? 'Windows has no such pipes' : false },
  async (t) => {
    const pipe = path.join(temporaryDirectory(t), 'hangs');
    await run('mkfifo', [pipe]);
    const script = `process.argv = [process.execPath, ${JSON.stringify(main)}, '--version'];
    void import(${JSON.stringify(main)});
    // as soon as the program says something, and before it ends
    process.stdout.write = async () => {
      const { open, readFile } = await import('node:fs/promises');
      for (let i = 0; i < 12; i++) void open(${JSON.stringify(pipe)}, 'r');
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20_000);
      await readFile(${JSON.stringify(main)});
      console.error('read');
      process.kill(process.pid, 'SIGTERM');
    };`;
    const ended = await run(process.execPath, ['--input-type=module', '-e', script]).catch((error: { stderr: string }) => error);
    assert.match(ended.stderr, /read/);
  },
);

for (const gone of ['stdout', 'stderr'] as const)
  test(`a reader of ${gone} that goes away ends no command in the middle`, async () => {
    const child = spawn(process.execPath, [main, gone === 'stdout' ? '--help' : 'transmogrify'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child[gone].destroy();
    let said = '';
    child[gone === 'stdout' ? 'stderr' : 'stdout'].on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.deepEqual([code, said], [gone === 'stdout' ? 0 : 2, '']);
  });

test('an unknown command is named, and the commands are listed', async () => {
  const { code, stderr } = await codecshift('transmogrify');
  assert.equal(code, 2);
  assert.match(stderr, /There is no command "transmogrify"/);
  assert.match(stderr, /doctor/);
});

for (const command of ['run', 'stop', 'service', 'status', 'scan', 'pause', 'resume', 'jobs', 'plan', 'encoders', 'doctor', 'licenses']) {
  test(`${command} --help says what ${command} does`, async () => {
    const { code, stdout } = await codecshift(command, '--help');
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`codecshift ${command}`));
  });
}

test('options without a command, and words that a command does not know, are told and do nothing', async () => {
  const forgotten = await codecshift('--library', '/films');
  assert.deepEqual([forgotten.code, forgotten.stderr.split('\n')[0]], [2, 'Say a command first: codecshift run --library …']);
  for (const [command, ...more] of [
    ['pause', '12'],
    ['resume', 'all'],
    ['status', 'x'],
    ['scan', '1', '2'],
    ['jobs', 'top', '1', '2'],
    ['encoders', 'x'],
  ]) {
    const { code, stderr } = await codecshift(command!, ...more);
    assert.deepEqual([code, stderr.startsWith('Too many words: ')], [1, true], `${command}: ${stderr}`);
  }
});

test('a value that is missing, or one too many, names the option', async () => {
  for (const [words, sentence] of [
    [['run', '--port'], '--port wants a value.'],
    [['run', '--port', '--json'], '--port wants a value.'],
    [['status', '--json=yes'], '--json takes no value.'],
    [['jobs', '-x'], 'There is no option -x here.'],
  ] as const) {
    const { code, stderr } = await codecshift(...words);
    assert.deepEqual([code, stderr.split('\n')[0]], [2, sentence]);
  }
});

test('a data directory that is not there is told before anything is done', async () => {
  for (const words of [['backup'], ['database', 'move', '--to', 'postgres://127.0.0.1/x', '--yes']]) {
    const { code, stderr } = await codecshift(...words);
    assert.equal(code, 1);
    assert.match(stderr, /^There is no data directory .*no-such-directory\. Name the one of CodecShift with --data-dir\.\n$/);
  }
});

test('a file of --env-file that is not there is told by the program and not by its runtime', async () => {
  const repository = path.join(import.meta.dirname, '..');
  const { scripts } = JSON.parse(await readFile(path.join(repository, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const [, ...words] = scripts.start.split(' ');
  const told = await run(process.execPath, [...words, '--env-file', '/nowhere'], { cwd: repository }).catch(
    (error: { stderr: string }) => error,
  );
  assert.equal(told.stderr, 'The file /nowhere of --env-file cannot be read (ENOENT).\n');
});

test('a wrong flag is one sentence, not a stack trace', async () => {
  const { code, stderr } = await codecshift('run', '--colour', 'blue');
  assert.equal(code, 2);
  assert.match(stderr, /--colour/);
  assert.doesNotMatch(stderr, /\n\s+at /);
});

test('a wrong value is one sentence that names the flag', async () => {
  const { code, stderr } = await codecshift('run', '--port', '99999');
  assert.equal(code, 1);
  assert.equal(stderr, '--port must be 65535 or less, not 99999.\n');
});

test('a library that is not there stops the start with a sentence', async () => {
  const { code, stderr } = await codecshift(
    'run',
    '--data-dir',
    path.join(import.meta.dirname, '..', 'node_modules', '.cache', 'main-test'),
    '--library',
    '/no/such/films',
  );
  assert.equal(code, 1);
  assert.match(stderr, /The folder \/no\/such\/films is not there\.\n$/);
});

test('commands that need the running program say that it does not run', async () => {
  const { code, stderr } = await codecshift('pause');
  assert.equal(code, 1);
  assert.match(stderr, /CodecShift is not running here/);
});

test('plan says of a text file in one sentence why it is left alone, also as JSON', async () => {
  const { code, stdout } = await codecshift('plan', main, '--json');
  assert.equal(code, 0);
  const { plan } = JSON.parse(stdout) as { plan: { action: string; reason: { code: string } } };
  assert.deepEqual([plan.action, plan.reason.code], ['skip', 'not-media']);
});
