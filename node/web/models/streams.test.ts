import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkPlan } from '../../core/plan.ts';
import { probe } from '../../testing/page-sample.ts';
import { pngRow } from '../png.ts';
import { streamRows } from './streams.ts';

const plan: WorkPlan = {
  action: 'transcode',
  reason: { code: 'not-hevc' },
  container: 'matroska',
  extension: '.mkv',
  streams: [
    { index: 0, kind: 'video', action: 'encode', codec: 'hevc', note: null },
    { index: 1, kind: 'audio', action: 'copy', codec: 'truehd', note: null },
    {
      index: 3,
      kind: 'subtitle',
      action: 'convert',
      codec: 'subrip',
      note: { code: 'styling-lost', params: { from: 'mov_text', to: 'subrip' } },
    },
  ],
  dropped: [{ index: 2, reason: { code: 'cancelled-by-person', params: { by: 'Ada' } } }],
  video: { bitDepth: 10, deinterlace: false },
  expectedBytes: 4e9,
};

const fates = (rows: ReturnType<typeof streamRows>): Record<string, string> =>
  Object.fromEntries(rows.map((row) => [row.what, row.fate.word]));

test('each stream of the original says what will become of it, and afterwards what became of it', () => {
  const before = probe('h264', 8, 10e9);
  const planned = streamRows(before, plan, null);
  assert.deepEqual(
    ['Video 0', 'Audio 1', 'Audio 2', 'Subtitles 3'].map((what) => fates(planned)[what]),
    ['will be encoded', 'stays as it is', 'will be left out', 'will be converted'],
  );
  assert.ok(planned.find((row) => row.what === 'Audio 2')?.note, 'a reason');
  const after = probe('hevc', 10, 4e9);
  after.streams.splice(2, 1);
  const done = fates(streamRows(before, plan, after));
  assert.deepEqual(
    ['Video 0', 'Audio 1', 'Audio 2', 'Subtitles 3', 'Length', 'Chapters', 'Size'].map((what) => done[what]),
    ['encoded', 'kept', 'left out', 'converted', 'kept', 'kept', '−60\u00a0%'],
  );
});

test('a stream that is not there, or another one than it was, is never called kept', () => {
  const before = probe('h264', 8, 10e9);
  const after = probe('hevc', 10, 4e9);
  after.streams.splice(1, 3);
  assert.equal(fates(streamRows(before, plan, after))['Audio 1'], 'missing');
  const other = probe('hevc', 10, 4e9, { chapters: [] });
  Object.assign(other.streams[1]!, { channels: 2, channelLayout: 'stereo' });
  const said = fates(streamRows(before, plan, other));
  assert.deepEqual([said['Audio 1'], said['Chapters']], ['changed', 'changed']);
});

test('the film’s share is what the sound leaves, and nothing is guessed where a sound is unknown', () => {
  const before = probe('h264', 8, 10e9);
  const share = (): string => streamRows(before, null, null).find((row) => row.what === 'Video 0')!.beforeSize;
  assert.equal(share(), '');
  for (const stream of before.streams) if (stream.kind === 'audio') stream.bitrate = 1_000_000;
  assert.equal(share(), '≈ 8.7\u00a0GB · ≈ 87 %');
});

test('a row of colours is a PNG of one row', () => {
  const png = pngRow(Uint8Array.from([1, 2, 3, 4, 5, 6]));
  assert.equal(png.subarray(1, 4).toString('latin1'), 'PNG');
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [2, 1]);
  assert.throws(() => pngRow(new Uint8Array(2)), TypeError);
});
