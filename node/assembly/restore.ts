import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { backUpBefore } from '../db/backup-before.ts';
import { verifyBackup, type BackupContents } from '../db/backup-read.ts';
import { putPrivateKey, readClusterKey, replaceClusterKey } from '../db/cluster.ts';
import { openSession, type LoneSession } from '../db/connect.ts';
import { addActivity } from '../db/activity.ts';
import { markArriving } from '../db/coordinator.ts';
import { presentTables } from '../db/export.ts';
import { readMigrations } from '../db/migrate.ts';
import { rebuild, requireKnownSchema } from '../db/rebuild.ts';
import { isUnreachable } from '../db/pg-errors.ts';
import { firstFilledTable, rowsOfBackup } from '../db/row-sources.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Fault } from '../files/durable.ts';
import type { Log } from '../log.ts';
import { makeClusterKey } from '../mesh/signing.ts';
import { placeOf } from './database-choice.ts';
import { clusterPin, parsePin, readClusterPin } from './cluster-pin.ts';
import { asideName, exists, finishSwap, openIncoming, stamp, swapDatabase, type Swap } from './database-swap.ts';
import { andClose, holdLease, schemaOf, type Hold } from '../db/hold.ts';
import { endRestore, finishRestore, holdMark, noteRestore, restoreMark } from './restore-journal.ts';
import { fullThere, fullWhileRestoring, requireRoomToRestore } from './restore-room.ts';

/**
 * Puts a backup back as the database of this machine, while nothing runs on it:
 *
 *   read and checked whole ─▶ what is there is backed up ─▶ built beside it (external: in one transaction) ─▶ exchanged
 *
 * What was there stays until the last step, and an embedded one afterwards too, under another name. What happened after the
 * backup is gone from the books, not from the disks: a scan looks at every film anew, and no job touches a file whose
 * fingerprint is another one now.
 */
export interface RestoreWish {
  file: string;
  passphrase: string | null;
  dataDir: string;
  databaseUrl: string | null;
  secretKeyFile: string | null;
  /** what is there may be replaced; it is backed up first */
  replace: boolean;
  by: string;
  log: Log;
  signal?: AbortSignal | undefined;
  onStep?: ((step: RestoreStep) => void) | undefined;
  /** how long a database is asked for what became of it, when its answer got lost. Seconds, 30 unless said */
  patienceSeconds?: number;
  /** for crash tests */
  fault?: Fault | undefined;
}

export interface RestoreStep {
  /** a sentence for a person who waits */
  says: string;
  done: number | null;
  of: number | null;
}

export interface Restored {
  cluster: string;
  takenAt: string;
  rows: number;
  /** of what was there before; null: there was nothing, or it could not be read */
  safety: string | null;
  /** what a person should know */
  notes: string[];
}

/** What came of a restore is not known yet, or it is decided and not finished: the next start does that. */
const undecided = new WeakSet<Error>();
export function isUndecided(error: unknown): boolean {
  return error instanceof Error && undecided.has(error);
}

/** @throws PlainError with what is wrong; then nothing was changed, unless it is `isUndecided` */
export async function restoreBackup(wish: RestoreWish): Promise<Restored> {
  const ready: Ready = { swap: { aside: null, takesIncoming: wish.databaseUrl === null, outOfTheWay: {}, choice: null }, restored: null };
  try {
    const restored = await makeReady(wish, ready);
    say(wish, 'Putting it in its place.');
    await swapDatabase(wish.dataDir, ready.swap, wish.fault);
    await wish.fault?.('restore:placed');
    if (wish.databaseUrl !== null) await endRestore(wish.dataDir, wish.databaseUrl, wish.log);
    return restored;
  } catch (error) {
    // what was decided is done all the same; what was not leaves nothing behind, which might fill the disk
    if ((await settle(wish, error)) && ready.restored) return ready.restored;
    throw error;
  }
}

