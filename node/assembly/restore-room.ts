import type { BackupContents } from '../db/backup-read.ts';
import { freeBytes, isDiskFull, megabytes } from '../db/full-disk.ts';
import { codeOf, messageOf, PlainError } from '../errors.ts';

/** An embedded database without any row. Bytes. */
const EMPTY_DATABASE = 60e6;
/** A piece of the log of the embedded database: with less it cannot go on. Bytes. */
const LOG_PIECE = 17e6;

/** Before anything is stopped for a restore that surely does not fit. @throws PlainError */
export async function requireRoomToRestore(dataDir: string, { plain }: Pick<BackupContents, 'plain'>): Promise<void> {
  const [free, needed] = [await freeBytes(dataDir), EMPTY_DATABASE + plain];
  if (free === null || free >= needed) return;
  throw new PlainError(
    `The backup was not put back: the disk of ${dataDir} has ${megabytes(free)} free, and at least ${megabytes(needed)} are needed, because the new database is built beside the one that is there. Make room, then try again. Nothing was changed.`,
  );
}

/** A full disk shows in the embedded database in many ways, up to its end: so the disk is asked before anything is cleared away. */
export async function fullWhileRestoring(error: unknown, dataDir: string): Promise<unknown> {
  if (error instanceof PlainError && !isDiskFull(error) && !/disk is full/.test(error.message)) return error;
  const free = await freeBytes(dataDir);
  if (codeOf(error) !== '53100' && !isDiskFull(error) && (free === null || free > LOG_PIECE)) return error;
  return new PlainError(
    `The backup was not put back: the disk of ${dataDir} became full while the new database was built beside the one that is there (${messageOf(error)}). What was built of it is removed. Make room, then try again.`,
    { cause: error },
  );
}

/** The disk of an external PostgreSQL, whose transaction then is none. */
export function fullThere(error: unknown, place: string): unknown {
  if (codeOf(error) !== '53100') return error;
  return new PlainError(
    `The backup was not put back: the disk of ${place} is full (${messageOf(error)}). While a backup is put back it needs room for the new rows beside the old ones. Nothing was changed there.`,
    { cause: error },
  );
}
