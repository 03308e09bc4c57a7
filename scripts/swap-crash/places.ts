import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adoptRoot, openRoot, type Root } from '../../node/files/roots.ts';
import { isDead } from '../../node/testing/network-commands.ts';

/** Where films lie: a root on a disk of some kind, and what can be done to that disk. */
export interface Place {
  name: PlaceName;
  root: Root;
  /** the folder below the root in which films are put, '/' separators */
  films: string;
  /** not a byte fits any more, until `free` */
  fill?: () => void;
  free?: () => void;
  readOnly?: (on: boolean) => void;
  /** the mount goes away in the middle, and comes back */
  vanish?: () => void;
  comeBack?: () => void;
  /** what a power cut would leave now, mounted elsewhere; its films lie under the same relative paths */
  cut?: () => { root: Promise<Root>; remove: () => void };
  close: () => void;
}

export type PlaceName = 'disk' | 'tmpfs' | 'bind' | 'small' | 'gone' | 'loop';

export const mayMount = process.platform === 'linux' && process.getuid?.() === 0 && canMount();

/** @param name bind: the films lie on another file system than the root's own folder, by a bind mount */
export async function openPlace(name: PlaceName): Promise<Place> {
  const base = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  const mount = (path: string, ...args: string[]): string => {
    mkdirSync(path, { recursive: true });
    quietly('mount', [...args, path]);
    return path;
  };
  const close = (): void => {
    removeBase(base);
    process.off('exit', close);
  };
  process.once('exit', close);
  try {
    return { name, close, ...(await makers[name](base, mount)) };
  } catch (error) {
    close();
    throw error;
  }
}

const prefix = 'codecshift-faults-';

/** What an earlier run left that was killed itself. */
export function removeDeadPlaces(): void {
  for (const name of readdirSync(tmpdir())) if (isDead(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1])) removeBase(join(tmpdir(), name));
}

/** Disks first: what is on them goes with them. */
function removeBase(base: string): void {
  const mounted = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${base}/`));
  for (const path of mounted.toReversed()) attempt(() => quietly('umount', ['-l', path]));
  rmSync(base, { recursive: true, force: true, maxRetries: 3 });
}

type Mount = (path: string, ...args: string[]) => string;
type Made = Omit<Place, 'name' | 'close'>;

function tmpfs(megabytes: number): string[] {
  return ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'codecshift-test'];
}

const makers: Record<PlaceName, (base: string, mount: Mount) => Promise<Made>> = {
  disk: async (base) => ({ root: await rootAt(join(base, 'root')), films: 'Films' }),
  tmpfs: async (base, mount) => ({ root: await rootAt(mount(join(base, 'root'), ...tmpfs(512))), films: 'Films' }),
  async bind(base, mount) {
    const root = await rootAt(join(base, 'root'));
    const other = mount(join(base, 'other'), ...tmpfs(512));
    mount(join(root.path, 'Films'), '--bind', other);
    return { root, films: 'Films' };
  },
  async small(base, mount) {
    const path = mount(join(base, 'root'), ...tmpfs(96));
    const ballast = join(path, '.ballast');
    const remount = (on: boolean): void => quietly('mount', ['-o', `remount,${on ? 'ro' : 'rw'}`, path]);
    return {
      root: await rootAt(path),
      films: 'Films',
      fill: () => fill(ballast),
      free: () => rmSync(ballast, { force: true }),
      readOnly: remount,
    };
  },
  async gone(base, mount) {
    const real = join(base, 'real');
    mkdirSync(real);
    const path = mount(join(base, 'root'), '--bind', real);
    const comeBack = (): void => quietly('mount', ['--bind', real, path]);
    return { root: await rootAt(path), films: 'Films', vanish: () => quietly('umount', ['-l', path]), comeBack };
  },
  async loop(base, mount) {
    const image = join(base, 'image');
    closeSync(openSync(image, 'w'));
    execFileSync('truncate', ['-s', '112M', image]);
    quietly('mkfs.ext4', ['-q', '-F', '-b', '4096', '-J', 'size=4', image]);
    const path = mount(join(base, 'root'), '-o', 'loop', image);
    const root = await rootAt(path);
    quietly('sync', ['-f', path]);
    let cuts = 0;
    const cut = (): { root: Promise<Root>; remove: () => void } => {
      const copy = join(base, `cut-${++cuts}`);
      quietly('cp', ['--sparse=always', image, `${copy}.image`]);
      mkdirSync(copy);
      quietly('mount', ['-o', 'loop', `${copy}.image`, copy]);
      const remove = (): void => {
        quietly('umount', [copy]);
        rmSync(`${copy}.image`);
        rmSync(copy, { recursive: true });
      };
      return { root: openRoot({ path: copy, id: root.id }), remove };
    };
    const readOnly = (on: boolean): void => quietly('mount', ['-o', `remount,${on ? 'ro' : 'rw'}`, path]);
    return { root, films: 'Films', cut, readOnly };
  },
};

async function rootAt(path: string): Promise<Root> {
  mkdirSync(join(path, 'Films'), { recursive: true });
  const adopted = await adoptRoot(path);
  return await openRoot({ path: adopted.rootPath, id: adopted.rootId });
}

function fill(ballast: string): void {
  const handle = openSync(ballast, 'a');
  try {
    for (let chunk = 1 << 20; chunk >= 512; chunk >>= 1) while (writes(handle, chunk));
  } finally {
    closeSync(handle);
  }
}

function writes(handle: number, bytes: number): boolean {
  try {
    return writeSync(handle, Buffer.alloc(bytes)) === bytes;
  } catch {
    return false;
  }
}

function canMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'codecshift-mount-'));
  try {
    quietly('mount', [...tmpfs(1), path]);
    quietly('umount', [path]);
    return readFileSync('/proc/self/mounts', 'utf8').length > 0;
  } catch {
    return false;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

function quietly(command: string, args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // gone already
  }
}
