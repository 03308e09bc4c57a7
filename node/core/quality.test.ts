import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findingFor, goals, metrics, planSamples, targets, type Finding } from './quality.ts';
import { foundWords, qualityFound, type QualityFound } from './quality-found.ts';

test('samples never encode more than 6 % of a film, and lie inside it, away from its ends', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40_000_000 }), fc.boolean(), (durationMs, known) => {
      const plan = planSamples(durationMs, known);
      if (!plan) return;
      assert.ok(plan.count * plan.lengthMs * plan.tries <= durationMs * 0.06);
      assert.ok(plan.tries >= (known ? 1 : 2) && plan.tries <= 5);
      assert.ok(plan.places.length > plan.count && plan.lengthMs >= 2000 && plan.lengthMs <= 8000);
      assert.equal(new Set(plan.places).size, plan.places.length);
      for (const at of plan.places) assert.ok(at >= durationMs * 0.08 && at + plan.lengthMs <= durationMs * 0.97);
    }),
    { numRuns: 2000 },
  );
});

test('a film of two hours gets eight pieces, an episode fewer, a clip none', () => {
  assert.equal(planSamples(7_200_000, false)?.count, 8);
  const episode = planSamples(1_500_000, false);
  assert.ok(episode && episode.count >= 4 && episode.tries >= 3);
  assert.equal(planSamples(60_000, false), null);
  assert.equal(planSamples(90_000, false), null);
  assert.equal(planSamples(90_000, true)?.tries, 1);
  assert.equal(planSamples(Number.NaN, true), null);
});

test('a better goal asks for more, of every judge', () => {
  for (const metric of metrics) {
    const [best, better, good] = targets.map((target) => goals[metric][target]);
    assert.ok(best!.mean > better!.mean && better!.mean > good!.mean);
    for (const target of targets) assert.ok(goals[metric][target].worst < goals[metric][target].mean);
  }
});

test('a finding counts for its own encoder, device and judge; the best proved first', () => {
  const finding = (over: Partial<Finding>): Finding => ({
    encoder: 'hevc_nvenc',
    device: '0',
    metric: 'vmaf',
    quality: 24,
    score: 95,
    runs: 1,
    ...over,
  });
  const all = [
    finding({ quality: 1 }),
    finding({ quality: 2, runs: 5 }),
    finding({ device: '1', runs: 9 }),
    finding({ metric: 'ssim', runs: 9 }),
  ];
  assert.equal(findingFor(all, { name: 'hevc_nvenc', device: '0' }, 'vmaf')?.quality, 2);
  assert.equal(findingFor(all, { name: 'libx265', device: null }, 'vmaf'), null);
  assert.equal(findingFor(all, { name: 'hevc_nvenc', device: '0' }, null)?.metric, 'ssim');
});

const whole: QualityFound = {
  target: 'very-good',
  quality: 23,
  from: 'samples',
  measured: { metric: 'vmaf', score: 95.12, worst: 92, met: true },
  tries: 3,
  sampledMs: 60_000,
  costMs: 4200,
  why: null,
};

test('what was found is told in words', () => {
  assert.equal(foundWords(whole), 'Very good: VMAF 95.1 at 23 after 3 tries, 4 s');
  assert.match(foundWords({ ...whole, measured: { ...whole.measured!, met: false } }), /^As near to “very good” as was found: VMAF 95\.1/);
  assert.equal(foundWords({ ...whole, measured: null, from: 'profile' }), 'Very good: 23, the number of its rules');
  assert.equal(
    foundWords({ ...whole, measured: null, from: 'finding', quality: 23.46 }),
    'Very good: 23.5, which similar films needed here',
  );
});

test('what another machine reports is read only when it is whole', () => {
  assert.deepEqual(qualityFound({ quality: whole }), whole);
  assert.equal(qualityFound({}), null);
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(whole)), fc.jsonValue(), (key, value) => {
      const read = qualityFound({ quality: { ...whole, [key]: value } });
      if (read) assert.ok(foundWords(read).length < 200 && Number.isFinite(read.quality) && read.quality <= 63);
    }),
    { numRuns: 2000 },
  );
});
