import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { filmStreams, type Probe, type VideoStream } from '../core/media.ts';
import { pictureSize } from '../core/pictures.ts';
import { filtersOf } from './filters.ts';
import { splitJpegs } from './jpegs.ts';
import type { Tools } from './locate.ts';
import { run } from './process.ts';
import { fileUrl, safeGlobals, safeInput, wrapper } from './sandbox.ts';

/** One decoded frame: its own time, a tiny grey picture of it to tell it from others, and itself as JPEG, best first. */
export interface SeenFrame {
  /** microseconds on the file's own clock */
  us: number;
  /** 32×18 bytes */
  thumb: Buffer;
  /** one for each of `variants` */
  jpegs: Buffer[];
}

export interface Look {
  tools: Tools;
  /** absolute */
  file: string;
  probe: Probe;
  /** the original's: both sides are shown in its size, its colours and its fields */
  film: VideoStream;
  deinterlace: boolean;
  /** microseconds on the file's own clock; frames from `fromUs` up to `toUs` */
  fromUs: number;
  toUs: number;
  frames: number;
  /** an empty directory of ours, absolute */
  directory: string;
  signal: AbortSignal;
}

export const thumbWidth = 32;
export const thumbHeight = 18;
const THUMB = thumbWidth * thumbHeight;

/** From fine to coarse; the last is half as large. Both sides of a pair are shown in the same one. */
const variants = [
  { q: 3, shrink: 1 },
  { q: 5, shrink: 1 },
  { q: 9, shrink: 1 },
  { q: 16, shrink: 1 },
  { q: 28, shrink: 1 },
  { q: 31, shrink: 2 },
];

const MAX_FILE_BYTES = 48 * 1024 * 1024;
const LOOK_TIMEOUT_MS = 60_000;
/** These have no index: a seek ends anywhere, and what is decoded before the next key frame is rubbish. */
const unindexed = new Set(['mpegts', 'm2ts', 'mpeg', 'ogg', 'raw', 'unknown']);
const PREROLL_US = 12_000_000;

let looks = 0;

/**
 * Decodes the frames of a short stretch of a film, each with its own time. Seeking goes to the key frame before and decodes
 * from there, so that a time always means the same frame.
 * @throws ToolError, or the signal's reason
 */
export async function lookAtFrames(look: Look): Promise<SeenFrame[]> {
  const name = `${process.pid}-${looks++}`;
  const files = [...variants.keys()].map((n) => path.join(look.directory, `${name}-${n}.mjpeg`));
  const thumbs = path.join(look.directory, `${name}.gray`);
  const times: number[] = [];
  try {
    await run({
      command: [look.tools.ffmpeg.path, ...frameArguments(look, files, thumbs, await filtersOf(look.tools))],
      wrapper: wrapper(look.tools, look.tools.ffmpeg.path, { read: [look.file], write: look.directory, maxFileBytes: MAX_FILE_BYTES }),
      what: `take frames from ${path.basename(look.file)}`,
      signal: look.signal,
      timeoutMs: LOOK_TIMEOUT_MS,
      onErrorLine(line) {
        const us = /^\[Parsed_showinfo[^\]]*\] n: *\d+ pts: *(-?\d{1,15}) /.exec(line)?.[1];
        if (us !== undefined) times.push(Number(us));
      },
    });
    const grey = await readOwn(thumbs);
    const jpegs = await Promise.all(files.map(async (file) => splitJpegs(await readOwn(file))));
    const whole = Math.min(times.length, Math.floor(grey.length / THUMB), ...jpegs.map((list) => list.length));
    return times.slice(0, whole).map((us, n) => ({
      us,
      thumb: grey.subarray(n * THUMB, (n + 1) * THUMB),
      jpegs: jpegs.map((list) => list[n]!),
    }));
  } finally {
    await Promise.all([...files, thumbs].map((file) => rm(file, { force: true })));
  }
}

