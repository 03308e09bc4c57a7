import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDead } from './network-commands.ts';

/** Small disks in memory that can be filled to the last byte, and the folder in which a cluster lives. */
export interface Disk {
  path: string;
  /** nothing fits on it any more */
  fill(): void;
  free(): void;
}

const prefix = 'codecshift-bed-';
let count = 0;

/** A folder for one cluster, in the name of this process. It goes with the process, or with the next run. */
export function makeBase(): { path: string; remove(): void } {
  removeDeadBases();
  const path = join(tmpdir(), `${prefix}${process.pid}-${++count}`);
  // the database's own user has to get through
  mkdirSync(path, { mode: 0o711 });
  const remove = (): void => {
    removeBase(path);
    process.off('exit', remove);
  };
  process.once('exit', remove);
  return { path, remove };
}

export function mountDisk(path: string, megabytes: number): Disk {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'codecshift-test', path]);
  const ballast = join(path, '.ballast');
  return {
    path,
    fill() {
      const handle = openSync(ballast, 'a');
      try {
        for (let chunk = 1 << 20; chunk >= 512; chunk >>= 1) while (writes(handle, chunk));
      } finally {
        closeSync(handle);
      }
    },
    free: () => rmSync(ballast, { force: true }),
  };
}

function writes(handle: number, bytes: number): boolean {
  try {
    return writeSync(handle, Buffer.alloc(bytes)) === bytes;
  } catch {
    return false;
  }
}

function removeDeadBases(): void {
  for (const name of readdirSync(tmpdir())) if (isDead(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1])) removeBase(join(tmpdir(), name));
}

/** Disks first: what is on them goes with them. */
function removeBase(path: string): void {
  const mounted = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${path}/`));
  for (const place of mounted.toReversed()) {
    try {
      execFileSync('umount', ['-l', place], { stdio: 'pipe' });
    } catch {
      // gone already
    }
  }
  if (existsSync(path)) rmSync(path, { recursive: true, force: true, maxRetries: 20 });
}
