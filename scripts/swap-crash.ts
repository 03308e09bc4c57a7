import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kinds } from './swap-crash/kinds.ts';
import { mayMount } from './swap-crash/places.ts';
import { merged, table, type Tally } from './swap-crash/run.ts';

const help = `node scripts/node.cjs scripts/swap-crash.ts [options]

Goal one of the house, with as many faults as you have time for: films are replaced and restored while processes are killed,
system calls fail, disks fill up, become read-only or go away, strangers change the film, and power is cut. After each fault
the original is looked for by its bytes, recovery runs, and nothing may be lost or left behind. Ends with 1 and the seeds of
what failed. Without the right to mount only what needs no mount is done.

  --faults N    how many (default 10000)
  --workers N   processes side by side (default 2)
  --seed N      the same seed is the same run (default 1)
  --only A,B    only these: ${Object.keys(kinds).join(', ')}
`;

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '10000' },
    workers: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

process.exitCode = values.help ? explain() : await main();

function explain(): number {
  process.stdout.write(help);
  return 0;
}

async function main(): Promise<number> {
  const [faults, workers, seed] = [Number(values.faults), Number(values.workers), Number(values.seed)];
  if (![faults, workers, seed].every((n) => Number.isSafeInteger(n) && n > 0)) return explain() + 1;
  if (!mayMount) process.stdout.write('Nothing can be mounted here: only the faults on the disk itself are made.\n');
  const began = performance.now();
  const seconds = (): number => Math.round((performance.now() - began) / 1000);
  const tallies: Tally[] = [];
  const say = setInterval(() => process.stderr.write(`${merged(tallies).faults} faults after ${seconds()} s\n`), 30_000);
  const tell = (): void => {
    const sum = merged(tallies);
    process.stdout.write(table(sum));
    for (const { kind, place, seed: round, message } of sum.failures)
      process.stdout.write(`\n${kind} on ${place}, round ${round}: ${message}\n`);
    process.stdout.write(`${seconds()} s\n`);
    process.exitCode = sum.failures.length > 0 ? 1 : 0;
  };
  // whoever has waited long enough hears what was found so far
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (tell(), process.exit()));
  try {
    const share = Math.ceil(faults / workers);
    await Promise.all(Array.from({ length: workers }, (_, n) => worker(share, seed * 100 + n, (tally) => (tallies[n] = tally))));
    tell();
    return Number(process.exitCode);
  } finally {
    clearInterval(say);
  }
}

function worker(faults: number, seed: number, onTally: (tally: Tally) => void): Promise<void> {
  const path = fileURLToPath(new URL('./swap-crash/worker.ts', import.meta.url));
  const started = fork(path, [String(faults), String(seed), values.only ?? ''], { execArgv: ['--no-warnings'] });
  started.on('message', (tally) => onTally(tally as Tally));
  return new Promise((resolve, reject) => {
    started.on('exit', (code, signal) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code ?? signal}`))));
  });
}
