import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  classesToMeasure,
  FILMS_PER_CLASS,
  MOST_CLASSES,
  PIECE_MS,
  PIECES_PER_FILM,
  planPieces,
  wholeFilm,
  wishKey,
} from './film-sample.ts';
import { classKey, linesOf } from './film-class.ts';
import { factorOf, forecastLibrary, whatOf, type ClassCount, type FilmSample, type LibraryForecast } from './library-forecast.ts';
import { filmStreams } from './media.ts';
import { defaultProfile } from './profile.ts';
import type { SchedulingNode } from './refusals.ts';
import { capturedProbe } from '../testing/fixtures.ts';
import { aNode, libx265 } from '../testing/schedule-samples.ts';

const GB = 1e9;
const library = { profile: defaultProfile, root: 'r' };

function films(change: Partial<ClassCount> = {}): ClassCount {
  return {
    ...{ codec: 'h264', lines: '1080p', hdr: null, bitDepth: 8, status: 'queued', reason: 'not-hevc' },
    ...{ files: 100, bytes: 1000 * GB, expectedBytes: 500 * GB, pixels: 100 * 1920 * 1080 * 24 * 6000 },
    ...change,
  } as ClassCount;
}

function sample(fileId: number, factor: number, change: Partial<FilmSample> = {}): FilmSample {
  return { fileId, class: classKey(films()), guessedBytes: 1000, measuredBytes: Math.round(1000 * factor), ...change };
}

const machine = (change: Partial<SchedulingNode> = {}): SchedulingNode =>
  aNode({ encoders: [{ ...libx265, hdr10: true }], local: ['r'], speeds: { libx265: 5e7 }, ...change });

test('an unmeasured library has a wide range, a measured one a narrow range around what was measured, and it is said which', () => {
  const guessed = forecastLibrary([films()], [], [machine()], library);
  assert.equal(guessed.saved.value, 500 * GB);
  assert.deepEqual([guessed.measuredShare, guessed.classes[0]!.measured], [0, 0]);
  const measured = forecastLibrary([films()], [sample(1, 0.7), sample(2, 0.8), sample(3, 0.75)], [machine()], library);
  assert.deepEqual([measured.measuredShare, measured.classes[0]!.measured], [1, 3]);
  assert.ok(measured.saved.value > 590 * GB && measured.saved.value < 630 * GB, String(measured.saved.value));
  assert.ok(width(measured) < width(guessed) / 2);
  // another class learns nothing from it
  const other = forecastLibrary([films({ codec: 'mpeg2video' })], [sample(1, 0.7)], [machine()], library);
  assert.equal(other.classes[0]!.measured, 0);
});

test('what is not worth it stays as it is, and nothing is promised of it', () => {
  const poor = forecastLibrary(
    [films()],
    [1, 2, 3].map((id) => sample(id, 2)),
    [machine()],
    library,
  );
  assert.deepEqual([poor.classes[0]!.after!.value, poor.saved.value], [1000 * GB, 0]);
});

test('every file has its place: converted, re-wrapped, finished, left alone, or not looked at yet', () => {
  const counts = [
    films(),
    films({ codec: 'hevc', status: 'queued', reason: 'rewrap' }),
    films({ codec: 'hevc', status: 'skipped', reason: 'already-hevc' }),
    films({ status: 'skipped', reason: 'hard-linked' }),
    films({ status: 'skipped', reason: 'too-young' }),
    films({ codec: '', status: 'new', reason: null }),
    films({ status: 'missing' }),
  ];
  const whole = forecastLibrary(counts, [], [machine()], library);
  assert.deepEqual(whole.classes.map((one) => one.what).toSorted(), ['convert', 'done', 'later', 'later', 'leave', 'rewrap']);
  assert.deepEqual([whole.files, whole.open, whole.converts.files], [600, 200, 100]);
  assert.equal(whatOf('kept', 'no-smaller'), 'leave');
});

