import type { Members, Signed } from '../core/cluster.ts';
import { addActivity } from '../db/activity.ts';
import { foundCluster, readCluster, readClusterKey, saveMembers } from '../db/cluster.ts';
import { isStaleTerm, type Database, type Queryable } from '../db/connect.ts';
import { readLease, type Lease } from '../db/coordinator.ts';
import { isWork } from '../db/hold.ts';
import { approvedNodes, askToJoin, readNode, setStanding } from '../db/nodes.ts';
import { PlainError } from '../errors.ts';
import { makeClusterKey, openMembers, sign, type ClusterKey } from '../mesh/signing.ts';

/** The key of this database's cluster; the first candidate that finds none founds the cluster. */
export async function clusterKeyOf(db: Database, name: string): Promise<ClusterKey> {
  const known = await readClusterKey(db);
  if (known) return known;
  await foundCluster(db, makeClusterKey(), name);
  return (await readClusterKey(db))!;
}

/**
 * Signs the list of approved nodes anew and stores it with the next version. Two that do it at once are put in order by
 * the version: the later one signs what both decided.
 * @param above a version that the new one has to outrank as well
 */
export async function signMembers(q: Queryable, key: ClusterKey, above = 0): Promise<Signed> {
  for (let tries = 0; tries < 20; tries++) {
    const before = (await readCluster(q))?.membersVersion ?? 0;
    const version = Math.max(before, above) + 1;
    const members: Members = { kind: 'members', cluster: key.cluster, version, nodes: await approvedNodes(q) };
    const signed = sign(key, members);
    if (await saveMembers(q, before, version, signed)) return signed;
  }
  throw new Error('the list of members could not be stored');
}

/**
 * Takes over a list that this cluster signed and that is newer than the database: it was put back from a backup, and
 * every machine would ignore what is signed from it, a removal too. The list is the later word: who is missing on it was
 * removed since, who is on it was let in since. This node has the database, and stays. False: there was nothing newer.
 */
export async function catchUpMembers(db: Database, key: ClusterKey, newest: Signed | null, self: string): Promise<boolean> {
  if (!newest || newest.payload === (await readCluster(db))?.members?.payload) return false;
  const list = openMembers(key.publicKey, newest);
  if (!list) return false;
  return await db.tx(async (q) => {
    const cluster = await readCluster(q);
    // the same version with other words: the database went on from its backup before anybody was met
    const isKnown = cluster?.membersVersion === list.version && cluster.members?.payload === newest.payload;
    if (!cluster || cluster.membersVersion > list.version || isKnown) return false;
    const listed = new Set(list.nodes.map(({ id }) => id));
    for (const node of await approvedNodes(q)) if (node.id !== self && !listed.has(node.id)) await decide(q, node, 'revoked');
    for (const node of list.nodes) {
      const row = await readNode(q, node.id);
      if (!row) await askToJoin(q, { ...node, version: '', platform: '', hardware: {}, address: '', code: null });
      if (row?.standing !== 'approved') await decide(q, node, 'approved');
    }
    await signMembers(q, key, list.version);
    return true;
  });
}

async function decide(q: Queryable, { id, name }: { id: string; name: string }, standing: 'approved' | 'revoked'): Promise<void> {
  await setStanding(q, id, standing, KEPT_LIST);
  await addActivity(q, {
    kind: standing === 'approved' ? 'node-approved' : 'node-removed',
    severity: 1,
    nodeId: id,
    by: KEPT_LIST,
    params: { name },
  });
}

const KEPT_LIST = 'the list that the machines kept';

/**
 * The signed list, made anew if it does not say who is approved: between the decision and its signature another question
 * may come, or the power may go.
 */
export async function currentMembers(q: Queryable, key: ClusterKey): Promise<Signed> {
  const { members } = (await readCluster(q)) ?? {};
  const listed = members ? openMembers(key.publicKey, members)?.nodes.map(({ id }) => id) : null;
  const approved = (await approvedNodes(q)).map(({ id }) => id);
  return members && listed?.toSorted().join(' ') === approved.toSorted().join(' ') ? members : signMembers(q, key);
}

export interface Self {
  id: string;
  name: string;
  version: string;
  platform: string;
  hardware: Record<string, unknown>;
}

/**
 * A node that holds the database can sign for itself: it makes itself a member under the present term, unless a person
 * removed it. Resolves with the newest signed list.
 * @throws PlainError when a person refused or removed this node, or while a move or a restore works on the database
 */
export async function admitSelf(db: Database, key: ClusterKey, self: Self): Promise<Signed> {
  for (let tries = 0; ; tries++) {
    try {
      return await admit(db, await readLease(db), key, self);
    } catch (error) {
      // the term changed between reading it and writing under it
      if (!isStaleTerm(error) || tries > 20) throw error;
    }
  }
}

async function admit(database: Database, lease: Lease, key: ClusterKey, self: Self): Promise<Signed> {
  const db = database.withTerm(lease.term);
  const known = await readNode(db, self.id);
  if (known?.standing === 'revoked' || known?.standing === 'rejected')
    throw new PlainError(
      `This machine was removed from the cluster by ${known.decidedBy ?? 'a person'}. Approve it on the Nodes page of another machine, then start it again.`,
    );
  const cluster = await readCluster(db);
  if (known?.standing === 'approved' && cluster?.members) return cluster.members;
  // it would come after everything was copied; and a work that begins only now has a term of its own, so this is refused then
  if (lease.held && isWork(lease.holder)) throw worksOnIt();
  await askToJoin(db, { ...self, address: '', code: null });
  await setStanding(db, self.id, 'approved', 'its own database connection');
  return signMembers(db, key);
}

function worksOnIt(): PlainError {
  return new PlainError('A move or a restore works on this database. This machine can use it when that is over; start it again then.', {
    retry: true,
  });
}
