import type { BigIntStats } from 'node:fs';
import { link, lstat, mkdir, open, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '../errors.ts';

/** Called between system calls so that a test can end the process exactly there. Never set in a running node. */
export type Fault = (point: string) => void | Promise<void>;

/** Replaces a small file whole or not at all, also across a power cut: new file, fsync, rename, fsync of the directory. */
export async function writeDurably(path: string, text: string, mode = 0o644): Promise<void> {
  const fresh = `${path}.new`;
  try {
    await writeSynced(fresh, text, 'w', undefined, mode);
    await rename(fresh, path);
  } catch (error) {
    await removeIfThere(fresh).catch(() => false); // on a full disk an empty file stays behind
    throw error;
  }
  await syncDirectory(dirname(path));
}

/**
 * Makes a small file that must not exist yet. Readers see it complete or not at all, where the file system has links.
 * @returns false when the name was taken
 */
export async function createDurably(path: string, text: string, fresh: string): Promise<boolean> {
  await writeSynced(fresh, text, 'w');
  try {
    await link(fresh, path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    if (!linksRefused(error) && codeOf(error) !== 'EXDEV') throw error;
    return await createInPlace(path, text);
  } finally {
    await removeIfThere(fresh);
  }
  await syncDirectory(dirname(path));
  return true;
}

/** The same without a second name: who looks at the wrong moment sees an empty file. */
export async function createInPlace(path: string, text: string, made?: () => void | Promise<void>): Promise<boolean> {
  try {
    await writeSynced(path, text, 'wx', made);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    await removeIfThere(path);
    throw error;
  }
  await syncDirectory(dirname(path));
  return true;
}

async function writeSynced(path: string, text: string, flags: 'w' | 'wx', made?: () => void | Promise<void>, mode = 0o644): Promise<void> {
  const file = await open(path, flags, mode);
  try {
    await made?.();
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Puts the names in a directory on the disk. Windows cannot, and some network file systems refuse: they do it on their own. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    if (process.platform === 'win32') return;
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EBADF'].includes(codeOf(error) ?? '')) throw error;
  }
}

export async function syncFile(path: string): Promise<void> {
  // Windows flushes only through a handle that may write
  const file = await open(path, process.platform === 'win32' ? 'r+' : 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a directory and those above it, and syncs every parent that got a new name. */
export async function makeDirectoryDurably(path: string, mode?: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) });
  if (first === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

export async function removeIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Removes a directory only when it is empty. */
export async function removeEmptyDirectory(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch {
    return false;
  }
}

/** What stands under a name, a link itself and not what it points to; null when nothing does. */
export async function lstatIfThere(path: string): Promise<BigIntStats | null> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

/** Two names of one and the same file, right now. */
export async function sameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([lstatIfThere(a), lstatIfThere(b)]);
  return first !== null && second !== null && first.isFile() && second.isFile() && first.dev === second.dev && first.ino === second.ino;
}

/**
 * The file system (exFAT, SMB, some FUSE), its limit (EMLINK) or the kernel (fs.protected_hardlinks: another owner's file
 * that we may not write gives EPERM) does not let us give this file a second name.
 */
export function linksRefused(error: unknown): boolean {
  return ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL', 'EISDIR', 'UNKNOWN'].includes(codeOf(error) ?? '');
}
