import { messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import { backUpBefore } from './backup-before.ts';
import { backupEstimate, freeBytes, megabytes } from './full-disk.ts';
import type { MigrationSession } from './migrate.ts';

/**
 * The backup of a database from right before its upgrade, into the data directory: the only way back from a migration.
 * Without it nothing is changed; who has backups of his own switches it off (`upgradeCopy`).
 */
export interface CopyOptions {
  /** null: switched off */
  dataDir: string | null;
  /** the schema that the database has now */
  from: number;
  log: Log;
  signal: AbortSignal | undefined;
}

/** Work that runs on the same disk needs some too. */
const LEAVE_BYTES = 256e6;

/**
 * Where it is; null when it is switched off.
 * @throws PlainError when it could not be made: the upgrade must not go on
 */
export async function copyBefore(session: MigrationSession, { dataDir, from, log, signal }: CopyOptions): Promise<string | null> {
  if (dataDir === null) return null;
  await requireRoom(session, dataDir);
  try {
    const at = await backUpBefore(session, dataDir, `before-upgrade-from-${from}`, { signal });
    log.info(`the database is copied to ${at} before its upgrade`);
    return at;
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new PlainError(`The database could not be copied before its upgrade: ${messageOf(cause).replace(/\.$/, '')}. ${nothingChanged}`, {
      cause,
    });
  }
}

const nothingChanged = 'Nothing was changed. Make room, or, if you have a backup of your own, switch the copy off with --upgrade-copy off.';

/** Before anybody is disturbed for an upgrade that could not go on. @throws PlainError when the copy would not fit */
export async function requireRoom(session: MigrationSession, dataDir: string | null): Promise<void> {
  if (dataDir === null) return;
  const [estimate, free] = [await backupEstimate(session), await freeBytes(dataDir)];
  const needed = (estimate ?? 0) + LEAVE_BYTES;
  if (free === null || free >= needed) return;
  throw new PlainError(
    `The database could not be copied before its upgrade: the disk of ${dataDir} has ${megabytes(free)} free, and ${megabytes(needed)} are needed. ${nothingChanged}`,
  );
}
