import { rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, PlainError } from '../errors.ts';
import { isBackupName, removeBackup } from './backup-folder.ts';
import { verifyBackup, type BackupContents, type BackupOptions } from './backup-read.ts';

/**
 * Reads a backup that was just made from its beginning to its end. One that is not what was written is taken away again:
 * nobody shall rely on it, and no older one shall go because of it.
 * @throws PlainError
 */
export async function readBack(file: string, options: BackupOptions): Promise<BackupContents> {
  try {
    return await verifyBackup(file, options);
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    const isOurs = isBackupName(path.basename(file));
    const gone = await (isOurs ? removeBackup(file) : rm(file, { force: true })).then(
      () => true,
      () => false,
    );
    throw new PlainError(
      `The backup was written, but what is read back is something else (${messageOf(cause)}). ${gone ? 'It was removed' : `Do not rely on ${path.basename(file)}`}; the disk of ${path.dirname(file)} may be failing.`,
      { cause },
    );
  }
}
