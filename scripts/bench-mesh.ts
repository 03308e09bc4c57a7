import { cpus, loadavg } from 'node:os';
import { clusterProblem } from '../node/testing/cluster.ts';
import { benchClaim } from './bench-mesh/claim.ts';
import { benchDiscovery } from './bench-mesh/discovery.ts';
import { benchFailover } from './bench-mesh/failover.ts';
import { createHouse } from './bench-mesh/house.ts';
import type { House } from './bench-mesh/house.ts';
import { benchMemory } from './bench-mesh/memory.ts';
import { benchSpeedUp } from './bench-mesh/speed-up.ts';
import { benchTransfer } from './bench-mesh/transfer.ts';

/**
 * What several machines cost and bring, each figure beside its baseline from the same run:
 * `node scripts/node.cjs scripts/bench-mesh.ts [section …]`. Linux, as root, with PostgreSQL.
 *
 *   discovery   a fresh machine finds the cluster            a bare multicast DNS question between two processes
 *   memory      an idle worker                               a bare Node.js process
 *   claim       a free slot asks for work over the mesh      the claim's SQL alone on the same PostgreSQL
 *   speed-up    2 and 3 workers                              1 worker
 *   failover    kill -9 of the coordinator to the next grant the time to live of its lease
 *   transfer    a film over the data plane                   node:https with the same cipher
 *
 * All but the first and the last share one house (bench-mesh/house.ts), whose encoders are simulated.
 */
const sections = {
  discovery: () => benchDiscovery(print),
  memory: async () => benchMemory(await house(), print),
  claim: async () => benchClaim(await house(), print),
  'speed-up': async () => benchSpeedUp(await house(), print),
  failover: async () => benchFailover(await house(), print),
  transfer: () => benchTransfer(print),
};
const endings: (() => Promise<void> | void)[] = [];
let opened: Promise<House> | null = null;

process.exitCode = await main(process.argv.slice(2));
// sockets of clients that a dead server left behind must not hold the process
process.exit();

async function main(words: string[]): Promise<number> {
  const wanted = words.length > 0 ? words : Object.keys(sections);
  const unknown = wanted.filter((word) => !Object.hasOwn(sections, word));
  const problem = unknown.length > 0 ? `${unknown.join(', ')}: sections are ${Object.keys(sections).join(', ')}` : clusterProblem();
  if (problem !== null) {
    process.stderr.write(`This cannot run: ${problem}.\n`);
    return 1;
  }
  const begun = performance.now();
  print(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores; Node.js ${process.version}. Medians; the load is beside each section.`,
  );
  let failed = 0;
  try {
    for (const name of wanted as (keyof typeof sections)[]) {
      print(`\n${name} (load ${loadavg()[0]!.toFixed(1)})`);
      // one section that fails must not take the figures of the others along
      await sections[name]().catch((error: unknown) => {
        failed++;
        print(`  failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      });
    }
  } finally {
    for (const ending of endings.toReversed()) await ending();
  }
  print(`\n${((performance.now() - begun) / 1000).toFixed(0)} s in all, load ${loadavg()[0]!.toFixed(1)} at the end`);
  return failed > 0 ? 1 : 0;
}

function house(): Promise<House> {
  opened ??= createHouse({ after: (ending) => void endings.push(ending) }, print);
  return opened;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
