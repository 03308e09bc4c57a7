import { disliked, fits, staysItself } from './containers.ts';
import { bitsPerPixel, expectedBytes } from './estimate.ts';
import { firstMatch } from './glob.ts';
import type { Container, Fingerprint, Probe, Stream, VideoStream } from './media.ts';
import { filmStreams, hasHdr10Values, isPicture } from './media.ts';
import type { Profile } from './profile.ts';
import type { Reason } from './reasons.ts';
import { reason } from './reasons.ts';

/** Facts about the file that are not in the probe but decide about it. */
export interface FileFacts {
  /** path inside the library, '/' separators */
  path: string;
  fingerprint: Fingerprint;
  /** this very content was made by us (the fingerprint is that of a delivered output) */
  madeByUs: boolean;
  /** the keeper may not write into the directory */
  readOnly: boolean;
  /** a person said: leave this file alone */
  excludedBy?: string | null | undefined;
  /** milliseconds since it was added or last changed; null or left out where nobody knows */
  ageMs?: number | null | undefined;
}

export type Plan = SkipPlan | WorkPlan;

export interface SkipPlan {
  action: 'skip';
  reason: Reason;
  /** milliseconds until the same question has another answer by itself */
  againInMs?: number | undefined;
}

/** What to make. It names streams and wishes, never ffmpeg arguments: each node builds its own command from it. */
export interface WorkPlan {
  action: 'remux' | 'transcode';
  reason: Reason;
  /** container of the output; the file's extension follows from it only when it differs from the source's */
  container: Container;
  /** extension of the output with its dot, in the source's own spelling when the container stays */
  extension: string;
  /** every source stream in output order, none missing: what is not kept is named in `dropped` with its reason */
  streams: StreamPlan[];
  dropped: DroppedStream[];
  video: VideoPlan | null;
  /** size the output is expected to have, in bytes, for ordering the queue and for the forecast */
  expectedBytes: number;
  /** what a person should know about the whole file, for example that the container changes */
  notes?: Reason[];
}

export interface StreamPlan {
  index: number;
  kind: 'video' | 'audio' | 'subtitle' | 'attachment' | 'data';
  /** encode: the film itself; copy: as it is; convert: to another subtitle codec the container can hold */
  action: 'encode' | 'copy' | 'convert';
  /** codec in the output */
  codec: string;
  /** what a person should know about this stream, for example that styling is lost */
  note: Reason | null;
}

export interface DroppedStream {
  index: number;
  reason: Reason;
}

export interface VideoPlan {
  bitDepth: 8 | 10;
  deinterlace: boolean;
  /** the encoder must carry HDR10's fixed values over */
  hdr10?: boolean | undefined;
}

/** What the film becomes; plans of before AV1 was a wish say HEVC. */
export function plannedCodec(plan: Pick<WorkPlan, 'streams'>): Profile['codec'] {
  return plan.streams.some((s) => s.action === 'encode' && s.codec === 'av1') ? 'av1' : 'hevc';
}

/**
 * Skip, remux or transcode, with the reason a person would want to hear first. Pure: the same probe, facts and profile
 * always give the same plan. A work plan accounts for every source stream; where one could not be kept, the file is skipped.
 */
export function makePlan(probe: Probe, file: FileFacts, profile: Profile): Plan {
  const films = filmStreams(probe);
  const film = films[0];
  for (const rule of [...fileRules, ...contentRules]) {
    const found = rule({ probe, file, profile, films, film: film! });
    if (found) return { action: 'skip', reason: found, ...(found.code === 'too-young' ? { againInMs: untilOld(file, profile) } : {}) };
  }
  return planWork(probe, file, profile, film!);
}

/** Milliseconds; below 0 it is old enough. */
function untilOld(file: FileFacts, profile: Profile): number {
  return (profile.minAgeHours ?? 0) * 3600_000 - (file.ageMs ?? Infinity);
}

interface Case {
  probe: Probe;
  file: FileFacts;
  profile: Profile;
  films: VideoStream[];
  /** present after the rule 'no-video' has passed */
  film: VideoStream;
}

type Rule = (c: Case) => Reason | null;

/** What a person decided, and what is known without looking at the film. */
const fileRules: Rule[] = [
  ({ file }) => (file.excludedBy ? reason('excluded-by-person', { by: file.excludedBy }) : null),
  ({ file, profile }) => {
    const pattern = firstMatch(file.path, profile.exclude);
    return pattern === null ? null : reason('excluded-path', { pattern });
  },
  ({ file, profile }) =>
    // profiles of an earlier version know no such patterns
    profile.include?.length && firstMatch(file.path, profile.include) === null ? reason('not-included') : null,
  ({ file }) => (file.madeByUs ? reason('made-by-us') : null),
];

