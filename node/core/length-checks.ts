import { result, type CheckResult } from './check.ts';
import { frameRateOf } from './estimate.ts';
import type { Container, Probe, VideoStream } from './media.ts';
import { filmStreams } from './media.ts';
import type { WorkPlan } from './plan.ts';

/** What says whether a copy is as long as its original, and its sound in step. */
export interface Lengths {
  plan: WorkPlan;
  original: Probe;
  output: Probe;
  /** frames of the film stream: packets counted in the original, or decoded frames when that was needed */
  originalFrames: FrameCount;
  outputFrames: FrameCount;
}

export interface FrameCount {
  frames: number;
  counted: 'packets' | 'decoded';
}

/** Nothing of the film is missing at its end or in its middle. */
export function sameLength(e: Lengths): boolean {
  return sameFrames(e) && sameDuration(e).passed;
}

export function durationCheck(e: Lengths): CheckResult {
  const { before, after, passed } = sameDuration(e);
  const words = (ms: number | null) => (ms === null ? 'not told' : `${(ms / 1000).toFixed(2)} s`);
  return result('duration', words(before), words(after), passed, 'duration-differs', {
    original: (before ?? 0) / 1000,
    output: (after ?? 0) / 1000,
  });
}

/**
 * Half a percent, but never more than a second for containers that know their length, two for those that estimate it, and
 * never less than two frames: half a percent of a three-hour film would be 54 seconds of missing ending.
 */
function sameDuration({ original, output }: Lengths): { before: number | null; after: number | null; passed: boolean } {
  const [before, after] = [original.durationMs, output.durationMs];
  if (before === null || after === null) return { before, after, passed: false };
  const film = filmStreams(original)[0];
  const frame = film ? 1000 / frameRateOf(film) : 40;
  const ceiling = exact.has(original.container) ? 1000 : 2000;
  const tolerance = Math.max(Math.min(before * 0.005, ceiling), 2 * frame, 100);
  return { before, after, passed: Math.abs(before - after) <= tolerance };
}

const exact: ReadonlySet<Container> = new Set(['matroska', 'webm', 'mp4', 'mov']);

/** A track that was cut short hides behind a whole film: the file is as long as its longest stream. */
export function soundLengthCheck({ plan, original, output }: Lengths): CheckResult[] {
  const made = output.streams.filter((stream) => stream.kind === 'audio');
  const planned = plan.streams.filter((stream) => stream.kind === 'audio');
  return planned.flatMap(({ index }, at) => {
    const [before, after] = [original.streams.find((stream) => stream.index === index)?.durationMs, made[at]?.durationMs];
    if (!before || !after) return [];
    const passed = Math.abs(before - after) <= Math.max(500, Math.min(before * 0.005, 2000));
    const words = (ms: number) => `sound track ${at + 1}: ${(ms / 1000).toFixed(2)} s`;
    return passed
      ? []
      : [result('duration', words(before), words(after), false, 'duration-differs', { original: before / 1000, output: after / 1000 })];
  });
}

export function framesCheck(e: Lengths): CheckResult {
  const words = ({ frames, counted }: FrameCount) => `${frames} ${counted === 'decoded' ? 'decoded' : 'counted'}`;
  return result('frames', words(e.originalFrames), words(e.outputFrames), sameFrames(e), 'frames-differ', {
    original: e.originalFrames.frames,
    output: e.outputFrames.frames,
  });
}

function sameFrames({ originalFrames, outputFrames }: Lengths): boolean {
  return originalFrames.frames > 0 && originalFrames.frames === outputFrames.frames;
}

/**
 * How far each sound track starts from the picture; more than a frame would be out of step. A recording cut in the middle of a
 * scene begins with pictures that no decoder can show: the copy starts later, but then its end still lies where it did.
 */
export function startCheck(e: Lengths, film: VideoStream, output: VideoStream): CheckResult {
  const [before, after] = [offsets(e.original, film), offsets(e.output, output)];
  const tolerance = (1000 / frameRateOf(film)) * (exact.has(e.original.container) ? 1 : 2) + 5;
  const near = (a: number | null, b: number | null | undefined) => a !== null && typeof b === 'number' && Math.abs(a - b) <= tolerance;
  const inStep = before.map(
    ({ start, end }, at) => !after[at] || near(start, after[at].start) || (sameFrames(e) && near(end, after[at].end)),
  );
  const worst = Math.max(inStep.indexOf(false), 0);
  const words = (all: Offset[]) => (all.length === 0 ? 'no sound' : all.map(({ start }) => `${Math.round(start)} ms`).join(', '));
  return result('start', words(before), words(after), inStep.every(Boolean), 'sync-differs', {
    original: Math.round(before[worst]?.start ?? 0),
    output: Math.round(after[worst]?.start ?? 0),
  });
}

interface Offset {
  /** from the film's first frame to the start of the sound, in ms */
  start: number;
  /** from the film's end, when the container tells its length */
  end: number | null;
}

function offsets(probe: Probe, film: VideoStream): Offset[] {
  return probe.streams.flatMap((s) => {
    if (s.kind !== 'audio' || s.startMs === null || film.startMs === null) return [];
    const start = s.startMs - film.startMs;
    return [{ start, end: film.durationMs === null ? null : start - film.durationMs }];
  });
}
