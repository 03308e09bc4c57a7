import type { Chapter, Color, Container, Disposition, Hdr, Probe, Stream, Tags, VideoStream } from '../core/media.ts';
import { parseHdr } from './parse-hdr.ts';
import { chromaOf, depthOf, hasAlpha } from './pixel-format.ts';
import { list, milliseconds, number, object, positive, rate, short, text, type Json } from './probe-values.ts';

export interface ProbeInput {
  /** answer of `-show_format -show_streams -show_chapters` */
  description: Json;
  /** answer of `-show_frames` for the first frames of the film stream `index`; null when not asked */
  frames: { index: number; frames: Json[] } | null;
  sizeBytes: number;
  /** what ffprobe's format name does not tell */
  hints: { webm?: boolean; m2ts?: boolean };
  warnings: string[];
  probedBy: string;
}

const MAX_TAGS = 64;
const MAX_CHAPTERS = 1000;
const MAX_JSON = 100_000;

/** Makes our `Probe` of ffprobe's answer. Pure; never throws on odd values. */
export function parseProbe(input: ProbeInput): Probe {
  const format = object(input.description['format']);
  const tags = tagsOf(format);
  const probe: Probe = {
    container: containerOf(text(format['format_name']) ?? '', tags, input.hints),
    formatName: text(format['format_name']) ?? '',
    durationMs: positive(milliseconds(format['duration'])),
    sizeBytes: input.sizeBytes,
    bitrate: positive(number(format['bit_rate'])),
    startMs: milliseconds(format['start_time']) ?? 0,
    streams: list(input.description['streams']).map((s, i) => parseStream(s, i, input.frames)),
    chapters: list(input.description['chapters']).slice(0, MAX_CHAPTERS).map(parseChapter),
    tags,
    warnings: input.warnings.slice(0, 20).map(short),
    probedBy: input.probedBy.slice(0, 80),
  };
  return withinBounds(probe);
}

const containers: Record<string, Container> = {
  matroska: 'matroska',
  webm: 'matroska',
  mov: 'mp4',
  mpegts: 'mpegts',
  mpeg: 'mpeg',
  avi: 'avi',
  asf: 'asf',
  flv: 'flv',
  ogg: 'ogg',
  mxf: 'mxf',
  dv: 'dv',
  h264: 'raw',
  hevc: 'raw',
  m4v: 'raw',
  mpegvideo: 'raw',
};

function containerOf(formatName: string, tags: Tags, hints: ProbeInput['hints']): Container {
  const container = containers[formatName.split(',')[0] ?? ''] ?? 'unknown';
  if (container === 'matroska' && hints.webm) return 'webm';
  if (container === 'mpegts' && hints.m2ts) return 'm2ts';
  // QuickTime files older than the ftyp box have no brand at all
  if (container === 'mp4' && (tags['major_brand'] ?? 'qt').trim() === 'qt') return 'mov';
  return container;
}

function parseStream(s: Json, position: number, frames: ProbeInput['frames']): Stream {
  const tags = tagsOf(s);
  const base = {
    index: number(s['index']) ?? position,
    codec: text(s['codec_name']) ?? 'unknown',
    codecTag: codecTag(s),
    codecProfile: text(s['profile']),
    language: languageOf(tags),
    title: tag(tags, 'title') ?? tag(tags, 'name'),
    disposition: dispositionsOf(s),
    startMs: milliseconds(s['start_time']),
    durationMs: positive(milliseconds(s['duration'])) ?? durationTag(tags),
    bitrate: positive(number(s['bit_rate'])),
    tags,
  };
  switch (s['codec_type']) {
    case 'video':
      return { ...base, kind: 'video', ...videoFields(s, tags, frames && frames.index === base.index ? frames.frames : []) };
    case 'audio':
      return {
        ...base,
        kind: 'audio',
        channels: positive(number(s['channels'])) ?? 0,
        channelLayout: text(s['channel_layout']),
        sampleRate: positive(number(s['sample_rate'])),
      };
    case 'subtitle':
      return { ...base, kind: 'subtitle' };
    case 'attachment':
      return { ...base, kind: 'attachment', fileName: tag(tags, 'filename'), mimeType: tag(tags, 'mimetype') };
    default:
      return { ...base, kind: 'data' };
  }
}

type VideoFields = Omit<
  VideoStream,
  | 'kind'
  | 'index'
  | 'codec'
  | 'codecTag'
  | 'codecProfile'
  | 'language'
  | 'title'
  | 'disposition'
  | 'startMs'
  | 'durationMs'
  | 'bitrate'
  | 'tags'
>;

function videoFields(s: Json, tags: Tags, frames: Json[]): VideoFields {
  const pixelFormat = text(s['pix_fmt']);
  const sideData = [...list(s['side_data_list']), ...frames.flatMap((f) => list(f['side_data_list']))];
  const color = colorOf(s, frames[0]);
  const hdr: Hdr | null = parseHdr(sideData, color, codecTag(s));
  return {
    width: positive(number(s['width'])) ?? 0,
    height: positive(number(s['height'])) ?? 0,
    pixelFormat,
    bitDepth: depthOf(pixelFormat) ?? positive(number(s['bits_per_raw_sample'])) ?? 8,
    chroma: chromaOf(pixelFormat),
    // VP8 and VP9 keep transparency in a side stream that only the container knows of
    hasAlpha: hasAlpha(pixelFormat) || tag(tags, 'alpha_mode') === '1',
    frameRate: rate(s['r_frame_rate']),
    averageFrameRate: rate(s['avg_frame_rate']),
    frames: positive(number(s['nb_frames'])) ?? positive(number(tag(tags, 'NUMBER_OF_FRAMES'))),
    fieldOrder: fieldOrder(s, frames),
    sampleAspectRatio: aspect(s['sample_aspect_ratio']),
    rotation: rotationOf(sideData, tags),
    color,
    hdr,
    closedCaptions:
      number(s['closed_captions']) === 1 || sideData.some((d) => /A53.*Closed Captions/i.test(text(d['side_data_type']) ?? '')),
  };
}

