import { ownBackups } from '../db/backup-before.ts';
import { removeAbandoned } from '../db/backup-folder.ts';
import type { Log } from '../log.ts';
import { finishSwap } from './database-swap.ts';
import { finishMove, forgetMove } from './move-journal.ts';
import { finishRestore } from './restore-journal.ts';

/**
 * Finishes or undoes what a killed restore or move left; for every start, before the database is opened.
 * True: something that had been decided was finished.
 * @throws PlainError while a database that knows of it cannot be asked
 */
export async function settleDatabase(dataDir: string, log: Log): Promise<boolean> {
  // half a backup of a process that was killed may be what fills the disk
  await removeAbandoned([ownBackups(dataDir)], 0);
  await finishMove(dataDir, log);
  const restored = await finishRestore(dataDir, log);
  const swapped = await finishSwap(dataDir);
  if (swapped) log.info('the exchange of the database that was cut off is finished');
  await forgetMove(dataDir);
  return restored || swapped;
}
