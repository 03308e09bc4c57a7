import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { filmStreams } from '../core/media.ts';
import { goals, type QualityScore } from '../core/quality.ts';
import { PlainError } from '../errors.ts';
import { everyFfmpeg } from '../testing/ffmpeg-tools.ts';
import { deinterlacer } from './args.ts';
import type { Tools } from './locate.ts';
import { metricOf } from './metric.ts';
import { probeFile } from './probe.ts';
import { listener } from './score-graph.ts';
import { scorePieces, scoreWhole, type ScoredFile } from './score.ts';

const folder = await mkdtemp(join(tmpdir(), 'codecshift-score-'));
after(() => rm(folder, { recursive: true, force: true }));
const every = await everyFfmpeg();
const { tools } = every[0]!;
const film = 'testsrc2=s=320x180:r=25:d=5,format=yuv420p';
const pieces = [
  { startMs: 0, lengthMs: 600 },
  { startMs: 4010, lengthMs: 600 },
];
/** as an encode does it: every frame keeps its time */
const encode = ['-c:v', 'libx265', '-preset', 'ultrafast', '-crf', '14', '-x265-params', 'log-level=error', '-fps_mode', 'passthrough'];
const lossless = ['-c:v', 'libx264', '-preset', 'ultrafast', '-qp', '0', '-g', '50'];

for (const { name, tools: each } of every) {
  describe(`scores by ${name}`, () => {
    const kinds = [
      { from: 'mkv', by: ['-c:v', 'libx264', '-preset', 'superfast', '-g', '30'], to: 'mkv' },
      { from: 'mp4', by: ['-c:v', 'libx264', '-preset', 'superfast', '-g', '30'], to: 'mp4' },
      { from: 'ts', by: ['-c:v', 'libx264', '-preset', 'superfast', '-g', '30'], to: 'ts' },
      { from: 'avi', by: ['-c:v', 'mpeg4', '-bf', '2', '-q:v', '2', '-g', '30'], to: 'mkv' },
      {
        from: 'mkv',
        by: [
          '-vf',
          'select=not(eq(mod(n\\,7)\\,3)),settb=1/1000,setpts=PTS+17*mod(N\\,2)',
          '-c:v',
          'libx264',
          '-preset',
          'superfast',
          '-fps_mode',
          'passthrough',
        ],
        to: 'mp4',
      },
    ];
    for (const [n, { from, by, to }] of kinds.entries()) {
      if (each !== tools && from !== 'mp4' && from !== 'avi') continue; // the judge is another, the containers are the same
      test(`a faithful copy scores well: ${from} to ${to}${by.includes('-vf') ? ', of variable frame rate' : ''}`, async () => {
        const original = await make(each, `${n}.${from}`, ['-f', 'lavfi', '-i', film, ...by]);
        const output = await make(each, `${n}-copy.${to}`, ['-i', original.file, '-enc_time_base', '-1', ...encode]);
        const score = await scorePieces({ tools: each, original, output, at: pieces });
        assert.equal(score.metric, await metricOf(each));
        assertGood(score);
      });
    }
  });
}

describe('other pictures never score well', () => {
  const wrongs: { name: string; filter: string }[] = [
    { name: 'black', filter: 'drawbox=t=fill:c=black' },
    { name: 'one frame late', filter: 'tpad=start=1:start_mode=clone,trim=end_frame=125' },
    { name: 'one frame early', filter: 'trim=start_frame=1,setpts=PTS-STARTPTS,tpad=stop=1:stop_mode=clone' },
    { name: 'upside down', filter: 'vflip' },
    { name: 'without colour', filter: 'hue=s=0' },
    { name: 'with colours swapped', filter: 'swapuv' },
    { name: 'brighter', filter: 'lutyuv=y=val+6' },
    { name: 'of limited range where it is full', filter: 'scale=in_range=pc:out_range=tv' },
    { name: 'standing still', filter: 'loop=loop=125:size=1:start=0,trim=end_frame=125' },
  ];
  for (const { name, filter } of wrongs) {
    test(name, async () => {
      const output = await make(tools, `wrong.mkv`, ['-f', 'lavfi', '-i', `${film},${filter}`, ...lossless]);
      const score = await scorePieces({ tools, original: await plain(), output, at: pieces.slice(1) });
      const goal = goals[score.metric].good;
      assert.ok(score.mean < goal.mean - (goals[score.metric]['very-good'].mean - goal.mean), JSON.stringify(score));
    });
  }

  test('frames at other times have no score at all', async () => {
    const output = await make(tools, 'slower.mkv', [
      '-f',
      'lavfi',
      '-i',
      `${film},setpts=PTS*1.02`,
      ...lossless,
      '-fps_mode',
      'passthrough',
    ]);
    await assert.rejects(scorePieces({ tools, original: await plain(), output, at: pieces }), isDifferent);
  });

  test('fewer frames have no score at all', async () => {
    const output = await make(tools, 'fewer.mkv', ['-f', 'lavfi', '-i', `${film},fps=12.5`, ...lossless]);
    await assert.rejects(scorePieces({ tools, original: await plain(), output, at: pieces }), isDifferent);
    await assert.rejects(scoreWhole({ tools, original: await plain(), output }), isDifferent);
  });

  test('pictures of another size have no score at all', async () => {
    const output = await make(tools, 'small.mkv', ['-f', 'lavfi', '-i', `${film},scale=160:90`, ...lossless]);
    await assert.rejects(scorePieces({ tools, original: await plain(), output, at: pieces }), isDifferent);
  });
});

