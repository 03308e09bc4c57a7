import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { backUpBefore } from '../db/backup-before.ts';
import { readClusterName } from '../db/cluster.ts';
import type { Comparison } from '../db/compare.ts';
import { connectDatabase, openSession, type LoneSession, type Queryable } from '../db/connect.ts';
import { markArriving, markMoved, openArrived, readLease, readMoved } from '../db/coordinator.ts';
import { andClose, holdLease, schemaOf, type Hold } from '../db/hold.ts';
import { beginNextLife, rebuild, requireKnownSchema } from '../db/rebuild.ts';
import { firstFilledTable, rowsOfDatabase } from '../db/row-sources.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Fault } from '../files/durable.ts';
import type { Log } from '../log.ts';
import { placeCluster, readClusterPin } from './cluster-pin.ts';
import { placeOf, readDatabaseChoice } from './database-choice.ts';
import { requireTruth } from './database-left.ts';
import { exists, finishSwap, openIncoming, stamp, swapDatabase } from './database-swap.ts';
import { finishMove, forgetMove, noteMove, takeIncoming } from './move-journal.ts';
import type { RestoreStep } from './restore.ts';
import { isRestoreMark } from './restore-journal.ts';

/**
 * Moves the database of this machine: from the embedded one to an external PostgreSQL, or back, while nothing runs on it.
 *
 *   copied in one snapshot ─▶ every row compared ─▶ decided ─▶ the old one is left: nobody leads with it by accident
 *
 * Until the decision the old one is the truth, and a move that was cut off is simply done again. The decision is one
 * durable write: towards an external database it is `swap.json` here; away from one, which several machines may share, it
 * is a mark in that database, and `move.json` here knows how to go on (move-journal.ts). The external one is held meanwhile:
 * nobody coordinates with it, is let in by it, or works on it as a whole.
 */
export interface MoveWish {
  dataDir: string;
  /** null: the embedded one */
  from: string | null;
  to: string | null;
  /** of this machine, for the mark in the old database */
  name: string;
  /** rows that are at the destination may go; they are backed up first */
  replace: boolean;
  log: Log;
  signal?: AbortSignal | undefined;
  onStep?: ((step: RestoreStep) => void) | undefined;
  /** for crash tests */
  fault?: Fault | undefined;
}

export interface Moved {
  from: string;
  to: string;
  comparison: Comparison;
  /** a backup of what was at the destination */
  safety: string | null;
  /** where the old embedded database lies now */
  aside: string | null;
  /** what a person should know beside */
  notes: string[];
}

/** @throws PlainError with what is wrong; then the old database is the truth, unless it says that only the next start can know */
export async function moveDatabase(wish: MoveWish): Promise<Moved> {
  const { dataDir, from, to, log } = wish;
  if (from === to) throw new PlainError(`The database is in ${placeOf(to)} already.`);
  if (from !== null && to !== null)
    throw new PlainError('From one external database to another: move to the embedded one first, or use pg_dump and pg_restore.');
  if (from === null && !(await exists(path.join(dataDir, 'database'))))
    throw new PlainError(`There is no built-in database in ${dataDir} to move.`);
  // brought up to date first: what is moved is of today
  await (await connectDatabase({ url: from, dataDir, log, locked: true, patienceSeconds: 5 })).close();
  const move = randomBytes(8).toString('hex');
  const made: Made = { moved: null };
  try {
    await (from === null ? toExternal(wish, to!, move, made) : toEmbedded(wish, from, move, made));
  } catch (error) {
    if (!(await tookPlace(wish, move, error)) || !made.moved) throw error;
    if (to !== null) made.moved.notes.push(...(await openLater(to, wish, move)));
  }
  return made.moved!;
}

/** What is to be told of it, once it is decided. */
interface Made {
  moved: Moved | null;
}

async function toExternal(wish: MoveWish, url: string, move: string, made: Made): Promise<void> {
  const { dataDir, log, fault } = wish;
  const target = await openSession({ url, dataDir, log });
  try {
    // until this machine has decided, or nobody else may bring something there
    const hold = await holdLease(target, { url, dataDir, log }, 'a move');
    try {
      const source = await openSession({ url: null, dataDir, log, locked: true });
      const copied = await andClose(source, () => copy(source, target, wish, move, hold));
      await fault?.('move:copied');
      const aside = `database.moved-${stamp()}`;
      await placeCluster(dataDir, await openIncoming(dataDir), false);
      await hold.insist(target);
      made.moved = { from: placeOf(null), to: placeOf(url), aside: path.join(dataDir, aside), notes: [], ...copied };
      const choice = { url, move, since: new Date().toISOString() };
      await swapDatabase(dataDir, { aside, takesIncoming: false, outOfTheWay: {}, choice }, fault);
      await fault?.('move:decided');
      // from here on machines may lead with it; if this is cut off, the start of this machine does it (`requireTruth`)
      await openArrived(target, move);
    } finally {
      await hold.release();
    }
  } finally {
    await target.close();
  }
}

