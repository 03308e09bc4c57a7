import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSchedule } from './scan-schedule.ts';

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
