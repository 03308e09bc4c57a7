import { ownBackups } from '../db/backup-before.ts';
import { removeAbandoned } from '../db/backup-folder.ts';
import type { Queryable } from '../db/connect.ts';
import { clearMoved, readMoved } from '../db/coordinator.ts';
import { PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import { readDatabaseChoice } from './database-choice.ts';
import { finishSwap } from './database-swap.ts';
import { finishMove, forgetMove } from './move.ts';
import { finishRestore, isRestoreMark } from './restore-journal.ts';

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

/**
 * Is this database the one that counts?
 * @throws PlainError when it was left for another one, or is not complete yet
 */
export async function requireTruth(db: Queryable, dataDir: string): Promise<void> {
  const { movedTo, movedAt, arriving } = await readMoved(db);
  if (arriving !== null) {
    // this machine decided it and was killed before it could say so here
    if ((await readDatabaseChoice(dataDir))?.move === arriving) return clearMoved(db);
    if (isRestoreMark(arriving))
      throw new PlainError(
        'A backup was put back into this database, and the machine that did it was stopped before it had its keys. Start that machine once. Only if it is lost: codecshift database reopen.',
      );
    throw new PlainError(
      'A move into this database was not finished, so it is not complete. Start the move again on the machine where it began.',
    );
  }
  if (movedTo === null) return;
  const place = movedTo.replace(/ \[move \w+\]$/, '');
  throw new PlainError(
    `This database was left on ${movedAt?.toISOString().slice(0, 10)}: everything is in ${place} now. Start this machine without --database-url and DATABASE_URL. Only if that one is lost: codecshift database reopen makes this one count again, as it was then.`,
  );
}
