import { statfs } from 'node:fs/promises';
import { reason } from '../core/reasons.ts';
import { codeOf, PlainError } from '../errors.ts';

/** Bytes that this process may still write below a directory; unprivileged users' share, as `df` shows it. */
export async function freeBytes(path: string): Promise<number> {
  const disk = await statfs(path, { bigint: true });
  return Number(disk.bavail * disk.bsize);
}

/** Null where a file system has no size to tell (some FUSE mounts). */
export async function freeBytesOrNull(path: string): Promise<number | null> {
  const disk = await statfs(path, { bigint: true }).catch(() => null);
  return disk === null || disk.blocks === 0n ? null : Number(disk.bavail * disk.bsize);
}

/** Left free for journals and for everybody else. */
const RESERVE = 64 * 1024 * 1024;

/**
 * @throws PlainError `no-space` when a file of this size would fill the disk. File systems that report no size at all
 * (some FUSE mounts say 0 blocks) are believed to have room: the write itself will tell.
 */
export async function requireSpace(directory: string, bytes: number, what: string): Promise<void> {
  const disk = await statfs(directory, { bigint: true });
  const free = Number(disk.bavail * disk.bsize);
  if (disk.blocks === 0n || free >= bytes + RESERVE) return;
  throw diskFull(what, { needed: bytes + RESERVE, free });
}

/** only deliveries come here; a temporary name would tell a person nothing */
const where = 'the library’s disk';

export function diskFull(what: string, numbers: { needed: number; free?: number }, cause?: unknown): PlainError {
  const room = numbers.free === undefined ? '' : ` (${gigabytes(numbers.needed)} needed, ${gigabytes(numbers.free)} free)`;
  return new PlainError(`The disk is full: no room for ${what}${room}. The original is untouched.`, {
    cause,
    retry: true,
    reason:
      numbers.free === undefined
        ? reason('disk-full', { where })
        : reason('no-space', { where, needed: numbers.needed, free: numbers.free }),
  });
}

export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
