import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { defaultManners, mannersOf, parseManners, type Manners } from './manner-wishes.ts';
import { behave, conductOf, freshMind, isLong, nothingFelt, restingOf, type Conduct, type Mind, type Senses } from './manners.ts';
import type { Window } from './node-wishes.ts';
import { sentence } from './reasons.ts';

const SECOND = 1000;
/** Monday noon */
const noon = 24 * 60 + 12 * 60;
const nights: Window[] = [{ days: [0, 1, 2, 3, 4, 5, 6], from: '22:00', to: '07:00' }];

/** Lives through moments; each one says after how many seconds it is, and what is felt then. */
function live(moments: [seconds: number, felt: Partial<Senses>][], wishes: Partial<Manners> = {}): Conduct[] {
  let mind: Mind = freshMind;
  let at = 0;
  return moments.map(([seconds, felt]) => {
    at += seconds * SECOND;
    const moment = { senses: { ...nothingFelt, ...felt }, at, schedule: [], minuteOfWeek: noon };
    const next = behave(mind, moment, { ...defaultManners, ...wishes });
    mind = next.mind;
    return next.conduct;
  });
}

const words = (conduct: Conduct): string => (conduct.reason ? sentence(conduct.reason) : '');

describe('a considerate machine', () => {
  test('that feels nothing works, whatever is wished', () => {
    const strict = { whenUsed: 'pause', batteryBelow: 20, hotAbove: 50, afterHours: 'pause' } as const;
    assert.deepEqual(live([[0, {}]], strict), [{ does: 'run', atOnce: null, reason: null }]);
  });

  test('stands still on battery and says when it goes on', () => {
    const [conduct] = live([[0, { onBattery: true, batteryPercent: 64 }]]);
    assert.equal(conduct!.does, 'pause');
    assert.equal(words(conduct!), 'Paused: on battery (64 %). Goes on when plugged in.');
    assert.equal(live([[0, { onBattery: true }]], { onBattery: 'run' })[0]!.does, 'run');
  });

  test('does not mind a plug that is pulled and put back at once', () => {
    const [on, off] = [{ onBattery: false }, { onBattery: true }];
    const does = live([
      [0, on],
      [15, off],
      [5, on],
      [15, off],
      [15, off],
      [5, on],
      [5, off],
      [15, on],
      [21, on],
    ]).map((c) => c.does);
    assert.deepEqual(does, ['run', 'run', 'run', 'run', 'pause', 'pause', 'pause', 'pause', 'run']);
  });

  test('with a limit stands still only below it, and goes on only clearly above it', () => {
    const at = (percent: number | null): Partial<Senses> => ({ onBattery: true, batteryPercent: percent });
    const wishes = { batteryBelow: 40 };
    assert.equal(live([[0, at(41)]], wishes)[0]!.does, 'run');
    assert.equal(live([[0, at(null)]], wishes)[0]!.does, 'run', 'a charge that is not known is no low charge');
    const does = live(
      [
        [0, at(39)],
        [60, at(41)],
        [60, at(41)],
        [60, at(43)],
        [60, at(43)],
      ],
      wishes,
    ).map((c) => c.does);
    assert.deepEqual(does, ['pause', 'pause', 'pause', 'pause', 'run']);
  });

  test('near its critical point stands still, not for a short boost, and goes on when it has cooled down', () => {
    const hot = { celsius: 98.6, marginCelsius: 1.4 };
    const warm = { celsius: 92, marginCelsius: 8 };
    const cool = { celsius: 60, marginCelsius: 40 };
    const found = live([
      [0, cool],
      [15, hot],
      [15, cool],
      [15, hot],
      [15, hot],
      [15, hot],
      [600, warm],
      [15, cool],
      [60, warm],
      [15, cool],
      [95, cool],
    ]);
    assert.deepEqual(
      found.map((c) => c.does),
      ['run', 'run', 'run', 'run', 'run', 'pause', 'pause', 'pause', 'pause', 'pause', 'run'],
    );
    assert.equal(words(found[5]!), 'Paused: too hot (99 °C). Goes on when it has cooled down.');
  });

  test('with a limit in degrees keeps to it, and believes a system that only warns', () => {
    assert.equal(live([[0, { celsius: 80, marginCelsius: 20 }]], { hotAbove: 80 })[0]!.does, 'pause');
    assert.equal(live([[0, { celsius: 79, marginCelsius: 1 }]], { hotAbove: 80 })[0]!.does, 'run');
    assert.equal(live([[0, { heatWarning: true }]])[0]!.does, 'pause');
    assert.equal(live([[0, { heatWarning: true, celsius: 99, marginCelsius: 0 }]], { whenHot: 'run' })[0]!.does, 'run');
  });

  test('makes room at once for a person who sits down, and waits until nobody touched it for so long', () => {
    const touched = (minutes: number): Partial<Senses> => ({ idleMs: minutes * 60 * SECOND });
    const moments: [number, Partial<Senses>][] = [
      [0, touched(30)],
      [15, touched(0)],
      [60, touched(4.9)],
      [15, touched(5.1)],
      [30, touched(5.6)],
    ];
    assert.deepEqual(
      live(moments, { whenUsed: 'pause' }).map((c) => c.does),
      ['run', 'pause', 'pause', 'pause', 'run'],
    );
    const fewer = live(moments, { whenUsed: 'fewer' });
    assert.deepEqual(
      fewer.map((c) => [c.does, c.atOnce]),
      [
        ['run', null],
        ['run', 1],
        ['run', 1],
        ['run', 1],
        ['run', null],
      ],
    );
    assert.match(words(fewer[1]!), /^Only one encode at once while somebody uses this machine/);
  });

  test('outside its hours finishes what runs, or stands still, as is wished', () => {
    const moment = { senses: { ...nothingFelt, idleMs: 0 }, at: 0, schedule: nights, minuteOfWeek: noon };
    const finish = behave(freshMind, moment, { ...defaultManners, whenUsed: 'fewer' }).conduct;
    assert.deepEqual([finish.does, finish.atOnce], ['begin-nothing', 1], 'both hold at once');
    const still = behave(freshMind, moment, { ...defaultManners, afterHours: 'pause' }).conduct;
    assert.equal(still.does, 'pause');
    assert.equal(words(still), 'Paused: outside its hours (every day 22:00-07:00). Goes on Mon 22:00.');
    assert.equal(behave(freshMind, { ...moment, minuteOfWeek: 23 * 60 }, { ...defaultManners, afterHours: 'pause' }).conduct.does, 'run');
  });

  test('tells the reason that a person would mend first', () => {
    const all = { ...nothingFelt, onBattery: true, batteryPercent: 9, celsius: 99, marginCelsius: 0, idleMs: 0 };
    const wishes = { ...defaultManners, whenUsed: 'pause', afterHours: 'pause' } as const;
    const codes = [
      {},
      { onBattery: 'run' },
      { whenHot: 'run', onBattery: 'run' },
      { whenHot: 'run', onBattery: 'run', whenUsed: 'run' },
    ].map(
      (change) =>
        behave(freshMind, { senses: all, at: 0, schedule: nights, minuteOfWeek: noon }, { ...wishes, ...(change as object) }).conduct.reason
          ?.code,
    );
    assert.deepEqual(codes, ['on-battery', 'too-hot', 'machine-in-use', 'after-hours']);
  });

  test('gives what only waits to others when it may take hours, and not for a while of heat', () => {
    const conduct = (code: Conduct['reason']): Conduct => ({ does: 'pause', atOnce: null, reason: code });
    assert.equal(isLong(conduct({ code: 'on-battery' })), true);
    assert.equal(isLong(conduct({ code: 'too-hot' })), false);
    assert.equal(isLong({ does: 'begin-nothing', atOnce: null, reason: { code: 'finishing-hours' } }), true);
    assert.equal(isLong({ does: 'run', atOnce: 1, reason: { code: 'machine-shared' } }), false);
  });
});

