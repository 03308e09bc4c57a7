import { access, rename } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Standing } from '../core/standing.ts';
import { admitSelf, clusterKeyOf } from '../coordinator/members.ts';
import { readCluster, readClusterName } from '../db/cluster.ts';
import { connectDatabase, type Database } from '../db/connect.ts';
import { readMoved } from '../db/coordinator.ts';
import { ownBackups } from '../db/backup-before.ts';
import { listBackups } from '../db/backup-folder.ts';
import { isNewerSchema } from '../db/migrate.ts';
import { isUnreachable } from '../db/pg-errors.ts';
import { messageOf, PlainError } from '../errors.ts';
import { joinOrFound, type Joining } from '../mesh/join.ts';
import { createLobby, type Lobby } from '../mesh/lobby.ts';
import { forgetCluster, loadMembership, pinCluster, type Membership } from '../mesh/membership.ts';
import type { ClusterKey } from '../mesh/signing.ts';
import { version } from '../version.ts';
import { leftWords, requireTruth } from './database-left.ts';
import { hardwareFacts, platformWords, type House } from './house.ts';

/**
 * Which cluster a node belongs to, and whether it holds its database:
 *
 *   DATABASE_URL given ─────────▶ the cluster whose key lies in that database; the first node there founds it
 *                ├─ newer than this program ─▶ a member without a database, until it is upgraded
 *                ├─ left for another one ────▶ a member without a database, until it is started without it
 *                └─ empty, or being filled ──▶ a member waits for the books of its cluster; who is none founds in an empty one
 *   cluster.json, hosts ────────▶ its own embedded database
 *   cluster.json ───────────────▶ a member without a database
 *   a database of an older build ▶ founds, and hosts it
 *   nothing ──▶ joinOrFound ──┬─▶ joined: approved by a person or a token
 *                             └─▶ found: nobody is here; hosts the embedded database from now on
 */
export interface Belonging {
  membership: Membership;
  db: Database | null;
  key: ClusterKey | null;
  /** why it has no database although it was given one: another machine upgraded it, and this program is older; or it was left */
  steppedBack?: string;
}

export interface Seeking {
  /** a cluster to ask, chosen by a person before */
  wanted: string | null;
  /** a person wants it to begin a cluster, whatever is around */
  own: boolean;
  /** what happens now, for the machine's own page */
  say(standing: Standing): void;
  /** the ways out of it that a person has, while there are any */
  offer(ways: { joining: Joining; lobby: Lobby } | null): void;
  /** the code that both sides show, for the console */
  onCode(code: string, cluster: string): void;
  /** gives up seeking: the program stops, or a person chose something else */
  signal: AbortSignal;
}

export async function findBelonging(house: House, seeking: Seeking): Promise<Belonging> {
  const { dataDir, databaseUrl } = house.options;
  const known = await loadMembership(dataDir);
  if (databaseUrl) return patiently(house, known, seeking, () => byDatabase(house, known, databaseUrl, seeking));
  if (known?.hosts || (!known && (await hasDatabase(dataDir)))) return host(house, known, seeking);
  const membership = known ?? (await seek(house, seeking));
  return membership ? { membership, db: null, key: null } : host(house, null, seeking);
}

/** Leaves the cluster: what it knew of it, and an embedded database, are kept aside under other names. */
export async function leaveCluster(dataDir: string): Promise<void> {
  await forgetCluster(dataDir);
  if (!(await hasDatabase(dataDir))) return;
  const aside = `database.left-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}`;
  await rename(path.join(dataDir, 'database'), path.join(dataDir, aside));
}

function hasDatabase(dataDir: string): Promise<boolean> {
  return access(path.join(dataDir, 'database')).then(
    () => true,
    () => false,
  );
}

/**
 * The database of a member may be away for as long as it likes, also while the machine starts: it waits and says so. Whoever
 * has never reached that database may have been given a wrong address, and is told.
 */
async function patiently(house: House, known: Membership | null, seeking: Seeking, find: () => Promise<Belonging>): Promise<Belonging> {
  for (;;) {
    try {
      return await find();
    } catch (error) {
      const away = isUnreachable(error) || (error instanceof PlainError && error.retry);
      if (!known || !away || seeking.signal.aborted) throw error;
      const { id, name } = known.cluster;
      house.log.warn({ why: messageOf(error) }, 'the database is away while this machine starts; it waits for it');
      seeking.say({ state: 'asking', cluster: { id, name }, problem: `${messageOf(error)} This machine waits for it.` });
      await pause(2000, null, { signal: seeking.signal });
    }
  }
}

async function byDatabase(house: House, known: Membership | null, url: string, seeking: Seeking): Promise<Belonging> {
  const { dataDir } = house.options;
  seeking.say({ state: 'starting' });
  // a member says at once on its page that it waits; who comes for the first time gives containers time to start
  const db = await open(house, url, seeking, known ? 2 : 30).catch((error: unknown) => {
    if (known && !known.hosts && isNewerSchema(error)) return messageOf(error);
    throw error;
  });
  if (typeof db === 'string')
    return { membership: known!, db: null, key: null, steppedBack: steppedBackWords(db + (await wayBack(dataDir, url))) };
  try {
    if (known) await requireOwnBooks(db, known, dataDir);
    const left = await readMoved(db);
    if (known && !known.hosts && left.movedTo !== null && left.arriving === null) {
      await db.close();
      return { membership: known, db: null, key: null, steppedBack: steppedBackWords(leftWords(left)) };
    }
    await requireTruth(db, dataDir);
    const key = await clusterKeyOf(db, house.options.name);
    return { membership: await pin(house, db, key, known, false), db, key };
  } catch (error) {
    await db.close();
    throw error;
  }
}

