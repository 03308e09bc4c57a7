import type { Signed } from '../core/cluster.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** The cluster's identity. Its private key is here and nowhere else: to be able to sign is to have the database. */
export interface Cluster {
  id: string;
  name: string;
  publicKey: string;
  incarnation: number;
  members: Signed | null;
  membersVersion: number;
  /** null: empty, and may dissolve into another cluster */
  establishedAt: Date | null;
  createdAt: Date;
}

const columns = `id, name, public_key as "publicKey", incarnation, members, members_version as "membersVersion",
  established_at as "establishedAt", created_at as "createdAt"`;

/** Without the private key: nothing that shows or tells needs it. Null before anybody founded a cluster here. */
export async function readCluster(q: Queryable): Promise<Cluster | null> {
  return (await q.query<Cluster>(`select ${columns} from cluster`))[0] ?? null;
}

/** Whose database it is: a question for every few seconds. Null before anybody founded a cluster here. */
export async function readClusterName(q: Queryable): Promise<{ id: string; name: string } | null> {
  return (await q.query<{ id: string; name: string }>(`select id, name from cluster`))[0] ?? null;
}

export async function readClusterKey(q: Queryable): Promise<{ cluster: string; publicKey: string; privateKey: string } | null> {
  return (
    (
      await q.query<{ cluster: string; publicKey: string; privateKey: string }>(
        `select id as cluster, public_key as "publicKey", private_key as "privateKey" from cluster`,
      )
    )[0] ?? null
  );
}

/** In a copy that came without it. */
export async function putPrivateKey(q: Queryable, privateKey: string): Promise<void> {
  await q.query('update cluster set private_key = $1', [privateKey]);
}

/** It is another cluster from now on, with the same books: nobody is its member yet. */
export async function replaceClusterKey(q: Queryable, key: { cluster: string; publicKey: string; privateKey: string }): Promise<void> {
  await q.query(`update cluster set id = $1, public_key = $2, private_key = $3, members = null, members_version = 0`, [
    key.cluster,
    key.publicKey,
    key.privateKey,
  ]);
}

/** The first candidate of an empty database founds; whoever comes at the same moment finds that cluster. */
export async function foundCluster(
  q: Queryable,
  key: { cluster: string; publicKey: string; privateKey: string },
  name: string,
): Promise<Cluster> {
  await q.query(`insert into cluster (id, name, public_key, private_key) values ($1, $2, $3, $4) on conflict (one) do nothing`, [
    key.cluster,
    text(name),
    key.publicKey,
    key.privateKey,
  ]);
  return (await readCluster(q))!;
}

/**
 * Stores a new list of members in the place of the one with the version `before`. False: somebody else was first; read
 * again and sign anew. A candidate that has just been given the database adds itself, under the term of whoever leads
 * (coordinator/members.ts).
 */
export async function saveMembers(q: Queryable, before: number, version: number, members: Signed): Promise<boolean> {
  const rows = await q.query(`update cluster set members = $3, members_version = $2 where members_version = $1 returning 1`, [
    before,
    version,
    json(members),
  ]);
  return rows.length > 0;
}

/** From now on it has something to lose: it never dissolves into another. */
export async function establishCluster(q: Queryable): Promise<boolean> {
  return (await q.query(`update cluster set established_at = now() where established_at is null returning 1`)).length > 0;
}

export async function renameCluster(q: Queryable, name: string): Promise<void> {
  await q.query(`update cluster set name = $1`, [text(name)]);
}

/** Which key the stored secrets are sealed with (sealed.ts); null: there are none yet. */
export async function readSecretId(q: Queryable): Promise<string | null> {
  return (await q.query<{ id: string | null }>(`select secret_id as id from cluster`))[0]?.id ?? null;
}

/** From now on secrets are sealed with this key. False: meanwhile it is another one than `before`. */
export async function writeSecretId(q: Queryable, id: string, before: string | null): Promise<boolean> {
  const rows = await q.query(`update cluster set secret_id = $1 where secret_id is not distinct from $2 returning 1`, [id, before]);
  return rows.length > 0;
}