/**
 * False: nothing of it took place.
 * @throws PlainError when only the next start can know, or finish it
 */
async function settle({ dataDir, databaseUrl, log, patienceSeconds = 30 }: RestoreWish, broken: unknown): Promise<boolean> {
  const until = performance.now() + (databaseUrl === null ? 0 : patienceSeconds * 1000);
  for (;;)
    try {
      return (await finishRestore(dataDir, log)) || (await finishSwap(dataDir));
    } catch (error) {
      if (performance.now() < until && (error instanceof PlainError ? error.retry : isUnreachable(error))) {
        await pause(500);
        continue;
      }
      log.warn({ why: messageOf(error) }, 'the next start finishes the restore, or undoes it');
      const open = new PlainError(
        `The restore was cut off (${messageOf(broken)}), and what came of it is settled by the next start: ${messageOf(error)}`,
        { cause: error },
      );
      undecided.add(open);
      throw open;
    }
}

/** What is put in place, and what is told of it once it is. */
interface Ready {
  swap: Swap;
  /** null: nothing can have taken place yet */
  restored: Restored | null;
}

/** Everything that can go wrong, while what is there is untouched (an external database: in one transaction). */
async function makeReady(wish: RestoreWish, ready: Ready): Promise<Restored> {
  const { file, passphrase, signal, dataDir } = wish;
  say(wish, 'Reading the backup and comparing it with its digests.');
  const onProgress = (read: number, of: number): void =>
    wish.onStep?.({ says: 'Reading the backup and comparing it with its digests.', done: read, of });
  const contents = await verifyBackup(file, { passphrase, signal, onProgress });
  requireKnownSchema(contents.manifest.schema);
  if (wish.databaseUrl === null) await requireRoomToRestore(dataDir, contents);
  const incoming = await openIncoming(dataDir);
  const notes: string[] = [];
  const { swap } = ready;
  const prepare = async (before: Before): Promise<Swap> => {
    const keys = await placeKeys(wish, contents, incoming, notes);
    // another key, another house: what this machine knew of the old one leads nowhere
    if (contents.manifest.keys || before.sameHouse) await placeCluster(wish, contents, swap, incoming);
    else swap.outOfTheWay['cluster.json'] = asideName('cluster.json');
    if (keys.length > 0) notes.push(`Put back from the backup: ${keys.join(', ')}.`);
    ready.restored = restoredFrom(contents, before, notes);
    return swap;
  };
  if (wish.databaseUrl === null) await prepare(await intoEmbedded(wish, contents, incoming, swap, notes));
  else await intoExternal(wish, contents, wish.databaseUrl, prepare, notes);
  return ready.restored!;
}

function restoredFrom({ manifest }: BackupContents, { safety, sameHouse }: Before, notes: string[]): Restored {
  const { cluster, takenAt, tables, keys } = manifest;
  if (!keys)
    notes.push(
      sameHouse
        ? 'The backup holds no keys; those of the database that was here are used on.'
        : 'The backup holds no keys, so this is a new cluster: other machines have to join it again, and stored sign-ins have to be entered again.',
    );
  return { cluster: cluster?.name ?? '', takenAt, rows: tables.reduce((sum, table) => sum + table.rows, 0), safety, notes };
}

function say(wish: Pick<RestoreWish, 'onStep'>, says: string): void {
  wish.onStep?.({ says, done: null, of: null });
}

/** What was in the database that is replaced. */
interface Before {
  safety: string | null;
  /** it was of the cluster of the backup, so its private key fits */
  sameHouse: boolean;
}

interface Present extends Before {
  term: number;
  privateKey: string | null;
}

const nothing: Present = { safety: null, sameHouse: false, term: 0, privateKey: null };

