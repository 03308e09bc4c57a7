import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { goals, metrics, targets, type Metric } from './quality.ts';
import { marginOf, nextTry, type Search, type Try } from './quality-search.ts';

const falls: Record<Metric, number> = { vmaf: 0.8, ssim: 0.0012 };
const tops: Record<Metric, number> = { vmaf: 100, ssim: 1 };

/** An encoder and a film: the score falls ever faster as the setting grows, with a little noise that is always the same. */
const worlds = fc
  .record({
    metric: fc.constantFrom(...metrics),
    target: fc.constantFrom(...targets),
    start: fc.double({ min: 12, max: 38, noNaN: true }),
    /** the setting at which the goal is met exactly */
    right: fc.double({ min: 5, max: 45, noNaN: true }),
    steep: fc.double({ min: 0.4, max: 2.5, noNaN: true }),
    bend: fc.double({ min: 0, max: 0.06, noNaN: true }),
    noise: fc.double({ min: 0, max: 0.1, noNaN: true }),
    tries: fc.integer({ min: 1, max: 5 }),
    step: fc.constantFrom(0.5, 1),
    spread: fc.double({ min: 0, max: 3, noNaN: true }),
  })
  .map((w) => {
    const goal = goals[w.metric][w.target];
    const unit = falls[w.metric];
    const search: Search = { metric: w.metric, goal, start: w.start, least: 12, most: 38, step: w.step, tries: w.tries };
    const encode = (quality: number): Try => {
      const away = quality - w.right;
      const fall = unit * (w.steep * away + w.bend * away * Math.abs(away));
      const mean = Math.min(tops[w.metric], Math.max(0, goal.mean - fall + unit * w.noise * Math.sin(quality * 7)));
      return { quality, mean, worst: Math.max(0, mean - w.spread * unit) };
    };
    return { search, encode, unit, noise: w.noise };
  });

function run(search: Search, encode: (quality: number) => Try): { found: Try; met: boolean; tries: Try[] } {
  const tries: Try[] = [];
  for (;;) {
    const next = nextTry(search, tries);
    if ('found' in next) return { ...next, tries };
    assert.ok(tries.length < 10, 'it does not end');
    tries.push(encode(next.quality));
  }
}

test('a search tries no more often than it may, only settings of the encoder, and none twice', () => {
  fc.assert(
    fc.property(worlds, ({ search, encode }) => {
      const { tries, found } = run(search, encode);
      assert.ok(tries.length >= 1 && tries.length <= search.tries);
      assert.ok(tries.every((t) => t.quality >= 12 && t.quality <= 38 && Number.isInteger(t.quality / search.step)));
      assert.equal(new Set(tries.map((t) => t.quality)).size, tries.length);
      assert.ok(tries.includes(found), 'what was found was tried');
    }),
    { numRuns: 2000 },
  );
});

test('it says that the goal is met exactly when what was found meets it', () => {
  fc.assert(
    fc.property(worlds, ({ search, encode, unit }) => {
      const { found, met } = run(search, encode);
      if (met) assert.ok(marginOf(search, found) >= -unit * 0.5);
      else assert.ok(marginOf(search, found) < 0);
    }),
    { numRuns: 2000 },
  );
});

test('of what was tried nothing that meets the goal would have made a smaller file', () => {
  fc.assert(
    fc.property(worlds, ({ search, encode, unit, noise }) => {
      fc.pre(noise < 0.01);
      const { found, met, tries } = run(search, encode);
      if (!met) return assert.ok(tries.every((t) => marginOf(search, t) < 0));
      for (const other of tries) if (other.quality > found.quality) assert.ok(marginOf(search, other) < unit * 1.2);
    }),
    { numRuns: 2000 },
  );
});

test('with all its tries it ends near the goal, or at the end of the scale', () => {
  let near = 0;
  let all = 0;
  fc.assert(
    fc.property(worlds, ({ search, encode, unit }) => {
      const { found } = run({ ...search, tries: 5 }, encode);
      const margin = marginOf(search, found);
      all += 1;
      if (found.quality === 12 || found.quality === 38 || (margin >= -unit && margin <= 2.5 * unit * search.step + unit)) near += 1;
    }),
    { numRuns: 1000, seed: 7 },
  );
  assert.ok(near / all > 0.97, `${near} of ${all}`);
});

test('what was remembered and still holds costs one try', () => {
  const search: Search = { metric: 'vmaf', goal: goals.vmaf.good, start: 26.4, least: 12, most: 38, step: 0.5, tries: 5 };
  const { tries, met } = run(search, (quality) => ({ quality, mean: goals.vmaf.good.mean + 0.2, worst: goals.vmaf.good.mean }));
  assert.deepEqual([tries.length, tries[0]!.quality, met], [1, 26.5, true]);
});

test('one bad piece counts, however good the others are', () => {
  const goal = goals.vmaf['very-good'];
  assert.ok(marginOf({ goal }, { mean: 99, worst: goal.worst - 2 }) < 0);
});
