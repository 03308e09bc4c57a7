import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRate, freeAfter, waitMs, type Clock } from './rate.ts';

/** Time that passes only by waiting. */
function fakeClock(): Clock & { at: number; onPause: () => void } {
  return {
    at: 1000,
    onPause: () => undefined,
    now() {
      return this.at;
    },
    async pause(ms) {
      this.at += ms;
      this.onPause();
    },
  };
}

test('a cap lets pass what it says: 8 megabits a second are a million bytes a second', async () => {
  const clock = fakeClock();
  const rate = createRate(() => 8, clock);
  for (let sent = 0; sent < 5_000_000; sent += 50_000) await rate.take(50_000);
  // a burst of 0.2 s is free at the start, and the last piece is paid for afterwards
  assert.equal(Math.round(clock.at - 1000), 5000 - 200 - 50);
  assert.equal(rate.counted(), 5_000_000);
});

test('no cap never waits and counts nothing', async () => {
  const clock = fakeClock();
  const rate = createRate(() => 0, clock);
  for (let i = 0; i < 1000; i++) await rate.take(1_000_000);
  assert.deepEqual([clock.at, rate.counted(), rate.unlimited()], [1000, 0, true]);
});

test('idle time is made up for by 0.2 seconds at most', () => {
  assert.equal(freeAfter(0, 1_000_000, 1000, 8), 1_000_000 - 200 + 1);
  assert.equal(waitMs(freeAfter(500, 400, 1000, 8), 400), 101);
});

test('a cap that is lifted or raised lets those go who wait already, within a second', async () => {
  for (const later of [0, 1000]) {
    const clock = fakeClock();
    let mbps = 0.001;
    const rate = createRate(() => mbps, clock);
    await rate.take(50);
    clock.onPause = () => (mbps = later);
    const before = clock.at;
    await rate.take(64 * 1024);
    assert.ok(clock.at - before <= 1000, `${clock.at - before} ms`);
  }
});

test('several transfers take turns, whoever asked first goes first', async () => {
  const rate = createRate(() => 8, fakeClock());
  const passed: string[] = [];
  const transfer = async (name: string): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      await rate.take(50_000);
      passed.push(name);
    }
  };
  await Promise.all([transfer('a'), transfer('b'), transfer('c')]);
  for (let i = 0; i < passed.length; i += 3) assert.deepEqual(passed.slice(i, i + 3).toSorted(), ['a', 'b', 'c']);
});

test('a transfer that is aborted while it waits does not hold up the next', async () => {
  const clock = fakeClock();
  const rate = createRate(() => 8, clock);
  const abort = new AbortController();
  await rate.take(1_000_000);
  const [gone, next] = [rate.take(1_000_000, abort.signal), rate.take(1000)];
  abort.abort();
  await assert.rejects(gone, { name: 'AbortError' });
  await next;
  assert.equal(rate.counted(), 1_001_000);
});
