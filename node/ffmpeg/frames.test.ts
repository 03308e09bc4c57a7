import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { before, describe, test, type TestContext } from 'node:test';
import { filmStreams } from '../core/media.ts';
import { isJpeg, MAX_PICTURE_BYTES } from '../core/pictures.ts';
import { clip } from '../testing/media.ts';
import { filtersOf } from './filters.ts';
import { comparisonFrames, type FramePair } from './frames.ts';
import { splitJpegs } from './jpegs.ts';
import type { Tools } from './locate.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { probeFile } from './probe.ts';

/**
 * Every frame of these films carries its number as sixteen stripes, black or white, high enough to survive any encode and
 * scaling, over a moving picture. What a JPEG shows is read back from its pixels.
 */
let tools: Tools;
before(async () => void (tools = await oneFfmpeg()));

const BITS = 8;

function numbered(size: string, rate: number, seconds: number): string {
  const [width, height] = size.split('x').map(Number) as [number, number];
  const stripe = Math.floor(width / BITS);
  const boxes = Array.from(
    { length: BITS },
    (_, bit) =>
      `drawbox=x=${bit * stripe}:y=${Math.floor(height / 3)}:w=${stripe}:h=${Math.floor(height / 3)}:t=fill:color=white:enable='mod(floor(n/${2 ** bit}),2)',` +
      `drawbox=x=${bit * stripe}:y=${Math.floor(height / 3)}:w=${stripe}:h=${Math.floor(height / 3)}:t=fill:color=black:enable='not(mod(floor(n/${2 ** bit}),2))'`,
  );
  return `testsrc2=s=${size}:r=${rate}:d=${seconds},${boxes.join(',')}`;
}

/** The numbers that pictures of one film show, from the middle of each stripe; turned back first when the film is turned. */
function numbersIn(jpegs: Buffer[], turn: string | null = null): number[] {
  const filters = [turn, `scale=${BITS * 8}:24:flags=area`, 'format=gray'].filter(Boolean).join(',');
  const read = ['-f', 'image2pipe', '-c:v', 'mjpeg', '-i', '-', '-vf', filters, '-fps_mode', 'passthrough', '-f', 'rawvideo', '-'];
  const grey = execFileSync(tools.ffmpeg.path, ['-v', 'error', ...read], { input: Buffer.concat(jpegs) });
  assert.equal(grey.length, jpegs.length * BITS * 8 * 24, 'each picture can be read');
  return jpegs.map((_, n) => {
    let number = 0;
    for (let bit = 0; bit < BITS; bit++) if (grey[n * BITS * 8 * 24 + 12 * BITS * 8 + bit * 8 + 4]! > 128) number |= 1 << bit;
    return number;
  });
}

interface Stage {
  folder: string;
  make(name: string, args: string[]): string;
  pairs(original: string, output: string, deinterlace?: boolean, limitMs?: number): Promise<FramePair[]>;
}

function stage(t: TestContext): Stage {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'codecshift-frames-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const draft = path.join(folder, 'draft');
  mkdirSync(draft);
  return {
    folder,
    make(name, args) {
      const file = path.join(folder, name);
      execFileSync(tools.ffmpeg.path, ['-v', 'error', '-nostdin', '-y', ...args, file]);
      return file;
    },
    async pairs(original, output, deinterlace = false, limitMs = 60_000) {
      const [originalProbe, outputProbe] = await Promise.all([original, output].map((file) => probeFile({ tools, path: file })));
      return comparisonFrames({
        tools,
        original,
        output,
        originalProbe: originalProbe!,
        outputProbe: outputProbe!,
        plan: { video: { bitDepth: 8, deinterlace } },
        directory: draft,
        limitMs,
        signal: t.signal,
      });
    },
  };
}

const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '20', '-bf', '2'];
const hevc = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', '-crf', '28', '-fps_mode', 'passthrough'];

function assertSame(pairs: FramePair[], turn: string | null = null, wanted = 5): void {
  assert.equal(pairs.length, wanted);
  const numbers = numbersIn(
    pairs.flatMap((pair) => [pair.before, pair.after]),
    turn,
  );
  const shown = pairs.map((_, n) => [numbers[2 * n], numbers[2 * n + 1]]);
  assert.deepEqual(
    shown.map(([a]) => a),
    shown.map(([, b]) => b),
    'another frame than the original’s',
  );
  assert.equal(new Set(shown.map(([a]) => a)).size, wanted, 'spread over the film');
  for (const pair of pairs) for (const jpeg of [pair.before, pair.after]) assert.ok(isJpeg(jpeg) && jpeg.length <= MAX_PICTURE_BYTES);
}

