import { until } from '../../node/testing/program.ts';
import { median, ratio, spread, type Print } from './figures.ts';
import type { House } from './house.ts';

const encodeSeconds = 4;
const films = 6;
const rounds = 2;

/** How much sooner 2 and 3 workers finish the same films than one. The rounds alternate between one, two and three. */
export async function benchSpeedUp(house: House, print: Print): Promise<void> {
  const leader = (await until('a coordinator', () => house.leader(), 60_000)).name;
  // the coordinator's own machine helps last
  const workers = ['c', ...['a', 'b'].filter((name) => name !== leader), leader];
  print(
    `  ${films} films of ${encodeSeconds} s simulated encode each, one at once per machine, fetched from and delivered to another machine;`,
  );
  print('  from the first grant to the last replaced file, checks by full decode included (these share the real cores)');
  const took = new Map<number, number[]>([1, 2, 3].map((count) => [count, []]));
  house.encoder.takes(encodeSeconds);
  for (let round = 0; round < rounds; round++)
    for (const count of [1, 2, 3]) {
      const seconds = await once(house, workers.slice(0, count));
      took.get(count)!.push(seconds);
      print(`    round ${round + 1}, ${count}: ${seconds.toFixed(1)} s`);
    }
  for (const [count, seconds] of took) print(spread(`${count} worker${count > 1 ? 's' : ''}`, seconds, 's'));
  for (const count of [2, 3]) print(ratio(`speed-up of ${count} over 1`, median(took.get(1)!) / median(took.get(count)!)));
}

async function once(house: House, workers: string[]): Promise<number> {
  await house.onlyWorkers(workers);
  await house.rest();
  const database = house.cluster.database!;
  const [before] = await database.ask<{ id: number }>('select coalesce(max(id), 0) as id from attempts');
  await house.addFilms(films);
  const [row] = await until(
    `${films} films by ${workers.join(', ')}`,
    async () => {
      const rows = await database.ask<{ n: number; seconds: number }>(
        `select count(*)::int as n, extract(epoch from max(ended_at) - min(started_at))::float as seconds
           from attempts where id > ${before!.id} and state = 'succeeded'`,
      );
      return rows[0]!.n >= films ? rows : null;
    },
    240_000,
  );
  return row!.seconds;
}