test('time goes with speed, slots and hours of the machines that are here, and an unknown speed makes it wide', () => {
  const time = (...nodes: SchedulingNode[]) => forecastLibrary([films()], [], nodes, library).time;
  const one = time(machine())!;
  assert.ok(Math.abs(one.value - (films().pixels / 5e7) * 1.05) < 1);
  assert.ok(Math.abs(time(machine({ slots: 2 }))!.value - one.value / 2) < 1);
  assert.ok(
    Math.abs(time(machine({ schedule: [{ days: [0, 1, 2, 3, 4, 5, 6], from: '00:00', to: '06:00' }] }))!.value - one.value * 4) < 1,
  );
  assert.ok(Math.abs(time(machine(), machine({ id: 'b', name: 'b' }))!.value - one.value / 2) < 1);
  const unknown = time(machine({ speeds: {} }))!;
  assert.ok(unknown.high / unknown.low > 2 * (one.high / one.low));
  assert.deepEqual(
    unknown.nodes.map((n) => n.measured),
    [false],
  );
  assert.equal(time(machine({ present: false })), null);
  assert.equal(time(machine({ paused: true })), null);
  assert.equal(time(machine({ encoders: [] })), null);
  // a slow line holds up a machine that has no mount
  assert.ok(time(machine({ local: [], keeps: [], mbps: 1 }))!.value > one.value);
});

const someSamples = fc.array(
  fc.record({ fileId: fc.integer({ min: 1, max: 9 }), factor: fc.double({ min: 0.05, max: 5, noNaN: true }), mine: fc.boolean() }),
  { maxLength: 12 },
);
const someCount = fc.record({
  codec: fc.constantFrom('h264', 'mpeg2video', 'hevc', ''),
  lines: fc.constantFrom('sd', '1080p', '2160p', 'unknown'),
  hdr: fc.constantFrom(null, 'hdr10'),
  bitDepth: fc.constantFrom(null, 8, 10),
  status: fc.constantFrom('queued', 'skipped', 'done', 'new', 'failed', 'missing'),
  reason: fc.constantFrom('not-hevc', 'already-hevc', 'rewrap', 'from-a-later-version', null),
  files: fc.integer({ min: 0, max: 1e6 }),
  bytes: fc.integer({ min: 0, max: 1e15 }),
  expectedBytes: fc.integer({ min: 0, max: 1e15 }),
  pixels: fc.double({ min: 0, max: 1e18, noNaN: true }),
}) as fc.Arbitrary<ClassCount>;

test('whatever is counted and measured: each range contains its value, nothing grows, nothing is negative, everything is counted once', () => {
  fc.assert(
    fc.property(fc.array(someCount, { maxLength: 8 }), someSamples, fc.boolean(), (counts, raw, slow) => {
      const keys = [...counts.map(classKey), classKey(films())];
      const samples = raw.map((s, i) => sample(s.fileId, s.factor, { class: keys[(s.mine ? i : 0) % keys.length]! }));
      const whole = forecastLibrary(counts, samples, [machine(slow ? { speeds: {} } : {})], library);
      for (const one of [whole.saved, ...(whole.time ? [whole.time] : []), ...whole.classes.flatMap((c) => c.after ?? [])]) {
        assert.ok(Number.isFinite(one.value) && one.low >= 0, JSON.stringify(one));
        assert.ok(one.low <= one.value + 1 && one.value <= one.high + 1, JSON.stringify(one));
      }
      for (const one of whole.classes) if (one.after) assert.ok(one.after.high <= one.bytes);
      assert.ok(whole.saved.high <= whole.converts.bytes + 1);
      assert.ok(whole.measuredShare >= 0 && whole.measuredShare <= 1);
      const there = counts.filter((c) => c.status !== 'missing' && c.files > 0);
      assert.equal(
        whole.files,
        there.reduce((n, c) => n + c.files, 0),
      );
    }),
    { numRuns: 200 },
  );
});

