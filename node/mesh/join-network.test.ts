import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, suite, test } from 'node:test';
import { createNetwork, networkProblem } from '../testing/network.ts';
import type { Network } from '../testing/network.ts';

const program = path.join(import.meta.dirname, '../testing/join-process.ts');
const folder = mkdtempSync(path.join(tmpdir(), 'codecshift-join-network-'));
after(() => rmSync(folder, { recursive: true, force: true }));

suite('fresh machines that only multicast can tell of each other', { concurrency: true, skip: networkProblem() ?? false }, () => {
  test('three on a network without a way out, switched on together, end as one cluster', async (t) => {
    const network = await createNetwork(t, { machines: ['attic', 'cellar', 'kitchen'] });
    const ends = await outcomes(network);
    assert.deepEqual(ends.map(([what]) => what).toSorted(), ['founded', 'joined', 'joined'], JSON.stringify(ends));
    assert.equal(new Set(ends.map(([, cluster]) => cluster)).size, 1);
  });

  test('two that are cut off from each other found two', async (t) => {
    const network = await createNetwork(t, { machines: ['attic', 'cellar'] });
    await network.partition(['attic'], ['cellar']);
    const ends = await outcomes(network);
    assert.deepEqual(
      ends.map(([what]) => what),
      ['founded', 'founded'],
    );
  });
});

async function outcomes(network: Network): Promise<[string, string][]> {
  return await Promise.all(
    network.machines.map((machine) =>
      outcomeOf(network.spawn(machine, [process.execPath, program, mkdtempSync(path.join(folder, machine))])),
    ),
  );
}

async function outcomeOf(child: ReturnType<Network['spawn']>): Promise<[string, string]> {
  let said = '';
  child.stderr?.on('data', (data: Buffer) => (said += data.toString()));
  const lines = createInterface({ input: child.stdout! });
  const timer = setTimeout(() => lines.close(), 240_000);
  for await (const line of lines) {
    const [what, cluster] = line.split(' ');
    if (what !== 'founded' && what !== 'joined') continue;
    clearTimeout(timer);
    return [what, cluster!];
  }
  clearTimeout(timer);
  return ['nothing', said.slice(-500)];
}
