import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { betweenUntil, isBetween, isTimeZone, localTime } from './house-time.ts';

const night = { from: '22:00', until: '07:00' };
const at = (text: string): number => Date.parse(text);
const until = (text: string, hours = night, zone = 'Europe/Berlin'): string | null => {
  const end = betweenUntil(at(text), hours, zone);
  return end === null ? null : new Date(end).toISOString().slice(0, 16);
};

suite('the clock of the house', () => {
  test('a moment is told as the day and minute of a named time zone', () => {
    assert.deepEqual(localTime(at('2026-11-30T23:30:00Z'), 'Europe/Berlin'), { day: '2026-12-01', minute: 30 });
    assert.deepEqual(localTime(at('2026-07-01T00:00:00Z'), 'America/St_Johns'), { day: '2026-06-30', minute: 21 * 60 + 30 });
    assert.deepEqual(localTime(at('2026-01-01T00:00:00Z'), 'UTC'), { day: '2026-01-01', minute: 0 });
  });

  test('only names that know of summer time are time zones', () => {
    assert.deepEqual(['Europe/Berlin', 'UTC', 'America/Argentina/Ushuaia'].map(isTimeZone), [true, true, true]);
    assert.deepEqual(
      ['', 'Mars/Base', '+02:00', 'Europe/../Berlin', 'a'.repeat(100), 'Europe/Berlin\n'].map(isTimeZone),
      Array(6).fill(false),
    );
  });

  const cases: [string, string, string | null][] = [
    ['before the night nothing is held', '2026-11-30T20:59:59Z', null],
    ['the night begins with its minute', '2026-11-30T21:00:00Z', '2026-12-01T06:00'],
    ['after midnight it goes on', '2026-12-01T02:34:56Z', '2026-12-01T06:00'],
    ['the end does not belong to it', '2026-12-01T06:00:00Z', null],
    ['a night in which the clock goes forward is an hour shorter', '2026-03-28T22:00:00Z', '2026-03-29T05:00'],
    ['a night in which it goes back is an hour longer', '2026-10-24T21:00:00Z', '2026-10-25T06:00'],
  ];
  for (const [name, moment, end] of cases) test(`${name}: ${moment}`, () => assert.equal(until(moment), end));

  test('an end that does not exist on the last Sunday of March is when the clock jumps over it', () => {
    assert.equal(until('2026-03-29T00:30:00Z', { from: '01:00', until: '02:30' }), '2026-03-29T01:00');
  });

  test('hours that come twice in October are quiet twice, with the hour between them', () => {
    const hours = { from: '02:00', until: '02:30' };
    assert.equal(until('2026-10-25T00:10:00Z', hours), '2026-10-25T00:30');
    assert.equal(until('2026-10-25T00:40:00Z', hours), null);
    assert.equal(until('2026-10-25T01:10:00Z', hours), '2026-10-25T01:30');
  });

  test('whatever the hours, the zone and the moment: the end is the first minute that is not within them, and within a day and an hour', () => {
    const time = fc
      .integer({ min: 0, max: 1439 })
      .map((m) => `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`);
    const zone = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC', 'America/St_Johns');
    const moment = fc.integer({ min: at('2025-01-01T00:00:00Z'), max: at('2028-01-01T00:00:00Z') });
    fc.assert(
      fc.property(moment, time, time, zone, (ms, from, to, timeZone) => {
        const hours = { from, until: to };
        const end = betweenUntil(ms, hours, timeZone);
        if (from === to) return; // refused before it is kept
        assert.equal(end === null, !isBetween(ms, hours, timeZone));
        if (end === null) return;
        assert.ok(end > ms && end - ms <= 25 * 3_600_000);
        assert.ok(!isBetween(end, hours, timeZone));
        assert.ok(isBetween(end - 60_000, hours, timeZone) || end - ms < 60_000);
      }),
      { numRuns: 150 },
    );
  });
});
