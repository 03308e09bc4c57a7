import { execFile, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { idle, startProgram, until } from '../node/testing/program.ts';
import { findPostgres, startPostgres } from '../node/testing/postgres.ts';
import { requireTool } from '../node/testing/tools.ts';

/**
 * What CodecShift costs over the same ffmpeg commands in a plain loop: `npm run bench`, or `npm run bench -- 10 6` for ten
 * clips of six seconds. Everything comes from one run on one machine, because nothing else can be compared:
 *
 *   1. an idle node: time until its page is there, memory and processor time while nothing happens
 *   2. the clips through CodecShift, one at a time, encode and verification
 *   3. the very commands that CodecShift ran, from its own books, in a plain loop; then a full decode of each output, which
 *      is the greater part of a verification
 */
const [count, seconds] = [Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 6)];
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'codecshift-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

console.log(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)} at the start; Node.js ${process.version}`,
);
console.log(`${count} clips of ${seconds} s, 640x360, H.264 to HEVC with libx265 medium, one at a time, embedded database\n`);

await benchIdle();
const clips = await makeClips();
const runs = await benchCodecShift(clips);
await benchLoop(runs);

/** What the API says about one run. */
interface Run {
  command: string[];
  startedAt: string;
  encodedAt: string;
  endedAt: string;
}

async function benchIdle(): Promise<void> {
  await idleNode('embedded database', {});
  if (findPostgres() === null) return;
  const server = await startPostgres();
  process.once('exit', () => server.stop());
  await idleNode('external PostgreSQL', { DATABASE_URL: server.url });
  server.stop();
}

async function idleNode(database: string, env: Record<string, string>): Promise<void> {
  const dataDir = join(mkdtempSync(join(folder, 'idle-')), 'data');
  const first = await timed(() => startProgram({ dataDir, env }));
  await first.result.stop();
  const again = await timed(() => startProgram({ dataDir, env }));
  const program = again.result;
  await until('tested encoders', () => program.output().includes('encoders are tested'), 120_000);
  const [before, started] = [cpuSeconds(program.pid), performance.now()];
  await pause(10_000);
  const used = (cpuSeconds(program.pid) - before) / ((performance.now() - started) / 1000);
  print(`start until the page is there, ${database}`, `${first.seconds.toFixed(2)} s the first time, ${again.seconds.toFixed(2)} s later`);
  const memory = `${(residentBytes(program.pid) / 2 ** 20).toFixed(0)} MiB`;
  print(`idle node, ${database}`, `${memory} resident, ${(used * 100).toFixed(1)} % of one core`);
  await program.stop();
}

async function makeClips(): Promise<string[]> {
  const [library, pristine] = [join(folder, 'library'), join(folder, 'pristine')];
  for (const path of [library, pristine]) mkdirSync(path);
  const names = Array.from({ length: count }, (_clip, index) => `Clip ${String(index + 1).padStart(2, '0')}.mkv`);
  for (const [index, name] of names.entries()) {
    const source = `testsrc2=s=640x360:r=25:d=${seconds},hue=h=${index * 20}`;
    const encode = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '6', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];
    await run(requireTool('ffmpeg'), [
      '-v',
      'error',
      '-nostdin',
      '-f',
      'lavfi',
      '-i',
      source,
      '-f',
      'lavfi',
      '-i',
      `sine=d=${seconds}`,
      ...encode,
      join(pristine, name),
    ]);
    copyFileSync(join(pristine, name), join(library, name));
  }
  return names;
}

async function benchCodecShift(names: string[]): Promise<Run[]> {
  const env = { CODECSHIFT_SPEED: 'medium', CODECSHIFT_AT_ONCE: '1' };
  const program = await startProgram({ dataDir: join(folder, 'data'), libraries: [join(folder, 'library')], env });
  const status = await idle(program, 3_600_000);
  if (status.replaced !== names.length)
    throw new Error(`only ${status.replaced} of ${names.length} clips were replaced:\n${program.output()}`);
  const { items } = await program.api<{ items: { id: number }[] }>('/jobs?state=finished&limit=200');
  const details = await Promise.all(items.map(({ id }) => program.api<{ attempts: Run[] }>(`/jobs/${id}`)));
  await program.stop();
  return details.map(({ attempts }) => attempts.at(-1)!).toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
}

async function benchLoop(runs: Run[]): Promise<void> {
  mkdirSync(join(folder, 'plain'));
  const commands = runs.map((one, index) => plainCommand(one.command, index));
  const encode = await timed(async () => {
    for (const { args } of commands) await toEnd(args);
  });
  const decode = await timed(async () => {
    for (const { out } of commands)
      await toEnd(['-v', 'error', '-nostdin', '-xerror', '-i', out, '-map', '0:v', '-map', '0:a', '-f', 'null', '-']);
  });
  const times = runs.map((one) => ({ start: Date.parse(one.startedAt), encoded: Date.parse(one.encodedAt), end: Date.parse(one.endedAt) }));
  const span = (last: 'encoded' | 'end'): number => (Math.max(...times.map((time) => time[last])) - times[0]!.start) / 1000;
  const gaps = times
    .slice(1)
    .map((time, index) => time.start - times[index]!.encoded)
    .toSorted((a, b) => a - b);

  console.log('');
  compare('encode only', encode.seconds, span('encoded'));
  compare('encode and verify', encode.seconds + decode.seconds, span('end'));
  print('idle gap between two jobs', `median ${gaps[Math.floor(gaps.length / 2)] ?? 0} ms, longest ${gaps.at(-1) ?? 0} ms`);
  console.log('\nCodecShift verifies and swaps one clip while the next one is encoded, so its first line holds part of that work too.');
}

/** The command that CodecShift ran, reading the untouched copy and writing elsewhere. */
function plainCommand(command: string[], index: number): { args: string[]; out: string } {
  const out = join(folder, 'plain', `${index}.mkv`);
  const args = command.filter((_word, at) => at > command.findIndex((word) => /(^|\/)ffmpeg$/.test(word)));
  const input = args.indexOf('-i') + 1;
  args[input] = `file:${join(folder, 'pristine', basename(args[input]!))}`;
  args[args.length - 1] = `file:${out}`;
  return { args, out };
}

function toEnd(args: string[]): Promise<void> {
  const child = spawn(requireTool('ffmpeg'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`ffmpeg ${args.join(' ')} ended with ${code}: ${said}`))));
  });
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const started = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - started) / 1000 };
}

function compare(what: string, plain: number, ours: number): void {
  const percent = (ours / plain - 1) * 100;
  print(what, `plain loop ${plain.toFixed(2)} s, CodecShift ${ours.toFixed(2)} s (${percent >= 0 ? '+' : ''}${percent.toFixed(1)} %)`);
}

function print(what: string, value: string): void {
  console.log(`${what.padEnd(52)} ${value}`);
}

/** Linux only; NaN elsewhere. */
function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readProc(pid, 'status'))?.[1]) * 1024;
}

function cpuSeconds(pid: number): number {
  // Fields 14 and 15 of stat, counted after the name in brackets, in hundredths of a second (proc(5))
  const fields = readProc(pid, 'stat').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
