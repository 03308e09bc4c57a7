import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { chooseEncoder, type EncoderChoice, type EncoderReport } from '../core/encoder-choice.ts';
import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Reason } from '../core/reasons.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Progress } from '../events.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { ToolError } from '../ffmpeg/process.ts';
import { transcode, type TranscodeControl } from '../ffmpeg/transcode.ts';
import type { GrantedJob } from '../mesh/messages.ts';
import type { Report } from '../mesh/outbox.ts';

export interface AttemptParts {
  tools: Tools;
  encoders: EncoderReport[];
  /** absolute path of the source on this node; throws PlainError when it is not here or not what was granted */
  findSource: (grant: GrantedJob, signal: AbortSignal) => Promise<string>;
  /** an empty file name in the attempt's own workspace */
  outputPath: (attempt: number, extension: string) => Promise<string>;
  stallMs: number;
  onEncoder: (name: string | null) => void;
  onProgress: (
    progress: Pick<Progress, 'phase' | 'percent' | 'fps' | 'speed' | 'leftMs' | 'outputBytes' | 'expectedBytes' | 'paused'>,
  ) => void;
}

/**
 * One run of one job on this node, from the source to a finished output in the workspace. Never throws: whatever
 * happens becomes a report, because the coordinator and the person looking at the page must learn of it.
 */
export async function runAttempt(parts: AttemptParts, grant: GrantedJob, control: TranscodeControl, signal: AbortSignal): Promise<Report> {
  const ids = { job: grant.job, attempt: grant.attempt };
  let encoder: EncoderChoice | null = null;
  try {
    const plan = grant.plan as unknown as WorkPlan;
    const profile = grant.profile as unknown as Profile;
    parts.onProgress({
      phase: 'fetching',
      percent: 0,
      fps: null,
      speed: null,
      leftMs: null,
      outputBytes: null,
      expectedBytes: null,
      paused: false,
    });
    const input = await parts.findSource(grant, signal);
    encoder = pickEncoder(plan, profile, parts.encoders);
    parts.onEncoder(encoder?.name ?? null);
    const output = await parts.outputPath(grant.attempt, plan.extension);
    const result = await transcode({
      tools: parts.tools,
      plan,
      profile,
      probe: grant.probe as unknown as Probe,
      encoder,
      input,
      output,
      stallMs: parts.stallMs,
      signal,
      control,
      onProgress: (p) => parts.onProgress({ phase: 'encoding', ...p }),
    });
    const sha256 = await hashFile(output, signal);
    return {
      event: 'encoded',
      ...ids,
      output: { node: grant.keeper, sizeBytes: result.outputBytes, sha256, frames: result.frames },
      encoder: encoder?.name ?? 'copy',
      command: bounded(result.command),
      stderrTail: result.stderrTail.slice(-32_768),
      stats: { encodeMs: Math.round(result.encodeMs), device: encoder?.device ?? null },
    };
  } catch (error) {
    return failure(await sourceTrouble(parts, grant, error, signal), ids, encoder, signal);
  }
}

function pickEncoder(plan: WorkPlan, profile: Profile, reports: EncoderReport[]): EncoderChoice | null {
  if (plan.action === 'remux' || !plan.video) return null;
  const picked = chooseEncoder(reports, profile, plan.video.bitDepth);
  if (picked.choice) return picked.choice;
  throw new PlainError('No encoder of this machine may be used for this file.', { reason: picked.reason });
}

async function hashFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash, { signal });
  return hash.digest('hex');
}

/** ffmpeg says only that it could not read; whether the disk is away or the film was moved is the better answer. */
async function sourceTrouble(parts: AttemptParts, grant: GrantedJob, error: unknown, signal: AbortSignal): Promise<unknown> {
  if (signal.aborted || !(error instanceof ToolError)) return error;
  return parts.findSource(grant, signal).then(
    () => error,
    (trouble: unknown) => (trouble instanceof PlainError && trouble.reason ? trouble : error),
  );
}

type Ids = { job: number; attempt: number };

function failure(error: unknown, ids: Ids, encoder: EncoderChoice | null, signal: AbortSignal): Report {
  if (signal.aborted) {
    const why = signal.reason as unknown;
    if (why instanceof PlainError && why.reason?.code === 'cancelled-by-person') return { event: 'cancelled', ...ids };
    return { event: 'released', ...ids, reason: (why instanceof PlainError ? why.reason : null) ?? { code: 'shut-down' } };
  }
  const tool = error instanceof ToolError ? error : null;
  return {
    event: 'failed',
    ...ids,
    reason: bound((error instanceof PlainError ? error.reason : null) ?? { code: 'internal-error', params: { message: messageOf(error) } }),
    retry: error instanceof PlainError ? error.retry : true,
    encoder: encoder?.name ?? null,
    command: tool ? bounded(tool.command) : null,
    stderrTail: tool?.stderrTail.slice(-32_768) ?? messageOf(error).slice(0, 4000),
  };
}

function bounded(command: string[]): string[] {
  return command.slice(0, 2000).map((argument) => argument.slice(0, 4000));
}

/** A reason from ffmpeg may quote a very long line. */
function bound(reason: Reason): { code: string; params?: Record<string, string | number> } {
  const params = Object.fromEntries(
    Object.entries(reason.params ?? {}).map(([k, val]) => [k, typeof val === 'string' ? val.slice(0, 4000) : val]),
  );
  return { code: reason.code, params };
}
