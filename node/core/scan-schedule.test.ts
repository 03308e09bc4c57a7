import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isScanDue, parseSchedule } from './scan-schedule.ts';

test('a schedule is the setting’s, so many minutes, or an hour of the day; anything else is none', () => {
  for (const good of [{}, { everyMinutes: 0 }, { everyMinutes: 10_080 }, { atHour: 0 }, { atHour: 23 }])
    assert.deepEqual(parseSchedule(good), good);
  for (const bad of [
    null,
    5,
    [],
    { everyMinutes: -1 },
    { everyMinutes: 1.5 },
    { atHour: 24 },
    { atHour: '3' },
    { atHour: 3, everyMinutes: 5 },
  ])
    assert.equal(parseSchedule(bad), null, JSON.stringify(bad));
});

test('a scan at an hour is due once after that hour, also when nobody was there; an interval of its own goes before the setting', () => {
  const hour = 3_600_000;
  const clock = { now: 10 * 24 * hour + 4 * hour, offsetMs: 0, defaultMinutes: 60 };
  assert.equal(isScanDue({ atHour: 3 }, clock.now - 2 * hour, clock), true);
  assert.equal(isScanDue({ atHour: 3 }, clock.now - hour / 2, clock), false);
  assert.equal(isScanDue({ atHour: 5 }, clock.now - hour, clock), false, 'its hour comes later today');
  assert.equal(isScanDue({ atHour: 5 }, clock.now - 24 * hour, clock), true, 'yesterday it was missed');
  assert.equal(isScanDue({ atHour: 5 }, clock.now - 2 * hour, { ...clock, offsetMs: 2 * hour }), true, 'by the local clock it is six');
  assert.equal(isScanDue({}, clock.now - hour, clock), true);
  assert.equal(isScanDue({ everyMinutes: 90 }, clock.now - hour, clock), false);
  assert.equal(isScanDue({ everyMinutes: 0 }, clock.now - 99 * hour, clock), false);
  assert.equal(isScanDue({ everyMinutes: 0 }, null, clock), true);
});