/**
 * The order is the order of usefulness: what the file is, then what would be lost, then what it would be worth, and last
 * what merely stands in the way today. "Already HEVC" is a better answer than "read-only".
 */
const contentRules: Rule[] = [
  // what the file is
  ({ probe }) => (probe.sizeBytes === 0 ? reason('empty-file') : null),
  ({ probe }) => (probe.container === 'unknown' ? reason('format-not-allowed', { format: probe.formatName }) : null),
  ({ probe }) => (probe.streams.length > 200 ? reason('too-many-streams', { count: probe.streams.length, limit: 200 }) : null),
  ({ probe }) => (probe.streams.some((s) => s.kind === 'video') ? null : reason('no-video')),
  ({ films }) => (films.length === 0 ? reason('only-pictures') : null),
  ({ probe, films, film, profile }) =>
    films.every((f) => f.codec === 'hevc') && !wantsRemux(probe, films, film, profile)
      ? reason(profile.codec === 'av1' ? 'hevc-stays' : 'already-hevc')
      : null,
  ({ films, profile }) => (profile.codec === 'av1' && films.every((f) => f.codec === 'av1') ? reason('already-av1') : null),
  ({ films }) => (films.length > 1 ? reason('several-videos', { count: films.length }) : null),
  ({ film, profile }) =>
    (profile.alsoEfficient as string[]).includes(film.codec) ? reason('already-efficient-codec', { codec: film.codec }) : null,
  ({ film }) => (masters.has(film.codec) ? reason('lossless-source', { codec: film.codec }) : null),
  ({ film }) => (film.codec === 'hevc' || convertible.has(film.codec) ? null : reason('unknown-codec', { codec: film.codec })),
  ({ film }) => (film.width > 0 && film.height > 0 ? null : reason('no-size')),
  ({ film }) => (film.pixelFormat === null ? reason('damaged', { message: 'its picture format can’t be read' }) : null),
  ({ probe }) => (probe.container === 'raw' ? reason('raw-stream') : null),
  ({ probe }) => (probe.durationMs !== null && probe.durationMs > 0 ? null : reason('no-duration')),

  // what a new encode would lose or could not make
  ({ film }) => (film.hdr?.kind === 'dolby-vision' ? reason('dolby-vision', { profile: film.hdr.dolbyVisionProfile }) : null),
  whenEncoding(({ film }) => (film.hdr?.kind === 'hdr10plus' ? reason('hdr10plus') : null)),
  whenEncoding(({ probe, film }) =>
    film.hdr?.kind === 'hdr10' && hidesHdr10plus.has(film.codec) && !seesHdr10plus(probe.probedBy)
      ? reason('hdr10plus-unseen', { codec: film.codec, version: probe.probedBy })
      : null,
  ),
  ({ film, profile }) =>
    film.hdr && profile.hdr === 'skip' ? reason('hdr-skipped', { kind: film.hdr.kind === 'hlg' ? 'HLG' : 'HDR10' }) : null,
  whenEncoding(({ film }) => (film.hasAlpha ? reason('alpha') : null)),
  whenEncoding(({ film }) =>
    film.chroma === '4:2:0' || film.chroma === '4:0:0' ? null : reason('chroma', { chroma: film.chroma ?? film.pixelFormat }),
  ),
  whenEncoding(({ film }) => (film.bitDepth > 10 ? reason('bit-depth', { bitDepth: film.bitDepth }) : null)),
  whenEncoding(({ film }) => (film.closedCaptions ? reason('closed-captions') : null)),
  whenEncoding(({ film }) => (twoViews(film) ? reason('stereo-3d', { layout: film.tags['stereo_mode'] }) : null)),
  whenEncoding(({ film, profile }) => (isInterlaced(film) && profile.interlaced === 'skip' ? reason('interlaced') : null)),
  whenEncoding(({ film }) => (outOfRange(film) ? reason('absurd-dimensions', { width: film.width, height: film.height }) : null)),
  whenEncoding(({ film }) =>
    film.width % 2 || film.height % 2 ? reason('odd-dimensions', { width: film.width, height: film.height }) : null,
  ),

  // what it would be worth
  ({ probe, profile }) => (probe.sizeBytes < profile.minSizeMb * 1e6 ? reason('too-small', { limitMb: profile.minSizeMb }) : null),
  ({ probe, profile }) =>
    profile.maxSizeMb > 0 && probe.sizeBytes > profile.maxSizeMb * 1e6 ? reason('too-large', { limitMb: profile.maxSizeMb }) : null,
  ({ probe, profile }) =>
    probe.durationMs! < profile.minDurationSeconds * 1000 ? reason('too-short', { limit: profile.minDurationSeconds }) : null,
  whenEncoding(({ probe, film, profile }) => {
    const bits = bitsPerPixel(probe, film);
    return bits !== null && bits < profile.minBitsPerPixel
      ? reason('already-efficient', { bitsPerPixel: Math.round(bits * 1000) / 1000, limit: profile.minBitsPerPixel })
      : null;
  }),

  // what stands in the way today
  ({ file, profile }) =>
    untilOld(file, profile) > 0
      ? reason('too-young', { age: Math.round((file.ageMs ?? 0) / 1000), limit: profile.minAgeHours * 3600 })
      : null,
  ({ file, profile }) =>
    file.fingerprint.links > 1 && profile.hardLinked === 'skip' ? reason('hard-linked', { links: file.fingerprint.links }) : null,
  ({ file }) => (file.readOnly ? reason('read-only') : null),
];

