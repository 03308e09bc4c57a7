import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayOf, holesOf, isDistributors, isOpen, knownHoles, type BuildAge } from './ffmpeg-holes.ts';

const pixelSmash = 'CVE-2026-8461';

function build(version: string, year: number | null = 2026): BuildAge {
  const release =
    /^n?(\d+)\.(\d+)(?:\.(\d+))?(?!\d)/
      .exec(version)
      ?.slice(1)
      .map((part) => Number(part ?? 0)) ?? null;
  return { version, release, year };
}

function has(version: string, id: string, year?: number | null): string {
  return holesOf(build(version, year)).find(({ hole }) => hole.id === id)?.has ?? 'no';
}

test('a release has a hole until the first mended release of its branch; a branch that was never mended keeps it', () => {
  const told = [
    '5.1.9',
    '5.1.10',
    '6.0.1',
    '6.1.5',
    '6.1.6',
    '7.0.2',
    '7.1.4',
    '7.1.5',
    '8.0.2',
    '8.0.3',
    '8.1.1',
    '8.1.2',
    '8.2',
    '9.0.1',
  ];
  assert.deepEqual(
    told.filter((version) => has(version, pixelSmash) === 'yes'),
    ['5.1.9', '6.0.1', '6.1.5', '7.0.2', '7.1.4', '8.0.2', '8.1.1'],
  );
  assert.deepEqual(
    ['5.0.3', '5.1', '5.1.1', '6.0'].map((version) => has(version, 'CVE-2022-2566')),
    ['no', 'yes', 'no', 'no'],
  );
  assert.deepEqual(
    ['3.4.8', '4.0.3', '4.0.4', '4.1.1', '4.1.2', '4.2'].map((version) => has(version, 'CVE-2019-11339')),
    ['no', 'yes', 'no', 'yes', 'no', 'no'],
  );
});

test('what a distributor packed may be mended under its old number; where its own mended version is known, that decides', () => {
  for (const version of ['5.1.9-0+deb12u1', '6.1.1-3ubuntu5', '7.1.4-Jellyfin', '7.1.1-1+b1', '5.1.6-0+deb12u1+rpt1'])
    assert.equal(has(version, pixelSmash), 'maybe', version);
  // made of the plain source by people who publish builds
  for (const version of ['7.1.1-full_build-www.gyan.dev', 'n8.1.1', '7.0.2-static', 'n7.0-7-gd38bf5e08e-20240407'])
    assert.equal(has(version, pixelSmash), 'yes', version);
  assert.equal(has('6.1.5-0deepin2', pixelSmash), 'maybe');
  assert.equal(has('6.1.5-0deepin3', pixelSmash), 'no');
  assert.ok(!isDistributors('8.1.2-essentials_build-www.gyan.dev'));
});

test('a build without a release number is judged by its day, else by the last year of its copyright', () => {
  assert.deepEqual(['2026-08-03-git-01a25f74cc-full_build', 'n8.1-22-g46d8f462ee-20261001', 'N-1', '5.1'].map(dayOf), [
    '2026-08-03',
    '2026-10-01',
    null,
    null,
  ]);
  assert.equal(has('2026-06-10-git-b29bdd3715-full_build-www.gyan.dev', pixelSmash), 'yes');
  assert.equal(has('2026-08-03-git-01a25f74cc-full_build-www.gyan.dev', pixelSmash), 'no');
  assert.equal(has('n7.1-300-g0123456789-20260801', pixelSmash), 'maybe', 'some commits after a release of an old branch');
  assert.equal(has('N-66595-gc2b38619c0-static', pixelSmash, 2023), 'yes');
  assert.equal(has('N-120000-g0123456789', pixelSmash, 2026), 'maybe');
  assert.equal(has('N-120000-g0123456789', pixelSmash, null), 'maybe');
  assert.equal(has('N-66595-gc2b38619c0-static', 'CVE-2022-2566', 2023), 'no');
});

test('a hole is open only where CodecShift lets ffmpeg open the part: the lists are the guard', () => {
  const open = knownHoles.filter(isOpen).map(({ id }) => id);
  assert.deepEqual(open, ['CVE-2026-40962', 'CVE-2022-2566', 'CVE-2019-11339']);
  // those that a film can reach stand first
  assert.deepEqual(
    holesOf(build('5.1')).map((found) => found.open),
    [true, true, false, false, false, false, false],
  );
});

test('every hole names a number, a mended release and the day of its source', () => {
  for (const { id, mended, days } of knownHoles) {
    assert.match(id, /^CVE-20\d\d-\d{4,}$/);
    assert.ok(mended.length > 0, id);
    assert.match(days.mended, /^20\d\d-[01]\d-[0-3]\d$/, id);
  }
});