async function toEmbedded(wish: MoveWish, url: string, move: string, made: Made): Promise<void> {
  const { dataDir, log, fault } = wish;
  const source = await openSession({ url, dataDir, log });
  try {
    const lease = await holdLease(source, { url, dataDir, log }, 'a move');
    try {
      // another machine may have taken everything home already: two copies of it would both be led
      await requireTruth(source, dataDir);
      await requireOwnHouse(source, dataDir);
      if (await exists(path.join(dataDir, 'database')))
        throw new PlainError(`There is a built-in database in ${dataDir} already. Move its directory "database" away first.`);
      const incoming = await openIncoming(dataDir);
      const target = await openSession({ url: null, dataDir: incoming, log });
      const copied = await andClose(target, () => copy(source, target, wish, move));
      await placeCluster(dataDir, incoming, true);
      await fault?.('move:copied');
      await noteMove(dataDir, { url, move });
      await fault?.('move:journal');
      made.moved = { from: placeOf(url), to: placeOf(null), aside: null, notes: [], ...copied };
      await leave(source, lease, wish, move);
      await fault?.('move:left');
      await takeIncoming(dataDir, move, fault);
    } finally {
      await lease.release();
    }
  } finally {
    await source.close();
  }
}

/** The decision. What a coordinator wrote that came up meanwhile is not in the copy, so then there is none. */
async function leave(source: LoneSession, hold: Hold, { dataDir, name }: MoveWish, move: string): Promise<void> {
  try {
    await source.exec('begin');
    await hold.insist(source);
    await markMoved(source, `the built-in database of ${name} [move ${move}]`);
  } catch (error) {
    await source.exec('rollback').catch(() => {});
    await forgetMove(dataDir);
    throw error;
  }
  await source.exec('commit');
}

/**
 * After an error: what was decided is done all the same, and what was not leaves nothing behind, which might fill the disk.
 * @throws PlainError when only the next start can do that
 */
async function tookPlace({ dataDir, log }: MoveWish, move: string, cause: unknown): Promise<boolean> {
  try {
    await finishMove(dataDir, log);
    await finishSwap(dataDir);
    await forgetMove(dataDir);
    return (await readDatabaseChoice(dataDir))?.move === move;
  } catch (unsettled) {
    throw new PlainError(
      `The move was cut off (${messageOf(cause)}), and what it had begun could not be ended yet: ${messageOf(unsettled)} The next start of this machine, or the next "codecshift database move", ends it.`,
      { cause },
    );
  }
}

/** The external database counts, and may not have been told so. Resolves with what a person should know. */
async function openLater(url: string, { dataDir, log }: MoveWish, move: string): Promise<string[]> {
  try {
    await andClose(await openSession({ url, dataDir, log }), (target) => openArrived(target, move));
    return [];
  } catch (error) {
    return [
      `${placeOf(url)} could not be told yet that it counts (${messageOf(error)}). The next start of this machine tells it; until then no other one coordinates with it.`,
    ];
  }
}

interface Copied {
  comparison: Comparison;
  safety: string | null;
}

/** @param hold of the target, where others could lead in it */
async function copy(source: LoneSession, target: LoneSession, wish: MoveWish, move: string, hold?: Hold): Promise<Copied> {
  const { signal, onStep } = wish;
  const { safety, term } = await clearDestination(source, target, wish);
  let comparison: Comparison | null = null;
  await source.exec('begin isolation level repeatable read, read only');
  try {
    await source.query(`select set_config('idle_in_transaction_session_timeout', '0', true), set_config('statement_timeout', '0', true)`);
    const rows = await rowsOfDatabase(source, {
      signal,
      onCompare: ({ table, rows: done }) => onStep?.({ says: `Comparing every row: ${table}.`, done, of: null }),
      onCompared: (found) => (comparison = found),
    });
    await rebuild(target, rows, {
      life: 'moved',
      aboveTerm: term,
      insist: hold?.insist,
      embedded: target.embedded,
      signal,
      onProgress: ({ table, rows: done }) => onStep?.({ says: `Copying ${table}.`, done, of: null }),
      async finish(q) {
        if (!target.embedded) await markArriving(q, move);
        await hold?.keep(q);
        // the certificates of this life outrank those of one that is still led somewhere by mistake
        await beginNextLife(q);
      },
    });
    if (target.embedded) await target.exec('checkpoint');
  } finally {
    await source.exec('rollback').catch(() => {});
  }
  return { comparison: comparison!, safety };
}

/** @throws PlainError when something is there that nobody said could go */
async function clearDestination(source: Queryable, target: LoneSession, wish: MoveWish): Promise<{ safety: string | null; term: number }> {
  const schema = await schemaOf(target);
  if (schema === null) return { safety: null, term: 0 };
  requireKnownSchema(schema);
  const { term } = await readLease(target);
  const filled = await firstFilledTable(target);
  const { arriving, movedTo } = await readMoved(target);
  // what an earlier, killed move of this house brought here is nobody's truth
  const isOurs = arriving !== null && (await readClusterName(target))?.id === (await readClusterName(source))?.id;
  if (filled === null || (isOurs && !isRestoreMark(arriving))) return { safety: null, term };
  if (!wish.replace && movedTo === null)
    throw new PlainError(
      `${placeOf(wish.to)} is not empty: it has rows in ${filled}. To put this database in its place, say --replace; a backup of what is there is made first.`,
    );
  return { safety: await backUpBefore(target, wish.dataDir, 'before-move', { signal: wish.signal }), term };
}

/** @throws PlainError on a machine of another cluster: with a database that is not its own it would belong to neither */
async function requireOwnHouse(source: Queryable, dataDir: string): Promise<void> {
  const [pin, there] = [await readClusterPin(dataDir), await readClusterName(source)];
  if (!pin || !there || pin.cluster.id === there.id) return;
  throw new PlainError(
    `This machine belongs to another cluster than "${there.name}", whose database it would take home. Do it on a machine of that cluster, or move cluster.json out of ${dataDir} first.`,
  );
}