/** Rules about encoding do not bind a re-wrap, which leaves the pictures as they are. */
function whenEncoding(rule: Rule): Rule {
  return (c) => (c.film.codec === 'hevc' ? null : rule(c));
}

/** In these ffprobe before 6.1 shows no HDR10+ (5.1.9 looked into: only its HEVC decoder reads it), so such a film looks like plain HDR10. */
const hidesHdr10plus: ReadonlySet<string> = new Set(['av1', 'vp9']);

/** By the version of an ffprobe; a nightly build's says nothing. */
export function seesHdr10plus(version: string): boolean {
  const [, major = 0, minor = 0] = /^n?(\d{1,3})\.(\d{1,4})/.exec(version)?.map(Number) ?? [];
  return major > 6 || (major === 6 && minor >= 1);
}

/** Dolby Vision needs its description in the container, which a re-wrap by ffmpeg does not always write. */
function wantsRemux(probe: Probe, films: VideoStream[], film: VideoStream, profile: Profile): boolean {
  return profile.remux && films.length === 1 && disliked.has(probe.container) && film.hdr?.kind !== 'dolby-vision';
}

/** `unknown` from these two is no answer: DV is interlaced by nature, MPEG-2 mostly so at broadcast sizes. */
export function isInterlaced(film: VideoStream): boolean {
  if (film.fieldOrder === 'progressive') return false;
  if (film.fieldOrder !== 'unknown') return true;
  return film.codec === 'dvvideo' || (film.codec === 'mpeg2video' && [480, 486, 576, 1080, 1088].includes(film.height));
}

function outOfRange(film: VideoStream): boolean {
  const [short, long] = [Math.min(film.width, film.height), Math.max(film.width, film.height)];
  return short < 32 || long > 8192 || film.width * film.height > 8192 * 4320;
}

/** MVC keeps the second eye in frames that a decoder drops; side by side is an ordinary picture and stays. */
function twoViews(film: VideoStream): boolean {
  return /^block_/.test(film.tags['stereo_mode'] ?? '') || /multiview|stereo high/i.test(film.codecProfile ?? '');
}

function planWork(probe: Probe, file: FileFacts, profile: Profile, film: VideoStream): Plan {
  const remux = film.codec === 'hevc';
  const blocked: Stream[] = [];
  const codec = remux ? 'hevc' : (profile.codec ?? 'hevc');
  for (const container of candidates(probe.container, profile, codec)) {
    // ffmpeg 5.1 writes no turn into Matroska (measured)
    if (film.rotation !== 0 && container === 'matroska' && probe.container !== 'matroska')
      return { action: 'skip', reason: reason('turned', { degrees: film.rotation, container }) };
    const mapped = mapStreams(probe, container, film, { action: remux ? 'copy' : 'encode', codec });
    if (!('streams' in mapped)) {
      blocked.push(mapped.blocked);
      continue;
    }
    return {
      action: remux ? 'remux' : 'transcode',
      reason: remux ? reason('rewrap', { from: probe.container, to: container }) : whyEncode(probe, film, codec),
      container,
      extension: extensionFor(container, probe.container, file.path),
      ...mapped,
      video: remux ? null : videoPlan(film, profile),
      expectedBytes: remux ? probe.sizeBytes : expectedBytes(probe, profile),
      notes: container === probe.container ? [] : [reason('container-changes', { from: probe.container, to: container })],
    };
  }
  return { action: 'skip', reason: notKeepable(blocked.at(-1)!) };
}

