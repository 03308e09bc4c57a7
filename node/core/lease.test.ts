import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTrusted, renewInMs, trustedUntil } from './lease.ts';

const lease = { renewedAt: 1000, ttlMs: 6000 };

test('a holder stops trusting its lease a quarter of its time before the database would', () => {
  assert.equal(trustedUntil(lease), 5500);
  assert.equal(isTrusted(lease, 5499), true);
  assert.equal(isTrusted(lease, 5500), false);
});

test('a very short lease still keeps a quarter of a second of margin', () => {
  assert.equal(trustedUntil({ renewedAt: 0, ttlMs: 600 }), 350);
});

test('a clock that reads before the renewal is not believed', () => {
  assert.equal(isTrusted(lease, 999), false);
});

test('a lease is renewed at a third of its time, leaving two tries before trust ends', () => {
  assert.equal(renewInMs(lease, 1000), 2000);
  assert.equal(renewInMs(lease, 2500), 500);
  assert.ok(1000 + 2 * renewInMs(lease, 1000) < trustedUntil(lease));
});

test('an overdue renewal is due at once, but never in a busy loop', () => {
  assert.equal(renewInMs(lease, 90_000), 50);
});
