import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { VideoStream } from '../core/media.ts';
import { PlainError } from '../errors.ts';
import { everyFfmpeg } from '../testing/ffmpeg-tools.ts';
import { clip, sharedMedia, withoutSharedMedia } from '../testing/media.ts';
import { probeFile } from './probe.ts';

const folder = await mkdtemp(join(tmpdir(), 'codecshift-probe-'));
after(() => rm(folder, { recursive: true, force: true }));
const windows = process.platform === 'win32' && 'Windows has no named pipes in folders';

for (const { name, tools } of await everyFfmpeg()) {
  const codeOf = (path: string): Promise<string | undefined> =>
    probeFile({ tools, path }).then(
      () => undefined,
      (e: unknown) => (e instanceof PlainError ? e.reason?.code : String(e)),
    );
  const film = async (path: string): Promise<VideoStream> => (await probeFile({ tools, path })).streams.find((s) => s.kind === 'video')!;

  describe(`ffprobe beside ${name}`, () => {
    test('a file that is no film is refused with the reason', async () => {
      assert.equal(await codeOf(await clip('empty')), 'empty-file');
      assert.equal(await codeOf(await clip('text')), 'not-media');
      assert.equal(await codeOf(await clip('truncated')), 'damaged');
      assert.equal(await codeOf(join(folder, 'nothing.mkv')), 'unreadable');
      assert.equal(await codeOf(await write('zeros.mkv', Buffer.alloc(9000))), 'damaged');
      assert.equal(await codeOf(await write('noise.mkv', Buffer.from([1, 2, 3, 250, 251, 7, 0, 99]))), 'not-media');
      assert.equal(await codeOf(folder), 'not-a-file');
    });

    test('a pipe with a film’s name does not hang', { skip: windows }, async () => {
      const pipe = join(folder, `pipe-${tools.ffmpeg.from}.mkv`);
      execFileSync('mkfifo', [pipe]);
      assert.equal(await codeOf(pipe), 'not-a-file');
    });

    test('a playlist with a film’s name opens no other file', async () => {
      const nested = join(folder, 'lists');
      await mkdir(nested, { recursive: true });
      await copyFile(await clip('film'), join(nested, 'secret.ts'));
      for (const text of [
        '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsecret.ts\n#EXT-X-ENDLIST\n',
        "ffconcat version 1.0\nfile 'secret.ts'\n",
      ]) {
        const path = join(nested, 'list.mkv');
        await writeFile(path, text);
        assert.equal(await codeOf(path), 'format-not-allowed');
      }
    });

    test('a name is only a name, whatever it looks like', async () => {
      const names = [
        '-version.mkv',
        'a%03d.mkv',
        'it\'s “quoted” ".mkv',
        'http:x.mkv',
        'concat:a|b.mkv',
        ...(windows ? [] : ['new\nline.mkv', '-i\u202e.mkv', '*?.mkv']),
      ];
      for (const odd of names) {
        const path = join(folder, odd);
        await copyFile(await clip('film'), path);
        const probe = await probeFile({ tools, path });
        assert.equal(probe.streams.length, 2, odd);
        assert.equal(probe.container, 'matroska', odd);
      }
    });

    test('a cut-off Matroska file is still described', async () => {
      const path = join(folder, 'half.mkv');
      await copyFile(await clip('film'), path);
      await truncate(path, 60_000);
      assert.equal((await probeFile({ tools, path })).streams[0]?.codec, 'h264');
    });

    test('depth, shape, turn, fields and colour of real files are read', async () => {
      assert.equal((await film(await clip('tenBit'))).bitDepth, 10);
      assert.equal((await film(await clip('chroma422'))).chroma, '4:2:2');
      assert.equal((await film(await clip('rotated'))).rotation, 90);
      assert.equal((await film(await clip('interlacedTs'))).fieldOrder, 'tt');
      assert.equal((await film(await clip('interlacedMpg'))).fieldOrder, 'tt');
      const pal = await film(await clip('anamorphic'));
      assert.equal(pal.sampleAspectRatio, '16:11');
      assert.deepEqual([pal.color.primaries, pal.color.transfer, pal.color.space], ['bt470bg', 'bt470bg', 'bt470bg']);
    });

    test('everything in a rich file is listed: tracks, titles, languages, fonts, covers, chapters, tags', async () => {
      const probe = await probeFile({ tools, path: await clip('everything') });
      assert.deepEqual(
        probe.streams.map((s) => s.kind),
        ['video', 'audio', 'audio', 'audio', 'subtitle', 'subtitle', 'attachment', 'video'],
      );
      assert.deepEqual(
        probe.streams.map((s) => s.language),
        [null, 'ger', 'eng', 'jpn', 'ger', 'eng', null, null],
      );
      assert.equal(probe.streams[5]?.title, 'Signs & Songs');
      assert.ok(probe.streams[4]?.disposition.includes('forced'));
      assert.ok(probe.streams[7]?.disposition.includes('attached_pic'));
      assert.deepEqual(
        probe.chapters.map((c) => [c.startMs, c.endMs, c.title]),
        [
          [0, 1000, 'Beginning'],
          [1000, 2000, 'Schluß'],
        ],
      );
      assert.ok(Object.values(probe.tags).includes('Metropolis'));
    });

    test('containers that ffprobe calls by one name are told apart', async () => {
      const containerOf = async (path: string): Promise<string> => (await probeFile({ tools, path })).container;
      assert.equal(await containerOf(await clip('vp8')), 'webm');
      assert.equal(await containerOf(await clip('tracks')), 'mp4');
      assert.equal(await containerOf(await clip('timecode')), 'mov');
      assert.equal(await containerOf(await clip('interlacedTs')), 'mpegts');
    });

    test('Dolby Vision and HDR10+ are seen in real files', { skip: withoutSharedMedia }, async () => {
      const dolby = (await film(sharedMedia('dovi_tool/regular.mkv')!)).hdr;
      assert.deepEqual([dolby?.kind, dolby?.dolbyVisionProfile], ['dolby-vision', 8]);
      const plus = (await film(sharedMedia('hdr10plus_tool/regular.mkv')!)).hdr;
      assert.equal(plus?.kind, 'hdr10plus');
      assert.equal(plus?.masteringDisplay, 'G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,1)');
      assert.equal(plus?.contentLight, '1000,400');
    });

    test('a transport stream that names its service does not crash the bundled ffprobe', { skip: withoutSharedMedia }, async () => {
      const probe = await probeFile({ tools, path: sharedMedia('mediabunny/ac3.ts')! });
      assert.equal(probe.streams[0]?.codec, 'ac3');
    });

    test('an abort ends the probe with its reason', async () => {
      const why = new Error('stop');
      await assert.rejects(probeFile({ tools, path: await clip('film'), signal: AbortSignal.abort(why) }), (e) => e === why);
    });
  });
}

async function write(name: string, bytes: Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}