function videoPlan(film: VideoStream, profile: Profile): VideoPlan {
  const bitDepth = film.bitDepth > 8 || profile.tenBit ? 10 : 8;
  return { bitDepth, deinterlace: isInterlaced(film), ...(hasHdr10Values(film) ? { hdr10: true } : {}) };
}

/** The same container where it can be, else MKV, which holds nearly everything. */
function candidates(from: Container, profile: Profile, codec: Profile['codec']): Container[] {
  if (!staysItself[codec].has(from) || (profile.remux && disliked.has(from))) return ['matroska'];
  return from === 'matroska' ? ['matroska'] : [from, 'matroska'];
}

interface Mapped {
  streams: StreamPlan[];
  dropped: DroppedStream[];
}

function mapStreams(
  probe: Probe,
  container: Container,
  film: VideoStream,
  made: Pick<StreamPlan, 'action' | 'codec'>,
): Mapped | { blocked: Stream } {
  const streams: StreamPlan[] = [];
  const dropped: DroppedStream[] = [];
  for (const stream of inOutputOrder(probe.streams, container)) {
    if (stream.index === film.index) {
      streams.push({ index: stream.index, kind: 'video', ...made, note: null });
      continue;
    }
    const fit = fits(stream, container, probe.container, probe.chapters.length > 0);
    if (fit.how === 'no') return { blocked: stream };
    if (fit.how === 'implied') dropped.push({ index: stream.index, reason: reason(fit.by) });
    else if (fit.how === 'copy') streams.push({ index: stream.index, kind: stream.kind, action: 'copy', codec: stream.codec, note: null });
    else {
      const note = reason('styling-lost', { from: stream.codec, to: fit.codec });
      streams.push({ index: stream.index, kind: stream.kind, action: 'convert', codec: fit.codec, note });
    }
  }
  return { streams, dropped };
}

/** Matroska keeps attachments (and covers, which are attachments there) behind all tracks. */
function inOutputOrder(streams: Stream[], container: Container): Stream[] {
  if (container !== 'matroska') return streams;
  const attached = (stream: Stream) => stream.kind === 'attachment' || isPicture(stream);
  return [...streams.filter((s) => !attached(s)), ...streams.filter(attached)];
}

function notKeepable(stream: Stream): Reason {
  const { index, codec, language, title } = stream;
  return reason('stream-not-keepable', {
    index,
    codec: stream.codecTag && codec === 'bin_data' ? `${codec} ${stream.codecTag}` : codec,
    language,
    title,
    container: 'matroska',
  });
}

function whyEncode(probe: Probe, film: VideoStream, codec: Profile['codec']): Reason {
  const megabits = film.bitrate ?? probe.bitrate;
  const params = { codec: film.codec, height: film.height, megabits: megabits === null ? null : Math.round(megabits / 1e5) / 10 };
  if (codec === 'av1') return reason('to-av1', params);
  return reason(film.codec === 'h264' ? 'not-hevc' : 'older-codec', params);
}

function extensionFor(container: Container, from: Container, path: string): string {
  const own = /\.[^./\s]{1,12}$/.exec(path)?.[0] ?? '';
  if (container === from) return own;
  return container === 'matroska' ? '.mkv' : `.${container}`;
}

/** Lossless and mastering formats: somebody chose to spend that space. */
const masters = new Set([
  'ffv1',
  'huffyuv',
  'ffvhuff',
  'utvideo',
  'rawvideo',
  'v210',
  'magicyuv',
  'prores',
  'dnxhd',
  'lagarith',
  'cfhd',
  'jpeg2000',
]);

/** Film codecs that are known to decode exactly, frame for frame, in every ffmpeg we accept. */
const convertible = new Set([
  'h264',
  'mpeg1video',
  'mpeg2video',
  'mpeg4',
  'msmpeg4v1',
  'msmpeg4v2',
  'msmpeg4v3',
  'wmv1',
  'wmv2',
  'wmv3',
  'vc1',
  'vp6',
  'vp6f',
  'vp8',
  'vp9',
  'av1',
  'theora',
  'mjpeg',
  'dvvideo',
  'flv1',
  'h263',
  'rv30',
  'rv40',
  'svq1',
  'svq3',
  'cinepak',
  'indeo3',
  'indeo5',
]);
