import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { hereOf } from '../../node/testing/cluster-join.ts';
import { until } from '../../node/testing/program.ts';
import type { ClaimOrders, ClaimTimes } from './claim-child.ts';
import { median, ratio, spread, type Print } from './figures.ts';
import type { House } from './house.ts';

const rounds = 40;

/**
 * A worker's claim over the mesh, from the question to the granted job, beside the claim's SQL alone. A small program
 * takes the place of the candidate that does not coordinate: its key, its network, its way to the database.
 */
export async function benchClaim(house: House, print: Print): Promise<void> {
  const { cluster } = house;
  const { name: leader, term } = await until('a coordinator', () => house.leader(), 60_000);
  const worker = leader === 'a' ? 'b' : 'a';
  const [node, coordinator] = [await house.idOf(worker), await house.idOf(leader)];
  await house.onlyWorkers([worker]);
  await house.rest();
  await cluster.machine(worker).stop();
  try {
    await house.addFilms(4);
    await waiting(house, 4);
    const { dataDir } = cluster.machine(worker);
    const peer = `${cluster.network.address(leader)}:8266`;
    const orders: ClaimOrders = { dataDir, node, coordinator, peer, term, databaseUrl: cluster.database!.url, rounds };
    const times = await ask(house, worker, orders);
    print(spread("baseline: the claim's SQL alone (heads and claim)", times.sql, 'ms', 2));
    print(spread('baseline: an empty statement', times.empty, 'ms', 2));
    print(spread('a claim over the mesh', times.mesh, 'ms', 2));
    print(ratio('claim over the mesh over its SQL alone', median(times.mesh) / median(times.sql)));
  } finally {
    cluster.machine(worker).launch();
    await until(`${worker} to be back`, async () => (await hereOf(cluster.machine(worker)))?.reached, 120_000);
    await house.onlyWorkers(['a', 'b', 'c']);
    await house.rest();
  }
}

async function waiting(house: House, jobs: number): Promise<void> {
  await until(
    `${jobs} waiting jobs`,
    async () => {
      const rows = await house.cluster.database!.ask<{ n: number }>(`select count(*)::int as n from jobs where state = 'available'`);
      return rows[0]!.n >= jobs;
    },
    60_000,
  );
}

async function ask(house: House, worker: string, orders: ClaimOrders): Promise<ClaimTimes> {
  const words = [process.execPath, join(import.meta.dirname, 'claim-child.ts'), JSON.stringify(orders)];
  const child = house.cluster.network.spawn(worker, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout! })) return JSON.parse(line) as ClaimTimes;
  throw new Error('the claiming process ended without a word');
}
