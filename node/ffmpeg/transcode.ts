import type { EncoderChoice } from '../core/encoder-choice.ts';
import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Tools } from './locate.ts';
import type { EncodeProgress } from './progress.ts';

export interface TranscodeRequest {
  tools: Tools;
  plan: WorkPlan;
  profile: Profile;
  probe: Probe;
  /** null only for a remux */
  encoder: EncoderChoice | null;
  /** absolute paths; the output must not exist and its directory must */
  input: string;
  output: string;
  /** no growth of the output's time for so long while not paused: reason 'stalled' */
  stallMs: number;
  /** aborts with reason 'output-too-large' beyond this; default: the size of the original */
  maxOutputBytes?: number;
  signal?: AbortSignal;
  control?: TranscodeControl;
  onProgress?: (progress: EncodeProgress) => void;
}

export interface TranscodeResult {
  command: string[];
  /** at most 32 KB */
  stderrTail: string;
  frames: number | null;
  encodeMs: number;
  outputBytes: number;
}

/** A handle to pause a run from outside; one per run. */
export interface TranscodeControl {
  readonly paused: boolean;
  pause(): void;
  resume(): void;
  /** used by the run itself */
  onChange(listener: (paused: boolean) => void): () => void;
}

export declare function createControl(): TranscodeControl;

/**
 * Makes the output that a plan asks for. What ffmpeg leaves behind after a failure is removed.
 * @throws ToolError (a PlainError with `command` and `stderrTail`), reason code one of encode-failed, stalled,
 *   output-too-large, disk-full, ffmpeg-crashed; the signal's own reason after an abort
 */
export declare function transcode(request: TranscodeRequest): Promise<TranscodeResult>;