function frameArguments(look: Look, files: string[], thumbs: string, filters: ReadonlySet<string>): string[] {
  const own = filmStreams(look.probe)[0];
  if (!own) throw new TypeError('no film to take frames from');
  const startUs = look.probe.startMs * 1000;
  const preroll = (unindexed.has(look.probe.container) ? PREROLL_US : 0) + (look.deinterlace ? 500_000 : 100_000);
  // -ss counts from the file's start, the filter below from its clock
  const seekUs = Math.max(0, look.fromUs - startUs - preroll);
  const taken = ['-frames:v', String(look.frames), '-fps_mode', 'passthrough'];
  return [
    ...safeGlobals,
    '-v',
    'info',
    '-nostats',
    ...safeInput,
    '-noautorotate',
    '-copyts',
    '-ss',
    seconds(seekUs),
    '-t',
    seconds(look.toUs - startUs - seekUs + 200_000),
    '-i',
    fileUrl(look.file),
    '-filter_complex',
    graph(look, own.index, filters),
    ...files.flatMap((file, n) => [
      '-map',
      `[v${n}]`,
      ...taken,
      '-c:v',
      'mjpeg',
      '-q:v',
      String(variants[n]!.q),
      '-f',
      'mjpeg',
      '-n',
      fileUrl(file),
    ]),
    '-map',
    '[thumb]',
    ...taken,
    '-c:v',
    'rawvideo',
    '-f',
    'rawvideo',
    '-n',
    fileUrl(thumbs),
  ];
}

function graph(look: Look, index: number, filters: ReadonlySet<string>): string {
  const { film } = look;
  const { width, height } = pictureSize(film);
  const chain = [
    ...(look.deinterlace ? [`bwdif=mode=send_frame:parity=${/^[bt]b$/.test(film.fieldOrder) ? 'bff' : 'tff'}:deint=all`] : []),
    `select='between(t,${seconds(look.fromUs)},${seconds(look.toUs)})'`,
    ...(turns[film.rotation] ?? []),
    ...picture(film, width, height, filters),
    'setsar=1',
    'settb=expr=1/1000000',
    'showinfo=checksum=0',
    `split=${variants.length + 1}`,
  ];
  const outputs = variants.map((_, n) => `[s${n}]`).join('');
  const sized = variants.map(({ shrink }, n) =>
    shrink === 1 ? `[s${n}]null[v${n}]` : `[s${n}]scale=${even(width / shrink)}:${even(height / shrink)}[v${n}]`,
  );
  return [
    `[0:${index}]${chain.join(',')}${outputs}[s]`,
    ...sized,
    `[s]scale=${thumbWidth}:${thumbHeight}:flags=area,format=gray[thumb]`,
  ].join(';');
}

const turns: Record<number, string[]> = { 90: ['transpose=clock'], 180: ['hflip', 'vflip'], 270: ['transpose=cclock'] };

/** JPEG is full range and has the matrix of standard definition, whatever the film has. */
function picture(film: VideoStream, width: number, height: number, filters: ReadonlySet<string>): string[] {
  const jpeg = (matrix: string, range: string): string =>
    `scale=${width}:${height}:flags=bicubic:in_color_matrix=${matrix}:in_range=${range}:out_color_matrix=bt601:out_range=pc,format=yuvj420p`;
  const range = film.color.range === 'pc' || film.pixelFormat?.startsWith('yuvj') ? 'pc' : 'tv';
  const curve = film.color.transfer;
  const isHdr = curve === 'smpte2084' || curve === 'arib-std-b67';
  // without zimg an HDR film is shown as it lies there, pale, but on both sides alike
  if (!isHdr || !filters.has('zscale') || !filters.has('tonemap')) return [jpeg(matrixOf(film), range)];
  return [
    `scale=${width}:${height}:flags=bicubic`,
    `zscale=tin=${curve}:min=2020_ncl:pin=2020:rin=${range === 'pc' ? 'full' : 'limited'}:t=linear:npl=100`,
    'format=gbrpf32le',
    'zscale=p=709',
    'tonemap=tonemap=hable:desat=0',
    'zscale=t=709:m=709:r=limited',
    'format=yuv420p',
    jpeg('bt709', 'tv'),
  ];
}

/** The colour matrix of a film by the name that ffmpeg's scaler knows. */
export function matrixOf(film: VideoStream): string {
  switch (film.color.space) {
    case 'bt709':
      return 'bt709';
    case 'bt2020nc':
    case 'bt2020c':
      return 'bt2020';
    case 'smpte240m':
      return 'smpte240m';
    case 'fcc':
      return 'fcc';
    case 'smpte170m':
    case 'bt470bg':
      return 'bt601';
    default:
      // what players take a film for that does not say
      return film.height >= 720 || film.width >= 1280 ? 'bt709' : 'bt601';
  }
}

/** ffmpeg ran on a file that may be hostile: what it wrote is ordinary, or it is not read. */
async function readOwn(file: string): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = await handle.stat();
    return stat.isFile() && stat.size <= MAX_FILE_BYTES ? await handle.readFile() : Buffer.alloc(0);
  } finally {
    await handle.close();
  }
}

function even(side: number): number {
  return Math.max(2, Math.round(side / 2) * 2);
}

function seconds(us: number): string {
  return (us / 1e6).toFixed(6);
}
