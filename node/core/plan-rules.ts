import { disliked } from './containers.ts';
import { bitsPerPixel } from './estimate.ts';
import { firstMatch } from './glob.ts';
import type { Fingerprint, Probe, VideoStream } from './media.ts';
import { isInterlaced } from './media.ts';
import type { Profile } from './profile.ts';
import type { Reason } from './reasons.ts';
import { reason } from './reasons.ts';

/** One file as the rules see it. */
export interface Case {
  probe: Probe;
  file: FileFacts;
  profile: Profile;
  films: VideoStream[];
  /** present after the rule 'no-video' has passed */
  film: VideoStream;
}

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
  /** path of what has the name already that its output in Matroska would get, or is about to get it; null or left out: nothing */
  inTheWay?: string | null | undefined;
}

/** Why a file is left alone, the most useful reason first; null: nothing speaks against work. */
export function firstRefusal(c: Case): { reason: Reason; againInMs?: number } | null {
  for (const rule of [...fileRules, ...contentRules]) {
    const found = rule(c);
    if (found) return { reason: found, ...(found.code === 'too-young' ? { againInMs: untilOld(c.file, c.profile) } : {}) };
  }
  return null;
}

/** Milliseconds; below 0 it is old enough. */
function untilOld(file: FileFacts, profile: Profile): number {
  return (profile.minAgeHours ?? 0) * 3600_000 - (file.ageMs ?? Infinity);
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

function outOfRange(film: VideoStream): boolean {
  const [short, long] = [Math.min(film.width, film.height), Math.max(film.width, film.height)];
  return short < 32 || long > 8192 || film.width * film.height > 8192 * 4320;
}

/** MVC keeps the second eye in frames that a decoder drops; side by side is an ordinary picture and stays. */
function twoViews(film: VideoStream): boolean {
  return /^block_/.test(film.tags['stereo_mode'] ?? '') || /multiview|stereo high/i.test(film.codecProfile ?? '');
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
