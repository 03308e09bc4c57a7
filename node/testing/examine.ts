import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireTool } from './tools.ts';

/** What ffprobe and ffmpeg say of one film, for the second opinion (compare.ts). */
export const kinds = ['film', 'picture', 'audio', 'subtitle', 'attachment', 'data'] as const;
type Kind = (typeof kinds)[number];

export interface Examined {
  container: string;
  seconds: number;
  tags: Record<string, string>;
  chapters: string;
  streams: Record<Kind, Examination[]>;
}

export interface Examination {
  facts: Record<string, string | number | null>;
  tags: Record<string, string>;
  /** presentation times of all packets in seconds after the film's first frame, in order; null when the container has none */
  times: number[] | null;
  /** seconds of one frame of the film, the tolerance of times */
  frame: number;
}

interface Described {
  streams: DescribedStream[];
  packets: { stream_index: number; pts_time?: string; flags: string }[];
  chapters: { start_time: string; end_time: string; tags?: Record<string, string> }[];
  format: { format_name: string; duration?: string; tags?: Record<string, string> };
}

interface DescribedStream {
  index: number;
  codec_type: string;
  codec_name?: string;
  avg_frame_rate?: string;
  nb_read_packets?: string;
  disposition: Record<string, number>;
  tags?: Record<string, string>;
  side_data_list?: { side_data_type: string; rotation?: number }[];
  [key: string]: unknown;
}

/** An original is compared with many conversions, and to read it takes half a dozen processes: once as long as it is the same file. */
const examined = new Map<string, Promise<Examined>>();

/** @throws when ffprobe or ffmpeg cannot read it; the next call tries again */
export async function examine(path: string): Promise<Examined> {
  const { ino, size, mtimeMs, ctimeMs } = await stat(path);
  const key = [path, ino, size, mtimeMs, ctimeMs].join(' ');
  const known = examined.get(key) ?? read(path);
  examined.set(key, known);
  known.catch(() => examined.delete(key));
  return known;
}

async function read(path: string): Promise<Examined> {
  const described = await describe(path);
  const film = described.streams.find((stream) => kindOf(stream) === 'film');
  const frame = film ? 1 / rate(film) : 0.04;
  const times = packetTimes(described.packets);
  const hashes = await hashesOf(path, described.streams);
  const zero = film && times.get(film.index)?.[0];
  const streams: Record<Kind, Examination[]> = { film: [], picture: [], audio: [], subtitle: [], attachment: [], data: [] };
  for (const stream of described.streams) {
    const kind = kindOf(stream);
    const own = kind === 'picture' || kind === 'attachment' ? null : times.get(stream.index);
    const relative = own && zero !== undefined ? own.map((time) => time - zero) : null;
    streams[kind].push({ facts: await factsOf(path, stream, kind, hashes), tags: cleanTags(stream.tags), times: relative, frame });
  }
  return {
    container: described.format.format_name,
    seconds: Number(described.format.duration ?? Number.NaN),
    tags: cleanTags(described.format.tags),
    chapters: chaptersAfter(zero ?? 0, described),
    streams,
  };
}

/** As the packets, after the film's first frame: audio that begins before it moves everything together when it is muxed anew. */
function chaptersAfter(zero: number, { chapters }: Described): string {
  const at = (time: string): string => (Number(time) - zero).toFixed(2);
  return chapters.map((c) => `${at(c.start_time)}-${at(c.end_time)} ${c.tags?.['title'] ?? ''}`).join(' | ');
}

/** All in one reading of the file. */
async function describe(path: string): Promise<Described> {
  const entries = 'packet=stream_index,pts_time,flags:stream:chapter:format';
  const args = ['-v', 'error', '-of', 'json', '-count_packets', '-show_entries', entries, `file:${path}`];
  const { stdout } = await promisify(execFile)(requireTool('ffprobe'), args, { maxBuffer: 1 << 28 });
  return JSON.parse(stdout) as Described;
}

function kindOf(stream: DescribedStream): Kind {
  if (stream.codec_type !== 'video') return stream.codec_type as Kind;
  return stream.disposition['attached_pic'] || stream.disposition['timed_thumbnails'] ? 'picture' : 'film';
}

function rate(stream: DescribedStream): number {
  const [above, below] = (stream.avg_frame_rate ?? '25/1').split('/').map(Number);
  return above && below ? above / below : 25;
}

/** Presentation times per stream, sorted. A stream with packets without a time (AVI, some MPEG) is left out. */
function packetTimes(packets: Described['packets']): Map<number, number[]> {
  const times = new Map<number, number[]>();
  for (const { stream_index: index, pts_time: time, flags } of packets) {
    // an edit list hides them: they are read, and never shown
    if (flags.includes('D')) continue;
    if (!times.has(index)) times.set(index, []);
    times.get(index)!.push(Number(time));
  }
  for (const [index, list] of times) {
    if (list.some(Number.isNaN)) times.delete(index);
    else list.sort((a, b) => a - b);
  }
  return times;
}

/**
 * By index of the stream, read in one go: sound as decoded samples, because the packets of one AAC or PCM stream have different
 * bytes in different containers (ADTS headers, packet sizes) and the samples do not; pictures byte for byte.
 */
