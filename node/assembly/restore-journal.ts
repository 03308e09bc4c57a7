import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { openSession, type LoneSession, type Queryable } from '../db/connect.ts';
import { clearMoved, readMoved } from '../db/coordinator.ts';
import { syncTree } from '../db/sync.ts';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import { writeDurably } from '../files/durable.ts';
import type { Log } from '../log.ts';
import { placeOf } from './database-choice.ts';
import { andClose } from '../db/hold.ts';
import { exists, finishSwap, swapDatabase, swapSchema, type Swap } from './database-swap.ts';

/**
 * A restore into an external database changes two places that belong together: that database, and the keys of this machine.
 *
 *   keys ready in `incoming` ─▶ restore.json ─▶ the database, marked ─▶ keys in their place ─▶ the mark taken away ─▶ done
 *                killed before: undone at the next start └── killed after: finished at the next start
 *
 * Nobody leads with the database while it has the mark, or a machine would begin with keys that open nothing of it.
 */
export interface RestoreJournal {
  url: string;
  /** the mark */
  restore: string;
  swap: Swap;
  /** the keys are in their place: a mark that is gone was taken away, and not never there */
  placed?: boolean | undefined;
}

/** How the mark of a restore begins; that of a move has no such word. */
const WORD = 'restore ';

export function restoreMark(id: string): string {
  return `${WORD}${id}`;
}

export function isRestoreMark(arriving: string | null): boolean {
  return arriving?.startsWith(WORD) === true;
}

/** For the transaction of a restore: whoever asks later what became of it waits for its end, or puts an end to it. */
export async function holdMark(q: Queryable, mark: string): Promise<void> {
  await q.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [mark]);
}

/** What is ready in `incoming` is on the disk before this is. */
export async function noteRestore(dataDir: string, journal: RestoreJournal): Promise<void> {
  syncTree(path.join(dataDir, 'incoming'));
  await writeJournal(dataDir, journal);
}

function writeJournal(dataDir: string, journal: RestoreJournal): Promise<void> {
  return writeDurably(journalOf(dataDir), JSON.stringify({ format: 1, ...journal }), 0o600);
}

/** The keys are in their place: from here on machines may lead with it. */
export async function endRestore(dataDir: string, url: string, log: Log): Promise<void> {
  const journal = await readJournal(dataDir);
  // only for an answer that gets lost below: no disk that is full keeps the database waiting for it
  if (journal)
    await writeJournal(dataDir, { ...journal, placed: true }).catch((error: unknown) => log.debug({ why: messageOf(error) }, 'not noted'));
  await andClose(await openSession({ url, dataDir, log }), clearMoved);
  await rm(journalOf(dataDir), { force: true });
}

/**
 * Finishes a restore that the external database has, or forgets one that it does not; for every start.
 * True: it took place.
 * @throws PlainError while that database cannot be asked
 */
export async function finishRestore(dataDir: string, log: Log): Promise<boolean> {
  const journal = await readJournal(dataDir);
  if (journal === null) return false;
  const { url, restore, swap, placed } = journal;
  const session = await openSession({ url, dataDir, log }).catch((cause: unknown) => {
    throw new PlainError(
      `A restore into ${placeOf(url)} was cut off, and only that database knows whether it took place. It has to be reachable once. If it is gone for good, delete ${journalOf(dataDir)}.`,
      { cause, retry: true },
    );
  });
  const arriving = await andClose(session, async (q) => {
    await endTransaction(q, restore, placeOf(url));
    return markOf(q);
  });
  if (arriving !== restore) {
    await rm(journalOf(dataDir), { force: true });
    return placed === true;
  }
  // a journal of the exchange means that it is under way
  if (await exists(path.join(dataDir, 'swap.json'))) await finishSwap(dataDir);
  else if (!placed) {
    await mkdir(path.join(dataDir, 'incoming', 'keys'), { recursive: true, mode: 0o700 });
    await swapDatabase(dataDir, swap);
  }
  await endRestore(dataDir, url, log);
  return true;
}

/**
 * A connection that was cut may have left its transaction open in the server, with a COMMIT still on its way: what is read
 * while it is open is not what comes of it.
 * @throws PlainError when it does not end
 */
async function endTransaction(session: LoneSession, mark: string, place: string): Promise<void> {
  await session
    .query(
      `select pg_terminate_backend(pid) from pg_locks
        where locktype = 'advisory' and granted and objsubid = 1 and pid <> pg_backend_pid()
          and database = (select oid from pg_database where datname = current_database())
          and (classid::bigint << 32) | objid::bigint = hashtextextended($1, 0)`,
      [mark],
    )
    .catch(() => []); // a user that may not: its end is waited for
  await session.exec('begin');
  try {
    await session.query(`select set_config('lock_timeout', '30s', true)`);
    await holdMark(session, mark);
  } catch (cause) {
    throw new PlainError(
      `A restore into ${place} was cut off, and its transaction is still open there. It is asked again until that is over.`,
      {
        cause,
        retry: true,
      },
    );
  } finally {
    await session.exec('rollback').catch(() => {});
  }
}

/** The database may still be empty, or of a time before marks. */
async function markOf(q: Queryable): Promise<string | null> {
  const [column] = await q.query(
    `select 1 from information_schema.columns where table_schema = 'public' and table_name = 'coordinator' and column_name = 'arriving'`,
  );
  return column ? (await readMoved(q)).arriving : null;
}

const schema = v.object({
  format: v.literal(1),
  url: v.string(),
  restore: v.string(),
  swap: v.object(swapSchema),
  placed: v.optional(v.boolean()),
});

async function readJournal(dataDir: string): Promise<RestoreJournal | null> {
  const file = journalOf(dataDir);
  try {
    return v.parse(schema, JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null;
    throw new PlainError(`${file}, which knows of a restore of the database, is damaged.`, { cause });
  }
}

function journalOf(dataDir: string): string {
  return path.join(dataDir, 'restore.json');
}
