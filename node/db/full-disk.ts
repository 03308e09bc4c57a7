import { stat, statfs } from 'node:fs/promises';
import { codeOf } from '../errors.ts';
import type { Queryable } from './connect.ts';

/** A disk that becomes full while a database is copied, in words and numbers. */
const words: Readonly<Record<string, (folder: string) => string>> = {
  ENOSPC: (folder) => `The disk of ${folder} is full`,
  EDQUOT: (folder) => `This user may use no more of the disk of ${folder}: the quota is used up`,
  // FAT32 takes 4 GB
  EFBIG: (folder) => `The disk of ${folder} takes no file that is so big`,
};

/** Also one that was put into words already: its `cause` is asked. */
export function isDiskFull(error: unknown): boolean {
  return (codeOf(error) ?? '') in words || (error instanceof Error && error.cause !== undefined && isDiskFull(error.cause));
}

export interface RoomWanted {
  /** bytes, about; null: not known */
  needed: number | null;
  /** bytes that are left to others */
  spare?: number;
}

/** What happened, how much is free now, and how much is needed. One sentence. */
export async function fullWords(error: unknown, folder: string, { needed, spare = 0 }: RoomWanted): Promise<string> {
  const free = await freeBytes(folder);
  const says = words[codeOf(error) ?? 'ENOSPC'] ?? words['ENOSPC']!;
  const numbers = [
    ...(free === null ? [] : [`${megabytes(free)} are free there now`]),
    ...(spare > 0 ? [`${megabytes(spare)} stay free for the rest of CodecShift`] : []),
    ...(needed === null ? [] : [`up to ${megabytes(needed)} are needed`]),
  ];
  return `${says(folder)}${numbers.length > 0 ? ` (${numbers.join(', ')})` : ''}.`;
}

/** Null where a file system has no size to tell. */
export async function freeBytes(folder: string): Promise<number | null> {
  const disk = await statfs(folder).catch(() => null);
  return disk === null || disk.blocks === 0 ? null : disk.bavail * disk.bsize;
}

/** Rows as compressed text take a third of what their tables take, or less. */
const SHARE = 3;

/** Bytes that a backup takes at most, about. Null where the database does not say. */
export async function backupEstimate(q: Queryable): Promise<number | null> {
  const [size] = await q
    .query<{ bytes: string }>(`select pg_database_size(current_database())::text as bytes`)
    .catch((): { bytes: string }[] => []);
  return size ? Number(size.bytes) / SHARE : null;
}

/**
 * An embedded database that finds its disk full cannot go on, and neither can what is being encoded: a backup on the same
 * disk leaves this much. Bytes.
 */
const SPARE = 64e6;

export async function spareOn(folder: string, dataDir: string): Promise<number> {
  const [there, here] = await Promise.all([stat(folder), stat(dataDir)]);
  return there.dev === here.dev ? SPARE : 0;
}

export function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString('en')} MB`;
}
