import { randomBytes } from 'node:crypto';
import { cp, readdir } from 'node:fs/promises';
import path from 'node:path';
import { readClusterName } from '../db/cluster.ts';
import { openSession, type LoneSession } from '../db/connect.ts';
import { clearMoved, readLease, readMoved } from '../db/coordinator.ts';
import { andClose, isWork, schemaOf } from '../db/hold.ts';
import { beginNextLife } from '../db/rebuild.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Fault } from '../files/durable.ts';
import type { Log } from '../log.ts';
import { placeCluster } from './cluster-pin.ts';
import { placeOf } from './database-choice.ts';
import { exists, openIncoming, swapDatabase } from './database-swap.ts';

/**
 * A database that was left for another one counts again, because that one is lost. It begins a next life: its machines know
 * certificates of the one that is lost, and would hear nobody else.
 * @throws PlainError while somebody works on it
 */
export async function reopen(session: LoneSession): Promise<void> {
  await session.exec('begin');
  try {
    const { held, holder } = await readLease(session);
    if (held && isWork(holder))
      throw new PlainError('A move or a restore works on this database, or was cut off less than half a minute ago. Wait for it.');
    await session.query(`select set_config('codecshift.term', term::text, true) from coordinator for update`);
    await beginNextLife(session, 1);
    await clearMoved(session);
    await session.exec('commit');
  } catch (error) {
    await session.exec('rollback').catch(() => {});
    throw error;
  }
}

/** The built-in one that a move left last, or null. */
export async function leftBuiltIn(dataDir: string): Promise<string | null> {
  const names = await readdir(dataDir);
  return (
    names
      .filter((name) => name.startsWith('database.moved-'))
      .toSorted()
      .at(-1) ?? null
  );
}

/**
 * The same for the built-in one, of which a copy is taken: it stays as it is. Nobody has this data directory open.
 * @param url of the external database that counts, as far as this machine knows
 * @throws PlainError when that one is not lost, or there is nothing to reopen
 */
export async function reopenBuiltIn(wish: { dataDir: string; url: string | null; log: Log; fault?: Fault }): Promise<string> {
  const { dataDir, url, log, fault } = wish;
  const left = await leftBuiltIn(dataDir);
  if (left === null) throw new PlainError(`No built-in database was left in ${dataDir}: there is no database.moved-… in it.`);
  if (await exists(path.join(dataDir, 'database')))
    throw new PlainError(`There is a built-in database in ${dataDir} already. Move its directory "database" away first.`);
  if (url !== null) await requireLost(url, dataDir, log);
  const incoming = await openIncoming(dataDir);
  await cp(path.join(dataDir, left), path.join(incoming, 'database'), { recursive: true });
  await andClose(await openSession({ url: null, dataDir: incoming, log }), async (session) => {
    await reopen(session);
    await session.exec('checkpoint');
  });
  await placeCluster(dataDir, incoming, true);
  const choice = { url: null, move: `reopened ${randomBytes(8).toString('hex')}`, since: new Date().toISOString() };
  await swapDatabase(dataDir, { aside: null, takesIncoming: true, outOfTheWay: {}, choice }, fault);
  return left;
}

/** Two databases of one house would both be led. */
async function requireLost(url: string, dataDir: string, log: Log): Promise<void> {
  const session = await openSession({ url, dataDir, log }).catch((error: unknown) => {
    log.warn({ why: messageOf(error) }, `${placeOf(url)} can not be reached`);
    return null;
  });
  if (session === null) return;
  const counts = await andClose(session, async (q) => {
    if ((await schemaOf(q)) === null || (await readClusterName(q)) === null) return false;
    return (await readMoved(q)).movedTo === null;
  });
  if (counts)
    throw new PlainError(
      `${placeOf(url)} is not lost: it can be reached, and counts. To take everything home: codecshift database move --to embedded.`,
    );
}
