import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { EncoderChoice } from '../core/encoder-choice.ts';
import { frameRateOf } from '../core/estimate.ts';
import { filmStreams, type Probe, type VideoStream } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Metric, PieceScore } from '../core/quality.ts';
import type { CourtesyWish } from './courtesy.ts';
import { runFollowed } from './followed.ts';
import type { Tools } from './locate.ts';
import { ToolError } from './process.ts';
import { fileUrl, safeGlobals, safeInput, wrapper } from './sandbox.ts';
import { listener } from './score-graph.ts';
import { scoreWhole } from './score.ts';
import { transcode, type TranscodeControl } from './transcode.ts';

/**
 * Short pieces of a film, to try settings on. A piece is taken out as it lies there, from a keyframe on, into a file of
 * its own: the encode of it then takes the same arguments as the encode of the film, to the letter, and when encode and
 * original are compared nothing has to be sought, so the same frames meet.
 */
export interface SampleSource {
  tools: Tools;
  /** absolute; the film is only read */
  input: string;
  probe: Probe;
  plan: WorkPlan;
  encoder: EncoderChoice;
  /** absolute; only we write into it, and nothing of ours is left in it */
  folder: string;
  stallMs: number;
  manners: CourtesyWish;
  signal: AbortSignal;
  control: TranscodeControl;
}

export interface Sample {
  file: string;
  atMs: number;
  frames: number;
  lengthMs: number;
}

/**
 * Takes pieces out of the film until there are `count`; of the places, in this order, those are passed over that show
 * nothing (black, one colour) or cannot be read. May be fewer.
 * @throws the signal's reason
 */
export async function cutSamples(
  source: SampleSource,
  wish: { places: readonly number[]; count: number; lengthMs: number },
): Promise<Sample[]> {
  const film = filmOf(source.probe);
  const frames = Math.min(1000, Math.max(10, Math.round((frameRateOf(film) * wish.lengthMs) / 1000)));
  const samples: Sample[] = [];
  for (const atMs of wish.places) {
    if (samples.length >= wish.count) break;
    const file = path.join(source.folder, `sample-${samples.length}.mkv`);
    await rm(file, { force: true });
    const good = await cut(source, film, { file, atMs, frames }).then(
      () => showsSomething(source, file),
      (error: unknown) => passOver(error, source.signal),
    );
    if (good) samples.push({ file, atMs, frames, lengthMs: (frames / frameRateOf(film)) * 1000 });
    else await rm(file, { force: true });
  }
  return samples;
}

/** A place that cannot be read says nothing about the others. */
function passOver(error: unknown, signal: AbortSignal): false {
  signal.throwIfAborted();
  if (error instanceof ToolError) return false;
  throw error;
}

export async function removeSamples(samples: readonly Sample[]): Promise<void> {
  for (const sample of samples) await rm(sample.file, { force: true });
}

export interface Tried {
  score: PieceScore;
  encodeMs: number;
  bytes: number;
}

/**
 * Encodes a piece as the film would be, and scores it.
 * @throws as `encodePiece` and `scoreWhole`
 */
export async function trySample(source: SampleSource, sample: Sample, profile: Profile, metric: Metric): Promise<Tried> {
  const { tools, signal, control, stallMs, manners } = source;
  const film = { ...filmOf(source.probe), index: 0 };
  return encodePiece(source, sample, profile, async (output, made) => {
    const score = await scoreWhole({
      tools,
      original: { file: sample.file, film, container: 'matroska' },
      output: { file: output, film: { ...film, bitDepth: source.plan.video?.bitDepth ?? 8, pixelFormat: null }, container: 'matroska' },
      deinterlace: source.plan.video?.deinterlace ?? false,
      metric,
      manners,
      signal,
      control,
      stallMs,
    });
    return { score, ...made };
  });
}

/**
 * Encodes a piece with the very arguments of the film's encode; what came out is gone when `look` has looked at it.
 * @throws as `transcode`
 */
