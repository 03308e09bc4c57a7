import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createNetwork, networkProblem } from '../testing/network.ts';

const skip = networkProblem() ?? false;
const program = path.join(import.meta.dirname, '../testing/join-process.ts');

test(
  'three fresh machines on a network without a way out, switched on together, find each other and end as one cluster',
  { skip },
  async (t) => {
    const machines = ['attic', 'cellar', 'kitchen'];
    const network = await createNetwork(t, { machines });
    const ends = await Promise.all(machines.map((machine) => outcomeOf(network.spawn(machine, [process.execPath, program]))));
    assert.deepEqual(ends.map(([what]) => what).toSorted(), ['founded', 'joined', 'joined'], JSON.stringify(ends));
    assert.equal(new Set(ends.map(([, cluster]) => cluster)).size, 1);
  },
);

test('two machines that are cut off from each other found two', { skip }, async (t) => {
  const network = await createNetwork(t, { machines: ['attic', 'cellar'] });
  await network.partition(['attic'], ['cellar']);
  const ends = await Promise.all(network.machines.map((machine) => outcomeOf(network.spawn(machine, [process.execPath, program]))));
  assert.deepEqual(
    ends.map(([what]) => what),
    ['founded', 'founded'],
  );
});

async function outcomeOf(child: ReturnType<Awaited<ReturnType<typeof createNetwork>>['spawn']>): Promise<[string, string]> {
  let said = '';
  child.stderr?.on('data', (data: Buffer) => (said += data.toString()));
  const lines = createInterface({ input: child.stdout! });
  const timer = setTimeout(() => lines.close(), 50_000);
  for await (const line of lines) {
    const [what, cluster] = line.split(' ');
    if (what !== 'founded' && what !== 'joined') continue;
    clearTimeout(timer);
    return [what, cluster!];
  }
  clearTimeout(timer);
  if (child.exitCode !== null || child.signalCode !== null) await once(child, 'exit').catch(() => {});
  return ['nothing', said.slice(-500)];
}
