import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { createCluster } from '../../node/testing/cluster.ts';
import type { Cluster } from '../../node/testing/cluster.ts';
import { hereOf } from '../../node/testing/cluster-join.ts';
import { until } from '../../node/testing/program.ts';
import { median, ratio, spread, type Print } from './figures.ts';

const rounds = 4;

/**
 * A fresh machine on a LAN without a router finds the cluster and asks to join it, beside a bare multicast DNS question
 * between two small processes on the same two machines.
 */
export async function benchDiscovery(print: Print): Promise<void> {
  const endings: (() => Promise<void> | void)[] = [];
  try {
    const cluster = await createCluster(
      { after: (ending) => void endings.push(ending) },
      { machines: [{ name: 'a', args: ['--cluster', 'new'] }, { name: 'b' }] },
    );
    await cluster.machine('a').start();
    await until('the first machine to coordinate', async () => (await hereOf(cluster.machine('a')))?.reached, 120_000);
    const [shown, found, bare, bareProcess]: [number[], number[], number[], number[]] = [[], [], [], []];
    for (let round = 0; round < rounds; round++) {
      const one = await fresh(cluster);
      shown.push(one.shown);
      found.push(one.found);
      const two = await question(cluster);
      bare.push(two.milliseconds / 1000);
      bareProcess.push(two.process);
    }
    print(spread('baseline: bare multicast DNS, question to answer', bare, 's', 3));
    print(spread('baseline: the same with the start of its process', bareProcess, 's', 2));
    print(spread('a fresh machine: start to its own page', shown, 's', 2));
    print(spread('from there until the cluster is found', found, 's', 2));
    print(ratio('start to found over the bare process', median(found.map((s, i) => s + shown[i]!)) / median(bareProcess)));
  } finally {
    for (const ending of endings.toReversed()) await ending();
  }
}

/** The machine has never been started: it has a new key, and nobody knows it. */
async function fresh(cluster: Cluster): Promise<{ shown: number; found: number }> {
  const machine = cluster.machine('b');
  for (const name of ['node.key', 'cluster.json', 'database', 'running.json', 'outbox'])
    rmSync(join(machine.dataDir, name), { recursive: true, force: true });
  const begun = performance.now();
  machine.launch();
  await soon(() => existsSync(join(machine.dataDir, 'running.json')));
  const shown = performance.now();
  await soon(async () => {
    const here = await hereOf(machine);
    return here !== null && 'cluster' in here.standing && here.standing.cluster !== null;
  });
  const found = performance.now();
  await machine.kill();
  return { shown: (shown - begun) / 1000, found: (found - shown) / 1000 };
}

async function question({ network }: Cluster): Promise<{ milliseconds: number; process: number }> {
  const script = join(import.meta.dirname, 'mdns-child.ts');
  const answerer = network.spawn('a', [process.execPath, script, 'answer', network.address('a')]);
  try {
    await firstLine(answerer.stdout!);
    const begun = performance.now();
    const asker = network.spawn('b', [process.execPath, script, 'ask', network.address('b')]);
    const milliseconds = Number(await firstLine(asker.stdout!));
    return { milliseconds, process: (performance.now() - begun) / 1000 };
  } finally {
    answerer.kill('SIGKILL');
  }
}

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stream })) return line;
  throw new Error('the process ended without a word');
}

/** As `until`, but fine enough for what takes milliseconds. */
async function soon(look: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = performance.now() + 60_000; !(await look()); await pause(10))
    if (performance.now() > deadline) throw new Error('the cluster was not found within a minute');
}
