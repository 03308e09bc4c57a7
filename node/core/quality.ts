import { bitsPerPixel } from './estimate.ts';
import { filmStreams, type Probe } from './media.ts';
import type { WorkPlan } from './plan.ts';
import type { Profile } from './profile.ts';

/**
 * A quality that means the same everywhere. One number gives another picture on every encoder and for every film; a goal
 * does not. Short pieces of the film are encoded with the very arguments of its encode, scored, and the setting is moved
 * until the goal is met (quality-search.ts). What was found is remembered for titles of the same kind on the same
 * encoder, so that the next search begins there.
 *
 *   long enough? ─no─▶ remembered for its kind, else the profile's number; the page says so
 *      │yes
 *      ▼
 *   pieces ─▶ encode, score ─▶ near the goal? ─yes─▶ that setting, remembered
 *                ▲                  │no
 *                └── next setting ──┘ as long as the budget lasts
 */

/** How alike two pieces of film are, by one of two judges. Numbers of different judges are not to be compared. */
export const metrics = ['vmaf', 'ssim'] as const;
export type Metric = (typeof metrics)[number];

export interface QualityScore {
  metric: Metric;
  /** of all pieces, each weighing the same */
  mean: number;
  /** the lowest piece */
  worst: number;
  pieces: PieceScore[];
}

export interface PieceScore {
  atMs: number;
  /** vmaf 0…100, ssim of the luma 0…1 */
  score: number;
  /** what no judge of luma detail sees; such a piece has the score 0 */
  wrong: 'brightness' | 'colour' | null;
}

export type Target = Exclude<Profile['target'], 'number'>;
export const targets = ['visually-lossless', 'very-good', 'good'] as const satisfies Target[];

export interface Goal {
  /** what the pieces shall have together, and each at least */
  mean: number;
  worst: number;
}

/**
 * What of each judge means the same to a person. VMAF: 95 is widely taken as not to be told apart in motion, 93 is the top
 * of what streaming services send; a standing picture has only 97.4 against itself, so more than 96.5 cannot be asked.
 * SSIM is the stand-in of an ffmpeg without VMAF. Its numbers depend on the film: with x265 (fast, 10 bit) on pieces of
 * 480x270, VMAF 96.5 / 95 / 92 came with these, interpolated between CRF 18, 22, 26 and 30:
 *
 *   bird .9908 .9896 .9874 (of 960x540: .9879 .9868 .9847) · talking head .9844 .9809 .9740 · broadcast .9798 .9757 .9679
 *   strong synthetic grain .829 .769 .661 · standing picture .9986 .9984 .9978
 *
 * The goals lie between those of the first three. Grain that an encoder smooths falls far in SSIM, though hardly to the
 * eye: a search by SSIM may therefore not go far below the profile's number (worker/calibrate.ts).
 */
export const goals: Record<Metric, Record<Target, Goal>> = {
  vmaf: {
    'visually-lossless': { mean: 96.5, worst: 94 },
    'very-good': { mean: 95, worst: 91 },
    good: { mean: 92, worst: 87 },
  },
  ssim: {
    'visually-lossless': { mean: 0.988, worst: 0.98 },
    'very-good': { mean: 0.985, worst: 0.976 },
    good: { mean: 0.978, worst: 0.966 },
  },
};

/** A setting that was found earlier on the same node and encoder for titles of one kind. */
export interface Finding {
  encoder: string;
  device: string | null;
  metric: Metric;
  /** on the profile's scale; need not be whole */
  quality: number;
  score: number;
  runs: number;
}

/** The one that a search on this encoder may begin at; null when there is none. */
export function findingFor(
  findings: readonly Finding[],
  encoder: { name: string; device: string | null },
  metric: Metric | null,
): Finding | null {
  const own = findings.filter((f) => f.encoder === encoder.name && f.device === encoder.device);
  return (metric === null ? own : own.filter((f) => f.metric === metric)).toSorted((a, b) => b.runs - a.runs)[0] ?? null;
}

/**
 * Titles whose settings are alike: of one size, one age of codec and one wealth of detail. Bits per pixel tell grain from
 * clean animation better than anything else that is known before decoding. Depth and speed are in it because they
 * change what one setting of an encoder gives.
 */
export function titleClass(probe: Probe, plan: Pick<WorkPlan, 'video'>, profile: Pick<Profile, 'speed'>): string {
  const film = filmStreams(probe)[0];
  if (!film) return 'unknown';
  const lines = Math.min(film.width, film.height);
  const size = lines <= 576 ? 'sd' : lines <= 800 ? '720p' : lines <= 1200 ? '1080p' : '2160p';
  const bits = bitsPerPixel(probe, film);
  const wealth = bits === null ? 'unknown' : bits < 0.06 ? 'lean' : bits < 0.14 ? 'usual' : 'rich';
  return [size, ages[film.codec] ?? 'other', wealth, film.hdr ? 'hdr' : 'sdr', `${plan.video?.bitDepth ?? 8}bit`, profile.speed].join(' ');
}

const ages: Record<string, string> = {
  h264: 'h264',
  vc1: 'h264',
  vp8: 'h264',
  mpeg1video: 'mpeg2',
  mpeg2video: 'mpeg2',
  dvvideo: 'mpeg2',
  mjpeg: 'mpeg2',
  mpeg4: 'mpeg4',
  msmpeg4v1: 'mpeg4',
  msmpeg4v2: 'mpeg4',
  msmpeg4v3: 'mpeg4',
  wmv1: 'mpeg4',
  wmv2: 'mpeg4',
  wmv3: 'mpeg4',
  h263: 'mpeg4',
  flv1: 'mpeg4',
  hevc: 'hevc',
  vp9: 'hevc',
  av1: 'hevc',
};

export interface SamplePlan {
  /** milliseconds after the beginning, in the order in which to try them; more than `count`, for those that show nothing */
  places: number[];
  count: number;
  lengthMs: number;
  /** so many settings may be tried */
  tries: number;
}

/** Share of a film that may be encoded as samples. Scoring costs time too, so it is less than the 8 % that a search may cost. */
const SHARE = 0.06;
const MOST_TRIES = 5;
const PIECE_MS = 4000;

/**
 * Which pieces of a film are tried, and how often at most, so that all tries together encode no more than 6 % of it.
 * Away from both ends, where titles and credits are. Null when the film is too short for that; with a finding to
 * confirm, one try is enough.
 */
export function planSamples(durationMs: number, known: boolean): SamplePlan | null {
  const budget = durationMs * SHARE;
  const least = known ? 1 : 2;
  const perTry = Math.min(32_000, Math.max(PIECE_MS, budget / 4));
  const tries = Math.min(MOST_TRIES, Math.floor(budget / perTry));
  if (!Number.isFinite(budget) || tries < least) return null;
  const count = Math.max(2, Math.floor(perTry / PIECE_MS));
  return { places: placesIn(durationMs, count), count, lengthMs: Math.floor(perTry / count), tries };
}

/** The middles of `count` equal parts of the inner 84 % of the film, then the places between them. */
function placesIn(durationMs: number, count: number): number[] {
  const at = (share: number): number => Math.round(durationMs * (0.08 + 0.84 * share));
  const middles = Array.from({ length: count }, (_, n) => at((n + 0.5) / count));
  const between = Array.from({ length: count - 1 }, (_, n) => at((n + 1) / count));
  return [...middles, ...between];
}