async function intoEmbedded(wish: RestoreWish, contents: BackupContents, incoming: string, swap: Swap, notes: string[]): Promise<Before> {
  const { dataDir, log, signal } = wish;
  let before: Present = nothing;
  if (await exists(path.join(dataDir, 'database'))) {
    swap.aside = `database.before-restore-${stamp()}`;
    before = await lookAtEmbedded(wish, contents, notes);
    notes.push(`The database before it is kept as ${swap.aside} in ${dataDir}.`);
  }
  try {
    const fresh = await openSession({ url: null, dataDir: incoming, log });
    await andClose(fresh, async () => {
      await build(fresh, wish, contents, before);
      await fresh.exec('checkpoint');
    });
  } catch (error) {
    throw await fullWhileRestoring(error, dataDir);
  }
  signal?.throwIfAborted();
  return before;
}

/** A database that does not even open is set aside all the same, if a person said that it may be replaced. */
async function lookAtEmbedded(wish: RestoreWish, contents: BackupContents, notes: string[]): Promise<Present> {
  const { dataDir, log } = wish;
  let session: LoneSession;
  try {
    session = await openSession({ url: null, dataDir, log, locked: true });
  } catch (error) {
    if (!wish.replace) throw error;
    notes.push(`The database that was here could not be opened (${messageOf(error)}), so it was set aside as it is.`);
    return nothing;
  }
  try {
    return await saveBefore(session, wish, contents);
  } finally {
    await session.close();
  }
}

async function intoExternal(
  wish: RestoreWish,
  contents: BackupContents,
  url: string,
  prepare: (before: Before) => Promise<Swap>,
  notes: string[],
): Promise<void> {
  const { dataDir, log, signal } = wish;
  const session = await openSession({ url, dataDir, log, ...(signal ? { signal } : {}) });
  try {
    const lease = await holdLease(session, { url, dataDir, log }, 'a restore');
    try {
      const before = await saveBefore(session, wish, contents);
      await wish.fault?.('restore:saved');
      const mark = restoreMark(randomBytes(8).toString('hex'));
      notes.push(`It is in ${placeOf(url)}.`);
      await noteRestore(dataDir, { url, restore: mark, swap: await prepare(before) });
      await build(session, wish, contents, before, { hold: lease, mark }).catch((error: unknown) => {
        throw fullThere(error, placeOf(url));
      });
      await wish.fault?.('restore:written');
    } finally {
      await lease.release();
    }
  } finally {
    await session.close();
  }
}

/** @throws PlainError when there is something and nobody said that it may be replaced, or it is of a newer CodecShift */
async function saveBefore(session: LoneSession, wish: RestoreWish, { manifest }: BackupContents): Promise<Present> {
  const schema = await schemaOf(session);
  if (schema === null) return nothing;
  // the way back from an upgrade: what the newer version made is set aside as it is, which only a directory can be
  const isNewer = schema > readMigrations().length;
  if (isNewer && !session.embedded)
    throw new PlainError(
      `${placeOf(wish.databaseUrl)} was brought up to date by a newer CodecShift, and this one can neither read nor back it up. To go back to this version, make a new, empty database and restore into that: --database-url postgres://…`,
    );
  if (isNewer && !wish.replace) requireKnownSchema(schema);
  const filled = await firstFilledTable(session);
  if (filled === null) return nothing;
  if (!wish.replace)
    throw new PlainError(
      `There is a database already: ${placeOf(wish.databaseUrl)} has rows in ${filled}. To put the backup in its place, say --replace; a backup of what is there is made first.`,
    );
  say(wish, isNewer ? 'Looking at what is there.' : 'Backing up what is there.');
  // this program does not know everything that is in it
  const safety = isNewer ? null : await backUpBefore(session, wish.dataDir, 'before-restore', { signal: wish.signal });
  const [{ term } = { term: 0 }] = await session.query<{ term: number }>('select term from coordinator');
  const hasCluster = (await presentTables(session)).includes('cluster');
  const key = hasCluster ? await readClusterKey(session) : null;
  const sameHouse = key !== null && key.cluster === manifest.cluster?.id;
  return { safety, sameHouse, term, privateKey: sameHouse ? key.privateKey : null };
}

