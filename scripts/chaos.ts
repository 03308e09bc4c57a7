import { parseArgs } from 'node:util';
import { clusterProblem } from '../node/testing/cluster.ts';
import { isGood, report } from './chaos/report.ts';
import { runChaos } from './chaos/run.ts';

const help = `node scripts/node.cjs scripts/chaos.ts [options]

Starts a cluster of real nodes on a network of its own, gives it films to convert, and lets everything go wrong that a
house can do to it: crashes, frozen machines, cut cables, restarts of the database, full disks, wrong clocks. Then it
heals everything, waits for the work to end, and proves that no film was harmed, nothing was done twice and the books
agree with the disk. Linux, as root. Ends with 1 and how to repeat it when something is wrong.

  --nodes N        machines (default 5)
  --candidates N   of them with the database (default 3)
  --faults N       how many faults (default 100)
  --minutes M      spread over so many minutes (default: one every 1.6 seconds)
  --pace MS        mean milliseconds between two faults, instead of --minutes
  --seed N         the same seed is the same run (default 7)
  --films N        most films put into the library (default: as many as come in while it runs)
  --rest S         most seconds to wait for the end of all work (default 240)
`;

const { values } = parseArgs({
  options: {
    ...Object.fromEntries(
      ['nodes', 'candidates', 'faults', 'minutes', 'pace', 'seed', 'films', 'rest'].map((name) => [name, { type: 'string' as const }]),
    ),
    help: { type: 'boolean', short: 'h' },
  },
}) as { values: Record<string, string | boolean | undefined> };

process.exitCode = await main();
// sockets of clients that a dead server left behind must not hold the process
process.exit();

async function main(): Promise<number> {
  if (values['help']) {
    process.stdout.write(help);
    return 0;
  }
  const problem = clusterProblem();
  if (problem !== null) {
    process.stderr.write(`This cannot run here: ${problem}.\n`);
    return 1;
  }
  const [nodes, faults] = [number('nodes', 5), number('faults', 100)];
  const paceMs = values['minutes'] ? (number('minutes', 1) * 60_000) / faults : number('pace', 1600);
  const endings: (() => Promise<void> | void)[] = [];
  try {
    const outcome = await runChaos(
      { after: (ending) => void endings.unshift(ending) },
      {
        nodes,
        candidates: Math.min(nodes, number('candidates', 3)),
        faults,
        seed: number('seed', 7),
        paceMs,
        films: number('films', 100_000),
        restSeconds: number('rest', 240),
        say: (line) => process.stdout.write(`${line}\n`),
      },
    );
    process.stdout.write(report(outcome));
    return isGood(outcome) ? 0 : 1;
  } finally {
    for (const ending of endings) await ending();
  }
}

function number(name: string, otherwise: number): number {
  const value = Number(values[name] ?? otherwise);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} must be a number`);
  return value;
}