describe('however noisy its senses are', () => {
  const noise = fc.record({
    onBattery: fc.option(fc.boolean()),
    batteryPercent: fc.option(fc.integer({ min: 0, max: 100 })),
    celsius: fc.option(fc.integer({ min: 20, max: 110 })),
    marginCelsius: fc.option(fc.integer({ min: -10, max: 80 })),
    heatWarning: fc.option(fc.boolean()),
    idleMs: fc.option(fc.integer({ min: 0, max: 1_200_000 })),
  }) satisfies fc.Arbitrary<Senses>;
  const life = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), noise), { minLength: 2, maxLength: 200 });
  const wishes = fc.record({
    onBattery: fc.constantFrom('pause' as const, 'run' as const),
    batteryBelow: fc.integer({ min: 1, max: 100 }),
    whenHot: fc.constantFrom('pause' as const, 'run' as const),
    hotAbove: fc.option(fc.integer({ min: 40, max: 120 })),
    whenUsed: fc.constantFrom('run' as const, 'fewer' as const, 'pause' as const),
    idleMinutes: fc.integer({ min: 1, max: 240 }),
  });

  test('it changes its mind no more often than its patience allows', () => {
    fc.assert(
      fc.property(life, wishes, (moments, wished) => {
        const found = live(moments, wished);
        const seconds = moments.slice(1).reduce((sum, [s]) => sum + s, 0);
        const changes = found.filter((c, i) => i > 0 && (c.does !== found[i - 1]!.does || c.atOnce !== found[i - 1]!.atOnce)).length;
        // each latch turns off only after it was not felt for its own time: at most two turns in every such time
        const most = 2 * (1 + seconds / 30) + 2 * (1 + seconds / 115) + 2 * (1 + seconds / 25);
        assert.ok(changes <= most, `${changes} changes in ${seconds} s`);
      }),
    );
  });

  test('each condition alone stays for its time once it turned', () => {
    fc.assert(
      fc.property(life, (moments) => {
        const alone = moments.map(([s, felt]): [number, Partial<Senses>] => [s, { onBattery: felt.onBattery }]);
        let at = 0;
        let turnedAt = -Infinity;
        let before: string | null = null;
        live(alone).forEach((conduct, i) => {
          at += alone[i]![0];
          if (before !== null && conduct.does !== before) {
            assert.ok(at - turnedAt >= 10, `turned after ${at - turnedAt} s`);
            turnedAt = at;
          }
          before = conduct.does;
        });
      }),
    );
  });

  test('it stands still only with a reason that makes a whole sentence, and never when nothing is wished', () => {
    fc.assert(
      fc.property(life, wishes, (moments, wished) => {
        for (const conduct of live(moments, wished)) {
          assert.equal(conduct.does === 'run' && conduct.atOnce === null, conduct.reason === null);
          if (conduct.reason) assert.doesNotMatch(sentence(conduct.reason), /[?{[]/);
        }
        const never = live(moments, { ...wished, onBattery: 'run', whenHot: 'run', whenUsed: 'run' });
        assert.ok(never.every((conduct) => conduct.does === 'run'));
      }),
    );
  });
});