function colorOf(s: Json, frame: Json | undefined): Color {
  const value = (name: string): string | null => known(s[name]) ?? known(frame?.[name]);
  return {
    range: value('color_range'),
    space: value('color_space'),
    transfer: value('color_transfer'),
    primaries: value('color_primaries'),
    chromaLocation: known(s['chroma_location']) ?? known(frame?.['chroma_location']),
  };
}

function known(value: unknown): string | null {
  const word = text(value);
  return word === null || ['unknown', 'unspecified', 'reserved', 'N/A'].includes(word) ? null : word;
}

/** Containers often say 'progressive' or nothing of interlaced film; a decoded frame knows better. */
function fieldOrder(s: Json, frames: Json[]): VideoStream['fieldOrder'] {
  const said = text(s['field_order']);
  if (said === 'tt' || said === 'bb' || said === 'tb' || said === 'bt') return said;
  const interlaced = frames.find((f) => number(f['interlaced_frame']) === 1);
  if (interlaced) return number(interlaced['top_field_first']) === 1 ? 'tt' : 'bb';
  if (said === 'progressive') return said;
  return frames.length > 0 ? 'progressive' : 'unknown';
}

/** ffprobe counts counter-clockwise, the old `rotate` tag clockwise. */
function rotationOf(sideData: Json[], tags: Tags): number {
  const matrix = sideData.find((d) => d['rotation'] !== undefined);
  const degrees = matrix ? -(number(matrix['rotation']) ?? 0) : (number(tag(tags, 'rotate')) ?? 0);
  return (((Math.round(degrees / 90) * 90) % 360) + 360) % 360;
}

function aspect(value: unknown): string | null {
  const word = text(value);
  return word && /^[1-9]\d{0,8}:[1-9]\d{0,8}$/.test(word) ? word : null;
}

const dispositions: readonly Disposition[] = [
  'default',
  'dub',
  'original',
  'comment',
  'lyrics',
  'karaoke',
  'forced',
  'hearing_impaired',
  'visual_impaired',
  'clean_effects',
  'attached_pic',
  'timed_thumbnails',
  'captions',
  'descriptions',
  'metadata',
  'dependent',
  'still_image',
];

function dispositionsOf(s: Json): Disposition[] {
  const set = object(s['disposition']);
  return dispositions.filter((name) => number(set[name]) === 1);
}

/** MP4 writes 'und' where nobody said a language. */
function languageOf(tags: Tags): string | null {
  const language = tag(tags, 'language');
  return language === null || language.toLowerCase() === 'und' || language.trim() === '' ? null : language;
}

/** ffprobe shows tags without a readable name as "[0][0][0][0]". */
function codecTag(s: Json): string | null {
  const word = text(s['codec_tag_string']);
  return word === null || word.startsWith('[0][0]') ? null : word;
}

/** Matroska keeps a stream's duration as a tag: "00:00:02.040000000". */
function durationTag(tags: Tags): number | null {
  const match = /^(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)$/.exec(tag(tags, 'DURATION') ?? '');
  return match ? positive(Math.round((Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3])) * 1000)) : null;
}

function parseChapter(c: Json): Chapter {
  const startMs = milliseconds(c['start_time']) ?? 0;
  return { startMs, endMs: milliseconds(c['end_time']) ?? startMs, title: tag(tagsOf(c), 'title') };
}

function tagsOf(owner: Json): Tags {
  const tags: Tags = {};
  for (const [key, value] of Object.entries(object(owner['tags'])).slice(0, MAX_TAGS)) {
    if (typeof value !== 'string' && typeof value !== 'number') continue;
    // a file may call a tag "__proto__"
    Object.defineProperty(tags, short(key).slice(0, 100), {
      value: short(String(value)),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return tags;
}

/** A tag by name in any case: Matroska writes capitals, MP4 small letters. Matroska adds the language: "DURATION-eng". */
function tag(tags: Tags, name: string): string | null {
  const wanted = name.toLowerCase();
  const key =
    Object.keys(tags).find((k) => k.toLowerCase() === wanted) ?? Object.keys(tags).find((k) => k.toLowerCase().startsWith(`${wanted}-`));
  return key === undefined ? null : tags[key] || null;
}

/** What is stored and sent must be small: long texts go first, then the tags of streams, then the chapters' titles. */
function withinBounds(probe: Probe): Probe {
  const size = (p: Probe): number => JSON.stringify(p).length;
  let small = probe;
  for (const limit of [200, 60, 0]) {
    if (size(small) <= MAX_JSON) return small;
    small = { ...small, tags: cut(small.tags, limit), streams: small.streams.map((s) => ({ ...s, tags: cut(s.tags, limit) })) };
  }
  if (size(small) <= MAX_JSON) return small;
  const chapters = small.chapters.slice(0, 400).map((c) => ({ ...c, title: c.title?.slice(0, 40) ?? null }));
  return { ...small, chapters, streams: small.streams.map((s) => ({ ...s, title: s.title?.slice(0, 60) ?? null })) };
}

function cut(tags: Tags, limit: number): Tags {
  return limit === 0 ? {} : Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, value.slice(0, limit)]));
}
