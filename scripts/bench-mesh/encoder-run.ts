import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/**
 * One encode of the simulated encoder: `encoder-run.ts <real ffmpeg> <folder> <ffmpeg's arguments …>`. The first time an
 * input is encoded with these arguments ffmpeg does it; afterwards its output is brought from the cache, after a fixed
 * time and with progress as ffmpeg tells it.
 */
const [real = '', folder = '', ...args] = process.argv.slice(2);
const input = pathOf(args[args.indexOf('-i') + 1]);
const output = pathOf(args.at(-1));

process.exitCode = input === null || output === null ? await encode() : await fromCache(input, output);

async function fromCache(source: string, target: string): Promise<number> {
  const words = args.map((word) => (word.startsWith('file:') ? 'file' : word));
  const key = createHash('sha256').update(readFileSync(source)).update(JSON.stringify(words)).digest('hex');
  const kept = join(folder, 'cache', key);
  if (existsSync(kept)) {
    await play(Number(readFileSync(join(folder, 'seconds'), 'utf8')), statSync(kept).size);
    copyFileSync(kept, target);
    return 0;
  }
  const code = await encode();
  if (code === 0) {
    copyFileSync(target, `${kept}.${process.pid}`);
    renameSync(`${kept}.${process.pid}`, kept);
  }
  return code;
}

/** Without progress an encode counts as stuck. */
async function play(seconds: number, bytes: number): Promise<void> {
  const steps = Math.max(1, Math.round(seconds * 2));
  for (let step = 1; step <= steps; step++) {
    await pause((seconds * 1000) / steps);
    const done = step / steps;
    const block = [`frame=${Math.round(done * 100)}`, 'fps=25.0', `total_size=${Math.round(bytes * done)}`, `out_time_us=${step * 1000}`];
    process.stdout.write(`${[...block, 'speed=1x', `progress=${step === steps ? 'end' : 'continue'}`].join('\n')}\n`);
  }
}

function encode(): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(real, args, { stdio: 'inherit' });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal));
    child.once('error', () => resolve(127));
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function pathOf(word: string | undefined): string | null {
  if (!word?.startsWith('file:')) return null;
  return word.startsWith('file://') ? fileURLToPath(word) : word.slice('file:'.length);
}