export async function encodePiece<T>(
  source: SampleSource,
  sample: Sample,
  profile: Profile,
  look: (output: string, made: { encodeMs: number; bytes: number }) => Promise<T>,
): Promise<T> {
  const { tools, signal, control, stallMs, manners, encoder } = source;
  const film = { ...filmOf(source.probe), index: 0 };
  const output = `${sample.file}.try.mkv`;
  await rm(output, { force: true });
  try {
    const made = await transcode({
      tools,
      plan: onlyFilm(source.plan),
      profile,
      probe: { ...source.probe, container: 'matroska', durationMs: sample.lengthMs, streams: [film], chapters: [], tags: {} },
      encoder,
      input: sample.file,
      output,
      stallMs,
      manners,
      signal,
      control,
      // a piece may well grow; the film has its own limit
      maxOutputBytes: (await stat(sample.file)).size * 8 + 64 * 1024 * 1024,
    });
    return await look(output, { encodeMs: made.encodeMs, bytes: made.outputBytes });
  } finally {
    await rm(output, { force: true });
  }
}

function filmOf(probe: Probe): VideoStream {
  const film = filmStreams(probe)[0];
  if (!film) throw new TypeError('there is no film in it');
  return film;
}

/** The plan of the film with nothing but the film in it. */
function onlyFilm(plan: WorkPlan): WorkPlan {
  const encoded = plan.streams.filter((stream) => stream.action === 'encode').map((stream) => ({ ...stream, index: 0 }));
  return { ...plan, container: 'matroska', extension: '.mkv', streams: encoded, dropped: [] };
}

async function cut(source: SampleSource, film: VideoStream, to: { file: string; atMs: number; frames: number }): Promise<void> {
  const { tools } = source;
  await runFollowed({
    command: [
      tools.ffmpeg.path,
      ...safeGlobals,
      '-v',
      'warning',
      // AVI knows no presentation times, and Matroska takes nothing without
      '-fflags',
      '+genpts',
      ...safeInput,
      '-ss',
      (to.atMs / 1000).toFixed(3),
      '-i',
      fileUrl(source.input),
      '-map',
      `0:${film.index}`,
      '-map_metadata',
      '-1',
      '-map_chapters',
      '-1',
      '-c',
      'copy',
      // counted, because the keyframe from which the copy begins may lie long before the place
      '-frames:0',
      String(to.frames),
      '-f',
      'matroska',
      '-progress',
      'pipe:1',
      '-nostats',
      '-n',
      fileUrl(to.file),
    ],
    wrapper: wrapper(tools, tools.ffmpeg.path, {
      read: [source.input],
      write: source.folder,
      maxFileBytes: 2 * 1024 ** 3,
    }),
    what: `take a piece out of ${path.basename(source.input)}`,
    signal: source.signal,
    control: source.control,
    stallMs: source.stallMs,
    onLine: () => {},
  });
}

/** Steps of 8 bits: darker, or of less variation, than any picture that a person looks at. */
const DARK = 22;
const FLAT = 6;

/** A look at the first picture: any setting scores well on black or on one colour. */
async function showsSomething(source: SampleSource, file: string): Promise<boolean> {
  const { tools, signal, control, stallMs } = source;
  const { heard, onLine } = listener();
  await runFollowed({
    command: [
      tools.ffmpeg.path,
      ...safeGlobals,
      '-v',
      'info',
      '-nostats',
      ...safeInput,
      '-i',
      fileUrl(file),
      '-map',
      '0:0',
      '-frames:0',
      '1',
      '-filter:0',
      'format=yuv420p,showinfo@a',
      '-f',
      'null',
      '-',
    ],
    wrapper: wrapper(tools, tools.ffmpeg.path, { read: [file] }),
    what: `look at a piece of ${path.basename(source.input)}`,
    signal,
    control,
    stallMs,
    onErrorLine: onLine,
  });
  const seen = heard.a[0];
  return seen !== undefined && (seen.mean[0] ?? 0) > DARK && (seen.spread[0] ?? 0) > FLAT;
}