describe('what is stored and told', () => {
  test('of another version is made whole: what is not lawful is the default', () => {
    assert.deepEqual(mannersOf(null), defaultManners);
    assert.deepEqual(mannersOf({ onBattery: 'run', whenUsed: 'explode', hotAbove: null, idleMinutes: 1e9, extra: 1 }), {
      ...defaultManners,
      onBattery: 'run',
    });
  });

  test('by a person is checked field by field, in words', () => {
    assert.deepEqual(parseManners({ niceness: 'idle', coresFree: 2 }), { manners: { niceness: 'idle', coresFree: 2 }, problems: [] });
    const { manners, problems } = parseManners({ hotAbove: 20, keepAwake: 'yes', toString: 1 });
    assert.deepEqual(manners, {});
    assert.deepEqual(
      problems.map((p) => p.name),
      ['hotAbove', 'keepAwake', 'toString'],
    );
    assert.match(problems[0]!.problem, /40 to 120 degrees/);
    assert.equal(parseManners([]).problems.length, 1);
  });

  test('by another machine is no restraint unless it is understood', () => {
    for (const told of [null, 5, 'pause', {}, { does: 'pause' }, { does: 'pause', reason: 7 }]) assert.equal(restingOf(told), null);
    assert.deepEqual(restingOf({ does: 'pause', reason: { code: 'too-hot' } }), { code: 'too-hot' });
    assert.equal(restingOf({ does: 'dance', reason: { code: 'too-hot' } }), null);
    assert.equal(conductOf({ does: 'run', atOnce: 1, reason: { code: 'machine-shared' } }).atOnce, 1);
  });
});
