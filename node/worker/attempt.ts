import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { EncoderChoice } from '../core/encoder-choice.ts';
import type { Manners } from '../core/manner-wishes.ts';
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
import { paintMeanwhile, type Painting } from './painting.ts';
import type { Devices, Taken } from './devices.ts';
import { calibrate, type CalibrateRequest } from './calibrate.ts';
import { bringSource, type Source, type Sources } from './source.ts';
import type { Spaces } from './spaces.ts';

export interface AttemptParts {
  /** this node: whoever wants the output has to ask it */
  node: string;
  tools: Tools;
  devices: Devices;
  sources: Sources;
  workspace: Pick<Spaces, 'create' | 'outputPath' | 'sourcePath' | 'isCopyOf' | 'removeSource'>;
  /** called once it is known that the source has to be fetched; throws `no-space` */
  makeRoom: () => Promise<void>;
  /** the source is here: resolves when the encode may begin, rejects when the run is given up before */
  slot: () => Promise<void>;
  stallMs: () => number;
  manners: () => Pick<Manners, 'niceness' | 'coresFree'>;
  patienceMs?: number | undefined;
  onEncoder: (name: string | null) => void;
  /** the film's colours, base64 */
  onColours: (colours: string) => void;
  onFetched: (bytes: number) => void;
  onProgress: (progress: Numbers) => void;
}

export type Numbers = Pick<
  Progress,
  'phase' | 'percent' | 'fps' | 'speed' | 'leftMs' | 'outputBytes' | 'expectedBytes' | 'paused' | 'searching'
>;

export const nothingYet: Numbers = {
  phase: 'fetching',
  percent: 0,
  fps: null,
  speed: null,
  leftMs: null,
  outputBytes: null,
  expectedBytes: null,
  paused: false,
};

/**
 * One run of one job on this node, from the source to a finished output in the workspace. Never throws: whatever
 * happens becomes a report, because the coordinator and the person looking at the page must learn of it.
 */
export async function runAttempt(parts: AttemptParts, grant: GrantedJob, control: TranscodeControl, signal: AbortSignal): Promise<Report> {
  const ids = { job: grant.job, attempt: grant.attempt };
  let taken: Taken | null = null;
  let source: Source | null = null;
  let painting: Painting | null = null;
  try {
    const plan = grant.plan as unknown as WorkPlan;
    const profile = grant.profile as unknown as Profile;
    parts.onProgress(nothingYet);
    parts.devices.check(grant);
    await parts.workspace.create(grant.attempt);
    const began = performance.now();
    source = await bringSource({ ...parts, control, onBytes: tellFetched(parts, grant) }, grant, signal);
    const fetchMs = source.fetched ? Math.round(performance.now() - began) : null;
    parts.onProgress({ ...nothingYet, phase: 'waiting', percent: 100 });
    await parts.slot();
    taken = await parts.devices.take(grant, signal);
    const encoder = taken?.encoder ?? null;
    parts.onEncoder(encoder?.name ?? null);
    const output = parts.workspace.outputPath(grant.attempt, plan.extension);
    const probe = grant.probe as unknown as Probe;
    const found = encoder && (await calibrate(searchOf(parts, grant, { encoder, input: source.file, output }, control, signal)));
    if (grant.colours !== false)
      painting = paintMeanwhile({ tools: parts.tools, file: source.file, probe, output, control }, parts.onColours, signal);
    const result = await transcode({
      tools: parts.tools,
      plan,
      profile: found ? { ...profile, quality: found.quality } : profile,
      probe,
      encoder,
      input: source.file,
      output,
      stallMs: parts.stallMs(),
      manners: parts.manners(),
      signal,
      control,
      onProgress: (p) => parts.onProgress({ phase: 'encoding', ...p }),
    });
    taken?.release();
    await painting?.end();
    if (source.fetched) await parts.workspace.removeSource(grant.attempt, grant.path);
    const sha256 = await hashFile(output, signal);
    return {
      event: 'encoded',
      ...ids,
      output: { node: parts.node, sizeBytes: result.outputBytes, sha256, frames: result.frames },
      encoder: encoder?.name ?? 'copy',
      command: bounded(result.command),
      stderrTail: result.stderrTail.slice(-32_768),
      stats: {
        encodeMs: Math.round(result.encodeMs),
        device: encoder?.device ?? null,
        build: taken?.build ?? null,
        fetchMs,
        ...(found ? { quality: found } : {}),
      },
    };
  } catch (error) {
    await painting?.end();
    return failure(await sourceTrouble(parts, grant, source, error, signal), ids, taken?.encoder ?? null, signal);
  } finally {
    taken?.release();
  }
}

function searchOf(
  parts: AttemptParts,
  grant: GrantedJob,
  run: { encoder: EncoderChoice; input: string; output: string },
  control: TranscodeControl,
  signal: AbortSignal,
): CalibrateRequest {
  return {
    tools: parts.tools,
    input: run.input,
    probe: grant.probe as unknown as Probe,
    plan: grant.plan as unknown as WorkPlan,
    profile: grant.profile as unknown as Profile,
    encoder: run.encoder,
    findings: grant.findings ?? [],
    folder: path.dirname(run.output),
    stallMs: parts.stallMs(),
    manners: parts.manners(),
    signal,
    control,
    onProgress: (percent) => parts.onProgress({ ...nothingYet, phase: 'encoding', searching: true, percent }),
  };
}

function tellFetched(parts: AttemptParts, grant: GrantedJob): (bytes: number) => void {
  const began = performance.now();
  const all = grant.fingerprint.sizeBytes;
  let first: number | null = null;
  return (bytes) => {
    first ??= bytes; // what an earlier try left here says nothing about the speed
    const perMs = (bytes - first) / (performance.now() - began);
    parts.onFetched(bytes);
    parts.onProgress({
      ...nothingYet,
      percent: all ? Math.min(100, (bytes / all) * 100) : 100,
      leftMs: perMs > 0 ? Math.round(Math.max(0, all - bytes) / perMs) : null,
    });
  };
}

async function hashFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash, { signal });
  return hash.digest('hex');
}

/** ffmpeg says only that it could not read; whether the disk is away or the film was moved is the better answer. */
async function sourceTrouble(
  parts: AttemptParts,
  grant: GrantedJob,
  source: Source | null,
  error: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  if (signal.aborted || !source || source.fetched || !(error instanceof ToolError)) return error;
  try {
    if ((await parts.sources.local(grant, signal)) !== null) return error;
    return new PlainError(`${grant.path} went away while it was encoded.`, { reason: { code: 'root-not-mounted' }, retry: true });
  } catch (trouble) {
    return trouble instanceof PlainError && trouble.reason ? trouble : error;
  }
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
    device: encoder?.device ?? null,
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
