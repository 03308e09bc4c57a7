// What the crash test works with: real films, and processes that die. Imported by tests only.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SwapResult } from './journal.ts';
import type { CrashOrder } from './swap-crash.child.ts';

export const execute = promisify(execFile);
const child = fileURLToPath(new URL('./swap-crash.child.ts', import.meta.url));

/** A real film of five frames. */
export async function film(ffmpeg: string, scratch: string, encoder: string): Promise<Buffer> {
  const path = join(scratch, `${encoder}.mkv`);
  await execute(ffmpeg, ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=s=64x64:r=5:d=1', '-c:v', encoder, path]);
  return await readFile(path);
}

export async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

export interface Report {
  points: string[];
  reports: { outcomes: { outcome: string; result: SwapResult | null }[]; result?: SwapResult; error?: string }[];
}

/**
 * A process that does what it is ordered.
 * @param dies it must die by SIGKILL; else it must end well
 */
export async function order(scratch: string, what: CrashOrder, dies: boolean): Promise<Report> {
  const started = spawn(process.execPath, ['--no-warnings', child, JSON.stringify(what)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(scratch, 'compiled') },
  });
  let text = '';
  started.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  const [code, signal] = await new Promise<[number | null, string | null]>((done) => started.on('close', (...how) => done(how)));
  if (!dies) assert.equal(code, 0, `the child ended with ${code ?? signal}`);
  else assert.equal(signal, 'SIGKILL', 'the child died where it was told');
  return dies ? { points: [], reports: [] } : (JSON.parse(text) as Report);
}

export async function inPool(works: (() => Promise<void>)[]): Promise<void> {
  const queue = [...works];
  await Promise.all(
    [1, 2, 3].map(async () => {
      for (let work = queue.shift(); work; work = queue.shift()) await work();
    }),
  );
}