/** @throws PlainError when the books of its cluster are not in it; into an empty one they may be moved yet, which a member waits for */
async function requireOwnBooks(db: Database, { cluster, hosts }: Membership, dataDir: string): Promise<void> {
  const there = await readClusterName(db);
  if (there?.id === cluster.id) return;
  if (there === null)
    throw new PlainError(
      `The database that this machine was given is empty: the books of the cluster "${cluster.name}", to which it belongs, are elsewhere. They are brought there by "codecshift database move" on the machine that has them. Or start this machine without --database-url.`,
      { retry: !hosts },
    );
  throw new PlainError(
    `This machine belongs to the cluster "${cluster.name}", but the database that it was given holds another one. Start it without --database-url, or leave its cluster first: move ${path.join(dataDir, 'cluster.json')} away.`,
  );
}

async function host(house: House, known: Membership | null, seeking: Seeking): Promise<Belonging> {
  const { dataDir } = house.options;
  seeking.say({ state: known ? 'starting' : 'founding' });
  const db = await open(house, null, seeking).catch(async (error: unknown) => {
    throw isNewerSchema(error) ? new PlainError(messageOf(error) + (await wayBack(dataDir, null)), { cause: error }) : error;
  });
  try {
    if (known && (await readCluster(db)) === null)
      throw new PlainError(
        `The database of the cluster "${known.cluster.name}" is gone from ${dataDir}. Put the directory "database" back; to begin anew instead, move cluster.json away.`,
      );
    const key = await clusterKeyOf(db, house.options.name);
    return { membership: await pin(house, db, key, known, true), db, key };
  } catch (error) {
    await db.close();
    throw error;
  }
}

function open(house: House, url: string | null, seeking: Seeking, patienceSeconds?: number): Promise<Database> {
  const { dataDir } = house.options;
  return connectDatabase({
    url,
    dataDir,
    locked: true,
    log: house.log.child({ room: 'db' }),
    signal: house.signal,
    patienceSeconds,
    copyBefore: house.options.upgradeCopy === 'on',
    candidate: { node: house.id, session: house.session, say: (doing) => seeking.say({ state: 'starting', doing }) },
  });
}

/** A sentence for this machine's own page and its console. */
export function steppedBackWords(why: string): string {
  return `${why} Until then it works on for the others, and does not stand in as coordinator.`;
}

/**
 * Nobody goes back to an older version by itself; the copy from before the upgrade is the way. It goes over an embedded database,
 * which is set aside as it is, and beside an external one, which this version could not back up.
 */
async function wayBack(dataDir: string, url: string | null): Promise<string> {
  const newest = (await listBackups(ownBackups(dataDir))).find(({ label }) => label.startsWith('before-upgrade'));
  if (!newest) return '';
  const words =
    url === null
      ? `codecshift restore ${newest.file} --replace`
      : `stop CodecShift on every machine, make a new, empty database, and codecshift restore ${newest.file} --database-url with its address, which every machine then gets`;
  return ` To go back to the older version instead: ${words}. That is the backup from right before the upgrade; what happened since is not in it.`;
}

async function pin(house: House, db: Database, key: ClusterKey, known: Membership | null, hosts: boolean): Promise<Membership> {
  const { id, options } = house;
  const members = await admitSelf(db, key, { id, name: options.name, version, platform: platformWords(), hardware: hardwareFacts() });
  if (known) {
    known.adoptMembers(members);
    return known;
  }
  const name = (await readCluster(db))?.name ?? options.name;
  const cluster = { id: key.cluster, name, publicKey: key.publicKey };
  return pinCluster(options.dataDir, { cluster, hosts, members, certificate: null, peers: [] });
}

/**
 * A machine that brings films of its own never lets itself be taken in by whoever answers first on the network: who
 * coordinates may read what its members have. It begins a cluster of its own, and a person can join it to another one.
 */
async function modeOf(house: House, seeking: Seeking): Promise<'auto' | 'new' | 'join'> {
  const { cluster, libraries, peers, join } = house.options;
  if (seeking.own) return 'new';
  if (seeking.wanted) return 'join';
  const named = peers.length > 0 || join !== null;
  const films = libraries.length > 0 || (await house.roots.report()).length > 0;
  return cluster === 'auto' && films && !named ? 'new' : cluster;
}

/** Null: nobody is here, so a cluster is founded. */
async function seek(house: House, seeking: Seeking): Promise<Membership | null> {
  const { id, key, options, log } = house;
  const startedAt = performance.now();
  const lobby = createLobby({
    key,
    port: options.meshPort === 0 ? 0 : options.meshPort + 1,
    discovery: options.discovery,
    peers: house.peers,
    self: () => ({ node: id, name: options.name, version, cluster: null, lookingMs: Math.round(performance.now() - startedAt) }),
    onJoin: null,
    members: () => null,
    log: log.child({ room: 'mesh' }),
  });
  await lobby.start();
  try {
    const joining = joinOrFound({
      dataDir: options.dataDir,
      self: { id, name: options.name, version, platform: platformWords(), hardware: hardwareFacts() },
      lobby,
      mode: await modeOf(house, seeking),
      token: options.join,
      peers: house.peers,
      wanted: seeking.wanted,
      onCode: seeking.onCode,
      signal: seeking.signal,
      log: log.child({ room: 'mesh' }),
    });
    const off = joining.onStanding(seeking.say);
    seeking.say(joining.standing());
    seeking.offer({ joining, lobby });
    const outcome = await joining.outcome.finally(off);
    return 'joined' in outcome ? outcome.joined : null;
  } finally {
    seeking.offer(null);
    await lobby.stop();
  }
}
