import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { describeWindows, isOpen, minuteOfWeek, opensAt, openShare, opensInMinutes, parseWindows } from './hours.ts';
import type { Window } from './node-wishes.ts';

const at = (day: number, time: string): number => day * 1440 + Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
const nights: Window[] = [{ days: [1, 2, 3, 4, 5], from: '22:00', to: '07:00' }];

test('no window at all means always', () => {
  assert.equal(isOpen([], 0), true);
  assert.equal(opensInMinutes([], 5000), 0);
  assert.equal(describeWindows([]), 'always');
});

test('a window that passes midnight belongs to the day on which it begins', () => {
  assert.equal(isOpen(nights, at(1, '21:59')), false);
  assert.equal(isOpen(nights, at(1, '22:00')), true);
  assert.equal(isOpen(nights, at(2, '06:59')), true);
  assert.equal(isOpen(nights, at(2, '07:00')), false);
  assert.equal(isOpen(nights, at(1, '03:00')), false, 'Sunday night is not named');
  assert.equal(isOpen(nights, at(6, '03:00')), true, 'Friday night reaches into Saturday');
});

test('a window of Saturday night passes the end of the week', () => {
  const saturday: Window[] = [{ days: [6], from: '23:00', to: '02:00' }];
  assert.equal(isOpen(saturday, at(6, '23:30')), true);
  assert.equal(isOpen(saturday, at(0, '01:59')), true);
  assert.equal(isOpen(saturday, at(0, '02:00')), false);
});

test('the same time twice is the whole day', () => {
  const sunday: Window[] = [{ days: [0], from: '08:00', to: '08:00' }];
  assert.equal(isOpen(sunday, at(0, '07:59')), false);
  assert.equal(isOpen(sunday, at(0, '08:00')), true);
  assert.equal(isOpen(sunday, at(1, '07:59')), true);
  assert.equal(isOpen(sunday, at(1, '08:00')), false);
  assert.equal(describeWindows([{ days: [0, 6], from: '00:00', to: '00:00' }]), 'Sat-Sun all day');
});

test('when it opens again is said in minutes and in words', () => {
  assert.equal(opensInMinutes(nights, at(1, '21:30')), 30);
  assert.equal(opensAt(nights, at(1, '21:30')), 'Mon 22:00');
  assert.equal(opensAt(nights, at(6, '12:00')), 'Mon 22:00');
  assert.equal(opensAt(nights, at(2, '01:00')), null);
  assert.equal(opensInMinutes([{ days: [], from: '00:00', to: '00:00' }], 0), null);
});

test('days are named as people name them, Monday first', () => {
  assert.equal(describeWindows(nights), 'Mon-Fri 22:00-07:00');
  assert.equal(describeWindows([{ days: [0, 2, 3, 6], from: '01:00', to: '05:30' }]), 'Tue-Wed, Sat-Sun 01:00-05:30');
  assert.equal(describeWindows([{ days: [0, 1, 2, 3, 4, 5, 6], from: '22:00', to: '06:00' }]), 'every day 22:00-06:00');
});

test('the minute of the week follows the clock of the machine', () => {
  assert.equal(minuteOfWeek(Date.UTC(2026, 10, 22, 0, 0), 0), 0, 'a Sunday');
  assert.equal(minuteOfWeek(Date.UTC(2026, 10, 22, 23, 30), 60), at(1, '00:30'));
  assert.equal(minuteOfWeek(Date.UTC(2026, 10, 22, 0, 30), -60), at(6, '23:30'));
});

test('what opens in n minutes is shut until then and open at that minute', () => {
  const time = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map((t) => t.map((n) => String(n).padStart(2, '0')).join(':'));
  const window = fc.record({ days: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 }), from: time, to: time });
  fc.assert(
    fc.property(fc.array(window, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 10_079 }), (windows, now) => {
      const wait = opensInMinutes(windows, now);
      assert.ok(wait !== null);
      for (let i = 0; i < wait; i++) assert.equal(isOpen(windows, (now + i) % 10_080), false);
      assert.equal(isOpen(windows, (now + wait) % 10_080), true);
      assert.deepEqual(parseWindows(JSON.parse(JSON.stringify(windows))).problems, []);
    }),
    { numRuns: 200 },
  );
});

test('a form is read strictly and every mistake is named', () => {
  assert.deepEqual(parseWindows([{ days: ['5', '1', 1], from: '22:00', to: '07:00' }]), {
    windows: [{ days: [1, 5], from: '22:00', to: '07:00' }],
    problems: [],
  });
  assert.deepEqual(parseWindows([]), { windows: [], problems: [] });
  assert.equal(parseWindows('always').problems.length, 1);
  assert.equal(parseWindows(Array.from({ length: 21 }, () => nights[0])).problems.length, 1);
  const wrong: [unknown, RegExp][] = [
    [{ days: [], from: '22:00', to: '07:00' }, /names no day/],
    [{ days: [7], from: '22:00', to: '07:00' }, /day that does not exist/],
    [{ days: [1.5], from: '22:00', to: '07:00' }, /day that does not exist/],
    [{ days: [''], from: '22:00', to: '07:00' }, /day that does not exist/],
    [{ days: [1], from: '24:00', to: '07:00' }, /begins at no time/],
    [{ days: [1], from: '22:00', to: '7:00' }, /ends at no time/],
    [{ days: [1], from: '22:00' }, /ends at no time/],
    [null, /names no day/],
  ];
  for (const [input, problem] of wrong) {
    const { windows, problems } = parseWindows([nights[0], input]);
    assert.deepEqual(windows, []);
    assert.match(problems.join(' '), problem);
    assert.match(problems[0]!, /^Line 2 /);
  }
});

test('the share of the week that is open is that of its minutes, however windows overlap or pass its end', () => {
  const day = fc.integer({ min: 0, max: 6 });
  const time = fc
    .integer({ min: 0, max: 95 })
    .map((n) => `${String(Math.floor(n / 4)).padStart(2, '0')}:${String((n % 4) * 15).padStart(2, '0')}`);
  const window = fc.record({ days: fc.uniqueArray(day, { minLength: 1, maxLength: 7 }), from: time, to: time });
  fc.assert(
    fc.property(fc.array(window, { maxLength: 4 }), (windows) => {
      let open = 0;
      for (let minute = 0; minute < 7 * 1440; minute += 15) if (isOpen(windows, minute)) open += 15;
      assert.ok(Math.abs(openShare(windows) - open / (7 * 1440)) < 1e-9);
    }),
    { numRuns: 50 },
  );
});
