import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createLibrary } from '../../../scripts/chaos/library.ts';
import { seeded } from '../../../scripts/chaos/random.ts';
import { clusterProblem, createCluster } from '../cluster.ts';
import { joinAll, standsAs } from '../cluster-join.ts';
import { until } from '../program.ts';

/** Two whole machines that see the same disk: one encodes and swaps, the other one looks at what came out. */
suite('two machines and one library', { skip: clusterProblem(false) ?? false }, () => {
  test('what one of them encoded, the other one looks at before it replaces the original', async (t) => {
    const machines = [
      { name: 'a', share: true },
      { name: 'b', share: true },
    ];
    const cluster = await createCluster(t, { machines, env: { CODECSHIFT_AT_ONCE: '1', CODECSHIFT_SPEED: 'fast' } });
    t.after(() => {
      if (!t.passed)
        for (const machine of cluster.machines) t.diagnostic(`${machine.name} said at last:\n${machine.output().slice(-2500)}`);
    });
    const library = createLibrary(cluster.share.path, join(cluster.base, 'pristine'), seeded(1));
    await joinAll(cluster);
    const [a, b] = [cluster.machine('a'), cluster.machine('b')];
    const [one, two] = [(await standsAs(a, 'member')).node.id, (await standsAs(b, 'member')).node.id];
    await a.api('/libraries', { path: a.films, node: one, profile: { verification: 'second-look' } });
    await until('both to see the same disk', async () => {
      const { items } = await a.api<{ items: { roots: { provedAt: string | null }[] }[] }>('/nodes');
      return items.every(({ roots }) => roots.some(({ provedAt }) => provedAt !== null));
    });
    // the machine that has the library first is its keeper: it encodes too, so that only the other one can look
    await a.api(`/nodes/${two}/drain`, {});
    await library.add({ kind: 'film', long: false });
    await a.api('/scan', {});
    const job = await until(
      'a finished film',
      async () => (await a.api<{ items: { id: number }[] }>('/jobs?state=finished')).items[0],
      300_000,
    );
    const { attempts } = await a.api<Job>(`/jobs/${job.id}`);
    const look = attempts[0]?.verdict?.checks.find(({ name }) => name === 'second-look');
    assert.equal(look?.passed, true, JSON.stringify(attempts).slice(0, 3000));
    assert.equal(look.output, 'b looked too, and found the same');
  });
});

interface Job {
  attempts: { verdict: { checks: { name: string; output: string; passed: boolean }[] } | null }[];
}
