import { execFile } from 'node:child_process';
import { realpath as realpathOf } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isNetworkType, isDiskType, mountTypes } from './find-roots.ts';

/**
 * Whether the system tells the truth about changes below a folder. A local disk does; a network disk tells only what this
 * very machine changes, and a disk in user space may tell anything, so those are never believed and scans find the rest.
 * Resolves with why not, as a sentence goes on ("it is a network disk (nfs4)"); null when it can be watched.
 */
export async function whyNotWatchable(directory: string): Promise<string | null> {
  if (process.platform === 'linux') {
    const [here, mounts] = [await realpath(directory), await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')];
    return whyNotByMounts(here, mountTypes(mounts));
  }
  if (process.platform === 'darwin') {
    const { stdout } = await promisify(execFile)('/sbin/mount', [], { timeout: 5000 }).catch(() => ({ stdout: '' }));
    return whyNotByMounts(await realpath(directory), macMounts(stdout));
  }
  // a drive letter of a share turns into its real name here
  const real = await promisify(realpathOf.native)(directory).catch(() => directory);
  return /^(\\\\|\/\/)/.test(real.replace(/^\\\\\?\\(?!UNC)/, '')) ? 'it is a network disk' : null;
}

/** From the system's own table: the disk that holds the folder, and whatever is mounted further down in it. */
export function whyNotByMounts(directory: string, mounts: readonly { path: string; type: string }[]): string | null {
  const inside = (path: string, folder: string): boolean => folder === '/' || path === folder || path.startsWith(`${folder}/`);
  const holding = mounts
    .filter((mount) => inside(directory, mount.path))
    // of two at one place the later one covers the other
    .reduce<{ path: string; type: string } | null>((best, mount) => (!best || mount.path.length >= best.path.length ? mount : best), null);
  if (!holding) return 'the system does not say what kind of disk it is';
  const own = whyNotType(holding.type);
  if (own) return own;
  for (const { path, type } of mounts) {
    const why = path !== directory && inside(path, directory) ? whyNotType(type) : null;
    if (why) return `${why} at ${path.slice(directory.length + 1).slice(0, 100)}`;
  }
  return null;
}

function whyNotType(type: string): string | null {
  if (isNetworkType(type)) return `it is a network disk, or one in user space (${type.slice(0, 30)})`;
  return isDiskType(type) ? null : `its kind of disk (${type.slice(0, 30)}) is not known to tell of every change`;
}

/** "/dev/disk3s1 on /Volumes/Films (apfs, local, journaled)" */
export function macMounts(said: string): { path: string; type: string }[] {
  return said.split('\n').flatMap((line) => {
    const found = /^.* on (\/.*) \(([a-z0-9_.-]+)(?:, [^)]*)?\)$/i.exec(line);
    return found ? [{ path: found[1]!, type: found[2]!.toLowerCase() }] : [];
  });
}
