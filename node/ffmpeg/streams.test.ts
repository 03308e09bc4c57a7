import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { sentence } from '../core/reasons.ts';
import { differences } from '../testing/compare.ts';
import { convert, drop } from '../testing/convert.ts';
import { chosenFfmpeg } from '../testing/ffmpeg-tools.ts';
import { hardClip } from '../testing/hard-clips.ts';
import { hardClips } from '../testing/hard-recipes.ts';

/** A handful of the matrix that `scripts/matrix.ts` runs as a whole: one film for each way to lose something. */
const handful = [
  'all dispositions.mkv',
  'blu-ray subtitles.mkv',
  'broadcast.ts',
  'cut.mp4',
  'hdr10.mp4',
  'turned 270.mp4',
  'bff to progressive.mp4',
  'mixed.mkv',
  'later captions.mkv',
];

const folder = await mkdtemp(join(tmpdir(), 'codecshift-streams-'));
after(() => rm(folder, { recursive: true, force: true }));

suite('the whole way of a film:', () => {
  for (const name of handful) {
    const recipe = hardClips[name]!;
    test(`${name} (${recipe.about}): ${recipe.fate}`, async () => {
      const path = await hardClip(name, folder);
      const found = await convert(await chosenFfmpeg(), path, folder, recipe.profile);
      const checks = found.verdict?.checks.filter(({ passed }) => !passed) ?? [];
      assert.equal(found.fate, recipe.fate, `${found.reason ? sentence(found.reason) : ''} ${JSON.stringify(checks)}`);
      if (found.output && found.verdict?.accepted) {
        const lost = (await differences(path, found.output)).filter(({ what }) => what !== 'film.codec' && what !== 'film.fieldOrder');
        assert.deepEqual(lost, []);
      }
      await drop(found);
    });
  }
});
