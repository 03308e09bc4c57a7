// One root with films for the swap tests: imported by tests only.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import { promisify } from 'node:util';
import { PlainError } from '../errors.ts';
import { deliver } from './deliver.ts';
import { fingerprint } from './fingerprint.ts';
import type { SwapResult } from './journal.ts';
import { adoptRoot, openRoot, type Root } from './roots.ts';
import type { RestoreWish, SwapWish } from './swap.ts';

export const run = promisify(execFile);
export const mayMount = process.platform === 'linux' && process.getuid?.() === 0;
export const mounts: string[] = [];

export let root: Root;
export let folder: string;

/** A fresh root for each test of the file that calls it. */
export function useStage(): void {
  beforeEach(async () => {
    const path = await realpath(await mkdtemp(join(tmpdir(), 'codecshift-swap-')));
    root = await openRoot({ path, id: (await adoptRoot(path)).rootId });
    folder = join(path, 'Films');
    await mkdir(folder);
  });
  afterEach(async () => {
    for (const mount of mounts.splice(0).toReversed()) await run('umount', [mount]);
    await rm(root.path, { recursive: true, force: true });
  });
}

/** For `assert.rejects`: a sentence with this reason. */
export const code = (wanted: string) => (error: unknown) => error instanceof PlainError && error.reason?.code === wanted;

export interface Ready {
  wish: SwapWish;
  original: Buffer;
  output: Buffer;
}

/** A film, and its output delivered beside it. */
export async function ready(
  name: string,
  given: { target?: string; attempt?: number; original?: Buffer; output?: Buffer; size?: number } = {},
): Promise<Ready> {
  const original = given.original ?? randomBytes(given.size ?? 150_000);
  const output = given.output ?? randomBytes(given.size ?? 90_000);
  await mkdir(dirname(join(folder, name)), { recursive: true });
  if (!(await readFile(join(folder, name)).catch(() => null))) await writeFile(join(folder, name), original);
  const from = join(root.path, `.output-${given.attempt ?? 41}`);
  await writeFile(from, output);
  const sha256 = createHash('sha256').update(output).digest('hex');
  const who = { root, node: 'node-a', job: 7, attempt: given.attempt ?? 41, term: 3 };
  const target = `Films/${given.target ?? name}`;
  const { tmpPath } = await deliver({ ...who, target, from, sizeBytes: output.length, sha256 }).catch(async (error: unknown) => {
    if (!code('no-space')(error)) throw error;
    const tmp = join(folder, `.tmp_41_${name}`); // too small a disk for deliver's reserve
    await writeFile(tmp, output);
    return { tmpPath: `Films/.tmp_41_${name}` };
  });
  await rm(from);
  return {
    wish: { ...who, path: `Films/${name}`, target, tmpPath, fingerprint: await fingerprint(join(folder, name)), sha256 },
    original,
    output,
  };
}

/** The wish to restore what a swap replaced. */
export function backwards(wish: SwapWish, done: SwapResult): RestoreWish {
  assert.ok(done.original);
  const { node, job, term } = wish;
  return {
    root,
    node,
    job,
    term,
    attempt: 42,
    path: wish.path,
    trashPath: done.original.trashPath,
    current: done.path,
    fingerprint: done.original.fingerprint,
  };
}

/** Names, contents and times of a directory. */
export async function picture(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).sort();
  return await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      const { mtimeMs, ino } = await stat(path);
      return `${name} ${ino} ${mtimeMs} ${createHash('sha256')
        .update(await readFile(path).catch(() => ''))
        .digest('hex')}`;
    }),
  );
}

export async function mountTmpfs(path: string, size: string): Promise<boolean> {
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]).then(
    () => true,
    () => false,
  );
  if (mounted) mounts.push(path);
  return mounted;
}