test('one more film that says what the others said never widens the range, and another encoder of the same film is not another film', () => {
  fc.assert(
    fc.property(someSamples, (raw) => {
      const samples = raw.map((s) => sample(s.fileId, s.factor));
      const before = factorOf(samples);
      if (before.films === 0) return;
      const logs = new Map<number, number[]>();
      for (const s of samples) logs.set(s.fileId, [...(logs.get(s.fileId) ?? []), Math.log(s.measuredBytes / 1000)]);
      const means = [...logs.values()].map((l) => l.reduce((a, b) => a + Math.min(2, Math.max(-2, b)), 0) / l.length);
      const mean = means.reduce((a, b) => a + b, 0) / means.length;
      const more = factorOf([...samples, { fileId: 99, class: '', guessedBytes: 1e9, measuredBytes: 1e9 * Math.exp(mean) }]);
      assert.equal(more.films, before.films + 1);
      assert.ok(ratio(more.factor) <= ratio(before.factor) * 1.000001);
      const twice = factorOf([...samples, ...samples]);
      assert.equal(twice.films, before.films);
      assert.ok(Math.abs(ratio(twice.factor) - ratio(before.factor)) < 1e-9);
    }),
    { numRuns: 200 },
  );
});

test('few and short pieces are taken, inside the film; a film too short for one has none', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e8, noNaN: true }), (durationMs) => {
      const plan = planPieces(durationMs);
      if (!plan) return assert.ok(durationMs < 2 * PIECE_MS);
      assert.ok(plan.count >= 1 && plan.count <= PIECES_PER_FILM && plan.lengthMs <= PIECE_MS && plan.places.length >= plan.count);
      for (const at of plan.places) assert.ok(at >= 0 && at + plan.lengthMs <= durationMs);
    }),
  );
});

test('the heaviest classes are measured first, a few films of each, and no more than are missing', () => {
  const classes = Array.from({ length: 20 }, (_, i) => ({ key: `k${i}`, files: i === 0 ? 2 : 50, bytes: 1000 - i }));
  const wanted = classesToMeasure(
    classes,
    new Map([
      ['k1', 2],
      ['k2', 3],
    ]),
  );
  assert.deepEqual(wanted.map((c) => [c.key, c.films]).slice(0, 3), [
    ['k0', 2],
    ['k1', 1],
    ['k3', 3],
  ]);
  assert.ok(wanted.reduce((n, c) => n + c.films, 0) <= MOST_CLASSES * FILMS_PER_CLASS);
  assert.deepEqual(
    classesToMeasure(
      [
        { key: 'a', files: 9, bytes: 990 },
        { key: 'b', files: 9, bytes: 10 },
      ],
      new Map(),
    ).map((c) => c.key),
    ['a'],
  );
});

test('only the pictures shrink; the sound of a film weighs what it weighed', () => {
  const probe = capturedProbe('clip-film');
  Object.assign(filmStreams(probe)[0]!, { bitrate: 8e6 });
  Object.assign(probe, { durationMs: 1000_000, sizeBytes: 1.2e9 });
  assert.equal(wholeFilm(probe, defaultProfile, { sourceBytes: 1000, outputBytes: 500 }).measuredBytes, 0.7e9);
  assert.equal(
    wholeFilm(probe, defaultProfile, { sourceBytes: 0, outputBytes: 500 }).measuredBytes,
    wholeFilm(probe, defaultProfile, { sourceBytes: 1, outputBytes: 1 }).guessedBytes,
  );
  assert.notEqual(wishKey(defaultProfile), wishKey({ ...defaultProfile, quality: 24 }));
  assert.equal(wishKey({ ...defaultProfile, target: 'good' }), wishKey({ ...defaultProfile, target: 'good', quality: 30 }));
  assert.deepEqual(
    [linesOf(1920, 800), linesOf(1080, 1920), linesOf(720, 576), linesOf(3840, 1600), linesOf(null, 5)],
    ['1080p', '1080p', 'sd', '2160p', 'unknown'],
  );
});

function ratio({ low, high }: { low: number; high: number }): number {
  return high / low;
}

function width({ saved }: LibraryForecast): number {
  return saved.high - saved.low;
}
