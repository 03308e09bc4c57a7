import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Answer, Standing } from './election.ts';
import { askAgainInMs, follower, isCutOff, mayAct, standingAfter, standingAt } from './election.ts';
import { trustedUntil } from './lease.ts';

const held = (sentAt: number, term: number): Answer => ({ sentAt, outcome: 'held', term, ttlMs: 6000 });

test('a node that took the row is coordinator from the moment it sent the statement until its margin', () => {
  const standing = standingAfter(follower, held(1000, 7), 1200);
  assert.deepEqual(standing, { role: 'coordinator', term: 7, lease: { renewedAt: 1000, ttlMs: 6000 } });
  assert.equal(mayAct(standing, 5499), true);
  assert.equal(mayAct(standing, 5500), false);
});

test('a coordinator without an answer goes on inside its window and stops at its end', () => {
  const standing = standingAfter(follower, held(1000, 7), 1000);
  assert.equal(standingAfter(standing, { sentAt: 3000, outcome: 'unknown' }, 4000).role, 'coordinator');
  assert.equal(standingAfter(standing, { sentAt: 3000, outcome: 'unknown' }, 6100).role, 'follower');
});

test('a coordinator that learns of another stops at once', () => {
  const standing = standingAfter(follower, held(1000, 7), 1000);
  assert.equal(standingAfter(standing, { sentAt: 1100, outcome: 'another' }, 1200), follower);
});

test('an answer that was under way longer than the lease gives no right', () => {
  assert.equal(standingAfter(follower, held(1000, 7), 6500), follower);
});

test('late answers of an older term or an older renewal change nothing', () => {
  const standing = standingAfter(follower, held(3000, 8), 3000);
  assert.equal(standingAfter(standing, held(2900, 7), 3100), standing);
  assert.equal(standingAfter(standing, held(2000, 8), 3100), standing);
});

test('a coordinator without an answer asks again sooner than one with', () => {
  const standing = standingAfter(follower, held(0, 1), 0);
  assert.equal(askAgainInMs(standing, 0, 6000, true, 0.5), 2000);
  assert.equal(askAgainInMs(standing, 0, 6000, false, 0.5), 300);
  assert.notEqual(askAgainInMs(follower, 0, 6000, true, 0.1), askAgainInMs(follower, 0, 6000, true, 0.9));
});

test('whatever answers come, nobody acts past the window of the last renewal that was sent and held', () => {
  const answers = fc.array(
    fc.record({
      wait: fc.integer({ min: 0, max: 4000 }),
      delay: fc.integer({ min: 0, max: 9000 }),
      outcome: fc.constantFrom('held', 'another', 'unknown'),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(answers, (steps) => {
      let now = 0;
      let standing: Standing = follower;
      let until = 0;
      for (const { wait, delay, outcome } of steps) {
        now += wait;
        const sentAt = now;
        now += delay;
        standing = standingAfter(
          standing,
          outcome === 'held' ? held(sentAt, 1) : { sentAt, outcome: outcome as 'another' | 'unknown' },
          now,
        );
        if (outcome === 'held') until = Math.max(until, trustedUntil({ renewedAt: sentAt, ttlMs: 6000 }));
        if (mayAct(standing, now)) assert.ok(now < until);
        assert.equal(standingAt(standing, until).role, 'follower');
      }
    }),
  );
});

test('a coordinator that reaches nobody, or clearly fewer than another candidate, is cut off; one fewer is no reason', () => {
  assert.equal(isCutOff({ mine: 0, others: [] }), false);
  assert.equal(isCutOff({ mine: 0, others: [0, 0] }), false);
  assert.equal(isCutOff({ mine: 0, others: [0, 1] }), true);
  assert.equal(isCutOff({ mine: 3, others: [4] }), false);
  assert.equal(isCutOff({ mine: 1, others: [3] }), true);
});
