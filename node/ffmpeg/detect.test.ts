import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { VideoStream } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import { everyFfmpeg } from '../testing/ffmpeg-tools.ts';
import { detectEncoders } from './detect.ts';
import { parseRelease } from './examine.ts';
import { locateTools } from './locate.ts';
import { probeFile } from './probe.ts';
import { progressOf, progressParser, type ProgressBlock } from './progress.ts';
import { transcode } from './transcode.ts';

const folder = await mkdtemp(join(tmpdir(), 'codecshift-detect-'));
after(() => rm(folder, { recursive: true, force: true }));

for (const { name, tools } of await everyFfmpeg()) {
  test(`${name} proves the software encoders in 8 and 10 bit and with HDR10, and says why each other does not work`, async () => {
    const heard: string[] = [];
    const reports = await detectEncoders({ tools, onResult: (r) => heard.push(r.name) });
    assert.deepEqual(
      heard,
      reports.map((r) => r.name),
    );
    const software = reports.filter((r) => !r.hardware);
    assert.deepEqual(
      software.map((r) => [r.name, r.codec, r.works, r.tenBit, r.hdr10]),
      [
        ['libx265', 'hevc', true, true, true],
        ['libsvtav1', 'av1', true, true, true],
      ],
    );
    for (const report of reports) assert.ok(report.works || report.reason, report.name);
  });

  for (const [encoder, codec] of [
    ['libx265', 'hevc'],
    ['libsvtav1', 'av1'],
  ] as const)
    test(`HDR10 comes through ${encoder} of ${name}`, async () => {
      const input = join(folder, `hdr-${codec}-${tools.ffmpeg.from}.mkv`);
      const master = 'G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)';
      execFileSync(tools.ffmpeg.path, [
        '-v',
        'error',
        '-nostdin',
        '-f',
        'lavfi',
        '-i',
        'testsrc2=s=320x180:r=25:d=1',
        '-pix_fmt',
        'yuv420p10le',
        '-c:v',
        'libx265',
        '-preset',
        'ultrafast',
        '-x265-params',
        `log-level=error:hdr10=1:repeat-headers=1:master-display=${master}:max-cll=1000,400`,
        '-color_primaries',
        'bt2020',
        '-color_trc',
        'smpte2084',
        '-colorspace',
        'bt2020nc',
        '-color_range',
        'tv',
        input,
      ]);
      const probe = await probeFile({ tools, path: input });
      const plan: WorkPlan = {
        action: 'transcode',
        reason: { code: 'not-hevc' },
        container: 'matroska',
        extension: '.mkv',
        dropped: [],
        expectedBytes: 1,
        video: { bitDepth: 10, deinterlace: false },
        streams: [{ index: 0, kind: 'video', action: 'encode', codec, note: null }],
      };
      const output = `${input}.out`;
      await transcode({
        tools,
        plan,
        profile: { ...defaultProfile, speed: 'fast' },
        probe,
        encoder: { name: encoder, device: null },
        input,
        output,
        stallMs: 60_000,
        maxOutputBytes: 1e8,
      });
      const [before, made] = [probe.streams[0] as VideoStream, (await probeFile({ tools, path: output })).streams[0] as VideoStream];
      assert.deepEqual(before.hdr, { kind: 'hdr10', dolbyVisionProfile: null, masteringDisplay: master, contentLight: '1000,400' });
      assert.deepEqual([made.hdr, made.color], [before.hdr, before.color]);
    });
}

test('a configured ffmpeg that does not work is an error, and never replaced by another', async () => {
  const fake = join(folder, 'ffmpeg');
  await writeFile(fake, '#!/bin/sh\necho hello\n', { mode: 0o755 });
  await assert.rejects(locateTools({ configured: { ffmpeg: fake } }), /The configured ffmpeg at .* cannot be used: it is not ffmpeg/);
});

test('versions are read', () => {
  assert.deepEqual(parseRelease('5.1.9-0+deb12u1'), [5, 1, 9]);
  assert.deepEqual(parseRelease('n7.0-7-gd38bf5e08e'), [7, 0, 0]);
  assert.equal(parseRelease('N-66595-gc2b38619c0-static'), null);
});

test('progress is read block by block; nonsense in it is nothing', () => {
  const blocks: ProgressBlock[] = [];
  const feed = progressParser((b) => blocks.push(b));
  for (const line of [
    'frame=10',
    'fps=0.00',
    'out_time_us=-9223372036854775807',
    'total_size=N/A',
    'speed=N/A',
    'progress=continue',
    '',
    'frame=50',
    'fps=25',
    'out_time_us=5000000',
    'total_size=1000',
    'speed=2.5x',
    'progress=end',
  ])
    feed(line);
  assert.deepEqual(blocks[0], { frame: 10, fps: 0, outTimeMs: null, totalSize: null, speed: null, ended: false });
  const shown = progressOf(blocks[1]!, { durationMs: 10_000, lastPercent: 0, paused: false });
  assert.deepEqual(shown, { percent: 50, fps: 25, speed: 2.5, leftMs: 2000, outputBytes: 1000, expectedBytes: null, paused: false });
  assert.equal(progressOf({ ...blocks[1]!, outTimeMs: 99_000 }, { durationMs: 10_000, lastPercent: 0, paused: false }).percent, 99);
  assert.equal(progressOf(blocks[0]!, { durationMs: null, lastPercent: 7, paused: false }).percent, 7);
});
