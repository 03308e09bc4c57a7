import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decodesCleanly, differences } from './compare.ts';
import { clip } from './media.ts';
import { requireTool } from './tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'codecshift-compare-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What is planted in a copy of a clip, and where the comparison must find it. */
const planted: [what: string, extra: string[], found: string[]][] = [
  ['a lost audio track', ['-map', '-0:3'], ['audio.count']],
  ['a changed language', ['-metadata:s:a:0', 'language=fre'], ['audio0.language']],
  ['a lost title', ['-metadata:s:a:1', 'title='], ['audio1.title']],
  ['a lost chapter list', ['-map_chapters', '-1'], ['chapters']],
  ['a lost forced flag', ['-disposition:s:0', '0'], ['subtitle0.disposition']],
  ['a changed tag of the file', ['-metadata', 'artist=Nobody'], ['tags.artist']],
  ['a lost font', ['-map', '-0:t'], ['attachment.count']],
  ['audio that was encoded again', ['-c:a:2', 'ac3'], ['audio2.codec', 'audio2.sound']],
  ['a missing second', ['-t', '1'], ['duration', 'chapters', 'film.frames', 'audio0.sound', 'subtitle0.lines']],
];

for (const [what, extra, found] of planted) {
  test(`the comparison notices ${what}`, async () => {
    const original = await clip('everything');
    const names = (await differences(original, remux(original, what, extra))).map((difference) => difference.what);
    assert.deepEqual(
      found.filter((name) => !names.includes(name)),
      [],
      `found only: ${names.join(', ')}`,
    );
  });
}

test('a file has no difference to a plain remux of itself', async () => {
  const original = await clip('tracks');
  const same = join(folder, 'same.mp4');
  ffmpeg(['-i', original, '-map', '0:v', '-map', '0:a', '-map', '0:s', '-c', 'copy', same]);
  assert.deepEqual(await differences(original, same), []);
});

test('a turn that got lost is found', async () => {
  const original = await clip('rotated');
  const baked = join(folder, 'baked.mp4');
  ffmpeg(['-i', original, '-c:a', 'copy', '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=error', baked]);
  const names = (await differences(original, baked)).map((difference) => difference.what);
  assert.ok(names.includes('film.rotation') && names.includes('film.width'), names.join(', '));
});

test('a damaged file does not count as cleanly decoded', async () => {
  assert.equal(await decodesCleanly(await clip('broken')), false);
  assert.equal(await decodesCleanly(await clip('film')), true);
});

function remux(original: string, name: string, extra: string[]): string {
  const out = join(folder, `${name}.mkv`);
  ffmpeg(['-i', original, '-map', '0', '-c', 'copy', ...extra, out]);
  return out;
}

function ffmpeg(args: string[]): void {
  execFileSync(requireTool('ffmpeg'), ['-hide_banner', '-v', 'error', '-nostdin', '-y', ...args]);
}
