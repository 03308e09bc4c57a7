import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLanes } from './lanes.ts';

function scene(patienceMs?: number) {
  const lanes = createLanes(patienceMs);
  const order: string[] = [];
  const hang = (name: string) => () => (order.push(name), new Promise<never>(() => {}));
  const quick = (name: string) => async () => void order.push(name);
  return { lanes, order, hang, quick };
}

test('a swap that hangs in its disk holds up the swaps of that disk and of no other', async () => {
  const { lanes, order, hang, quick } = scene();
  void lanes.enqueue('swap away', hang('hangs'));
  const behind = lanes.enqueue('swap away', quick('behind it'));
  await lanes.enqueue('swap here', quick('elsewhere'));
  assert.equal(await Promise.race([behind, Promise.resolve('waits')]), 'waits');
  assert.deepEqual(order, ['hangs', 'elsewhere']);
});

test('a check that hangs after it was given up is left behind', { timeout: 10_000 }, async () => {
  const { lanes, order, hang, quick } = scene(5);
  const givenUp = new AbortController();
  void lanes.enqueue('verify', hang('hangs'), givenUp.signal);
  const behind = lanes.enqueue('verify', quick('behind it'), new AbortController().signal);
  const low = lanes.enqueue('low', quick('low'), new AbortController().signal);
  assert.equal(await Promise.race([behind, Promise.resolve('waits')]), 'waits');
  givenUp.abort();
  await Promise.all([behind, low, lanes.idle()]);
  assert.deepEqual(order, ['hangs', 'behind it', 'low']);
});

test('who is given up in the line says so at once and lets nobody past the one that gets on', { timeout: 10_000 }, async () => {
  const { lanes, order, quick } = scene(0);
  const goOn = Promise.withResolvers<void>();
  void lanes.enqueue('verify', () => goOn.promise.then(() => void order.push('first')), new AbortController().signal);
  await lanes.enqueue('verify', quick('given up'), AbortSignal.abort());
  const behind = lanes.enqueue('verify', quick('behind it'), new AbortController().signal);
  await new Promise(setImmediate);
  goOn.resolve();
  await behind;
  assert.deepEqual(order, ['given up', 'first', 'behind it']);
});
