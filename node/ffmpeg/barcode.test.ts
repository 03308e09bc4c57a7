import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { before, test, type TestContext } from 'node:test';
import { toOrdinary } from '../core/hdr-colour.ts';
import type { Probe } from '../core/media.ts';
import { clip } from '../testing/media.ts';
import { coarseToFine, filled, filmColours } from './barcode.ts';
import type { Tools } from './locate.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { probeFile } from './probe.ts';

let tools: Tools;
before(async () => void (tools = await oneFfmpeg()));

async function colours(
  t: TestContext,
  file: string,
  more: { budgetMs?: number; signal?: AbortSignal; probe?: Probe } = {},
): Promise<Buffer | null> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'codecshift-colours-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const directory = path.join(folder, 'colours');
  const probe = more.probe ?? (await probeFile({ tools, path: file }));
  const made = await filmColours({ tools, file, probe, directory, budgetMs: 60_000, signal: t.signal, ...more });
  assert.equal(existsSync(directory), false, 'it leaves nothing lying about');
  return made;
}

test('a film that goes from red over green to blue has a strip that does the same', async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'codecshift-colours-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'film.mkv');
  const part = (colour: string): string[] => ['-f', 'lavfi', '-i', `color=${colour}:s=160x90:r=10:d=3`];
  const join = ['-filter_complex', 'concat=n=3', '-c:v', 'libx264', '-g', '5', '-pix_fmt', 'yuv420p', file];
  execFileSync(tools.ffmpeg.path, ['-v', 'error', ...part('red'), ...part('green'), ...part('blue'), ...join]);
  const strip = (await colours(t, file))!;
  assert.equal(strip.length, 36 * 3);
  const strongest = (at: number): number => {
    const column = [...strip.subarray(Math.floor(36 * at) * 3, Math.floor(36 * at) * 3 + 3)];
    return column.indexOf(Math.max(...column));
  };
  assert.deepEqual([0.05, 0.25, 0.5, 0.75, 0.95].map(strongest), [0, 0, 1, 2, 2]);
});

test('a film that cannot be read has no strip, and one that takes too long none either', async (t) => {
  const broken = await clip('broken');
  const made = await colours(t, broken);
  assert.ok(made === null || made.length % 3 === 0);
  const probe = await probeFile({ tools, path: await clip('film') });
  assert.equal(await colours(t, silent(t), { budgetMs: 300, probe }), null);
  await assert.rejects(colours(t, await clip('film'), { signal: AbortSignal.abort(new Error('given up')) }), /given up/);
});

/** A file that opens and never says a byte, as on a disk that hangs. */
function silent(t: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'codecshift-silent-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'film.mkv');
  execFileSync('mkfifo', [file]);
  return file;
}

test('every beginning of the order is spread over the film, and none is twice in it', () => {
  const order = coarseToFine(192);
  assert.deepEqual(
    order.toSorted((a, b) => a - b),
    [...Array(192).keys()],
  );
  const first = order.slice(0, 16).toSorted((a, b) => a - b);
  for (let n = 1; n < first.length; n++) assert.ok(first[n]! - first[n - 1]! <= 24, first.join(' '));
});

test('columns that were not seen are painted between their neighbours', () => {
  assert.deepEqual(filled([null, [0, 0, 0], null, [100, 50, 0], null]), [
    [0, 0, 0],
    [0, 0, 0],
    [50, 25, 0],
    [100, 50, 0],
    [100, 50, 0],
  ]);
});

test('an HDR colour becomes one for an ordinary screen: paper stays light, black black, grey grey', () => {
  assert.deepEqual(toOrdinary([12, 34, 56], 'bt709'), [12, 34, 56]);
  for (const [curve, paper] of [
    ['smpte2084', 148],
    ['arib-std-b67', 191],
  ] as const) {
    assert.deepEqual(toOrdinary([0, 0, 0], curve), [0, 0, 0]);
    const [r, g, b] = toOrdinary([paper, paper, paper], curve);
    assert.ok(r > 215 && Math.abs(r - g) <= 2 && Math.abs(g - b) <= 2, `${curve}: ${r} ${g} ${b}`);
    assert.ok(toOrdinary([255, 255, 255], curve).every((value) => value <= 255));
  }
});
