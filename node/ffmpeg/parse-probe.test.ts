import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VideoStream } from '../core/media.ts';
import { parseProbe } from './parse-probe.ts';
import type { Json } from './probe-values.ts';
import { chromaOf, depthOf, hasAlpha } from './pixel-format.ts';

const parse = (description: Json, frames: Json[] = []) =>
  parseProbe({ description, frames: { index: 0, frames }, sizeBytes: 10, hints: {}, warnings: [], probedBy: '5.1' });
const video = (fields: Json, frames: Json[] = []) =>
  parse({ streams: [{ index: 0, codec_type: 'video', ...fields }] }, frames).streams[0] as VideoStream;

test('an empty answer, and one with every value of the wrong kind, is still a probe', () => {
  assert.deepEqual(parse({}).streams, []);
  const odd = parse({
    format: 7,
    streams: [null, 3, { index: {}, codec_type: 'video', width: 'wide', tags: [1], disposition: 'all', side_data_list: 'x' }],
    chapters: {},
  });
  assert.equal(odd.container, 'unknown');
  assert.deepEqual(
    odd.streams.map((s) => s.index),
    [0, 1, 2],
  );
  assert.equal((odd.streams[2] as VideoStream).width, 0);
});

test('numbers that are none, negative or endless become null', () => {
  const stream = video({
    duration: 'N/A',
    bit_rate: '-5',
    nb_frames: 'NaN',
    r_frame_rate: '0/0',
    avg_frame_rate: '1e400/1',
    sample_aspect_ratio: '0:1',
  });
  assert.deepEqual(
    [stream.durationMs, stream.bitrate, stream.frames, stream.frameRate, stream.averageFrameRate, stream.sampleAspectRatio],
    [null, null, null, null, null, null],
  );
});

test('tags are bounded, free of NUL and half characters, and cannot touch a prototype', () => {
  const tags: Record<string, string> = JSON.parse('{"__proto__":"x","a":"\\u0000b\\ud800"}') as Record<string, string>;
  for (let i = 0; i < 500; i += 1) tags[`k${i}`] = 'v'.repeat(5000);
  const probe = parse({ format: { tags }, streams: Array.from({ length: 150 }, (_, index) => ({ index, codec_type: 'audio', tags })) });
  assert.ok(JSON.stringify(probe).length <= 100_000);
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
  const small = parse({ format: { tags: { a: '\0b\ud800' } } });
  assert.equal(small.tags['a'], 'b\ufffd');
});

test('a quarter turn is told clockwise, from the matrix or the old tag', () => {
  assert.equal(video({ side_data_list: [{ side_data_type: 'Display Matrix', rotation: -90 }] }).rotation, 90);
  assert.equal(video({ tags: { rotate: '270' } }).rotation, 270);
  assert.equal(video({}).rotation, 0);
});

test('interlaced frames correct a container that says progressive', () => {
  assert.equal(video({ field_order: 'progressive' }, [{ interlaced_frame: 1, top_field_first: 0 }]).fieldOrder, 'bb');
  assert.equal(video({}, [{ interlaced_frame: 0 }]).fieldOrder, 'progressive');
  assert.equal(video({}).fieldOrder, 'unknown');
});

test('captions inside the pictures and transparency beside them are seen', () => {
  assert.equal(video({}, [{ side_data_list: [{ side_data_type: 'ATSC A53 Part 4 Closed Captions' }] }]).closedCaptions, true);
  assert.equal(video({ codec_name: 'vp9', pix_fmt: 'yuv420p', tags: { alpha_mode: '1' } }).hasAlpha, true);
});

test('pixel formats tell depth, chroma and transparency', () => {
  const cases: [string, number | null, string | null, boolean][] = [
    ['yuv420p', 8, '4:2:0', false],
    ['yuvj420p', 8, '4:2:0', false],
    ['nv12', 8, '4:2:0', false],
    ['p010le', 10, '4:2:0', false],
    ['yuv420p10le', 10, '4:2:0', false],
    ['yuv422p10le', 10, '4:2:2', false],
    ['p210le', 10, '4:2:2', false],
    ['yuv444p12le', 12, '4:4:4', false],
    ['yuva444p10le', 10, '4:4:4', true],
    ['gbrp10le', 10, 'rgb', false],
    ['gray10le', 10, '4:0:0', false],
    ['rgb48le', 16, 'rgb', false],
    ['yuv411p', 8, null, false],
    ['pal8', 8, 'rgb', true],
    ['martian', null, null, false],
  ];
  for (const [format, depth, chroma, alpha] of cases)
    assert.deepEqual([depthOf(format), chromaOf(format), hasAlpha(format)], [depth, chroma, alpha], format);
});
