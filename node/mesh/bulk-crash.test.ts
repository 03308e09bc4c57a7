import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import type { BulkAddress } from './bulk-client.ts';
import { bulkStage, MIB } from './bulk-stage.ts';

/** slow enough that a kill comes in the middle, and more than the system takes in for a reader that stands still meanwhile */
const MBPS = 200;
const BYTES = 40 * MIB + 5;

test('a holder that is killed in the middle: its reader goes on with the next one where it was', async (t) => {
  const stage = await bulkStage(t, { bytes: BYTES });
  const wish = { file: stage.source, sizeBytes: stage.bytes.length, mbps: MBPS };
  let holder = start(t, 'hold', wish);
  const seen: number[] = [];
  let opened = 0;
  const { sha256 } = await stage.fetch({
    async open() {
      opened += 1;
      if (opened > 1) holder = start(t, 'hold', { ...wish, mbps: 0 });
      return JSON.parse(await holder.line()) as BulkAddress & { sizeBytes: number };
    },
    onProgress(bytes) {
      seen.push(bytes);
      if (bytes === 3 * MIB) holder.child.kill('SIGKILL');
    },
  });
  assert.deepEqual([sha256, opened], [stage.sha256, 2]);
  assert.ok(readFileSync(stage.target).equals(stage.bytes));
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
    'nothing was fetched twice',
  );
});

test('a reader that is killed in the middle goes on from what its disk has', async (t) => {
  const stage = await bulkStage(t, { bytes: BYTES, mbps: () => MBPS });
  const address = stage.address();
  const first = start(t, 'fetch', { address, target: stage.target });
  for (let bytes = 0; bytes < 4 * MIB; bytes = Number(await first.line()));
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const second = start(t, 'fetch', { address, target: stage.target });
  const resumed = Number(await second.line());
  assert.ok(resumed > 3 * MIB, `it began again at ${resumed}`);
  let told = '';
  while (told.length < 64) told = await second.line();
  assert.equal(told, stage.sha256);
  assert.ok(readFileSync(stage.target).equals(stage.bytes));
});

function start(t: TestContext, role: 'hold' | 'fetch', wish: unknown): { child: ChildProcess; line: () => Promise<string> } {
  const script = join(import.meta.dirname, 'bulk.child.ts');
  const child = spawn(process.execPath, [script, role, JSON.stringify(wish)], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return {
    child,
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the ${role} process ended without a word`);
      return value;
    },
  };
}
