import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Day } from './forecast.ts';
import { correctedBytes, forecast, percentDone, secondsLeft } from './forecast.ts';

const day = (files: number, hours: number, observedHours = 24): Day => ({
  files,
  mediaMs: hours * 3600_000,
  observedMs: observedHours * 3600_000,
});

test('a running encode is never over 99 percent and never under 0', () => {
  assert.equal(percentDone(634, 1000), 63.4);
  assert.equal(percentDone(5000, 1000), 99);
  assert.equal(percentDone(-40, 1000), 0);
  assert.equal(percentDone(10, null), null);
  assert.equal(percentDone(10, 0), null);
});

test('time left follows from speed, and is unknown without one', () => {
  assert.equal(secondsLeft(60_000, 120_000, 2), 30);
  assert.equal(secondsLeft(130_000, 120_000, 2), 0);
  assert.equal(secondsLeft(60_000, 120_000, 0), null);
  assert.equal(secondsLeft(60_000, null, 2), null);
});

test('an empty queue is done', () => assert.deepEqual(forecast([], 0), { kind: 'done' }));

test('before twenty files nothing is promised', () => {
  assert.deepEqual(forecast([day(10, 20), day(9, 20)], 1), { kind: 'not-yet', finished: 19, needed: 20 });
});

test('steady days give a date without a range', () => {
  const days = Array.from({ length: 7 }, () => day(30, 48));
  const result = forecast(days, 10 * 48 * 3600_000);
  assert.ok(result.kind === 'estimate');
  assert.equal(Math.round(result.seconds), 10 * 86_400);
  assert.equal(result.uncertain, false);
});

test('uneven days give a range', () => {
  const result = forecast([day(5, 2), day(60, 90), day(1, 0.5), day(40, 70)], 100 * 3600_000);
  assert.ok(result.kind === 'estimate' && result.uncertain && result.low < result.seconds && result.seconds < result.high);
});

test('a first afternoon counts only its own hours', () => {
  const result = forecast([day(25, 8, 4)], 16 * 3600_000);
  assert.ok(result.kind === 'estimate');
  assert.equal(Math.round(result.seconds), 8 * 3600);
  assert.equal(result.uncertain, true);
});

test('a forecast is never negative, endless or not a number', () => {
  const days = fc.array(fc.record({ files: fc.nat(100), mediaMs: fc.nat(9e8), observedMs: fc.integer({ min: 0, max: 86_400_000 }) }), {
    maxLength: 14,
  });
  fc.assert(
    fc.property(days, fc.nat(), (some, remaining) => {
      const result = forecast(some, remaining);
      if (result.kind !== 'estimate') return;
      for (const value of [result.low, result.seconds, result.high]) assert.ok(Number.isFinite(value) && value >= 0);
      assert.ok(result.low <= result.seconds && result.seconds <= result.high);
    }),
  );
});

test('expected sizes learn from the past, but not too much and not too early', () => {
  assert.equal(correctedBytes(100, { files: 19, expectedBytes: 10, actualBytes: 15 }), 100);
  assert.equal(correctedBytes(100, { files: 20, expectedBytes: 10, actualBytes: 15 }), 150);
  assert.equal(correctedBytes(100, { files: 20, expectedBytes: 10, actualBytes: 90 }), 200);
});
