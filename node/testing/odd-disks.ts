import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { messageOf } from '../errors.ts';

/** Disks as they go wrong, made by mounting; only root may. Each takes its directory away with the test. */
interface Cleanup {
  after(fn: () => Promise<void> | void): void;
}

/** Why there are none here; false when there are. */
export function noOddDisks(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root mounts small disks';
  return spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0 ? false : 'nothing can be mounted here';
}

/** Why no disk can hang here; false when one can. Tried, since a kernel may lack what it takes. */
export const noDeadDisks = (): string | false => noOddDisks() || without(deadDisk, 'no share that hangs can be mounted here');
export const noFreezingDisks = (): string | false => noOddDisks() || without(freezingDisk, 'no disk that freezes can be mounted here');

function without(make: (t: Cleanup) => unknown, why: string): string | false {
  const ends: (() => Promise<void> | void)[] = [];
  try {
    make({ after: (fn) => void ends.push(fn) });
    return false;
  } catch (error) {
    return `${why}: ${messageOf(error)}`;
  } finally {
    for (const end of ends) void end();
  }
}

export interface SmallDisk {
  path: string;
  /** from now on only so much of it is free. Bytes, of whole pages */
  leave(bytes: number): void;
}

/** @param size as `mount` takes it: `1m` */
export function smallDisk(t: Cleanup, size: string): SmallDisk {
  const directory = mountPoint();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'tmpfs', directory]);
  t.after(() => unmount(directory));
  return {
    path: directory,
    leave(bytes) {
      const { blocks, bfree, bsize } = statfsSync(directory);
      execFileSync('mount', ['-o', `remount,size=${(blocks - bfree) * bsize + bytes}`, directory]);
    },
  };
}

/** A share whose server is away: every call to it waits, until `end`, from when on every call fails. */
export function deadDisk(t: Cleanup): { path: string; end(): void } {
  const directory = mountPoint();
  const device = openSync('/dev/fuse', 'r+');
  let isOpen = true;
  const end = (): void => {
    if (isOpen) closeSync(device);
    isOpen = false;
  };
  t.after(() => {
    end();
    unmount(directory);
  });
  const words = ['-i', '-t', 'fuse', '-o', 'fd=3,rootmode=40000,user_id=0,group_id=0', 'dead', directory];
  execFileSync('mount', words, { stdio: ['ignore', 'ignore', 'pipe', device] });
  return { path: directory, end };
}

/** A disk that stops taking anything, until it thaws. */
export function freezingDisk(t: Cleanup): { path: string; freeze(): void; thaw(): void } {
  const directory = mountPoint();
  const image = `${directory}.image`;
  let isFrozen = false;
  const thaw = (): void => {
    if (isFrozen) execFileSync('fsfreeze', ['-u', directory]);
    isFrozen = false;
  };
  t.after(() => {
    thaw();
    unmount(directory);
    rmSync(image, { force: true });
  });
  writeFileSync(image, '');
  truncateSync(image, 16 * 1024 * 1024);
  execFileSync('mkfs.ext4', ['-q', '-F', image], { stdio: 'pipe' });
  execFileSync('mount', ['-o', 'loop', image, directory], { stdio: 'pipe' });
  execFileSync('fsfreeze', ['--version'], { stdio: 'pipe' });
  return {
    path: directory,
    thaw,
    freeze() {
      execFileSync('fsfreeze', ['-f', directory]);
      isFrozen = true;
    },
  };
}

function mountPoint(): string {
  return mkdtempSync(path.join(tmpdir(), 'codecshift-disk-'));
}

/** Never emptied by name: what hangs would hang whoever looks into it. */
function unmount(directory: string): void {
  spawnSync('umount', ['-l', directory]);
  rmdirSync(directory);
}