describe('the same frame on both sides', () => {
  for (const [from, to, input] of [
    ['mp4', 'mp4', []],
    ['ts', 'mkv', ['-output_ts_offset', '7']],
    ['avi', 'mkv', []],
  ] as const) {
    test(`from ${from} to ${to}, with sound that begins earlier`, async (t) => {
      const s = stage(t);
      const offset = from === 'avi' ? [] : ['-itsoffset', '0.4'];
      const codec = from === 'avi' ? ['-c:v', 'mpeg4', '-q:v', '3', '-bf', '2', '-g', '20'] : h264;
      const original = s.make(`a.${from}`, [
        '-f',
        'lavfi',
        '-i',
        'sine=d=4',
        ...offset,
        '-f',
        'lavfi',
        '-i',
        numbered('192x108', 15, 4),
        '-map',
        '1',
        '-map',
        '0',
        ...codec,
        ...input,
      ]);
      assertSame(await s.pairs(original, s.make(`b.${to}`, ['-i', original, '-map', '0', ...hevc, '-c:a', 'copy'])));
    });
  }

  test('with frames that last differently, stretched to the shape of its pixels', async (t) => {
    const s = stage(t);
    const variable = `${numbered('180x144', 30, 4)},setsar=64/45,select='not(mod(n,7))+not(mod(n,3))+between(n,45,75)'`;
    const original = s.make('a.mkv', ['-f', 'lavfi', '-i', variable, '-fps_mode', 'passthrough', ...h264]);
    const pairs = await s.pairs(original, s.make('b.mkv', ['-i', original, ...hevc]));
    assertSame(pairs);
    for (const jpeg of [pairs[0]!.before, pairs[0]!.after]) assert.deepEqual(sizeOf(jpeg), [256, 144]);
  });

  test('turned as a player turns it', async (t) => {
    const s = stage(t);
    const straight = s.make('straight.mp4', ['-f', 'lavfi', '-i', numbered('192x108', 15, 4), ...h264]);
    const isOld = (tools.ffmpeg.release?.[0] ?? 9) < 6;
    const turned = isOld ? ['-i', straight, '-metadata:s:v', 'rotate=90'] : ['-display_rotation', '90', '-i', straight];
    const original = s.make('a.mov', [...turned, '-c', 'copy']);
    const output = s.make('b.mov', ['-noautorotate', '-i', original, ...hevc, '-tag:v', 'hvc1']);
    const pairs = await s.pairs(original, output);
    const [width, height] = sizeOf(pairs[0]!.before);
    assert.ok(height > width, `${width}×${height} is not turned`);
    const [film] = filmStreams(await probeFile({ tools, path: original }));
    assertSame(pairs, film!.rotation === 90 ? 'transpose=cclock' : 'transpose=clock');
  });

  test('fields of an interlaced original are put together as the output’s were', async (t) => {
    const s = stage(t);
    const source = `${numbered('192x144', 30, 5)},tinterlace=interleave_top`;
    const original = s.make('a.ts', ['-f', 'lavfi', '-i', source, '-c:v', 'mpeg2video', '-flags', '+ildct+ilme', '-q:v', '3', '-g', '12']);
    const output = s.make('b.mkv', ['-i', original, '-vf', 'bwdif=mode=send_frame:parity=tff:deint=all', ...hevc]);
    assertSame(await s.pairs(original, output, true));
  });
});

test('HDR is shown in ordinary colours on both sides alike', async (t) => {
  const s = stage(t);
  const hdr = ['-color_primaries', 'bt2020', '-color_trc', 'smpte2084', '-colorspace', 'bt2020nc', '-pix_fmt', 'yuv420p10le'];
  const source = `${numbered('192x108', 15, 4)},scale=out_color_matrix=bt2020`;
  const quiet = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none'];
  const original = s.make('a.mkv', ['-f', 'lavfi', '-i', source, ...quiet, '-crf', '12', ...hdr]);
  const pairs = await s.pairs(original, s.make('b.mkv', ['-i', original, ...quiet, '-crf', '26', ...hdr]));
  assertSame(pairs);
  assert.ok(psnr(pairs[0]!.before, pairs[0]!.after) > 28);
  t.diagnostic(`tone-mapped: ${(await filtersOf(tools)).has('zscale')}`);
});

