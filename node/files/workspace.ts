import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Fingerprint } from '../core/media.ts';
import { codeOf, PlainError } from '../errors.ts';
import { freeBytes } from './disk.ts';
import { makeDirectoryDurably } from './durable.ts';
import { fingerprint, sameContent } from './fingerprint.ts';

/** Where encodes are made: one directory per attempt in this node's own data directory. No original is ever in it. */
export interface Workspace {
  /** absolute */
  readonly path: string;
  /** Makes the attempt's directory and resolves with its path; a leftover of the same attempt is emptied first. */
  create(attempt: number): Promise<string>;
  /** The directory of an attempt, made or not. */
  directoryOf(attempt: number): string;
  /** Where the attempt's output is written; the extension with its dot. */
  outputOf(attempt: number, extension: string): string;
  /** Where a source that is fetched from another machine is put; it keeps the extension of its name there, if that is a plain one. */
  sourceOf(attempt: number, name: string): string;
  /** Are these the bytes of that film, as far as size and both ends tell? Its name, time and inode are others here. */
  isCopyOf(file: string, film: Pick<Fingerprint, 'sizeBytes' | 'hash'>, signal?: AbortSignal): Promise<boolean>;
  remove(attempt: number): Promise<void>;
  /** Attempts that have a directory here, ascending. */
  list(): Promise<number[]>;
  /** Removes every directory whose attempt is not among the living; resolves with those removed. */
  removeOrphans(live: ReadonlySet<number>): Promise<number[]>;
  freeBytes(): Promise<number>;
  /** What all attempts together hold on the disk. */
  usedBytes(): Promise<number>;
}

/** @throws PlainError when the directory can't be made */
export async function openWorkspace(dataDir: string): Promise<Workspace> {
  const path = join(dataDir, 'workspace');
  try {
    await makeDirectoryDurably(path);
  } catch (error) {
    throw new PlainError(`The work directory ${path} can't be made (${codeOf(error) ?? 'error'}).`, {
      cause: error,
    });
  }
  const directoryOf = (attempt: number): string => join(path, String(checked(attempt)));
  const remove = (attempt: number): Promise<void> => rm(directoryOf(attempt), { recursive: true, force: true, maxRetries: 3 });
  const list = async (): Promise<number[]> => {
    const names = await readdir(path);
    return names
      .filter((name) => /^[1-9]\d{0,14}$|^0$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  };
  return {
    path,
    directoryOf,
    remove,
    list,
    async create(attempt) {
      await remove(attempt);
      await mkdir(directoryOf(attempt));
      return directoryOf(attempt);
    },
    outputOf: (attempt, extension) => join(directoryOf(attempt), `output${safeExtension(extension)}`),
    sourceOf: (attempt, name) => join(directoryOf(attempt), `source${extensionIn(name)}`),
    isCopyOf: async (file, film, signal) => sameContent(await fingerprint(file, signal), film),
    async removeOrphans(live) {
      const orphans = (await list()).filter((attempt) => !live.has(attempt));
      for (const attempt of orphans) await remove(attempt);
      return orphans;
    },
    freeBytes: () => freeBytes(path),
    usedBytes: async () => {
      let sum = 0;
      for (const attempt of await list()) sum += await bytesIn(directoryOf(attempt));
      return sum;
    },
  };
}

/** What vanishes while it is counted counts nothing: a run may end at any moment. */
async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => []);
  let sum = 0;
  for (const entry of entries) if (entry.isFile()) sum += (await lstat(join(entry.parentPath, entry.name)).catch(() => null))?.size ?? 0;
  return sum;
}

/** It becomes part of a path that is removed as a whole. */
function checked(attempt: number): number {
  if (!Number.isSafeInteger(attempt) || attempt < 0) throw new TypeError(`not an attempt: ${String(attempt)}`);
  return attempt;
}

/** The name comes from another machine: what is not a plain extension is left away, and ffmpeg looks inside. */
function extensionIn(name: string): string {
  const extension = extname(name);
  return plainExtension.test(extension) ? extension : '';
}

const plainExtension = /^\.[A-Za-z0-9]{1,8}$/;

function safeExtension(extension: string): string {
  if (!plainExtension.test(extension)) throw new TypeError(`not an extension: ${JSON.stringify(extension.slice(0, 40))}`);
  return extension;
}
