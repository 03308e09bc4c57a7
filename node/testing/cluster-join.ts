import type { Standing, Surroundings } from '../core/standing.ts';
import type { Cluster } from './cluster.ts';
import type { Machine } from './cluster-machine.ts';
import { until } from './program.ts';

/** What every node says of itself, also while nobody coordinates. */
export interface Here {
  node: { id: string; name: string };
  standing: Standing;
  surroundings: Surroundings;
  /** the coordinator's dashboard is at hand */
  reached: boolean;
}

/** Where a machine stands; null while it does not answer. */
export function hereOf(machine: Machine): Promise<Here | null> {
  return machine.api<Here>('/node').catch(() => null);
}

/** Resolves with what the machine says when it stands there. */
export function standsAs<S extends Standing['state']>(
  machine: Machine,
  state: S,
  limitMs = 120_000,
): Promise<Here & { standing: Extract<Standing, { state: S }> }> {
  let last: Here | null = null;
  return until(
    `${machine.name} as ${state}`,
    async () => {
      last = await hereOf(machine);
      return last?.standing.state === state ? (last as Here & { standing: Extract<Standing, { state: S }> }) : null;
    },
    limitMs,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; it stands as ${JSON.stringify(last?.standing)}\n${machine.output().slice(-2000)}`);
  });
}

/** A person says yes on the Nodes page of another machine. */
export async function approve(at: Machine, newcomer: Here): Promise<void> {
  await until(
    `${newcomer.node.name} to be approved`,
    () =>
      at.api(`/nodes/${newcomer.node.id}/approve`, {}).then(
        () => true,
        () => false,
      ),
    120_000,
  );
}

/**
 * Starts every machine and makes them one cluster, as a person would: the first one alone, then the others, which are
 * approved there; those with the database are members by themselves.
 */
export async function joinAll(cluster: Cluster, say: (line: string) => void = () => undefined): Promise<void> {
  const [first, ...others] = cluster.machines as [Machine, ...Machine[]];
  await first.start();
  await until(`${first.name} to coordinate`, async () => (await hereOf(first))?.reached, 120_000);
  say(`${first.name} coordinates`);
  for (const machine of others) machine.launch();
  for (const machine of others) {
    const here = await until(
      `${machine.name} to find the cluster`,
      async () => {
        const now = await hereOf(machine);
        return now?.standing.state === 'pending' || now?.standing.state === 'member' ? now : null;
      },
      120_000,
    );
    if (here.standing.state === 'pending') {
      say(`${machine.name} asks to join (${here.standing.code})`);
      await approve(first, here);
    }
    const member = await standsAs(machine, 'member');
    const { standing } = await standsAs(first, 'member');
    if (member.standing.cluster.id !== standing.cluster.id)
      throw new Error(`${machine.name} has a cluster of its own: machines that are given films do not join by themselves`);
    say(`${machine.name} is a member`);
  }
  for (const machine of others) await until(`${machine.name} to show the cluster`, async () => (await hereOf(machine))?.reached, 120_000);
}