test('noise that no JPEG can hold is shown smaller, within the limit', async (t) => {
  const s = stage(t);
  // not grey: where nothing can be seen, other places would be looked at as well
  const noise = 'testsrc2=s=1280x720:r=2:d=2,noise=alls=100:allf=t';
  const original = s.make('a.mkv', ['-f', 'lavfi', '-i', noise, '-c:v', 'ffv1']);
  const pairs = await s.pairs(original, original);
  assert.ok(pairs.length > 0);
  for (const { before: a } of pairs) assert.ok(a.length <= MAX_PICTURE_BYTES && a.length > 5000, String(a.length));
});

test('a black place gives way to one where something can be seen', async (t) => {
  const s = stage(t);
  const source = `${numbered('192x108', 15, 4)},drawbox=t=fill:color=black:enable='between(t,1.95,2.1)'`;
  const original = s.make('a.mkv', ['-f', 'lavfi', '-i', source, ...h264]);
  const pairs = await s.pairs(original, s.make('b.mkv', ['-i', original, ...hevc]));
  assertSame(pairs);
  assert.ok(!pairs.some((pair) => pair.atMs > 1940 && pair.atMs < 2110), 'it is the black one');
});

test('an output that breaks off gives the frames that it has, and a broken one none', async (t) => {
  const s = stage(t);
  const original = s.make('a.mkv', ['-f', 'lavfi', '-i', numbered('192x108', 15, 4), ...h264]);
  const half = s.make('b.mkv', ['-t', '2.3', '-i', original, ...hevc]);
  assertSame(await s.pairs(original, half), null, 3);
  const broken = await clip('broken');
  const pairs = await s.pairs(broken, half);
  assert.ok(pairs.length <= 5);
});

test('it ends when its time is over, with what it has, and at once when it is given up', async (t) => {
  const s = stage(t);
  const original = s.make('a.mkv', ['-f', 'lavfi', '-i', numbered('192x108', 15, 4), ...h264]);
  assert.deepEqual(await s.pairs(original, original, false, 1), []);
  const probe = await probeFile({ tools, path: original });
  const signal = AbortSignal.abort(new Error('given up'));
  const wish = {
    tools,
    original,
    output: original,
    originalProbe: probe,
    outputProbe: probe,
    plan: { video: null },
    directory: s.folder,
    limitMs: 9,
  };
  await assert.rejects(comparisonFrames({ ...wish, signal }), /given up/);
});

test('pictures written one behind the other are told apart by their markers, and rubbish ends the list', () => {
  const one = Buffer.from('ffd8ffe00004ffd9ffda000412341200ff00ffd0ffd9', 'hex');
  assert.deepEqual(splitJpegs(Buffer.concat([one, one])), [one, one]);
  assert.deepEqual(splitJpegs(Buffer.concat([one, one.subarray(0, 12)])), [one]);
  assert.deepEqual(splitJpegs(Buffer.concat([Buffer.from('nothing'), one])), []);
  assert.deepEqual(splitJpegs(Buffer.alloc(0)), []);
});

function sizeOf(jpeg: Buffer): [number, number] {
  const said = execFileSync(
    tools.ffprobe.path,
    ['-v', 'error', '-f', 'mjpeg', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', '-i', '-'],
    { input: jpeg },
  );
  return said.toString().trim().split(',').map(Number) as [number, number];
}

/** Decibels between two pictures of one size. */
function psnr(a: Buffer, b: Buffer): number {
  const pixels = (jpeg: Buffer): Buffer =>
    execFileSync(tools.ffmpeg.path, ['-v', 'error', '-f', 'mjpeg', '-i', '-', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'], { input: jpeg });
  const [one, other] = [pixels(a), pixels(b)];
  assert.equal(one.length, other.length);
  let sum = 0;
  for (let n = 0; n < one.length; n++) sum += (one[n]! - other[n]!) ** 2;
  return sum === 0 ? 100 : 10 * Math.log10((255 * 255 * one.length) / sum);
}
