import { frameRateOf } from '../core/estimate.ts';
import { filmStreams, type Probe, type VideoStream } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import { MAX_PICTURE_BYTES, places } from '../core/pictures.ts';
import { lookAtFrames, thumbHeight, thumbWidth, type Look, type SeenFrame } from './frame-look.ts';
import type { Tools } from './locate.ts';

/**
 * Frames of an original beside the same frames of its output.
 *
 *   each place ─▶ a frame of the original, not a black one ─▶ its time, moved to the output's clock
 *                 ─▶ the frames of the output around that time ─▶ the very one, by time and then by sight
 *
 * Two files of one film have two clocks: a transport stream begins anywhere, a muxer moves the start. How far they are apart
 * is one number for the whole film; there are three ways to know it (start of the files, start of the film, its end), and
 * sight decides between them when they differ. Sight also finds a whole-film shift by a frame or two, which some old
 * containers have after a seek.
 */
export interface FramesRequest {
  tools: Tools;
  /** absolute paths */
  original: string;
  output: string;
  originalProbe: Probe;
  outputProbe: Probe;
  plan: Pick<WorkPlan, 'video'>;
  /** an empty directory of ours, absolute */
  directory: string;
  /** what is not taken by then is left out */
  limitMs: number;
  signal: AbortSignal;
}

export interface FramePair {
  /** into the film, in milliseconds */
  atMs: number;
  before: Buffer;
  after: Buffer;
}

/**
 * Up to five pairs in the film's order; fewer, or none, when frames cannot be taken. A film that breaks ffmpeg breaks this
 * only: whatever goes wrong makes a pair missing.
 * @throws only the reason of an abort
 */
export async function comparisonFrames(request: FramesRequest): Promise<FramePair[]> {
  const film = filmStreams(request.originalProbe)[0];
  const made = filmStreams(request.outputProbe)[0];
  const durationMs = film?.durationMs ?? request.originalProbe.durationMs;
  if (!film || !made || !durationMs) return [];
  const late = AbortSignal.timeout(request.limitMs);
  const taking: Taking = { ...request, film, made, durationMs, signal: AbortSignal.any([request.signal, late]), apartUs: null };
  const found = await takeAll(taking);
  request.signal.throwIfAborted();
  return choose(found);
}

interface Taking extends FramesRequest {
  film: VideoStream;
  made: VideoStream;
  durationMs: number;
  /** the output's clock less the original's, once it is known */
  apartUs: number | null;
}

interface Found {
  atMs: number;
  before: SeenFrame;
  /** frames of the output around it */
  around: SeenFrame[];
  /** which of them has the time */
  nearest: number;
}

/** The first place settles how far the clocks are apart; then two at a time. */
async function takeAll(taking: Taking): Promise<Found[]> {
  const found: Found[] = [];
  const left = [...places];
  const next = async (): Promise<void> => {
    for (let place = left.shift(); place !== undefined && !taking.signal.aborted; place = left.shift()) {
      const one = await take(taking, place).catch(() => null);
      if (one) found.push(one);
      if (taking.apartUs === null || found.length === 0) continue;
      if (lanes++ === 0) await Promise.all([next(), next()]);
    }
  };
  let lanes = 0;
  await next();
  return found;
}

async function take(taking: Taking, place: number): Promise<Found | null> {
  const before = await originalFrame(taking, place);
  if (!before) return null;
  const atMs = Math.max(0, Math.round((before.us - startUs(taking.originalProbe, taking.film)) / 1000));
  if (taking.apartUs !== null) return besideIt(taking, before, atMs, taking.apartUs);
  let best: Found | null = null;
  for (const apartUs of possibleOffsets(taking)) {
    const found = await besideIt(taking, before, atMs, apartUs);
    if (!found || (best && closest(found) >= closest(best))) continue;
    best = found;
    taking.apartUs = apartUs;
    if (closest(found) < ALIKE) break;
  }
  return best;
}

/** Mean difference of two tiny pictures, 0…255, below which nobody doubts that they are of one frame. */
const ALIKE = 8;

function closest(found: Found): number {
  return Math.min(...found.around.map((frame) => difference(found.before, frame)));
}

