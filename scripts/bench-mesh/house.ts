import { copyFile, mkdir, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createCluster } from '../../node/testing/cluster.ts';
import type { Cluster } from '../../node/testing/cluster.ts';
import type { Machine } from '../../node/testing/cluster-machine.ts';
import { hereOf, joinAll } from '../../node/testing/cluster-join.ts';
import { until } from '../../node/testing/program.ts';
import { createLibrary } from '../chaos/library.ts';
import { seeded } from '../chaos/random.ts';
import { createSimulatedEncoder } from './encoder.ts';
import type { SimulatedEncoder } from './encoder.ts';
import type { Print } from './figures.ts';

/**
 * Four machines and a PostgreSQL, all of them real programs in networks of their own:
 *
 *   a, b   may coordinate (they have the database), and work
 *   c      works
 *   keep   has the films, encodes nothing: every film travels over the network to its worker and back
 *
 * ffmpeg's encodes are simulated (encoder.ts), because this measures the mesh and not the processor of one computer that
 * plays all four. Everything else is real: transfers, the check of every output by a full decode, the swap.
 */
export interface House {
  cluster: Cluster;
  encoder: SimulatedEncoder;
  leader(): Promise<{ name: string; term: number } | null>;
  idOf(name: string): Promise<string>;
  /** only these begin new work from now on */
  onlyWorkers(names: readonly string[]): Promise<void>;
  /** so many films that wait; each was encoded before, so that its encode is in the cache */
  addFilms(count: number): Promise<void>;
  /** nothing waits or runs */
  rest(): Promise<void>;
  open(): Promise<number>;
}

const machines = ['a', 'b', 'c', 'keep'];
const distinct = 8;

export async function createHouse(t: { after(fn: () => Promise<void> | void): void }, print: Print): Promise<House> {
  const encoder = createSimulatedEncoder(t);
  const args = ['--ffmpeg', encoder.path];
  const cluster = await createCluster(t, {
    machines: [
      { name: 'a', args, candidate: true },
      { name: 'b', args, candidate: true },
      { name: 'c', args },
      // by itself a machine that brings films starts a cluster of its own
      { name: 'keep', args, share: true, library: true, env: { CODECSHIFT_CLUSTER: 'join' } },
    ],
    database: true,
    shareMegabytes: 512,
    env: { CODECSHIFT_AT_ONCE: '1', CODECSHIFT_LEASE: '10', CODECSHIFT_SPEED: 'fast', CODECSHIFT_KEEP_ORIGINALS: '0' },
  });
  const database = cluster.database!;
  const library = createLibrary(cluster.share.path, join(cluster.base, 'pristine'), seeded(1));
  let copies = 0;
  const ids = new Map<string, string>();
  await joinAll(cluster);

  const house: House = {
    cluster,
    encoder,
    async leader() {
      const [row] = await database.ask<{ name: string; term: number }>(
        `select n.name, c.term from coordinator c join nodes n on n.id = c.holder where c.lease_until > clock_timestamp()`,
      );
      return row ?? null;
    },
    async idOf(name) {
      const known = ids.get(name) ?? (await until(`the id of ${name}`, () => hereOf(cluster.machine(name)), 60_000)).node.id;
      ids.set(name, known);
      return known;
    },
    async onlyWorkers(names) {
      for (const name of machines) await set(name, names.includes(name) ? 'resume' : 'pause');
    },
    async addFilms(count) {
      for (let film = 0; film < count; film++) await again(library.films[film % distinct]!.pristine);
      await scan();
    },
    rest: () => until('the end of all work', async () => (await house.open()) === 0, 120_000).then(() => undefined),
    async open() {
      const [row] = await database.ask<{ n: number }>(
        `select (select count(*) from jobs where state in ('available', 'running'))::int + (select count(*) from scans where state = 'running')::int as n`,
      );
      return row!.n;
    },
  };
  await warmUp();
  print('  a house of four machines and a PostgreSQL; encodes are simulated: a real output from a cache after a fixed time');
  return house;

  /** Every film once through the real ffmpeg. */
  async function warmUp(): Promise<void> {
    await house.onlyWorkers(['a', 'b', 'c']);
    for (let film = 0; film < distinct; film++) await library.add({ kind: 'film', long: false });
    await until('the library', () => anybody((machine) => hasLibrary(machine)), 60_000);
    await scan();
    await until('the first job', async () => (await done()) > 0, 120_000);
    await house.rest();
    const made = await done();
    if (made < distinct) throw new Error(`only ${made} of ${distinct} films were converted in the warm-up`);
  }

  async function done(): Promise<number> {
    const [row] = await database.ask<{ n: number }>(`select count(*)::int as n from jobs where state = 'completed'`);
    return row!.n;
  }

  /** The same bytes under a new name: what became of the first copy is another file by now. */
  async function again(pristine: string): Promise<void> {
    const folder = join(cluster.share.path, 'again');
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${String(++copies).padStart(4, '0')} ${basename(pristine)}`);
    await copyFile(pristine, `${path}.part`);
    await rename(`${path}.part`, path);
  }

  async function ask(path: string): Promise<void> {
    await until(`an answer to ${path}`, () => anybody((machine) => machine.api(path, {})), 60_000);
  }

  async function anybody(question: (machine: Machine) => Promise<unknown>): Promise<boolean> {
    for (const machine of cluster.machines.filter(({ running }) => running)) {
      const well = await question(machine).then(
        (answer) => answer !== false,
        () => false,
      );
      if (well) return true;
    }
    return false;
  }

  async function hasLibrary(machine: Machine): Promise<boolean> {
    return (await machine.api<{ items: unknown[] }>('/libraries')).items.length > 0;
  }

  function scan(): Promise<void> {
    return ask('/scan');
  }

  async function set(name: string, wish: 'pause' | 'resume'): Promise<void> {
    await ask(`/nodes/${await house.idOf(name)}/${wish}`);
  }
}