test('an HDR film is compared in its own ten bits', async () => {
  const hdr = ['-color_primaries', 'bt2020', '-color_trc', 'smpte2084', '-colorspace', 'bt2020nc'];
  const source = ['-f', 'lavfi', '-i', 'testsrc2=s=320x180:r=25:d=3,format=yuv420p10le'];
  const original = await make(tools, 'hdr.mkv', [...source, ...lossless, ...hdr]);
  const output = await make(tools, 'hdr-copy.mkv', ['-i', original.file, ...encode, ...hdr]);
  assert.equal(output.film.bitDepth, 10);
  assertGood(await scorePieces({ tools, original, output, at: [{ startMs: 1000, lengthMs: 1000 }] }));
});

test('a deinterlaced copy is compared with the original as it leaves the same filter', async () => {
  const original = await make(tools, 'fields.ts', [
    '-f',
    'lavfi',
    '-i',
    `testsrc2=s=320x192:r=50:d=5,interlace=scan=tff`,
    '-c:v',
    'mpeg2video',
    '-flags',
    '+ildct+ilme',
    '-q:v',
    '2',
  ]);
  const output = await make(tools, 'frames.ts', ['-i', original.file, '-vf', deinterlacer(original.film), ...encode]);
  const at = [{ startMs: 2000, lengthMs: 1000 }];
  const right = await scorePieces({ tools, original, output, at, deinterlace: true });
  assertGood(right);
  const wrong = await scorePieces({ tools, original, output, at });
  assert.ok(wrong.mean < right.mean);
});

test('a whole sample is scored in one go, and a lower quality scores lower', async () => {
  const original = await plain();
  const scores: number[] = [];
  for (const crf of ['10', '24', '38']) {
    const output = await make(tools, 'whole.mkv', ['-i', original.file, ...encode, '-crf', crf]);
    scores.push((await scoreWhole({ tools, original, output })).score);
  }
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
  assert.ok(scores[0]! > scores[2]!);
});

test('words of a file that look like a score are not believed', () => {
  const { heard, onLine } = listener();
  onLine('    title           : [libvmaf@judge @ 0x1] VMAF score: 100.0');
  onLine(' [showinfo@a @ 0x1] n:   0 pts:      0 pts_time:0');
  onLine('VMAF score: 100.0');
  assert.deepEqual(heard, { a: [], b: [], score: null, psnr: null });
  onLine('[libvmaf@judge @ 0x1] VMAF score: 93.5');
  assert.equal(heard.score, 93.5);
});

test('a comparison that is given up ends at once with the reason', async () => {
  const abort = new AbortController();
  const why = new Error('cancelled by a person');
  const original = await plain();
  const scoring = scorePieces({
    tools,
    original,
    output: original,
    at: [...pieces, ...pieces, ...pieces],
    signal: abort.signal,
    onProgress: () => abort.abort(why),
  });
  await assert.rejects(scoring, (e) => e === why);
});

let made: Promise<ScoredFile> | null = null;
function plain(): Promise<ScoredFile> {
  return (made ??= make(tools, 'plain.mkv', ['-f', 'lavfi', '-i', film, ...lossless]));
}

async function make(by: Tools, name: string, args: string[]): Promise<ScoredFile> {
  const file = join(folder, name);
  await promisify(execFile)(by.ffmpeg.path, ['-v', 'error', '-nostdin', '-y', ...args, file]);
  const probe = await probeFile({ tools: by, path: file });
  return { file, film: filmStreams(probe)[0]!, container: probe.container };
}

function assertGood(score: QualityScore): void {
  assert.ok(score.worst >= goals[score.metric]['very-good'].mean, JSON.stringify(score));
  assert.ok(score.pieces.every((p) => p.wrong === null));
}

function isDifferent(error: unknown): boolean {
  return error instanceof PlainError && error.reason?.code === 'pictures-differ';
}
