import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as charts from './charts.ts';
import * as f from './format.ts';

const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

test('sizes are decimal, with one digit where it says something', () => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 KB'],
    [999_499, '999 KB'],
    [999_500, '1.0 MB'],
    [24.84e9, '24.8 GB'],
    [402e9, '402 GB'],
    [7.12e12, '7.1 TB'],
    [-5e9, '−5.0 GB'],
  ];
  for (const [bytes, wanted] of cases) assert.equal(plain(f.size(bytes)), wanted);
  assert.equal(plain(f.sizeLike(0.7e9, 3.1e9)), '0.7 GB');
  assert.equal(plain(f.sizeLike(20e6, 3.1e9)), '20.0 MB');
  assert.equal(plain(f.saving(24.8e9, 9.7e9)), '−15.1 GB');
  assert.equal(plain(f.saving(1e9, 2e9)), '+1.0 GB');
  assert.equal(plain(f.savingPercent(100, 39)), '−61 %');
  assert.equal(f.savingPercent(0, 0), '');
});

test('times are as short as they are long', () => {
  const s = 1000;
  for (const [ms, wanted] of [
    [-5, '0 s'],
    [40 * s, '40 s'],
    [100 * s, '2 min'],
    [12 * 60 * s, '12 min'],
    [80 * 60 * s, '1 h 20 min'],
    [7200 * s, '2 h'],
    [19 * 86_400 * s, '19 days'],
  ] as const)
    assert.equal(plain(f.duration(ms)), wanted);
  const now = new Date(2026, 10, 22, 14, 0);
  assert.equal(f.ago(new Date(2026, 10, 22, 13, 59, 30), now), 'just now');
  assert.equal(f.ago(new Date(2026, 10, 22, 13, 59, 0), now), '1 minute ago');
  assert.equal(plain(f.ago(new Date(2026, 10, 22, 11, 0), now)), '3 h ago');
  assert.equal(f.ago(new Date(2026, 10, 17, 11, 0), now), 'Tue 17 Nov');
  assert.equal(f.clock(5_025_000), '1:23:45');
});

test('a job is at 100 percent only when it is', () => {
  assert.deepEqual(
    [f.percent(0), f.percent(63.44), f.percent(99.99), f.percent(100), f.percent(140), f.percent(-3)],
    ['0.0', '63.4', '99.9', '100', '100', '0.0'],
  );
});

test('a picture is named by what people call it, cinema formats too', () => {
  const cases: [number, number, string][] = [
    [3840, 2160, '2160p'],
    [3840, 1600, '2160p'],
    [1920, 804, '1080p'],
    [1440, 1080, '1080p'],
    [1080, 1920, '1080p'],
    [1280, 536, '720p'],
    [720, 576, '576p'],
    [720, 480, '480p'],
    [320, 180, '180p'],
  ];
  for (const [width, height, wanted] of cases) assert.equal(f.resolution(width, height), wanted, `${width}x${height}`);
  assert.equal(f.resolution(null, null), '');
});

test('a bar never leaves its frame, and what exists is never invisible', () => {
  const svg = charts.segments(
    [
      { tone: 'jade', value: 1 },
      { tone: 'amber', value: 1e15 },
      { tone: 'free', value: 3 },
    ],
    1e15,
  );
  const rects = [...svg.matchAll(/x="([\d.]+)%" width="([\d.]+)%"/g)].map((m) => [Number(m[1]), Number(m[2])] as const);
  assert.equal(rects.length, 3);
  for (const [x, width] of rects) assert.ok(width >= 0.3 && x + width <= 100.02, svg);
  assert.match(charts.progress(140), /width="100%"/);
  assert.throws(() => charts.pc(Number.NaN));
});
