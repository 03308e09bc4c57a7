import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { chosenFfmpeg } from '../testing/ffmpeg-tools.ts';
import { lastLine, run, start, ToolError } from './process.ts';

const tools = await chosenFfmpeg();
const ffmpeg = tools.ffmpeg.path;
const folder = await mkdtemp(join(tmpdir(), 'codecshift-process-'));
after(() => rm(folder, { recursive: true, force: true }));
const linux = process.platform === 'linux';
/** Runs until it is stopped: real time, for an hour. */
const endless = [
  '-hide_banner',
  '-nostdin',
  '-v',
  'error',
  '-re',
  '-f',
  'lavfi',
  '-i',
  'testsrc=d=3600',
  '-progress',
  'pipe:1',
  '-stats_period',
  '0.1',
  '-f',
  'null',
  '-',
];

test('a failing run says in its message what ffmpeg said last, and keeps command and exit code', async () => {
  const command = [ffmpeg, '-hide_banner', '-nostdin', '-i', 'file:/there/is/no/such.mkv', '-f', 'null', '-'];
  const error = await run({ command, what: 'encode such.mkv' }).then(
    () => null,
    (e: unknown) => e,
  );
  assert.ok(error instanceof ToolError);
  assert.match(error.message, /^ffmpeg could not encode such\.mkv: .*No such file or directory/);
  assert.deepEqual(error.command, command);
  assert.ok(error.exitCode !== null && error.exitCode > 0);
  assert.match(error.stderrTail, /such\.mkv/);
});

test('a program that is not there is an error for a person, not a crash', async () => {
  await assert.rejects(run({ command: ['/no/such/ffmpeg'], what: 'start' }), /ffmpeg could not start: it could not be started \(ENOENT\)/);
});

test('an aborted run ends and rejects with the reason of the abort', async () => {
  const abort = new AbortController();
  const why = new Error('cancelled by a person');
  const running = start({ command: [ffmpeg, ...endless], what: 'wait', signal: abort.signal, onLine: () => abort.abort(why) });
  await assert.rejects(running.done, (e) => e === why);
  assert.equal(alive(running.pid!), false);
});

test('a run that takes too long is ended and says so', async () => {
  await assert.rejects(
    run({ command: [ffmpeg, ...endless], what: 'wait', timeoutMs: 700, onLine: () => {} }),
    (e) => e instanceof ToolError && e.timedOut && e.retry,
  );
});

test('a run that says more than it may is ended', async () => {
  const command = [
    ffmpeg,
    '-hide_banner',
    '-nostdin',
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    'testsrc=s=640x360:d=60',
    '-f',
    'rawvideo',
    'pipe:1',
  ];
  await assert.rejects(run({ command, what: 'talk', maxStdoutBytes: 100_000 }), /said more than it may/);
});

test('a paused run stands still, goes on when resumed, and can be ended while paused', { skip: !linux && 'reads /proc' }, async () => {
  let onLine = (): void => {};
  const abort = new AbortController();
  const running = start({ command: [ffmpeg, ...endless], what: 'wait', signal: abort.signal, onLine: () => onLine() });
  const nextLine = (): Promise<void> => new Promise((resolve) => (onLine = resolve));
  await nextLine();
  assert.equal(running.pause(), true);
  await until(() => stateOf(running.pid!) === 'T');
  assert.equal(running.resume(), true);
  await nextLine();
  running.pause();
  await until(() => stateOf(running.pid!) === 'T');
  abort.abort();
  await assert.rejects(running.done);
});

test('ffmpeg gets no report file, no language and no other wishes from our environment', async () => {
  process.env['FFREPORT'] = `file=${join(folder, 'report.log')}:level=32`;
  try {
    await run({ command: [ffmpeg, '-hide_banner', '-nostdin', '-f', 'lavfi', '-i', 'testsrc=d=0.1', '-f', 'null', '-'], what: 'run' });
  } finally {
    delete process.env['FFREPORT'];
  }
  assert.deepEqual(await readdir(folder), []);
});

test(
  'ffmpeg ends within seconds after we were killed with SIGKILL, even while it is paused',
  { skip: !linux && 'reads /proc' },
  async () => {
    const program = `
    import { start } from ${JSON.stringify(join(import.meta.dirname, 'process.ts'))};
    const running = start({ command: ${JSON.stringify([ffmpeg, ...endless])}, what: 'wait', onLine: () => {
      running.pause();
      process.stdout.write(running.pid + '\\n');
    } });
    await running.done;`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      // several lines of progress may have come at once, so the number too
      const pid = await new Promise<number>((resolve) =>
        parent.stdout.once('data', (d: Buffer) => resolve(Number.parseInt(d.toString(), 10))),
      );
      assert.ok(alive(pid));
      parent.kill('SIGKILL');
      await until(() => !alive(pid));
    } finally {
      parent.kill('SIGKILL');
    }
  },
);

test('the reason is the last line that says something, without memory addresses', () => {
  assert.equal(
    lastLine(
      '[hevc_nvenc @ 0x55d4f7df4580] Cannot load libcuda.so.1\nError initializing output stream 0:0 -- Error while opening encoder\nConversion failed!\n',
    ),
    '[hevc_nvenc] Cannot load libcuda.so.1',
  );
  assert.equal(lastLine('Conversion failed!\n'), 'Conversion failed!');
  assert.equal(lastLine('\n\n'), null);
});

function stateOf(pid: number): string | null {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** A zombie nobody reaped is dead. */
function alive(pid: number): boolean {
  if (!linux) return false;
  const state = stateOf(pid);
  return state !== null && state !== 'Z' && state !== 'X';
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it did not happen within 20 seconds');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
