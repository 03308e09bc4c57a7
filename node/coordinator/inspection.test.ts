import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageOf } from './inspection.ts';

const hour = 3600_000;
const now = 1_800_000_000_000;
const at = (hoursAgo: number): Date => new Date(now - hoursAgo * hour);

test('the age of a file counts from when it was added or changed, and what was there from the beginning was not added', () => {
  const library = { knownSince: at(100) };
  const age = (createdAt: Date, mtimeMs: number, known: Date | null = library.knownSince): number =>
    ageOf({ createdAt, mtimeMs }, { knownSince: known }, now) / hour;
  assert.equal(age(at(200), now - 5000 * hour), 5000);
  assert.equal(age(at(200), now - 3 * hour), 3);
  // copied in with its old time
  assert.equal(age(at(2), now - 5000 * hour), 2);
  // the first listing is not over yet
  assert.equal(age(at(2), now - 5000 * hour, null), 5000);
  // a clock that runs a little ahead, and one that is broken
  assert.equal(age(at(200), now + hour), 0);
  assert.equal(age(at(200), now + 1000 * hour), Infinity);
});
