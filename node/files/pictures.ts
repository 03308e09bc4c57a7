import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isJpeg, MAX_PAIRS, MAX_PICTURE_BYTES, type Side } from '../core/pictures.ts';
import { codeOf, PlainError } from '../errors.ts';
import { freeBytes } from './disk.ts';

/**
 * Comparison frames on this node: `<data>/pictures/<attempt>/<n>-{before,after}.jpg`. They are made in a directory beside
 * it and appear all at once. At most so many attempts have some; beyond that the oldest go.
 */
export interface Pictures {
  /** An empty directory to make them in; null when the disk has no room to spare. Ends with `drop`. */
  draft(attempt: number): Promise<string | null>;
  drop(attempt: number): Promise<void>;
  /** Those of an attempt, in the film's order; what it had before is replaced. */
  store(attempt: number, pairs: readonly { before: Buffer; after: Buffer }[]): Promise<void>;
  /** @throws PlainError when there is no such picture here */
  read(attempt: number, number: number, side: Side): Promise<Buffer>;
  remove(attempt: number): Promise<void>;
}

/** With 150 KiB each and five pairs that is at most 2.3 GB, and mostly a third of it. */
const MAX_ATTEMPTS = 1500;
/** Pictures never take the last room of the disk on which results are written down. */
const SPARE_BYTES = 512 * 1024 * 1024;

export function openPictures(dataDir: string, options: { maxAttempts?: number } = {}): Pictures {
  const folder = join(dataDir, 'pictures');
  const draftOf = (attempt: number): string => join(folder, `making-${checked(attempt)}`);
  return {
    async draft(attempt) {
      const path = draftOf(attempt);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if ((await freeBytes(folder)) < SPARE_BYTES) return null;
      await rm(path, { recursive: true, force: true });
      await mkdir(path, { mode: 0o700 });
      return path;
    },
    drop: (attempt) => rm(draftOf(attempt), { recursive: true, force: true, maxRetries: 3 }),
    async store(attempt, pairs) {
      const made = `${draftOf(attempt)}.whole`;
      await rm(made, { recursive: true, force: true });
      await mkdir(made, { recursive: true, mode: 0o700 });
      for (const [n, pair] of pairs.slice(0, MAX_PAIRS).entries())
        for (const side of ['before', 'after'] as const) await writePicture(join(made, nameOf(n + 1, side)), pair[side]);
      await removePictures(dataDir, attempt);
      await rename(made, join(folder, String(checked(attempt))));
      await removeOldest(dataDir, options.maxAttempts ?? MAX_ATTEMPTS);
    },
    async read(attempt, number, side) {
      const bytes = await readPicture(join(folder, String(checked(attempt)), nameOf(number, side)));
      if (isJpeg(bytes)) return bytes;
      throw new PlainError('This picture is damaged.');
    },
    remove: (attempt) => removePictures(dataDir, attempt),
  };
}

/** Attempts that have pictures on this node, ascending; also what a killed process left of the making of some. */
export async function listPictures(dataDir: string): Promise<number[]> {
  const names = await readdir(join(dataDir, 'pictures')).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  const attempts = names.map((name) => /^(?:making-)?([1-9]\d{0,14})(?:\.whole)?$/.exec(name)?.[1]).filter((found) => found !== undefined);
  return [...new Set(attempts.map(Number))].sort((a, b) => a - b);
}

/** Removes the pictures of an attempt from this node; nothing else lies there. */
export async function removePictures(dataDir: string, attempt: number): Promise<void> {
  await rm(join(dataDir, 'pictures', String(checked(attempt))), { recursive: true, force: true, maxRetries: 3 });
}

/** Removes the pictures of every attempt, and what is left of their making: another cluster numbers its attempts anew. */
export async function removeAllPictures(dataDir: string): Promise<void> {
  await rm(join(dataDir, 'pictures'), { recursive: true, force: true, maxRetries: 3 });
}

/** Attempts are numbered in order of time. */
async function removeOldest(dataDir: string, most: number): Promise<void> {
  const attempts = await listPictures(dataDir);
  for (const attempt of attempts.slice(0, Math.max(0, attempts.length - most))) await removePictures(dataDir, attempt);
}

async function writePicture(file: string, bytes: Buffer): Promise<void> {
  if (!isJpeg(bytes) || bytes.length > MAX_PICTURE_BYTES) throw new TypeError('not a picture of ours');
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
  } finally {
    await handle.close();
  }
}

async function readPicture(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    try {
      const { size } = await handle.stat();
      return size <= MAX_PICTURE_BYTES ? await handle.readFile() : Buffer.alloc(0);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new PlainError('This picture is not on this machine any more.', { cause: error });
  }
}

function nameOf(number: number, side: Side): string {
  if (!Number.isSafeInteger(number) || number < 1 || number > MAX_PAIRS) throw new TypeError(`not a picture: ${String(number)}`);
  return `${number}-${side === 'before' ? 'before' : 'after'}.jpg`;
}

/** It becomes part of a path that is removed as a whole. */
function checked(attempt: number): number {
  if (!Number.isSafeInteger(attempt) || attempt < 1) throw new TypeError(`not an attempt: ${String(attempt)}`);
  return attempt;
}