async function hashesOf(path: string, streams: readonly DescribedStream[]): Promise<Map<number, string>> {
  const wanted = streams.filter((stream) => ['audio', 'picture'].includes(kindOf(stream))).map(({ index }) => index);
  if (wanted.length === 0) return new Map();
  const maps = wanted.flatMap((index) => ['-map', `0:${index}`]);
  const { stdout } = await ffmpeg(['-i', `file:${path}`, ...maps, '-c:v', 'copy', '-f', 'streamhash', '-hash', 'md5', '-']);
  const lines = stdout.trim().split('\n');
  return new Map(lines.map((line) => [wanted[Number(line.split(',')[0])]!, line.split('=')[1]!]));
}

async function factsOf(
  path: string,
  stream: DescribedStream,
  kind: Kind,
  hashes: ReadonlyMap<number, string>,
): Promise<Examination['facts']> {
  const text = (key: string): string | null => (stream[key] === undefined || stream[key] === 'unknown' ? null : String(stream[key]));
  const general = {
    codec: stream.codec_name ?? null,
    disposition: Object.keys(stream.disposition)
      .filter((key) => stream.disposition[key] === 1)
      .join('+'),
  };
  switch (kind) {
    case 'film':
      return { ...general, ...pictureFacts(stream, text), frames: await decodedFrames(path, stream.index) };
    case 'picture':
      return { ...general, width: text('width'), height: text('height'), bytes: hashes.get(stream.index) ?? null };
    case 'audio':
      return {
        ...general,
        channels: text('channels'),
        layout: text('channel_layout'),
        sampleRate: text('sample_rate'),
        sound: hashes.get(stream.index) ?? null,
      };
    case 'subtitle':
      return { ...general, lines: await subtitleText(path, stream) };
    case 'attachment':
      return { ...general, bytes: await attachmentBytes(path, stream.index) };
    case 'data':
      return { ...general, packets: text('nb_read_packets') };
  }
}

function pictureFacts(stream: DescribedStream, text: (key: string) => string | null): Examination['facts'] {
  const turned = stream.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0;
  return {
    width: text('width'),
    height: text('height'),
    sar: text('sample_aspect_ratio') ?? '1:1',
    rotation: turned,
    chroma: (text('pix_fmt') ?? '').replace(/^yuvj/, 'yuv').replace(/\d+le$/, ''),
    range: text('color_range') ?? 'tv',
    space: text('color_space'),
    transfer: text('color_transfer'),
    primaries: text('color_primaries'),
    fieldOrder: text('field_order') ?? 'progressive',
    sideData: (stream.side_data_list ?? [])
      .map((data) => data.side_data_type)
      .filter((type) => type !== 'CPB properties')
      .toSorted()
      .join('+'),
  };
}

async function decodedFrames(path: string, index: number): Promise<number> {
  const args = [
    '-v',
    'error',
    '-of',
    'json',
    '-count_frames',
    '-select_streams',
    String(index),
    '-show_entries',
    'stream=nb_read_frames',
    `file:${path}`,
  ];
  const { stdout } = await promisify(execFile)(requireTool('ffprobe'), args);
  return Number((JSON.parse(stdout) as { streams: { nb_read_frames: string }[] }).streams[0]?.nb_read_frames);
}

/** The words on the screen with their times, which survive a change from mov_text to SRT; pictures as packets. */
async function subtitleText(path: string, stream: DescribedStream): Promise<string> {
  const textual = ['subrip', 'ass', 'ssa', 'mov_text', 'webvtt', 'text'].includes(stream.codec_name ?? '');
  if (!textual) return `${stream.nb_read_packets} packets`;
  const target = stream.codec_name === 'ass' ? 'ass' : 'srt';
  const { stdout } = await ffmpeg(['-i', `file:${path}`, '-map', `0:${stream.index}`, '-f', target, '-']);
  return stdout.trim().replaceAll('\r', '');
}

async function attachmentBytes(path: string, index: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'codecshift-attachment-'));
  const out = join(folder, 'attachment');
  try {
    // ffmpeg writes the attachment and then complains that no output file was named: only the file counts.
    await ffmpeg(['-y', `-dump_attachment:${index}`, out, '-i', `file:${path}`]).catch(() => undefined);
    return createHash('sha256')
      .update(await readFile(out))
      .digest('hex');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function ffmpeg(args: string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(requireTool('ffmpeg'), ['-hide_banner', '-nostdin', '-v', 'error', ...args], { maxBuffer: 1 << 26 });
}

/** Written by every muxer about itself: these name the program or the file, not the film. */
const muxerTags =
  /^(encoder|encoded_by|major_brand|minor_version|compatible_brands|duration|vendor_id|creation_time|_statistics_.*|bps|number_of_.*)(-.*)?$/;

function cleanTags(tags: Record<string, string> = {}): Record<string, string> {
  const entries = Object.entries(tags).map(([key, value]) => [key.toLowerCase(), value] as const);
  return Object.fromEntries(entries.filter(([key, value]) => !muxerTags.test(key) && !isFiller(key, value)));
}

/** What MP4 writes when nobody said anything. */
function isFiller(key: string, value: string): boolean {
  if (key === 'language') return value === 'und';
  return key === 'handler_name' && /^(VideoHandler|SoundHandler|SubtitleHandler|DataHandler|TimeCodeHandler)$/.test(value);
}
