import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { openSession } from '../db/connect.ts';
import { readMoved, type MovedState } from '../db/coordinator.ts';
import { andClose } from '../db/hold.ts';
import { syncDirectory, syncTree } from '../db/sync.ts';
import { codeOf, PlainError } from '../errors.ts';
import { type Fault, writeDurably } from '../files/durable.ts';
import type { Log } from '../log.ts';
import { placeOf, readDatabaseChoice } from './database-choice.ts';
import { exists, stamp, swapDatabase } from './database-swap.ts';

/**
 * A move away from an external database is decided there and carried out here, so this machine has to know of it before:
 *
 *   every row in `incoming` ─▶ move.json ─▶ the mark in that database ─▶ exchanged here ─▶ done
 *        killed before the mark: undone at the next start └── killed after: finished at the next start
 */
export interface MoveJournal {
  url: string;
  move: string;
}

/** What is ready in `incoming` is on the disk before this is: the mark may follow at once, and a power cut after it. */
export async function noteMove(dataDir: string, journal: MoveJournal): Promise<void> {
  syncTree(path.join(dataDir, 'incoming'));
  syncDirectory(dataDir);
  await writeDurably(journalOf(dataDir), JSON.stringify({ format: 1, ...journal }), 0o600);
}

/** It is decided: what came takes its place. */
export async function takeIncoming(dataDir: string, move: string, fault?: Fault): Promise<void> {
  const aside = (await exists(path.join(dataDir, 'database'))) ? `database.moved-${stamp()}` : null;
  const choice = { url: null, move, since: new Date().toISOString() };
  await swapDatabase(dataDir, { aside, takesIncoming: true, outOfTheWay: {}, choice }, fault);
  await rm(journalOf(dataDir), { force: true });
}

/**
 * Finishes a move away from an external database that was decided there, or forgets one that was not; for every start.
 * @throws PlainError while that database cannot be asked
 */
export async function finishMove(dataDir: string, log: Log): Promise<void> {
  const journal = await readJournal(dataDir);
  if (journal === null) return;
  // the swap is under way already, so it was decided
  if (await exists(path.join(dataDir, 'swap.json'))) return;
  // it is done, and a power cut brought its journal back
  if ((await readDatabaseChoice(dataDir))?.move === journal.move) return forgetMove(dataDir);
  const { movedTo } = await askWhetherDecided(dataDir, journal, log);
  if (movedTo?.includes(journal.move) && (await exists(path.join(dataDir, 'incoming', 'database'))))
    await takeIncoming(dataDir, journal.move);
  else await forgetMove(dataDir);
}

/** The COMMIT of a line that broke may be on its way still: the row of the lease is waited for, which that transaction holds. */
async function askWhetherDecided(dataDir: string, { url }: MoveJournal, log: Log): Promise<MovedState> {
  try {
    return await andClose(await openSession({ url, dataDir, log }), async (session) => {
      await session.exec(`begin; set local lock_timeout = '30s'; select 1 from coordinator for update`);
      return readMoved(session);
    });
  } catch (cause) {
    throw new PlainError(
      `A move of the database from ${placeOf(url)} to this machine was cut off, and only that database knows whether it was decided. It has to be reachable once. ${withoutIt(dataDir)}`,
      { cause },
    );
  }
}

/** The journal is written when every row is here and was compared, so what came is whole. */
function withoutIt(dataDir: string): string {
  const came = path.join(dataDir, 'incoming');
  return `If it is gone for good: what was copied is whole. Move ${path.join(came, 'database')} and every file of ${path.join(came, 'keys')} into ${dataDir}, delete ${journalOf(dataDir)} and database.json there, and start without --database-url.`;
}

/** After the swap that it waited for. */
export async function forgetMove(dataDir: string): Promise<void> {
  await rm(journalOf(dataDir), { force: true });
}

const schema = v.object({ format: v.literal(1), url: v.string(), move: v.string() });

async function readJournal(dataDir: string): Promise<MoveJournal | null> {
  try {
    return v.parse(schema, JSON.parse(await readFile(journalOf(dataDir), 'utf8')));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null;
    throw new PlainError(`${journalOf(dataDir)}, which knows of a move of the database, is damaged.`, { cause });
  }
}

function journalOf(dataDir: string): string {
  return path.join(dataDir, 'move.json');
}
