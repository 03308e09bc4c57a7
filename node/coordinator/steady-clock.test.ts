import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../log.ts';
import { createSteadyClock } from './steady-clock.ts';

const HOUR = 3600_000;
const log = createLog({ level: 'silent', pretty: false });

test('a clock that jumps ahead ends nobody’s time for a day, and at once again when it goes back', () => {
  let here = 50 * HOUR;
  let books = Date.UTC(2026, 10, 30);
  const clock = createSteadyClock(log, () => here);
  const after = (hours: number, ahead = 0): boolean => {
    here += hours * HOUR;
    books += (hours + ahead) * HOUR;
    return clock.believes(new Date(books));
  };
  assert.equal(after(0), true);
  assert.equal(after(300), true, 'that a machine slept for days is no jump');
  assert.equal(after(1, 2), true, 'nor is a time server that sets right some hours');
  assert.equal(after(1, 24 * 400), false);
  assert.equal(after(22), false);
  assert.equal(after(3), true, 'then it is the time');
  assert.equal(after(1, 24 * 400), false);
  assert.equal(after(1, -24 * 400), true, 'it was a mistake');
});
