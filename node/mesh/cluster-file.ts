import { open, readFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { PlainError, codeOf } from '../errors.ts';
import type { Pinned } from './membership.ts';
import { clusterId, openMembers } from './signing.ts';

/**
 * `cluster.json` in the data directory: replaced whole or not at all, also across a power cut. What is done to it is
 * done one after the other, and once a cluster was forgotten, a writer of before can not bring it back.
 */
export interface ClusterFile {
  /** Does nothing when the file belongs to somebody newer. */
  write(pinned: Pinned): Promise<void>;
}

export const MAX_NODES = 500;
export const MAX_ADDRESSES = 30;

/** @returns null when there is none; @throws PlainError when it cannot be read or is damaged */
export async function readClusterFile(dataDir: string): Promise<Pinned | null> {
  const file = fileIn(dataDir);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw new PlainError(`${file}, which names the cluster of this machine, cannot be read.`, { cause: error });
  });
  if (text === null) return null;
  const pinned = parse(text);
  if (pinned) return pinned;
  throw new PlainError(
    `${file}, which names the cluster of this machine, is damaged. Put a good copy back; or move it away, then this machine asks its cluster to join again.`,
  );
}

/** Takes the file over: from now on only this writer may write it. */
export function ownClusterFile(dataDir: string): ClusterFile {
  const file = fileIn(dataDir);
  const me = Symbol(file);
  owners.set(file, me);
  return {
    write: (pinned) =>
      inTurn(file, async () => {
        if (owners.get(file) === me) await replace(file, `${JSON.stringify({ format: 1, ...pinned }, null, 2)}\n`);
      }),
  };
}

/** Renames the file to the first free `cluster.json.left-<n>`; nothing is ever deleted. */
export async function setClusterFileAside(dataDir: string): Promise<void> {
  const file = fileIn(dataDir);
  owners.delete(file);
  await inTurn(file, async () => {
    let n = 1;
    while (await exists(`${file}.left-${n}`)) n++;
    await rename(file, `${file}.left-${n}`).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw new PlainError(`${file} cannot be set aside.`, { cause: error });
    });
    await syncDirectory(path.dirname(file));
  });
}

const owners = new Map<string, symbol>();
const turns = new Map<string, Promise<void>>();

function fileIn(dataDir: string): string {
  return path.resolve(dataDir, 'cluster.json');
}

function inTurn(file: string, work: () => Promise<void>): Promise<void> {
  const done = (turns.get(file) ?? Promise.resolve()).catch(() => {}).then(work);
  turns.set(file, done);
  return done;
}

const signed = v.object({ payload: v.pipe(v.string(), v.maxLength(200_000)), signature: v.pipe(v.string(), v.maxLength(200)) });
const schema = v.object({
  format: v.literal(1),
  cluster: v.object({ id: v.string(), name: v.pipe(v.string(), v.maxLength(63)), publicKey: v.string() }),
  hosts: v.boolean(),
  members: v.nullable(signed),
  certificate: v.nullable(signed),
  peers: v.pipe(
    v.array(v.object({ node: v.string(), addresses: v.pipe(v.array(v.string()), v.maxLength(MAX_ADDRESSES)) })),
    v.maxLength(MAX_NODES),
  ),
});

function parse(text: string): Pinned | null {
  try {
    const { format: _, ...pinned } = v.parse(schema, JSON.parse(text));
    return isSound(pinned) ? pinned : null;
  } catch {
    return null;
  }
}

/** The id is the hash of the key, and the list is signed by it. */
export function isSound(pinned: Pinned): boolean {
  const { id, publicKey } = pinned.cluster;
  return clusterId(publicKey) === id && (pinned.members === null || openMembers(publicKey, pinned.members) !== null);
}

async function replace(file: string, text: string): Promise<void> {
  const fresh = `${file}.new`;
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.chmod(0o600); // the mode above counts only for a file that was not left over
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, file);
  await syncDirectory(path.dirname(file));
}

/** Windows cannot, and some network file systems refuse: they do it on their own. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

async function exists(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  );
}
