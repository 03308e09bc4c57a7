import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseFfmpeg, type FfmpegBuild } from './ffmpeg-choice.ts';
import { ffmpegsInWords } from './ffmpeg-words.ts';

function build(path: string, version: string, more: Partial<FfmpegBuild> = {}): FfmpegBuild {
  const release =
    /^n?(\d+)\.(\d+)(?:\.(\d+))?/
      .exec(version)
      ?.slice(1)
      .map((part) => Number(part ?? 0)) ?? null;
  return {
    ...{ path, version, release, year: 2026, from: 'system', encoders: ['libx265', 'libsvtav1'], decodes: { hevc: true, av1: true } },
    ...{ tenBit: true, lacks: [], problem: null },
    ffprobe: { path: `${path}-probe`, version, release, year: 2026, beside: true },
    ...more,
  };
}

test('the one with the fewest holes is taken, then the one that can do most, and it is said why', () => {
  const old = build('/usr/bin/ffmpeg', '7.0.2');
  const good = build('/opt/ffmpeg/bin/ffmpeg', '9.0.1', { lacks: ['libvmaf'] });
  const choice = chooseFfmpeg([old, good], { allowed: false });
  assert.equal(choice.used, 1);
  assert.match(choice.why, /^It is the best here: it is free of CVE-2026-40962, /);
  assert.equal(choice.better, null);

  const able = build('/b/ffmpeg', '9.0.1');
  const more = chooseFfmpeg([good, able], { allowed: false });
  assert.equal(more.used, 1);
  assert.match(more.why, /VMAF/);
  // an ffprobe that sees HDR10+ weighs more than VMAF
  const blind = build('/c/ffmpeg', '9.0.1', { ffprobe: null });
  assert.equal(chooseFfmpeg([blind, good], { allowed: false }).used, 1);
  const cannot = build('/d/ffmpeg', '9.9', { problem: 'it has no libx265' });
  assert.equal(chooseFfmpeg([cannot], { allowed: false }).used, null);
  assert.equal(chooseFfmpeg([cannot, old], { allowed: false }).why, 'It is the only one here that can be used.');
  assert.match(chooseFfmpeg([able, build('/e/ffmpeg', '9.0.1')], { allowed: false }).why, /found first/);
});

test('what a person configured is used although a better one is there, and that is said with the reason', () => {
  const own = build('/home/me/ffmpeg', '8.0.1', { from: 'configured', lacks: ['libvmaf', 'zscale'] });
  const other = build('/usr/bin/ffmpeg', '9.0.1', { encoders: ['libx265', 'libsvtav1', 'hevc_nvenc'] });
  const choice = chooseFfmpeg([own, other], { allowed: false });
  assert.equal(choice.used, 0);
  assert.equal(choice.better?.index, 1);
  const { better, all } = ffmpegsInWords({ builds: [own, other], used: 0, allowed: false });
  assert.match(better, /^A better one is here: ffmpeg 9\.0\.1 at \/usr\/bin\/ffmpeg; .*VMAF.*hevc_nvenc.*until --ffmpeg/);
  assert.deepEqual(
    all.map(({ used }) => used),
    [true, false],
  );
  // something else in it is worse and weighs more
  const worse = build('/usr/bin/ffmpeg', '9.0.1', { tenBit: false, encoders: ['libx265', 'libsvtav1', 'hevc_nvenc'] });
  const same = build('/home/me/ffmpeg', '9.0.1', { from: 'configured' });
  assert.equal(chooseFfmpeg([same, worse], { allowed: false }).better, null);
});

test('a serious hole that a film can reach is a refusal, unless a person allows it or a distributor may have mended it', () => {
  const hole = build('/usr/bin/ffmpeg', '5.1');
  const refused = chooseFfmpeg([hole], { allowed: false });
  assert.equal(refused.used, 0, 'it is named, and nothing runs with it');
  assert.equal(refused.refused?.hole, 'CVE-2022-2566');
  assert.equal(
    refused.refused?.says,
    'ffmpeg 5.1 at /usr/bin/ffmpeg has the hole CVE-2022-2566, by which an MP4 runs code of its maker. It is mended in 5.1.1.',
  );
  assert.equal(chooseFfmpeg([hole], { allowed: true }).refused, null);
  assert.equal(chooseFfmpeg([build('/usr/bin/ffmpeg', '5.1-2ubuntu1')], { allowed: false }).refused, null);
  // PixelSmash is serious, and nothing that a film can reach here
  assert.equal(chooseFfmpeg([build('/usr/bin/ffmpeg', '7.0.2')], { allowed: false }).refused, null);
  // another one is there
  assert.deepEqual((({ used, refused: none }) => [used, none])(chooseFfmpeg([hole, build('/b/ffmpeg', '5.1.9')], { allowed: false })), [
    1,
    null,
  ]);
  // one that a person configured is told to him, not replaced
  const own = build('/b/ffmpeg', '5.1', { from: 'configured' });
  const told = chooseFfmpeg([own, build('/c/ffmpeg', '9.0.1')], { allowed: false });
  assert.deepEqual([told.used, told.refused?.hole, told.better?.index], [0, 'CVE-2022-2566', 1]);
});

test('ffprobe opens films too: its holes count as those of its ffmpeg', () => {
  const probe = { path: '/old/ffprobe', version: '5.1', release: [5, 1, 0], year: 2022, beside: false };
  const choice = chooseFfmpeg([build('/b/ffmpeg', '9.0.1', { ffprobe: probe })], { allowed: false });
  assert.match(choice.refused?.says ?? '', /^ffprobe 5\.1 at \/old\/ffprobe has the hole CVE-2022-2566/);
});

test('the one in use stays after an upgrade of another one, which is named as the better', () => {
  const [used, better] = [build('/a/ffmpeg', '8.0.1'), build('/b/ffmpeg', '9.0.1')];
  const choice = chooseFfmpeg([used, better], { allowed: false, stay: 0 });
  assert.deepEqual([choice.used, choice.better?.index], [0, 1]);
  assert.match(ffmpegsInWords({ builds: [used, better], used: 0, allowed: false }).better, /taken at the next start/);
});
