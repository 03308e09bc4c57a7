import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classesLeft, isOtherBuild, shallBench, unbenched, type Outcome } from './bench.ts';
import type { EncoderReport } from './encoder-choice.ts';
import { jobClasses } from './job.ts';

const good = (fileId: number): Outcome => ({ fileId, code: null, badElsewhere: false });
const bad = (fileId: number, code = 'pictures-differ', badElsewhere = false): Outcome => ({ fileId, code, badElsewhere });

test('two bad copies of two films among the last ten outputs bench an encoder, with how many and why', () => {
  assert.deepEqual(shallBench([bad(1, 'frames-differ'), good(2), bad(3)]), { bad: 2, outputs: 3, cause: 'frames-differ' });
  const far = [bad(1), ...Array.from({ length: 8 }, (_, i) => good(i + 10)), bad(2)];
  assert.ok(shallBench(far));
  assert.equal(shallBench([bad(1), ...Array.from({ length: 9 }, (_, i) => good(i + 10)), bad(2)]), null, 'the eleventh is long ago');
});

test('one odd film, however often it is tried, benches nobody', () => {
  assert.equal(shallBench([bad(1), bad(1), bad(1)]), null);
  assert.equal(shallBench([bad(1), good(2)]), null);
});

test('a film that another combination made badly too counts for neither', () => {
  assert.equal(shallBench([bad(1), bad(2, 'frames-differ', true)]), null);
});

test('copies that are not small enough, lost a subtitle or have a damaged original are not the encoder’s fault', () => {
  for (const code of [
    'small-saving',
    'not-smaller',
    'suspiciously-small',
    'streams-differ',
    'tags-differ',
    'source-damaged',
    'sync-differs',
  ])
    assert.equal(shallBench([bad(1, code), bad(2, code), bad(3, code)]), null, code);
});

const report = (name: string, device: string | null, more: Partial<EncoderReport> = {}): EncoderReport => ({
  name,
  device,
  works: true,
  tenBit: true,
  hardware: name !== 'libx265',
  reason: null,
  testedAt: '2026-11-22T00:00:00Z',
  ...more,
});

test('only the very device that is benched is left out', () => {
  const all = [report('hevc_nvenc', '0'), report('hevc_nvenc', '1'), report('libx265', null)];
  const left = unbenched(all, [
    { encoder: 'hevc_nvenc', device: '0' },
    { encoder: 'libx265', device: '' },
  ]);
  assert.deepEqual(
    left.map(({ name, device }) => [name, device]),
    [['hevc_nvenc', '1']],
  );
});

test('a machine keeps the classes of jobs for which it has another encoder, and re-wrapping always', () => {
  const classes = [jobClasses.encode8, jobClasses.encode10, jobClasses.remux];
  const all = [report('hevc_nvenc', '0'), report('libx265', null, { tenBit: false })];
  assert.deepEqual(classesLeft(classes, all, []), classes);
  assert.deepEqual(classesLeft(classes, all, [{ encoder: 'libx265', device: '' }]), classes);
  assert.deepEqual(classesLeft(classes, all, [{ encoder: 'hevc_nvenc', device: '0' }]), [jobClasses.encode8, jobClasses.remux]);
});

test('another build is known only where both builds are told', () => {
  assert.equal(isOtherBuild({ build: 'ffmpeg 8, NVIDIA 600' }, 'ffmpeg 7, NVIDIA 535'), true);
  assert.equal(isOtherBuild({ build: 'ffmpeg 7' }, 'ffmpeg 7'), false);
  assert.equal(isOtherBuild({}, 'ffmpeg 7'), false);
  assert.equal(isOtherBuild(undefined, 'ffmpeg 7'), false);
  assert.equal(isOtherBuild({ build: 'ffmpeg 8' }, ''), false);
});
