import { access, constants, mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, PlainError } from '../errors.ts';

/**
 * Makes the data directory where it is missing, for this user alone. Not `mkdir` with `recursive`: in a place that
 * refuses directories by saying "not there" (/proc does) Node.js tries for ever.
 * @throws PlainError with the way out
 */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    for (const one of await missing(dataDir)) await mkdir(one, { mode: 0o700 }).catch(unlessThere);
    await access(dataDir, constants.W_OK);
    await writeFile(path.join(dataDir, '.writable'), '', { mode: 0o600 });
  } catch (error) {
    throw new PlainError(`The data directory ${dataDir} cannot be used: ${why(error)}. Choose another with --data-dir.`, { cause: error });
  }
}

/**
 * A sentence for whoever keeps the keys where everybody may write, or null. In such a folder any user of the machine can put
 * another key or another part of the program in the place of ours. It is said and not refused: in a container there is nobody
 * else, and people of a NAS open everything to everybody.
 */
export async function openToEverybody(dataDir: string): Promise<string | null> {
  if (process.platform === 'win32') return null;
  const found = await stat(dataDir).catch(() => null);
  const sticky = ((found?.mode ?? 0) & 0o1000) !== 0; // then everybody may add, and nobody may exchange: so is the volume of our image
  if (!found || sticky || (found.mode & 0o002) === 0) return null;
  return `Everybody who uses this machine may write into ${dataDir}, and could put a key or a program of his own there. Take that right away: chmod o-w '${dataDir}'`;
}

/**
 * The libraries of the command line. One that was a library before may be missing: its disk comes later or not at all, and
 * the dashboard has to say so.
 * @throws PlainError for the first one that is none
 */
export async function requireFolders(folders: readonly string[], known: readonly string[]): Promise<void> {
  for (const folder of folders) {
    if (known.some((root) => isWithin(root, path.resolve(folder)))) continue;
    const found = await stat(folder).catch(() => null);
    if (!found) throw new PlainError(`The folder ${path.resolve(folder)} is not there.`);
    if (!found.isDirectory()) throw new PlainError(`${path.resolve(folder)} is not a folder.`);
  }
}

export function isWithin(folder: string, inner: string): boolean {
  const way = path.relative(folder, inner);
  return way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}

/** The directories to make, the highest first. */
async function missing(dataDir: string): Promise<string[]> {
  const wanted: string[] = [];
  for (let at = dataDir; ; at = path.dirname(at)) {
    const found = await stat(at).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
      return null;
    });
    if (found?.isDirectory()) return wanted;
    if (found) throw Object.assign(new Error(`${at} is a file`), { code: 'ENOTDIR' });
    if (at === path.dirname(at)) throw new Error(`${at} is not there`);
    wanted.unshift(at);
  }
}

function unlessThere(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error;
}

function why(error: unknown): string {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not write there';
  if (code === 'EROFS') return 'the disk is read-only';
  if (code === 'ENOSPC') return 'the disk is full';
  if (code === 'ENOENT') return 'no directory can be made there';
  return error instanceof Error ? error.message : String(error);
}
