import os from 'node:os';
import path from 'node:path';
import type { Container, VideoStream } from '../core/media.ts';
import type { Metric, PieceScore, QualityScore } from '../core/quality.ts';
import { reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import { deinterlacer } from './args.ts';
import type { CourtesyWish } from './courtesy.ts';
import { runFollowed } from './followed.ts';
import type { Tools } from './locate.ts';
import { metricOf } from './metric.ts';
import { fileUrl, safeGlobals, safeInput, wrapper } from './sandbox.ts';
import { listener, scoreGraph, trim, type Frame, type Heard } from './score-graph.ts';
import type { TranscodeControl } from './transcode.ts';

/**
 * Scores pieces of an output against the same pieces of its original.
 *
 *   first frame of both ─▶ for each piece: the original's frame times there ─▶ cut both midway between two frames
 *                             ▲                                                  │
 *                             └── once more, from farther ahead ◀── other frames ┤ every pair at the same time?
 *                                                                                └▶ score, and a look at the colours
 *
 * Times are counted from the first frame of each film stream, because containers begin at different times. A file is
 * read from before the piece on and cut by filters: ffmpeg's own cut after a seek is off by a frame in some containers.
 * That the frames which met belong together is checked afterwards by their times; what cannot be proved has no score.
 */
export interface ScoreRequest extends WholeRequest {
  /** milliseconds after the first frame */
  at: { startMs: number; lengthMs: number }[];
  /** 0…100 */
  onProgress?: (percent: number) => void;
}

/** Two files, of which one was made from the whole of the other. */
export interface WholeRequest {
  tools: Tools;
  original: ScoredFile;
  output: ScoredFile;
  /** the original was deinterlaced on its way: it is compared as it came out of the same filter */
  deinterlace?: boolean;
  /** default: the best that this ffmpeg has */
  metric?: Metric | undefined;
  signal?: AbortSignal | undefined;
  control?: TranscodeControl | undefined;
  /** default: two minutes of silence */
  stallMs?: number;
  /** how far behind other programs it stands; left out: as usual */
  manners?: CourtesyWish;
}

export interface ScoredFile {
  /** absolute */
  file: string;
  film: VideoStream;
  container: Container;
}

type Piece = ScoreRequest['at'][number];

/**
 * @throws PlainError with reason `pictures-differ` when the output has other frames than the original there, or another size;
 *   ToolError when ffmpeg could not; the signal's reason
 */
export async function scorePieces(request: ScoreRequest): Promise<QualityScore> {
  const { at } = request;
  if (at.length === 0) throw new TypeError('no pieces to score');
  requireOneSize(request);
  const metric = request.metric ?? (await metricOf(request.tools, request.signal));
  const firsts = await firstFrames(request);
  const pieces: PieceScore[] = [];
  for (const piece of at) {
    pieces.push(await scorePiece(request, metric, piece, firsts));
    request.onProgress?.((pieces.length / at.length) * 100);
  }
  const scores = pieces.map((p) => p.score);
  return { metric, mean: scores.reduce((a, b) => a + b, 0) / scores.length, worst: Math.min(...scores), pieces };
}

/**
 * Scores the whole of a short film, for example a sample that was cut out before. Nothing is sought, so it is one run.
 * @throws as scorePieces
 */
export async function scoreWhole(request: WholeRequest): Promise<PieceScore> {
  requireOneSize(request);
  const metric = request.metric ?? (await metricOf(request.tools, request.signal));
  const heard = await compare(request, metric, null, 0, 0);
  const [a, b] = [heard.a[0], heard.b[0]];
  const problem = a && b ? pairing(heard, heard.a.length, b.time - a.time) : 'one of them shows no frames';
  const score = problem ? problem : judged(request, heard, 0);
  if (score === null || typeof score === 'string') throw differ(request, 0, score ?? 'nothing could be measured');
  return score;
}

interface Firsts {
  original: number;
  output: number;
}

/** A first try begins as near as is usually enough; a stream with rare keyframes needs a longer run-up. */
async function scorePiece(request: ScoreRequest, metric: Metric, piece: Piece, firsts: Firsts): Promise<PieceScore> {
  for (const runUp of [1, 4]) {
    const found = await tryPiece(request, metric, piece, firsts, runUp);
    if (typeof found !== 'string') return found;
    if (runUp === 4) throw differ(request, piece.startMs, found);
  }
  throw new TypeError('unreachable');
}

async function tryPiece(request: ScoreRequest, metric: Metric, piece: Piece, firsts: Firsts, runUp: number): Promise<PieceScore | string> {
  const cut = await cutFor(request, piece, firsts.original, runUp);
  if (!cut) return 'the original has no frames there';
  const shift = firsts.output - firsts.original;
  const heard = await compare(request, metric, cut, shift, runUp);
  const problem = pairing(heard, cut.times.length, shift);
  return problem ?? judged(request, heard, piece.startMs) ?? 'nothing could be measured there';
}

function judged({ original, output }: WholeRequest, heard: Heard, atMs: number): PieceScore | null {
  if (heard.score === null) return null;
  const wrong = otherLook(heard, Math.max(original.film.bitDepth, output.film.bitDepth));
  return { atMs, score: wrong ? 0 : heard.score, wrong };
}

/** The frames of one piece, and where to cut: midway before the first and midway before the one behind the last. */
interface Cut {
  times: number[];
  from: number;
  to: number;
}

const FEWEST = 3;

async function cutFor(request: ScoreRequest, piece: Piece, first: number, runUp: number): Promise<Cut | null> {
  const from = first + piece.startMs / 1000;
  const to = from + piece.lengthMs / 1000;
  const frames = await framesBetween(request, request.original, from - 1, to + 1, runUp);
  const times = frames.map((f) => f.time).toSorted((a, b) => a - b);
  const begin = times.findIndex((t) => t >= from - 0.0005);
  const behind = times.findIndex((t) => t >= to - 0.0005);
  const inside = begin < 0 ? [] : times.slice(begin, behind < 0 ? undefined : behind);
  if (inside.length < FEWEST) return null;
  const step = (inside.at(-1)! - inside[0]!) / (inside.length - 1);
  const before = times[begin - 1] ?? inside[0]! - step;
  const after = behind < 0 ? inside.at(-1)! + step : times[behind]!;
  return { times: inside, from: (before + inside[0]!) / 2, to: (inside.at(-1)! + after) / 2 };
}

/** When the first frame of each is shown, by its own clock. */
async function firstFrames(request: ScoreRequest): Promise<Firsts> {
  const { original, output } = request;
  const first = (of: ScoredFile, input: number, name: string): string =>
    `[${input}:${of.film.index}]trim=end_frame=1,showinfo@${name}[${name}]`;
  const graph = `${first(original, 0, 'a')};${first(output, 1, 'b')}`;
  const { a, b } = await listen(request, [original, output], ['-filter_complex', graph, '-map', '[a]', '-map', '[b]']);
  if (!a[0] || !b[0]) throw differ(request, 0, `the ${a[0] ? 'copy' : 'original'} shows no first frame`);
  return { original: a[0].time, output: b[0].time };
}

async function framesBetween(request: ScoreRequest, of: ScoredFile, from: number, to: number, runUp: number): Promise<Frame[]> {
  const filter = `${trim(from, to)},showinfo@a`;
  const seek = seekTo(of, from, runUp);
  return (await listen(request, [{ ...of, seek }], ['-map', `0:${of.film.index}`, '-filter:0', filter, '-fps_mode:0', 'passthrough'])).a;
}

async function compare(request: WholeRequest, metric: Metric, cut: Cut | null, shift: number, runUp: number): Promise<Heard> {
  const { original, output } = request;
  const graph = scoreGraph(
    { film: original.film, cut },
    { film: output.film, cut: cut && { from: cut.from + shift, to: cut.to + shift } },
    {
      metric,
      threads: Math.min(8, os.availableParallelism()),
      deinterlace: request.deinterlace ? deinterlacer(original.film) : null,
    },
  );
  const inputs = [
    // a deinterlacer is given a second more
    { ...original, seek: cut && seekTo(original, cut.from - 1, runUp) },
    { ...output, seek: cut && seekTo(output, cut.from + shift, runUp) },
  ];
  return listen(request, inputs, ['-filter_complex', graph, '-map', '[judged]']);
}

/**
 * Seconds to begin reading at; null: at the beginning. An index leads to the keyframe before; without one a seek lands
 * anywhere and decoding begins at the next keyframe, which may be ten seconds on (x264's and x265's own default).
 */
function seekTo(of: ScoredFile, from: number, runUp: number): number | null {
  const ahead = (indexed.has(of.container) ? 2 : 12) * runUp;
  const to = from - ahead;
  return to > (of.film.startMs ?? 0) / 1000 + 1 ? to : null;
}

const indexed = new Set<Container>(['matroska', 'webm', 'mp4', 'mov', 'avi']);

async function listen(request: WholeRequest, inputs: (ScoredFile & { seek?: number | null })[], rest: string[]): Promise<Heard> {
  const { tools } = request;
  const { heard, onLine } = listener();
  const name = path.basename(request.original.file);
  await runFollowed({
    command: [
      tools.ffmpeg.path,
      ...safeGlobals,
      '-v',
      'info',
      '-nostats',
      '-copyts',
      ...inputs.flatMap((input) => [
        ...safeInput,
        '-noautorotate',
        ...(input.seek == null ? [] : ['-noaccurate_seek', '-seek_timestamp', '1', '-ss', input.seek.toFixed(6)]),
        '-i',
        fileUrl(input.file),
      ]),
      ...rest,
      '-f',
      'null',
      '-',
    ],
    wrapper: wrapper(tools, tools.ffmpeg.path, {
      read: inputs.map((input) => input.file),
      ...(request.manners ? { courtesy: request.manners } : {}),
    }),
    ...(request.manners ? { niceness: request.manners.niceness } : {}),
    what: `compare pictures of ${name}`,
    signal: request.signal,
    control: request.control,
    stallMs: request.stallMs ?? 120_000,
    onErrorLine: onLine,
  });
  return heard;
}

/** Two roundings to milliseconds and one tick; still less than half a frame at 120 frames a second. */
const TOLERANCE = 0.0035;

/** Null when every frame met its own; else what is amiss, in words. */
function pairing(heard: Heard, frames: number, shift: number): string | null {
  const { a, b } = heard;
  if (a.length !== frames) return `the original gave ${a.length} frames where it has ${frames}`;
  if (a.length < FEWEST) return 'there are too few frames';
  if (b.length !== a.length) return `${b.length} frames where the original has ${a.length}`;
  const off = a.findIndex((frame, n) => Math.abs(b[n]!.time - shift - frame.time) > TOLERANCE);
  if (off < 0) return null;
  const apart = Math.round((b[off]!.time - shift - a[off]!.time) * 1000);
  return `a frame is ${Math.abs(apart)} ms too ${apart > 0 ? 'late' : 'early'}`;
}

/**
 * What the judges do not see. They look at detail in the luma: colours may be gone or swapped, and a picture that is
 * brighter or of more contrast even scores well in VMAF. An encoder never moves the mean of a whole piece, so that is
 * measured; and an error as large as the picture's own variation is another picture.
 */
function otherLook(heard: Heard, bitDepth: number): PieceScore['wrong'] {
  const step = bitDepth > 8 ? 4 : 1;
  const mean = (frames: Frame[], of: 'mean' | 'spread', plane: number): number =>
    frames.reduce((sum, f) => sum + (f[of][plane] ?? Number.NaN), 0) / frames.length / step;
  for (const plane of [0, 1, 2]) {
    const [spread, other] = [mean(heard.a, 'spread', plane), mean(heard.b, 'spread', plane)];
    const moved = Math.abs(mean(heard.a, 'mean', plane) - mean(heard.b, 'mean', plane));
    const error = 255 / 10 ** ((heard.psnr?.[plane] ?? 0) / 20);
    const fine = moved <= 2 && Math.abs(spread - other) <= Math.max(2, spread * 0.08) && (error <= 4 || error <= spread * 0.7);
    if (!fine) return plane === 0 ? 'brightness' : 'colour';
  }
  return null;
}

function requireOneSize({ original, output }: WholeRequest): void {
  if (original.film.width === output.film.width && original.film.height === output.film.height) return;
  const size = (of: ScoredFile): string => `${of.film.width}×${of.film.height}`;
  const message = `they are ${size(output)} instead of ${size(original)}`;
  throw new PlainError(`The pictures of the copy cannot be compared: ${message}.`, { reason: reason('pictures-differ', { message }) });
}

function differ(request: WholeRequest, atMs: number, message: string): PlainError {
  const name = path.basename(request.original.file);
  const at = `${Math.round(atMs / 1000)} s`;
  return new PlainError(`The copy of ${name} does not have the original's pictures at ${at}: ${message}.`, {
    reason: reason('pictures-differ', { at, message }),
  });
}
