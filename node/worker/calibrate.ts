import type { EncoderChoice } from '../core/encoder-choice.ts';
import type { Profile } from '../core/profile.ts';
import type { QualityFound } from '../core/quality-found.ts';
import { nextTry, type Search, type Try } from '../core/quality-search.ts';
import { findingFor, goals, planSamples, type Finding, type Metric, type SamplePlan, type Target } from '../core/quality.ts';
import { reason, type Reason } from '../core/reasons.ts';
import { messageOf } from '../errors.ts';
import { metricOf } from '../ffmpeg/metric.ts';
import { cutSamples, removeSamples, trySample, type Sample, type SampleSource } from '../ffmpeg/samples.ts';
import type { TranscodeControl } from '../ffmpeg/transcode.ts';

/**
 * Finds the setting with which one film reaches the goal of its profile on this node's encoder: core/quality.ts says
 * what is looked for, and this does the looking. The search can only help: whatever goes wrong in it, the film is
 * encoded with what was remembered for its kind, or with the profile's number, and the page says why.
 */
export interface CalibrateRequest extends SampleSource {
  profile: Profile;
  /** what this node found for films of this kind */
  findings: readonly Finding[];
  /** a search that takes no longer is not cut short by the clock; default: a quarter of a minute */
  freeMs?: number;
  /** of the film's own encode, 0…1; only tests ask for another */
  share?: number;
  /** 0…100 */
  onProgress?: (percent: number) => void;
}

/**
 * Null when the profile asks for no goal, or nothing is encoded.
 * @throws only the signal's reason
 */
export async function calibrate(request: CalibrateRequest): Promise<QualityFound | null> {
  const { profile, plan } = request;
  const { target } = profile;
  if (target === 'number' || !goals.vmaf[target] || !plan.video) return null;
  const clock = stopwatch(request.control);
  const spent: Spent = { tries: [], sampledMs: 0 };
  const numbers = (): Pick<QualityFound, 'target' | 'tries' | 'sampledMs' | 'costMs'> => ({
    target,
    tries: spent.tries.length,
    sampledMs: Math.round(spent.sampledMs),
    costMs: clock.ms(),
  });
  let metric: Metric | null = null;
  try {
    metric = await metricOf(request.tools, request.signal);
    const found = await search(request, target, metric, spent, clock);
    if (!('tried' in found)) return { ...numbers(), ...fallback(request, metric), measured: null, why: found.why };
    const { quality, mean, worst } = found.tried;
    return { ...numbers(), quality, from: 'samples', measured: { metric, score: mean, worst, met: found.met }, why: null };
  } catch (error) {
    request.signal.throwIfAborted();
    const why = reason('goal-not-measured', { message: messageOf(error) });
    return { ...numbers(), ...fallback(request, metric), measured: null, why };
  } finally {
    clock.stop();
  }
}

interface Spent {
  tries: Try[];
  sampledMs: number;
}

type Found = { tried: Try; met: boolean } | { why: Reason };

const LEAST = 12;
const MOST = 38;

/** SSIM asks for any number of bits to keep grain: it may move the profile's number by a few steps only. */
function leastOf(metric: Metric, profile: Profile): number {
  return metric === 'ssim' ? Math.max(LEAST, profile.quality - 4) : LEAST;
}

