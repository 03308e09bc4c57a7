import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { backUpBefore } from '../db/backup-before.ts';
import type { Comparison } from '../db/compare.ts';
import { connectDatabase, openSession, type LoneSession } from '../db/connect.ts';
import { clearMoved, markArriving, markMoved, readMoved } from '../db/coordinator.ts';
import { beginNextLife, rebuild, requireKnownSchema } from '../db/rebuild.ts';
import { firstFilledTable, rowsOfDatabase } from '../db/row-sources.ts';
import { codeOf, PlainError } from '../errors.ts';
import { type Fault, writeDurably } from '../files/durable.ts';
import type { Log } from '../log.ts';
import { clusterPin, readClusterPin } from './cluster-pin.ts';
import { placeOf } from './database-choice.ts';
import { andClose, holdLease, schemaOf, type Hold } from '../db/hold.ts';
import { exists, finishSwap, openIncoming, stamp, swapDatabase } from './database-swap.ts';
import type { RestoreStep } from './restore.ts';
import { isRestoreMark } from './restore-journal.ts';

/**
 * Moves the database of this machine: from the embedded one to an external PostgreSQL, or back, while nothing runs on it.
 *
 *   copied in one snapshot ─▶ every row compared ─▶ decided ─▶ the old one is left: nobody leads with it by accident
 *
 * Until the decision the old one is the truth, and a move that was cut off is simply done again. The decision is one
 * durable write: towards an external database it is `swap.json` here; away from one, which several machines may share, it
 * is a mark in that database, and `move.json` here knows how to go on.
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
}

/** @throws PlainError with what is wrong; then the old database is the truth */
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
  try {
    return from === null ? await toExternal(wish, to!, move) : await toEmbedded(wish, from, move);
  } catch (error) {
    // as long as it may have been decided, what was copied is needed
    if (!(await exists(journalOf(dataDir)))) await finishSwap(dataDir);
    throw error;
  }
}

async function toExternal(wish: MoveWish, url: string, move: string): Promise<Moved> {
  const { dataDir, log, fault } = wish;
  const source = await openSession({ url: null, dataDir, log, locked: true });
  let copied: Copied;
  try {
    const target = await openSession({ url, dataDir, log });
    const lease = await holdLease(target, { url, dataDir, log }, 'a move').catch(async (error: unknown) => {
      await target.close();
      throw error;
    });
    try {
      copied = await copy(source, target, wish, move, lease);
    } finally {
      await lease.release();
      await target.close();
    }
  } finally {
    await source.close();
  }
  await fault?.('move:copied');
  const aside = `database.moved-${stamp()}`;
  await placeCluster(dataDir, await openIncoming(dataDir), false);
  await swapDatabase(
    dataDir,
    { aside, takesIncoming: false, outOfTheWay: {}, choice: { url, move, since: new Date().toISOString() } },
    fault,
  );
  await openTo(url, wish);
  return { from: placeOf(null), to: placeOf(url), aside: path.join(dataDir, aside), ...copied };
}

/** From here on machines may lead with it. If this is cut off, the start of this machine does it (`requireTruth`). */
async function openTo(url: string, { dataDir, log }: MoveWish): Promise<void> {
  await andClose(await openSession({ url, dataDir, log }), clearMoved);
}

async function toEmbedded(wish: MoveWish, url: string, move: string): Promise<Moved> {
  const { dataDir, log, fault } = wish;
  const source = await openSession({ url, dataDir, log });
  try {
    const lease = await holdLease(source, { url, dataDir, log }, 'a move');
    try {
      if (await exists(path.join(dataDir, 'database')))
        throw new PlainError(`There is a built-in database in ${dataDir} already. Move its directory "database" away first.`);
      const incoming = await openIncoming(dataDir);
      const target = await openSession({ url: null, dataDir: incoming, log });
      const copied = await andClose(target, () => copy(source, target, wish, move));
      await placeCluster(dataDir, incoming, true);
      await fault?.('move:copied');
      await writeDurably(journalOf(dataDir), JSON.stringify({ format: 1, url, move }), 0o600);
      await fault?.('move:journal');
      await leave(source, lease, wish, move);
      await fault?.('move:left');
      await takeIncoming(dataDir, move, fault);
      return { from: placeOf(url), to: placeOf(null), aside: null, ...copied };
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

async function takeIncoming(dataDir: string, move: string, fault?: Fault): Promise<void> {
  const aside = (await exists(path.join(dataDir, 'database'))) ? `database.moved-${stamp()}` : null;
  const choice = { url: null, move, since: new Date().toISOString() };
  await swapDatabase(dataDir, { aside, takesIncoming: true, outOfTheWay: {}, choice }, fault);
  await rm(journalOf(dataDir), { force: true });
}

interface Copied {
  comparison: Comparison;
  safety: string | null;
}

/** @param hold of the target, where others could lead in it */
async function copy(source: LoneSession, target: LoneSession, wish: MoveWish, move: string, hold?: Hold): Promise<Copied> {
  const { signal, onStep } = wish;
  const { safety, term } = await clearDestination(target, wish);
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
async function clearDestination(target: LoneSession, wish: MoveWish): Promise<{ safety: string | null; term: number }> {
  const schema = await schemaOf(target);
  if (schema === null) return { safety: null, term: 0 };
  requireKnownSchema(schema);
  const [{ term } = { term: 0 }] = await target.query<{ term: number }>('select term from coordinator');
  const filled = await firstFilledTable(target);
  const [column] = await target.query(
    `select 1 from information_schema.columns where table_name = 'coordinator' and column_name = 'arriving'`,
  );
  const { arriving, movedTo } = column ? await readMoved(target) : { arriving: null, movedTo: null };
  // what an earlier, killed move brought here is nobody's truth
  if (filled === null || (arriving !== null && !isRestoreMark(arriving))) return { safety: null, term };
  if (!wish.replace && movedTo === null)
    throw new PlainError(
      `${placeOf(wish.to)} is not empty: it has rows in ${filled}. To put this database in its place, say --replace; a backup of what is there is made first.`,
    );
  return { safety: await backUpBefore(target, wish.dataDir, 'before-move', { signal: wish.signal }), term };
}

async function placeCluster(dataDir: string, incoming: string, hosts: boolean): Promise<void> {
  const pin = await readClusterPin(dataDir);
  if (pin && pin.hosts !== hosts) await writeFile(path.join(incoming, 'keys', 'cluster.json'), clusterPin(pin, hosts), { mode: 0o600 });
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
  const source = await openSession({ url: journal.url, dataDir, log }).catch((cause: unknown) => {
    throw new PlainError(
      `A move of the database from ${placeOf(journal.url)} to this machine was cut off, and only that database knows whether it was decided. It has to be reachable once. ${withoutIt(dataDir)}`,
      { cause },
    );
  });
  const { movedTo } = await andClose(source, readMoved);
  if (movedTo?.includes(journal.move) && (await exists(path.join(dataDir, 'incoming', 'database'))))
    await takeIncoming(dataDir, journal.move);
  else await forgetMove(dataDir);
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

async function readJournal(dataDir: string): Promise<{ url: string; move: string } | null> {
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
