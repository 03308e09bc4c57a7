import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isGood, report } from '../../../scripts/chaos/report.ts';
import { runChaos } from '../../../scripts/chaos/run.ts';
import { clusterProblem } from '../cluster.ts';
import { thorough } from '../thorough.ts';

/**
 * The chaos that fits into every run of the tests: always the same faults, on four machines; a good fifty of them find something
 * to strike, a good hundred with `npm test -- --all`. By hand it goes on for as long as one likes: `node scripts/node.cjs scripts/chaos.ts --help`.
 */
test(
  'many faults harm no film, do nothing twice and leave nothing behind',
  { skip: clusterProblem() ?? false, timeout: 900_000 },
  async (t) => {
    const outcome = await runChaos(t, {
      nodes: 4,
      candidates: 2,
      faults: thorough ? 128 : 64,
      seed: 20_261_123,
      paceMs: 800,
      films: thorough ? 24 : 14,
      restSeconds: 300,
      say: () => undefined,
    });
    for (const line of report(outcome).split('\n')) t.diagnostic(line);
    assert.ok(isGood(outcome), report(outcome));
  },
);
