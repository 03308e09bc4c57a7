import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAskLimit } from './ask-limit.ts';
import { createBuckets } from './bucket.ts';

test('a bucket gives its burst at once, then refuses, each name for itself', () => {
  const buckets = createBuckets(0.001, 3);
  const taken = [1, 2, 3, 4].map(() => buckets.take('a'));
  assert.deepEqual(taken, [true, true, true, false]);
  assert.equal(buckets.take('b'), true);
  buckets.forget('a');
  assert.equal(buckets.take('a'), true);
});

test('names without number do not grow the buckets without end', () => {
  const buckets = createBuckets(0.001, 1);
  for (let i = 0; i < 5000; i++) buckets.take(`n${i}`);
  assert.equal(buckets.take('n4999'), false);
  assert.equal(buckets.take('n0'), true, 'the oldest was forgotten');
});

test('questions over the limit wait their turn in order; one that is given up leaves the line; a lost node ends it', async () => {
  const limit = createAskLimit();
  const gates = Array.from({ length: 24 }, () => Promise.withResolvers<void>());
  const live = new AbortController().signal;
  const order: number[] = [];
  const first = gates.map((gate) => limit.run('a', live, () => gate.promise));
  const second = [1, 2].map((i) => limit.run('a', live, async () => void order.push(i)));
  const impatient = new AbortController();
  const third = assert.rejects(
    limit.run('a', impatient.signal, async () => void order.push(3)),
    /did not answer in time/,
  );
  impatient.abort();
  await third;
  assert.deepEqual(order, []);
  gates[0]!.resolve();
  await Promise.all(second);
  assert.deepEqual(order, [1, 2]);
  await limit.run('b', live, async () => {});
  // the place of the first one is free again: fill it, so that the next has to wait
  const block = Promise.withResolvers<void>();
  first.push(limit.run('a', live, () => block.promise));
  const lost = assert.rejects(
    limit.run('a', live, async () => {}),
    /cannot be reached/,
  );
  limit.forget('a');
  await lost;
  block.resolve();
  for (const gate of gates) gate.resolve();
  await Promise.all(first);
});
