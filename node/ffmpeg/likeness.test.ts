import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { pictureFault, type PieceFinding } from '../core/likeness.ts';
import { compareLikeness } from './likeness.ts';
import type { Tools } from './locate.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { probeFile } from './probe.ts';

/** Real encodes, good and bad ones: what the floors of core/likeness.ts are held to. */
const folder = await mkdtemp(join(tmpdir(), 'codecshift-likeness-'));
after(() => rm(folder, { recursive: true, force: true }));
let tools: Tools;
before(async () => void (tools = await oneFfmpeg()));

const x265 = (quality: number): string[] => [
  ...['-c:v', 'libx265', '-preset', 'ultrafast', '-crf', String(quality), '-x265-params', 'log-level=none', '-fps_mode', 'passthrough'],
];
const wasteful = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '10', '-pix_fmt', 'yuv420p'];
const films: Record<string, string> = {
  'a lively one': 'testsrc2=s=320x180:r=25:d=2',
  'a grainy one': 'testsrc2=s=320x180:r=25:d=2,noise=alls=60:allf=t+u',
  'a dark and grainy one': 'mandelbrot=s=320x180:r=25,trim=end=2,eq=brightness=-0.35:contrast=0.4,noise=alls=12:allf=t',
  'a slow one': 'mandelbrot=s=320x180:r=25:end_pts=2000,trim=end=2',
  'one that stands still': 'smptebars=s=320x180:r=25:d=2',
};

describe('a faithful copy at the lowest quality shows the same film:', () => {
  for (const [name, source] of Object.entries(films))
    test(name, async () => {
      const original = await make(`${name}.mkv`, ['-f', 'lavfi', '-i', source, ...wasteful]);
      assert.deepEqual(faults(await look(original, await make(`${name}-34.mkv`, ['-i', original, ...x265(34)]))), [], name);
    });

  test('in another container, from one without an index', async () => {
    const original = await make('film.ts', ['-f', 'lavfi', '-i', 'testsrc2=s=320x180:r=25:d=9', '-bf', '2', '-g', '100', ...wasteful]);
    assert.deepEqual(faults(await look(original, await make('film-of-ts.mkv', ['-i', original, ...x265(30)]))), []);
  });
});

describe('other pictures are seen:', () => {
  const wrongs: [string, string, string[]][] = [
    ['black ones', 'a lively one', ['-vf', 'drawbox=t=fill:c=black']],
    ['black ones of a dark film', 'a dark and grainy one', ['-vf', 'drawbox=t=fill:c=black']],
    ['green ones', 'a lively one', ['-vf', 'lutyuv=u=60:v=60']],
    ['half decoded ones', 'a lively one', ['-vf', 'drawbox=y=ih/2:h=ih/2:c=gray:t=fill']],
    ['frozen ones', 'a lively one', ['-vf', 'trim=end_frame=20,tpad=stop_mode=clone:stop=30']],
    ['five frames late', 'a lively one', ['-vf', 'tpad=start=5:start_mode=clone,trim=end_frame=50']],
    ['five frames late in a slow and grainy film', 'a dark and grainy one', ['-vf', 'tpad=start=5:start_mode=clone,trim=end_frame=50']],
  ];
  for (const [name, film, change] of wrongs)
    test(name, async () => {
      const original = await make(`${name}.mkv`, ['-f', 'lavfi', '-i', films[film]!, ...wasteful]);
      const output = await make(`${name}-wrong.mkv`, ['-i', original, ...change, ...x265(24)]);
      assert.notDeepEqual(faults(await look(original, output)), [], name);
    });

  test('another film of the same length', async () => {
    const original = await make('one.mkv', ['-f', 'lavfi', '-i', films['a lively one']!, ...wasteful]);
    const other = await make('other.mkv', ['-f', 'lavfi', '-i', films['a slow one']!, ...x265(24)]);
    assert.deepEqual(faults(await look(original, other)), ['other-pictures']);
  });

  test('one spoilt minute of three, wherever it is', async () => {
    const original = await make('long.mkv', ['-f', 'lavfi', '-i', 'testsrc2=s=64x36:r=5:d=180', ...wasteful]);
    for (const from of [0, 38]) {
      const spoilt = `drawbox=t=fill:c=gray:enable='between(t,${from},${from + 60})'`;
      const output = await make(`long-${from}.mkv`, ['-i', original, '-vf', spoilt, ...x265(28)]);
      assert.notDeepEqual(faults(await look(original, output, true)), [], `from ${from} s`);
    }
  });
});

async function look(original: string, output: string, thorough = false): Promise<PieceFinding[]> {
  const [originalProbe, outputProbe] = [await probeFile({ tools, path: original }), await probeFile({ tools, path: output })];
  const found = await compareLikeness({ tools, original, output, originalProbe, outputProbe, thorough });
  assert.ok(found.length > 0 && found.every((piece) => piece.pictures > 0), 'the original was seen');
  return found;
}

function faults(found: PieceFinding[]): string[] {
  return found.map(pictureFault).filter((fault) => fault !== null);
}

async function make(name: string, args: string[]): Promise<string> {
  const file = join(folder, name);
  await promisify(execFile)(tools.ffmpeg.path, ['-v', 'error', '-nostdin', '-y', ...args, file]);
  return file;
}
