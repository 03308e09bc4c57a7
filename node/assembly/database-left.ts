import type { Queryable } from '../db/connect.ts';
import { clearMoved, readMoved, type MovedState } from '../db/coordinator.ts';
import { PlainError } from '../errors.ts';
import { readDatabaseChoice } from './database-choice.ts';
import { isRestoreMark } from './restore-journal.ts';

/**
 * Is this database the one that counts?
 * @throws PlainError when it was left for another one, or is not complete yet: the latter ends, so it is worth waiting for
 */
export async function requireTruth(db: Queryable, dataDir: string): Promise<void> {
  const left = await readMoved(db);
  const { arriving } = left;
  if (arriving !== null) {
    // this machine decided it and was killed before it could say so here
    if ((await readDatabaseChoice(dataDir))?.move === arriving) return clearMoved(db);
    if (isRestoreMark(arriving))
      throw new PlainError(
        'A backup was put back into this database, and the machine that did it was stopped before it had its keys. Start that machine once. Only if it is lost: codecshift database reopen.',
        { retry: true },
      );
    throw new PlainError(
      'A move into this database was not finished yet, so it is not complete. If it is under way no more, start the machine where it began, or start it there again. Only if that machine is lost: codecshift database reopen.',
      { retry: true },
    );
  }
  if (left.movedTo === null) return;
  throw new PlainError(
    `${leftWords(left)} Only if that one is lost: codecshift database reopen makes this one count again, as it was then.`,
  );
}

/** Where everything is now, and what the person at a machine with the old address does. */
export function leftWords({ movedTo, movedAt }: Pick<MovedState, 'movedTo' | 'movedAt'>): string {
  const place = movedTo?.replace(/ \[move \w+\]$/, '');
  return `This database was left on ${movedAt?.toISOString().slice(0, 10)}: everything is in ${place} now. Start this machine without --database-url and DATABASE_URL, and if there is a database.json in its data directory, delete that.`;
}
