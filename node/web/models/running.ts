import { jobClasses, needsOf } from '../../core/job.ts';
import { label, type Reason } from '../../core/reasons.ts';
import type { Progress } from '../../events.ts';
import { codec, codecTone, duration, encoder, fps, percent, resolution, size, sizeLike, speed, type Tone } from '../format.ts';

/** One running job as a card row; its numbers are also sent alone, once a second. */
export interface RunningJob extends RunningNow {
  id: number;
  title: string;
  detail: string;
  format: string;
  tone: Tone;
  target: string;
  where: string;
  paused: boolean;
  cancelling: boolean;
}

/** The part that moves: never a button in here (see live.ts). */
export interface RunningNow {
  id: number;
  title: string;
  /** "Checking", "Paused", …; '' while it encodes */
  stage: string;
  stageIcon: 'circle-check' | 'pause' | 'download' | 'upload' | 'x' | 'gauge';
  left: string;
  percent: number;
  percentText: string;
  rate: string;
  before: string;
  after: string;
  paused: boolean;
  /** address of the film's colours */
  strip?: string | null;
}

/** What the database knows of a running job. */
export interface RunningFacts {
  id: number;
  title: string;
  detail: string;
  codec: string | null;
  width: number | null;
  height: number | null;
  action: 'remux' | 'transcode';
  inputBytes: number;
  expectedBytes: number;
  outputBytes: number | null;
  paused: boolean;
  cancelRequested: boolean;
  attemptState: string | null;
  nodeName: string | null;
  /** says which format it becomes */
  class?: number;
  encoder: string | null;
  /** what its output waits for, a disk that is away or full */
  reason?: Reason | null;
}

export function runningJob(facts: RunningFacts, progress: Progress | null): RunningJob {
  const to = facts.action === 'remux' ? 'MKV' : codec(needsOf(facts.class ?? jobClasses.encode8)?.codec ?? 'hevc');
  const how = facts.action === 'remux' ? 'copied' : facts.encoder ? encoder(facts.encoder) : '';
  return {
    ...runningNow(facts, progress),
    detail: facts.detail,
    format: [resolution(facts.width, facts.height), codec(facts.codec)].filter(Boolean).join(' '),
    tone: codecTone(facts.codec),
    target: to,
    where: [facts.nodeName ?? 'a node', how].filter(Boolean).join(' · '),
    cancelling: facts.cancelRequested,
  };
}

export function runningNow(facts: RunningFacts, heard: Progress | null): RunningNow {
  const waits = facts.reason && !facts.cancelRequested ? label(facts.reason) : '';
  // the last numbers of an encode that is over say nothing about what waits since
  const progress = waits ? null : heard;
  const phase = progress?.phase ?? phaseOf(facts.attemptState);
  const paused = facts.paused || progress?.paused === true;
  const done = progress?.percent ?? 0;
  const final = phase === 'verifying' || phase === 'replacing' || phase === 'delivering';
  const after = final ? (facts.outputBytes ?? progress?.outputBytes ?? null) : null;
  return {
    id: facts.id,
    title: facts.title,
    ...(waits
      ? ({ stage: waits, stageIcon: 'pause' } as const)
      : stageOf(phase, paused, facts.cancelRequested, heldBack(facts, progress), progress?.searching === true)),
    left: progress?.leftMs != null && !paused ? `${duration(progress.leftMs)} left` : '',
    percent: Math.round(done * 10) / 10,
    percentText: percent(done),
    rate: [
      progress?.fps != null && progress.fps > 0 ? fps(progress.fps) : '',
      progress?.speed != null && progress.speed > 0 ? speed(progress.speed) : '',
    ]
      .filter(Boolean)
      .join(' · '),
    before: size(facts.inputBytes),
    after:
      after !== null
        ? sizeLike(after, facts.inputBytes)
        : `≈ ${sizeLike(progress?.expectedBytes ?? facts.expectedBytes, facts.inputBytes)}`,
    paused,
  };
}

type Phase = Progress['phase'];

function phaseOf(state: string | null): Phase {
  return state === 'delivering' || state === 'verifying' || state === 'replacing' ? state : 'encoding';
}

/** A person's pause needs no reason; anything else says why. */
function heldBack(facts: RunningFacts, progress: Progress | null): string {
  return progress?.why && progress.paused && !facts.paused ? label(progress.why).toLowerCase() : '';
}

function stageOf(
  phase: Phase,
  paused: boolean,
  cancelling: boolean,
  why: string,
  searching: boolean,
): Pick<RunningNow, 'stage' | 'stageIcon'> {
  if (cancelling) return { stage: 'Stopping', stageIcon: 'x' };
  if (paused) return { stage: why ? `Paused: ${why}` : 'Paused', stageIcon: 'pause' };
  if (phase === 'waiting') return { stage: 'Waits for a slot', stageIcon: 'pause' };
  if (phase === 'fetching') return { stage: 'Fetching', stageIcon: 'download' };
  if (phase === 'delivering') return { stage: 'Delivering', stageIcon: 'upload' };
  if (phase === 'verifying') return { stage: 'Checking', stageIcon: 'circle-check' };
  if (phase === 'replacing') return { stage: 'Replacing', stageIcon: 'circle-check' };
  if (searching) return { stage: 'Finding the right quality', stageIcon: 'gauge' };
  return { stage: '', stageIcon: 'circle-check' };
}

export interface JobPart {
  job: RunningJob;
}
export interface NowPart {
  now: RunningNow;
}
