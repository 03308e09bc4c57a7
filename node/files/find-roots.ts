import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownCommand } from '../program.ts';
import type { FoundMarker, LookOrder, Place } from './marker-look.ts';

/**
 * Finds library roots of the cluster on the disks of this machine, by their markers: who mounts the same share needs to
 * tell nobody where. Only mount points are looked at, and two levels below those of networks and removable disks.
 *
 *   mount points ─▶ one process for the fixed disks, one for each other ─ 10 s ─▶ markers with a wanted id
 *
 * A hung network disk costs its process, which is killed and forgotten; nothing here calls into a disk itself.
 */
export interface Mount {
  path: string;
  /** a network or removable disk: it may hang, and it may hold a library further down */
  apart: boolean;
}

export interface FindOptions {
  mounts?: readonly Mount[];
  timeoutMs?: number;
  signal?: AbortSignal;
  /** for tests: another program than this one */
  command?: { file: string; args: readonly string[] };
}

/** A disk that rests needs several seconds to wake; nothing waits for this look. */
const TIMEOUT_MS = 10_000;
const MOST_DIRECTORIES = 3000;
const MOST_PROCESSES = 32;

/** Every place of this machine that holds the marker of a wanted root, in the order of the mounts. The first of several is as good as any. */
export async function findRoots(wanted: readonly string[], options: FindOptions = {}): Promise<FoundMarker[]> {
  if (wanted.length === 0) return [];
  const mounts = options.mounts ?? (await listMounts());
  const fixed = mounts.filter((m) => !m.apart).map((m): Place => ({ path: m.path, levels: 0 }));
  const apart = mounts.filter((m) => m.apart).map((m): Place[] => [{ path: m.path, levels: 2 }]);
  const groups = [...(fixed.length ? [fixed] : []), ...apart].slice(0, MOST_PROCESSES);
  const found = await Promise.all(groups.map((places) => lookIn(places, options)));
  const order = new Map(mounts.map((m, i) => [m.path, i]));
  const known = new Map<string, FoundMarker>();
  for (const marker of found.flat()) if (wanted.includes(marker.id)) known.set(marker.path, marker);
  return [...known.values()].sort((a, b) => (order.get(a.path) ?? Infinity) - (order.get(b.path) ?? Infinity) || compare(a.path, b.path));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function lookIn(places: Place[], options: FindOptions): Promise<FoundMarker[]> {
  const order: LookOrder = { places, most: MOST_DIRECTORIES };
  const { file, args } = options.command ?? ownCommand();
  return new Promise((resolve) => {
    const child = spawn(file, [...args, 'look-for-roots', JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    const end = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', end);
      // a process that hangs in the kernel survives even this; it is not waited for
      child.kill('SIGKILL');
      child.stdout.destroy();
      child.unref();
      resolve(readLines(text));
    };
    const timer = setTimeout(end, options.timeoutMs ?? TIMEOUT_MS);
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (piece: string) => {
      text += piece;
      if (text.length > 1_000_000) end();
    });
    child.on('error', end);
    child.on('close', end);
    options.signal?.addEventListener('abort', end, { once: true });
    if (options.signal?.aborted) end();
  });
}

/** The last line may be half. */
function readLines(text: string): FoundMarker[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as FoundMarker);
}

/** Places where a library may be mounted on this machine. Asks the system's tables, never the disks. */
export async function listMounts(): Promise<Mount[]> {
  if (process.platform === 'linux') return mountsOf(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''));
  if (process.platform === 'win32')
    return [...'CDEFGHIJKLMNOPQRSTUVWXYZAB'].map((letter) => ({ path: `${letter}:\\`, apart: letter !== 'C' }));
  const names = await readdir('/Volumes').catch((): string[] => []);
  return names.toSorted().map((name) => ({ path: join('/Volumes', name), apart: true }));
}

const network = /^(nfs\d?|cifs|smb\d?|smbfs|9p|virtiofs|afs|ceph|glusterfs|davfs|sshfs|fuse(\..*)?|fuseblk|vboxsf|prl_fs)$/;
const disks = /^(ext[234]|xfs|btrfs|zfs|f2fs|bcachefs|jfs|reiserfs|vfat|exfat|ntfs3?|ntfs-3g|hfsplus|apfs|udf|iso9660|overlay|tmpfs)$/;
const removable = /^\/(media|mnt|run\/media|run\/mount|srv|Volumes)(\/|$)/;
const system = /^\/(proc|sys|dev|boot|etc|usr|run(?!\/(media|mount))|snap|var\/(run|snap))(\/|$)/;

/** Whatever is mounted where a library may be. */
export function mountsOf(mountinfo: string): Mount[] {
  const mounts = new Map<string, Mount>();
  for (const { path, type } of mountTypes(mountinfo)) {
    if (path === '/' || system.test(path)) continue;
    const remote = network.test(type);
    if (remote || disks.test(type)) mounts.set(path, { path, apart: remote || removable.test(path) });
  }
  return [...mounts.values()];
}

/**
 * Every mount point with its kind, the later of two above the earlier. `/proc/self/mountinfo` says "36 35 98:0 / /mnt/films
 * rw,noatime shared:1 - ext4 /dev/sdb1 rw"; blanks in a path are \\040.
 */
export function mountTypes(mountinfo: string): { path: string; type: string }[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const path = before
      ?.split(' ')[4]
      ?.replaceAll(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const type = after?.split(' ')[0];
    return path && type ? [{ path, type }] : [];
  });
}

/** A network disk, or one that a program in user space stands behind. */
export function isNetworkType(type: string): boolean {
  return network.test(type);
}

export function isDiskType(type: string): boolean {
  return disks.test(type);
}
