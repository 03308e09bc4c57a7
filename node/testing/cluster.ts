import { join } from 'node:path';
import { createClusterDatabase } from './cluster-database.ts';
import type { ClusterDatabase } from './cluster-database.ts';
import { makeBase, mountDisk } from './cluster-disks.ts';
import type { Disk } from './cluster-disks.ts';
import { createMachine } from './cluster-machine.ts';
import type { Machine } from './cluster-machine.ts';
import { createNetwork, networkProblem } from './network.ts';
import type { Network } from './network.ts';
import { findPostgres } from './postgres.ts';

/**
 * Several real nodes: every one is the program as a person starts it, on a machine of its own (network.ts), with a real
 * PostgreSQL on another where it is wanted, and one folder of films that some of the machines share.
 *
 *   base/share        the films, a small disk of its own; as machines see them: base/<machine>/films
 *   base/<machine>/   data (with a small disk for unfinished encodes), clock, api.sock
 *   base/db/          PostgreSQL
 */
export interface Cluster {
  network: Network;
  /** the folder of everything; gone with the cluster */
  base: string;
  database: ClusterDatabase | null;
  /** the shared folder as this process sees it */
  share: Disk;
  machines: readonly Machine[];
  /** the names of those with the database */
  candidates: readonly string[];
  machine(name: string): Machine;
  close(): void;
}

export interface ClusterOptions {
  machines: readonly MachineWish[];
  /** with a PostgreSQL */
  database?: boolean;
  shareMegabytes?: number;
  env?: Record<string, string>;
}

export interface MachineWish {
  name: string;
  /** it has DATABASE_URL */
  candidate?: boolean;
  /** it sees the shared folder */
  share?: boolean;
  /** and names it as a library when it starts */
  library?: boolean;
  /** a small disk of its own for unfinished encodes */
  workspaceMegabytes?: number;
  args?: readonly string[];
  env?: Record<string, string>;
}

interface Cleanup {
  after(fn: () => Promise<void> | void): void;
}

/** Why no cluster can be built here, as a sentence; null when it can. */
export function clusterProblem(withDatabase = true): string | null {
  const problem = networkProblem();
  if (problem !== null) return problem;
  return withDatabase && findPostgres() === null ? 'no PostgreSQL on this machine' : null;
}

/** Builds everything and starts the database; no node runs yet. */
export async function createCluster(t: Cleanup, options: ClusterOptions): Promise<Cluster> {
  const names = options.machines.map(({ name }) => name);
  const candidates = options.machines.filter(({ candidate }) => candidate).map(({ name }) => name);
  const base = makeBase();
  // the programs end first, and only then their disks go
  const network = await createNetwork(
    { after: () => undefined },
    {
      machines: [...(options.database ? ['db'] : []), ...names],
      ...(options.database ? { database: { hub: 'db', machines: candidates } } : {}),
    },
  );
  const close = (): void => {
    network.close();
    base.remove();
  };
  t.after(close);
  const share = mountDisk(join(base.path, 'share'), options.shareMegabytes ?? 256);
  const database = options.database ? await createClusterDatabase(network, 'db', join(base.path, 'db')) : null;
  await database?.start();
  const machines = await Promise.all(options.machines.map((wish) => build(wish)));
  return {
    network,
    base: base.path,
    database,
    share,
    machines,
    candidates,
    machine(name) {
      const found = machines.find((one) => one.name === name);
      if (!found) throw new Error(`No machine of this cluster is called ${name}`);
      return found;
    },
    close,
  };

  function build(wish: MachineWish): Promise<Machine> {
    const { name, workspaceMegabytes } = wish;
    return createMachine({
      name,
      network,
      base: base.path,
      share: share.path,
      hasShare: wish.share ?? false,
      isLibrary: wish.library ?? false,
      databaseUrl: wish.candidate && database ? database.url : null,
      workspace: workspaceMegabytes ? mountDisk(join(base.path, name, 'data', 'workspace'), workspaceMegabytes) : null,
      args: wish.args ?? [],
      env: { ...options.env, ...wish.env },
    });
  }
}
