import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { sentence } from '../core/reasons.ts';
import { differences } from '../testing/compare.ts';
import { convert } from '../testing/convert.ts';
import { chosenFfmpeg } from '../testing/ffmpeg-tools.ts';
import { hardClip } from '../testing/hard-clips.ts';
import { clip } from '../testing/media.ts';

/** Films on the whole way to AV1: probe, plan, encode, evidence, verdict. */
const folder = await mkdtemp(join(tmpdir(), 'codecshift-av1-'));
after(() => rm(folder, { recursive: true, force: true }));

const films: [about: string, file: () => Promise<string>, container: string][] = [
  ['everything that MKV can hold', () => clip('everything'), 'matroska'],
  ['an MP4 with tracks and chapters', () => clip('tracks'), 'mp4'],
  ['a transport stream, which becomes an MKV', () => hardClip('broadcast.ts', folder), 'matroska'],
  ['HDR10 in MP4', () => hardClip('hdr10.mp4', folder), 'mp4'],
];

suite('to AV1:', () => {
  for (const [about, file, container] of films)
    test(about, async () => {
      const path = await file();
      const found = await convert(await chosenFfmpeg(), path, folder, { codec: 'av1' });
      const failed = found.verdict?.checks.filter(({ passed }) => !passed) ?? [];
      assert.equal(found.fate, 'replaced', `${found.reason ? sentence(found.reason) : ''} ${JSON.stringify(failed)}`);
      const made = found.outputProbe?.streams.find((s) => s.kind === 'video');
      assert.deepEqual([found.outputProbe?.container, made?.codec], [container, 'av1']);
      const lost = (await differences(path, found.output!)).filter(({ what }) => what !== 'film.codec' && what !== 'container');
      assert.deepEqual(lost, []);
    });

  test('a film that is HEVC stays as it is', async () => {
    const found = await convert(await chosenFfmpeg(), await clip('hevc'), folder, { codec: 'av1' });
    assert.equal(found.fate, 'hevc-stays');
  });
});
