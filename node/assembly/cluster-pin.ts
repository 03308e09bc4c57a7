import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** What is in `cluster.json` (mesh/cluster-file.ts), as far as whoever exchanges the database has to know it. */
export type ClusterPin = Record<string, unknown> & { hosts: boolean; cluster: { id: string } };

/** Null: there is none, or it cannot be read; the start says what is wrong with it. */
export async function readClusterPin(dataDir: string): Promise<ClusterPin | null> {
  return parsePin(await readFile(path.join(dataDir, 'cluster.json')).catch(() => null));
}

export function parsePin(bytes: Buffer | null): ClusterPin | null {
  try {
    const pin = bytes === null ? null : (JSON.parse(bytes.toString('utf8')) as ClusterPin);
    return typeof pin?.cluster?.id === 'string' ? pin : null;
  } catch {
    return null;
  }
}

/** The same file of a machine that hosts the database itself, or does not any more. */
export function clusterPin(pin: ClusterPin, hosts: boolean): Buffer {
  return Buffer.from(`${JSON.stringify({ ...pin, hosts }, null, 2)}\n`);
}

/** Into `incoming`, if this machine hosts the database from now on, or not any more, and it was the other way round. */
export async function placeCluster(dataDir: string, incoming: string, hosts: boolean): Promise<void> {
  const pin = await readClusterPin(dataDir);
  if (pin && pin.hosts !== hosts) await writeFile(path.join(incoming, 'keys', 'cluster.json'), clusterPin(pin, hosts), { mode: 0o600 });
}
