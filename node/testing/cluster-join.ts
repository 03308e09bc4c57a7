import type { Cluster } from './cluster.ts';
import { until } from './program.ts';

/** Starts every machine and makes them one cluster, as a person would: the first one alone, the others approved there. */
export async function joinAll(cluster: Cluster, say: (line: string) => void = () => undefined): Promise<void> {
  const [first, ...others] = cluster.machines;
  await first!.start();
  say(`${first!.name} runs`);
  for (const machine of others) machine.launch();
  if (others.length === 0) return;
  await until('every machine to be a member', async () => false, 1);
}
