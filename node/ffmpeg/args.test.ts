import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Probe, VideoStream } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import { coversToExtract, encodeArguments, type ArgumentsInput } from './args.ts';
import { film as plainFilm } from '../testing/encode-cases.ts';
import { safeGlobals, safeInput } from './sandbox.ts';

const base = { codecTag: null, codecProfile: null, language: null, title: null, startMs: 0, durationMs: 1000, bitrate: null, tags: {} };
/** Its transfer is another than its colours: each of the three has to be said by itself. */
const film: VideoStream = { ...plainFilm, color: { ...plainFilm.color, transfer: 'bt470bg' } };
const cover: VideoStream = { ...film, index: 2, codec: 'png', disposition: ['attached_pic'], tags: { filename: 'c.png' } };
const probe: Probe = {
  container: 'matroska',
  formatName: 'matroska,webm',
  durationMs: 1000,
  sizeBytes: 1000,
  bitrate: null,
  startMs: 0,
  chapters: [],
  tags: {},
  warnings: [],
  probedBy: '5.1',
  streams: [film, { ...base, kind: 'subtitle', index: 1, codec: 'mov_text', disposition: ['forced'] }, cover],
};
const plan: WorkPlan = {
  action: 'transcode',
  reason: { code: 'not-hevc' },
  container: 'matroska',
  extension: '.mkv',
  dropped: [],
  expectedBytes: 1,
  video: { bitDepth: 10, deinterlace: false },
  streams: [
    { index: 0, kind: 'video', action: 'encode', codec: 'hevc', note: null },
    { index: 1, kind: 'subtitle', action: 'convert', codec: 'subrip', note: null },
    { index: 2, kind: 'video', action: 'copy', codec: 'png', note: null },
  ],
};
const job: ArgumentsInput = {
  plan,
  profile: defaultProfile,
  probe,
  input: '/in/-a%03d.mkv',
  output: '/space/1.part',
  encoder: { name: 'libx265', device: null },
  release: [5, 1, 9],
};

/** The codec's own part of the command; those of every encoder are in golden/. */
const x265 = '-c:0 libx265 -preset:0 medium -crf:0 22 -profile:0 main10 -x265-params:0 log-level=error -pix_fmt:0 yuv420p10le';

describe('the arguments of an encode', () => {
  test('are, in full, for libx265', () => {
    assert.deepEqual(encodeArguments({ ...job, covers: [{ index: 2, file: '/space/1.part.cover2' }] }), [
      ...safeGlobals,
      '-v',
      'warning',
      ...safeInput,
      '-noautorotate',
      '-i',
      'file:/in/-a%03d.mkv',
      '-map',
      '0:0',
      '-map',
      '0:1',
      '-attach',
      'file:/space/1.part.cover2',
      '-map_metadata',
      '0',
      '-map_chapters',
      '0',
      ...x265.split(' '),
      '-fps_mode:0',
      'passthrough',
      '-enc_time_base:0',
      '-1',
      '-color_range:0',
      'tv',
      '-colorspace:0',
      'bt709',
      '-color_trc:0',
      'gamma28',
      '-color_primaries:0',
      'bt709',
      '-disposition:0',
      'default',
      '-c:1',
      'srt',
      '-disposition:1',
      'forced',
      '-metadata:s:2',
      'mimetype=image/png',
      '-metadata:s:2',
      'filename=c.png',
      '-max_muxing_queue_size',
      '4096',
      '-default_mode',
      'passthrough',
      '-f',
      'matroska',
      '-progress',
      'pipe:1',
      '-nostats',
      '-stats_period',
      '0.5',
      '-n',
      'file:/space/1.part',
    ]);
  });

  test('carry HDR10 to x265 and drop statistics of the old encode', () => {
    const hdr: VideoStream = {
      ...film,
      tags: { 'BPS-eng': '1', NUMBER_OF_FRAMES: '2', title: 'x' },
      hdr: { kind: 'hdr10', dolbyVisionProfile: null, masteringDisplay: 'G(1,2)B(3,4)R(5,6)WP(7,8)L(9,1)', contentLight: '1000,400' },
    };
    const text = encodeArguments({ ...job, probe: { ...probe, streams: [hdr, ...probe.streams.slice(1)] } }).join(' ');
    assert.match(
      text,
      /log-level=error:hdr10=1:hdr10-opt=1:repeat-headers=1:master-display=G\(1,2\)B\(3,4\)R\(5,6\)WP\(7,8\)L\(9,1\):max-cll=1000,400/,
    );
    assert.match(text, /-metadata:s:0 BPS-eng= -metadata:s:0 NUMBER_OF_FRAMES= /);
  });

  test('deinterlace frame by frame, keep full range, and speak newer ffmpeg’s words', () => {
    const fields: VideoStream = { ...film, fieldOrder: 'bb', pixelFormat: 'yuvj420p', color: { ...film.color, range: 'pc' } };
    const text = encodeArguments({
      ...job,
      release: [7, 0, 0],
      plan: { ...plan, container: 'mp4', video: { bitDepth: 8, deinterlace: true } },
      probe: { ...probe, streams: [fields, ...probe.streams.slice(1)] },
    }).join(' ');
    assert.match(text, /-filter:0 bwdif=mode=send_frame:parity=bff:deint=all,scale=in_range=pc:out_range=pc /);
    assert.match(text, /-enc_time_base:0 demux/);
    assert.match(text, /-tag:0 hvc1 .*-movflags \+faststart -f mp4/);
  });

  test('take covers out only for Matroska', () => {
    assert.deepEqual(coversToExtract(plan, probe), [2]);
    assert.deepEqual(coversToExtract({ ...plan, container: 'mp4' }, probe), []);
  });

  test('refuse a relative path and a container without a muxer', () => {
    assert.throws(() => encodeArguments({ ...job, input: '-version.mkv' }), TypeError);
    assert.throws(() => encodeArguments({ ...job, plan: { ...plan, container: 'avi' } }), TypeError);
    assert.throws(() => encodeArguments({ ...job, encoder: null }), TypeError);
    assert.throws(() => encodeArguments({ ...job, encoder: { name: 'libsvtav1', device: null } }), TypeError);
  });
});
