import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { codeOf, PlainError } from '../errors.ts';
import { createInPlace, makeDirectoryDurably, removeIfThere } from './durable.ts';
import { OURS } from './marker.ts';
import { requireMounted, type Root } from './roots.ts';

/**
 * Is what two machines call the same root one disk, or a disk and its copy? A marker is copied with the films; a number
 * that is written through one mount this very moment is seen through another only if both show one disk.
 */
const STALE_MS = 3600_000;
const LOOK_FOR_MS = 15_000;
const LOOK_EVERY_MS = 500;

/** @throws PlainError `read-only`, `root-not-mounted` */
export async function writeProof(root: Root, nonce: string): Promise<void> {
  await requireMounted(root);
  const file = join(directoryOf(root), checked(nonce));
  try {
    // readable for everybody: the other machine may know this directory under another user
    await makeDirectoryDurably(directoryOf(root));
    await removeStale(directoryOf(root));
    await createInPlace(file, `${new Date().toISOString()}\n`);
  } catch (error) {
    throw new PlainError(`CodecShift may not write into ${root.path} (${codeOf(error) ?? 'error'}).`, {
      cause: error,
      reason: { code: 'read-only', params: { path: root.path } },
    });
  }
}

/**
 * Looks again and again for a while: a network file system may believe for seconds what it knew of a directory.
 * @throws PlainError `root-not-mounted`; AbortError
 */
export async function findProof(
  root: Root,
  nonce: string,
  options: { signal?: AbortSignal; forMs?: number; everyMs?: number } = {},
): Promise<boolean> {
  const until = performance.now() + (options.forMs ?? LOOK_FOR_MS);
  for (;;) {
    options.signal?.throwIfAborted();
    await requireMounted(root);
    if (await isThere(root, checked(nonce))) return true;
    if (performance.now() >= until) return false;
    await wait(options.everyMs ?? LOOK_EVERY_MS, undefined, options.signal ? { signal: options.signal } : {});
  }
}

async function isThere(root: Root, nonce: string): Promise<boolean> {
  const directory = directoryOf(root);
  // reading the directory makes NFS ask the server whether it changed; the look itself finds what a listing still hides
  if ((await readdir(directory).catch((): string[] => [])).includes(nonce)) return true;
  return await lstat(join(directory, nonce)).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function removeStale(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!isNonce(name)) continue;
    const found = await lstat(join(directory, name)).catch(() => null);
    if (found?.isFile() && Date.now() - found.mtimeMs > STALE_MS) await removeIfThere(join(directory, name));
  }
}

function directoryOf(root: Pick<Root, 'path'>): string {
  return join(root.path, OURS, 'proof');
}

function isNonce(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

function checked(nonce: string): string {
  if (!isNonce(nonce)) throw new TypeError('not a nonce');
  return nonce;
}
