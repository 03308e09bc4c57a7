import type { Members, Signed } from '../core/cluster.ts';
import { foundCluster, readCluster, readClusterKey, saveMembers } from '../db/cluster.ts';
import { isStaleTerm, type Database, type Queryable } from '../db/connect.ts';
import { readLease } from '../db/coordinator.ts';
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
 */
export async function signMembers(q: Queryable, key: ClusterKey): Promise<Signed> {
  for (let tries = 0; tries < 20; tries++) {
    const cluster = await readCluster(q);
    const version = (cluster?.membersVersion ?? 0) + 1;
    const members: Members = { kind: 'members', cluster: key.cluster, version, nodes: await approvedNodes(q) };
    const signed = sign(key, members);
    if (await saveMembers(q, version, signed)) return signed;
  }
  throw new Error('the list of members could not be stored');
}

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
 * @throws PlainError when a person refused or removed this node
 */
export async function admitSelf(db: Database, key: ClusterKey, self: Self): Promise<Signed> {
  for (let tries = 0; ; tries++) {
    try {
      return await admit(db.withTerm((await readLease(db)).term), key, self);
    } catch (error) {
      // the term changed between reading it and writing under it
      if (!isStaleTerm(error) || tries > 20) throw error;
    }
  }
}

async function admit(db: Database, key: ClusterKey, self: Self): Promise<Signed> {
  const known = await readNode(db, self.id);
  if (known?.standing === 'revoked' || known?.standing === 'rejected')
    throw new PlainError(
      `This machine was removed from the cluster by ${known.decidedBy ?? 'a person'}. Approve it on the Nodes page of another machine, then start it again.`,
    );
  const cluster = await readCluster(db);
  if (known?.standing === 'approved' && cluster?.members) return cluster.members;
  await askToJoin(db, { ...self, address: '', code: null });
  await setStanding(db, self.id, 'approved', 'its own database connection');
  return signMembers(db, key);
}