async function search(request: CalibrateRequest, target: Target, metric: Metric, spent: Spent, clock: Stopwatch): Promise<Found> {
  const known = findingFor(request.findings, request.encoder, metric);
  const plan = planSamples(request.probe.durationMs ?? 0, known !== null);
  if (!plan) return { why: reason('goal-too-short') };
  const start = known?.quality ?? request.profile.quality;
  const wish: Search = {
    metric,
    goal: goals[metric][target],
    start,
    least: leastOf(metric, request.profile),
    most: MOST,
    step: stepOf(request.encoder),
    tries: plan.tries,
  };
  let samples: Sample[] = [];
  try {
    samples = await cutSamples(request, plan);
    if (samples.length === 0) return { why: reason('goal-not-measured', { message: 'no piece of it shows a picture to judge' }) };
    for (;;) {
      const next = nextTry(wish, spent.tries);
      if ('found' in next) return { tried: next.found, met: next.met };
      const tried = await trySetting(request, samples, next.quality, metric, spent, plan, clock);
      const whole = tried.pieces === samples.length;
      // on fewer pieces than the tries before it cannot be compared with them, and half of them say too little of a film
      if (whole || (spent.tries.length === 0 && tried.pieces > samples.length / 2)) spent.tries.push(tried.result);
      if (spent.tries.length === 0) return { why: reason('goal-not-measured', { message: 'it would take too long beside the encode' }) };
      const another = clock.ms() / spent.tries.length;
      if (!whole || tooDear(request, clock.ms() + another, tried)) wish.tries = spent.tries.length;
    }
  } finally {
    await removeSamples(samples);
  }
}

interface Setting {
  result: Try;
  /** on so many it was tried: fewer than there are when the rest would have taken too long */
  pieces: number;
  encodeMs: number;
  filmMs: number;
}

async function trySetting(
  request: CalibrateRequest,
  samples: readonly Sample[],
  quality: number,
  metric: Metric,
  spent: Spent,
  plan: SamplePlan,
  clock: Stopwatch,
): Promise<Setting> {
  const scores: number[] = [];
  const began = clock.ms();
  let [encodeMs, filmMs] = [0, 0];
  for (const sample of samples) {
    const share = (spent.tries.length + scores.length / samples.length) / plan.tries;
    request.onProgress?.(Math.min(99, share * 100));
    const tried = await trySample(request, sample, { ...request.profile, quality }, metric);
    scores.push(tried.score.score);
    encodeMs += tried.encodeMs;
    filmMs += sample.lengthMs;
    spent.sampledMs += sample.lengthMs;
    if (tooDear(request, clock.ms() + (clock.ms() - began) / scores.length, { encodeMs, filmMs })) break;
  }
  const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
  return { result: { quality, mean, worst: Math.min(...scores) }, pieces: scores.length, encodeMs, filmMs };
}

/** Share of the film's own encode that its search may take. */
const DEAR = 0.08;
const FREE_MS = 15_000;

/**
 * By the clock, before every piece and every try: where the encoder is faster than the judge, the pieces are not what takes
 * the time. @param untilMs what the search would have taken after one more
 */
function tooDear(request: CalibrateRequest, untilMs: number, speed: Pick<Setting, 'encodeMs' | 'filmMs'>): boolean {
  const whole = (speed.encodeMs / speed.filmMs) * (request.probe.durationMs ?? 0);
  return untilMs > Math.max(request.freeMs ?? FREE_MS, whole * (request.share ?? DEAR));
}

/** x265 and SVT-AV1 count finer than in whole steps; the scales of hardware do not. */
function stepOf(encoder: EncoderChoice): number {
  return encoder.name === 'libx265' || encoder.name === 'libsvtav1' ? 0.5 : 1;
}

function fallback({ findings, encoder, profile }: CalibrateRequest, metric: Metric | null): Pick<QualityFound, 'quality' | 'from'> {
  const known = findingFor(findings, encoder, metric);
  return known ? { quality: known.quality, from: 'finding' } : { quality: profile.quality, from: 'profile' };
}

interface Stopwatch {
  /** milliseconds since the beginning, without pauses */
  ms(): number;
  stop(): void;
}

function stopwatch(control: TranscodeControl): Stopwatch {
  let before = 0;
  let since: number | null = control.paused ? null : performance.now();
  const ms = (): number => Math.round(before + (since === null ? 0 : performance.now() - since));
  const stop = control.onChange((paused) => {
    before = ms();
    since = paused ? null : performance.now();
  });
  return { ms, stop };
}
