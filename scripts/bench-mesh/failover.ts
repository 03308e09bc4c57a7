import { hereOf } from '../../node/testing/cluster-join.ts';
import { until } from '../../node/testing/program.ts';
import { median, ratio, spread, type Print } from './figures.ts';
import type { House } from './house.ts';

const rounds = 3;
/** shorter than a failover: whoever works has a free slot when the next coordinator comes */
const encodeSeconds = 2;
/** of a coordinator with an external database (coordinator/elector.ts) */
const leaseSeconds = 6;

/** From kill -9 of the coordinator, while films wait and free slots ask, to the first grant of the next term. */
export async function benchFailover(house: House, print: Print): Promise<void> {
  await house.onlyWorkers(['a', 'b', 'c']);
  house.encoder.takes(encodeSeconds);
  const [elected, granted]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const times = await once(house);
    elected.push(times.elected);
    granted.push(times.granted);
    print(`    round ${round + 1}: next term after ${times.elected.toFixed(2)} s, first grant after ${times.granted.toFixed(2)} s`);
  }
  print(
    `  baseline: the lease of a dead coordinator lives for ${leaseSeconds} s after its last renewal (renewed every ${leaseSeconds / 3} s)`,
  );
  print(spread('kill -9 to the next term', elected, 's', 2));
  print(spread('kill -9 to its first grant', granted, 's', 2));
  print(ratio("first grant over the lease's time to live", median(granted) / leaseSeconds));
}

async function once(house: House): Promise<{ elected: number; granted: number }> {
  const { cluster } = house;
  const database = cluster.database!;
  const { name, term } = await until('a coordinator', () => house.leader(), 60_000);
  const other = name === 'a' ? 'b' : 'a';
  await until(`${other} to follow`, async () => (await hereOf(cluster.machine(other)))?.reached, 60_000);
  await house.addFilms(12);
  await until('work', () => runs(house, `a.ended_at is null and a.term = ${term}`), 60_000);
  const killed = Date.now();
  await cluster.machine(name).kill('power');
  await until('the next term', async () => ((await house.leader())?.term ?? 0) > term, 120_000);
  const elected = Date.now();
  const [first] = await until(
    'the first grant of the next term',
    async () => {
      const rows = await database.ask<{ granted: number }>(
        `select extract(epoch from min(started_at)) * 1000 as granted from attempts where term > ${term} having min(started_at) is not null`,
      );
      return rows.length > 0 ? rows : null;
    },
    120_000,
  );
  cluster.machine(name).launch();
  await until(`${name} to be back`, async () => (await hereOf(cluster.machine(name)))?.reached, 120_000);
  await house.rest();
  return { elected: (elected - killed) / 1000, granted: (Number(first!.granted) - killed) / 1000 };
}

async function runs(house: House, where: string): Promise<boolean> {
  const rows = await house.cluster.database!.ask(`select 1 from attempts a where ${where} limit 1`);
  return rows.length > 0;
}
