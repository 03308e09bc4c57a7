import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { filmStreams } from '../core/media.ts';
import { sentence } from '../core/reasons.ts';
import { judge } from '../core/verdict.ts';
import { differences } from '../testing/compare.ts';
import { convert, eager } from '../testing/convert.ts';
import { everyFfmpeg } from '../testing/ffmpeg-tools.ts';
import { withHdr10plus } from '../testing/hard-bytes.ts';
import { gatherEvidence } from './evidence.ts';

/** HEVC in a container that players dislike: the film is not encoded, and every bit of it is proved to be there. */
const folder = mkdtempSync(join(tmpdir(), 'codecshift-rewrap-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const every = await everyFfmpeg();
const { tools } = every[0]!;
const remux = { ...eager, remux: true };
const at = (name: string): string => join(folder, name);
const make = (name: string, args: string[]): string => {
  execFileSync(tools.ffmpeg.path, ['-v', 'error', '-nostdin', '-y', ...args, at(name)]);
  return at(name);
};

const pq = ['-color_primaries', 'bt2020', '-color_trc', 'smpte2084', '-colorspace', 'bt2020nc'];
const x265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:bframes=0:keyint=20'];
const raw = make('raw.hevc', ['-f', 'lavfi', '-i', 'testsrc2=s=192x108:r=25:d=2', ...x265, '-pix_fmt', 'yuv420p10le', ...pq]);
const dynamic = at('dynamic.hevc');
writeFileSync(dynamic, withHdr10plus(readFileSync(raw)));
const sound = ['-f', 'lavfi', '-i', 'sine=d=2'];
const muxed = ['-map', '0', '-map', '1', '-c:v', 'copy', '-c:a', 'ac3', '-metadata:s:a', 'language=deu'];

suite('HEVC in a container that players dislike becomes Matroska, bit by bit', () => {
  const films: [name: string, args: () => string[]][] = [
    ['disc.m2ts', () => ['-i', raw, ...sound, ...muxed, '-mpegts_m2ts_mode', '1', '-f', 'mpegts']],
    ['old.avi', () => ['-f', 'lavfi', '-i', 'testsrc2=s=192x108:r=25:d=2', ...sound, ...x265, '-c:a', 'mp3', '-tag:v', 'HEVC']],
    ['dynamic.ts', () => ['-i', dynamic, ...sound, ...muxed]],
  ];
  for (const [name, args] of films)
    test(name, async () => {
      const path = make(name, args());
      const found = await convert(tools, path, folder, remux);
      const failed = found.verdict?.checks.filter(({ passed }) => !passed) ?? [];
      assert.equal(found.fate, 'replaced', `${found.reason ? sentence(found.reason) : ''} ${JSON.stringify(failed)}`);
      assert.deepEqual([found.plan?.action, found.outputProbe?.container], ['remux', 'matroska']);
      const check = found.verdict!.checks.find((one) => one.name === 'pictures');
      assert.equal(check?.output, 'bit by bit the same');
      if (name.startsWith('dynamic')) {
        assert.equal(filmStreams(found.probe!)[0]?.hdr?.kind, 'hdr10plus');
        assert.match(check.original, /HDR10\+/);
      }
      const lost = (await differences(path, found.output!)).filter(({ what }) => what !== 'container');
      assert.deepEqual(lost, []);
    });
});

for (const { name, tools: each } of every)
  test(`what a re-wrap changed in the film is seen by ${name}`, async () => {
    const path = make('whole.ts', ['-i', dynamic, ...sound, ...muxed]);
    const found = await convert(each, path, folder, remux);
    assert.ok(found.plan?.action === 'remux');
    const codeWith = async (film: Buffer): Promise<string> => {
      writeFileSync(at('harmed.hevc'), film);
      const harmed = make('harmed.ts', ['-i', at('harmed.hevc'), ...sound, ...muxed]);
      const output = make('harmed.mkv', ['-i', harmed, '-map', '0', '-c', 'copy']);
      const wish = { tools: each, original: path, output, plan: found.plan as never, profile: remux, originalProbe: found.probe! };
      const verdict = judge(await gatherEvidence(wish));
      return verdict.accepted ? 'accepted' : verdict.reason.code;
    };
    assert.equal(await codeWith(readFileSync(dynamic)), 'accepted');
    // the message of the last picture: no look at the beginning sees it
    const whole = readFileSync(dynamic);
    const last = whole.lastIndexOf(Buffer.from([0, 0, 0, 1, 39 << 1, 1, 0x04]));
    const next = whole.indexOf('000001', last + 4, 'hex');
    assert.equal(await codeWith(Buffer.concat([whole.subarray(0, last), whole.subarray(next)])), 'hdr-differs', 'one message less');
    const other = Buffer.from(whole);
    other[last + 20]! ^= 0x10;
    assert.equal(await codeWith(other), 'hdr-differs', 'one bit of one message');
  });