async function build(
  session: LoneSession,
  wish: RestoreWish,
  contents: BackupContents,
  before: Present,
  external: { hold: Hold; mark: string } | null = null,
): Promise<void> {
  const { file, passphrase, signal } = wish;
  const of = contents.manifest.tables.reduce((sum, { rows }) => sum + rows, 0);
  const done = new Map<string, number>();
  await rebuild(session, rowsOfBackup(file, contents, { passphrase, signal }), {
    life: 'restored',
    aboveTerm: before.term,
    async insist(q) {
      if (!external) return;
      await external.hold.insist(q);
      await holdMark(q, external.mark);
    },
    embedded: session.embedded,
    signal,
    onProgress({ table, rows }) {
      done.set(table, rows);
      wish.onStep?.({ says: 'Writing the database.', done: [...done.values()].reduce((sum, n) => sum + n, 0), of });
    },
    async finish(q) {
      // the key of the house that was here, or another house altogether: without its key nobody can sign for the old one
      if (!contents.manifest.keys)
        await (before.privateKey === null ? replaceClusterKey(q, makeClusterKey()) : putPrivateKey(q, before.privateKey));
      const params = { takenAt: contents.manifest.takenAt, program: contents.manifest.program };
      await addActivity(q, { kind: 'backup-restored', severity: 1, by: wish.by, params });
      if (external) await markArriving(q, external.mark);
      await wish.fault?.('restore:built');
    },
  });
}

/**
 * Which key files of the backup come to lie in the data directory. A machine that has an identity keeps it; a burnt-down one
 * becomes itself again. Resolves with the names.
 */
async function placeKeys(wish: RestoreWish, contents: BackupContents, incoming: string, notes: string[]): Promise<string[]> {
  const placed: string[] = [];
  const secret = contents.files['secret.key'];
  const own = await readFile(wish.secretKeyFile ?? path.join(wish.dataDir, 'secret.key')).catch(() => null);
  if (secret && !own?.equals(secret)) {
    if (wish.secretKeyFile === null) placed.push(await place(incoming, 'secret.key', secret));
    else
      notes.push(`The key of stored sign-ins in the backup is another one than in ${wish.secretKeyFile}; a named file is never written.`);
  }
  const node = contents.files['node.key'];
  if (!node || (await exists(path.join(wish.dataDir, 'node.key')))) return placed;
  placed.push(await place(incoming, 'node.key', node));
  // each path is believed only where the library's own marker is found (keeper/roots.ts)
  const roots = contents.files['roots.json'];
  if (roots && !(await exists(path.join(wish.dataDir, 'roots.json')))) placed.push(await place(incoming, 'roots.json', roots));
  return placed;
}

async function place(incoming: string, name: string, bytes: Uint8Array): Promise<string> {
  await writeFile(path.join(incoming, 'keys', name), bytes, { mode: 0o600 });
  return name;
}

/** `cluster.json` says whose member this machine is and whether it hosts the database. */
async function placeCluster(wish: RestoreWish, { manifest, files }: BackupContents, swap: Swap, incoming: string): Promise<void> {
  const hosts = wish.databaseUrl === null;
  const [own, theirs] = [await readClusterPin(wish.dataDir), parsePin(files['cluster.json'] ?? null)];
  if (own && own.cluster.id === manifest.cluster?.id) {
    // it may know a later list of members than the backup
    if (own.hosts !== hosts) await place(incoming, 'cluster.json', clusterPin(own, hosts));
    return;
  }
  if (own) swap.outOfTheWay['cluster.json'] = asideName('cluster.json');
  if (theirs && theirs.cluster.id === manifest.cluster?.id) await place(incoming, 'cluster.json', clusterPin(theirs, hosts));
}
