// What the crash test works with: real films, and processes that die. Imported by tests only.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SwapResult } from './journal.ts';
import type { CrashOrder, CrashReport } from './swap-crash.child.ts';

const execute = promisify(execFile);
const child = fileURLToPath(new URL('./swap-crash.child.ts', import.meta.url));

/** A real film of five frames, of which ffprobe says that it plays to its end: whatever has the same bytes does too. */
export async function film(tools: { ffmpeg: string; ffprobe: string }, scratch: string, encoder: string): Promise<Buffer> {
  const path = join(scratch, `${encoder}.mkv`);
  await execute(tools.ffmpeg, ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=s=64x64:r=5:d=1', '-c:v', encoder, path]);
  const count = ['-v', 'error', '-count_frames', '-show_entries', 'stream=nb_read_frames', '-of', 'csv=p=0', path];
  assert.equal((await execute(tools.ffprobe, count)).stdout.trim(), '5');
  return await readFile(path);
}

export async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

export type Report = CrashReport & { outcomes: { outcome: string; result: SwapResult | null }[]; result?: SwapResult };

/**
 * A process that does what it is ordered.
 * @returns what became of each task; nothing when it had to die by SIGKILL, with every task at its point
 */
export async function order(scratch: string, what: CrashOrder): Promise<Report[]> {
  const started = spawn(process.execPath, ['--no-warnings', child], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(scratch, 'compiled') },
  });
  started.stdin.on('error', () => {}); // how it ended is what counts
  started.stdin.end(JSON.stringify(what));
  let text = '';
  started.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  const [code, signal] = await new Promise<[number | null, string | null]>((done) => started.on('close', (...how) => done(how)));
  const dies = what.tasks.every(({ dieAt }) => dieAt !== null);
  if (!dies) assert.equal(code, 0, `the child ended with ${code ?? signal}`);
  else assert.equal(signal, 'SIGKILL', 'the child died where it was told');
  return dies ? [] : (JSON.parse(text) as Report[]);
}