/** A little later or earlier when the first is black or of one colour. */
async function originalFrame(taking: Taking, place: number): Promise<SeenFrame | null> {
  let best: SeenFrame | null = null;
  for (const shift of [0, 0.03, -0.04]) {
    const fromUs = startUs(taking.originalProbe, taking.film) + Math.round(taking.durationMs * (place + shift)) * 1000;
    const [frame] = await lookAtFrames({
      ...lookOf(taking),
      file: taking.original,
      probe: taking.originalProbe,
      deinterlace: taking.plan.video?.deinterlace === true,
      fromUs,
      toUs: fromUs + 20_000_000,
      frames: 1,
    });
    if (frame && (!best || spread(frame) > spread(best))) best = frame;
    if (best && spread(best) >= WORTH_SEEING) break;
  }
  return best;
}

/** Standard deviation of the grey values; title cards on black have more. */
const WORTH_SEEING = 9;

async function besideIt(taking: Taking, before: SeenFrame, atMs: number, apartUs: number): Promise<Found | null> {
  const expected = before.us + apartUs;
  const frameUs = 1e6 / frameRateOf(taking.film);
  const around = await lookAtFrames({
    ...lookOf(taking),
    file: taking.output,
    probe: taking.outputProbe,
    deinterlace: false,
    fromUs: Math.round(expected - 2.5 * frameUs - 2000),
    toUs: Math.round(expected + 2.5 * frameUs + 2000),
    frames: 12,
  });
  const off = around.map((frame) => Math.abs(frame.us - expected));
  const nearest = off.indexOf(Math.min(...off));
  return nearest < 0 || off[nearest]! > Math.max(frameUs, 3000) ? null : { atMs, before, around, nearest };
}

function lookOf(taking: Taking): Pick<Look, 'tools' | 'film' | 'directory' | 'signal'> {
  return { tools: taking.tools, film: taking.film, directory: taking.directory, signal: taking.signal };
}

function startUs(probe: Probe, film: VideoStream): number {
  return (film.startMs ?? probe.startMs) * 1000;
}

/** Differences of less than a third of a frame are the same answer. */
function possibleOffsets({ originalProbe, outputProbe, film, made }: Taking): number[] {
  const end = (probe: Probe, stream: VideoStream): number | null =>
    stream.durationMs === null ? null : startUs(probe, stream) + stream.durationMs * 1000;
  const [endBefore, endAfter] = [end(originalProbe, film), end(outputProbe, made)];
  const answers = [
    (outputProbe.startMs - originalProbe.startMs) * 1000,
    startUs(outputProbe, made) - startUs(originalProbe, film),
    ...(endBefore === null || endAfter === null ? [] : [endAfter - endBefore]),
  ];
  const same = 1e6 / frameRateOf(film) / 3;
  return answers.filter((answer, n) => !answers.slice(0, n).some((earlier) => Math.abs(earlier - answer) < same));
}

function choose(found: Found[]): FramePair[] {
  const shift = wholeFilmShift(found);
  const pairs = found
    .toSorted((a, b) => a.atMs - b.atMs)
    .flatMap((one) => {
      const after = one.around[one.nearest + shift];
      const fits = after ? after.jpegs.findIndex((jpeg, n) => Math.max(jpeg.length, one.before.jpegs[n]!.length) <= MAX_PICTURE_BYTES) : -1;
      return after && fits >= 0 ? [{ atMs: one.atMs, before: one.before.jpegs[fits]!, after: after.jpegs[fits]! }] : [];
    });
  // in a very short film two places may be the same frame
  return pairs.filter((pair, n) => n === 0 || pair.atMs !== pairs[n - 1]!.atMs);
}

/** Frames by which the output is late everywhere, told by sight; 0 unless another number is clearly better. */
function wholeFilmShift(found: Found[]): number {
  const mean = (shift: number): number => {
    const seen = found.flatMap(({ before, around, nearest }) =>
      around[nearest + shift] ? [difference(before, around[nearest + shift]!)] : [],
    );
    return seen.length < found.length || seen.length === 0 ? Infinity : seen.reduce((a, b) => a + b, 0) / seen.length;
  };
  const straight = mean(0);
  const best = [-2, -1, 1, 2].map((shift) => ({ shift, mean: mean(shift) })).toSorted((a, b) => a.mean - b.mean)[0]!;
  return best.mean < 0.6 * straight && straight - best.mean > 0.7 ? best.shift : 0;
}

function difference(a: SeenFrame, b: SeenFrame): number {
  let sum = 0;
  for (let n = 0; n < thumbWidth * thumbHeight; n++) sum += Math.abs(a.thumb[n]! - b.thumb[n]!);
  return sum / (thumbWidth * thumbHeight);
}

function spread({ thumb }: SeenFrame): number {
  let [sum, squares] = [0, 0];
  for (const value of thumb) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / thumb.length;
  return Math.sqrt(Math.max(0, squares / thumb.length - mean * mean));
}
