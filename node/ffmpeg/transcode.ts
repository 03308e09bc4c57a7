import { lstat, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { EncoderChoice } from '../core/encoder-choice.ts';
import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import { reason, type Reason } from '../core/reasons.ts';
import { codeOf, PlainError } from '../errors.ts';
import { coversToExtract, encodeArguments, extractArguments, type Cover } from './args.ts';
import { processorsLeft, type CourtesyWish } from './courtesy.ts';
import { rowOf } from './encoders.ts';
import type { Tools } from './locate.ts';
import { lastLine, run, start, ToolError, type Ended, type Running } from './process.ts';
import { progressOf, progressParser, type EncodeProgress } from './progress.ts';
import { wrapper } from './sandbox.ts';

/**
 * One attempt's ffmpeg run, from a plan to a finished file in the workspace.
 *
 *   covers out (Matroska only) ─▶ running ◀─▶ paused ─▶ ended well ─▶ result
 *                                   ├─ no growth of the output's time ─▶ stalled
 *                                   ├─ larger than it may become ──────▶ output-too-large
 *                                   └─ abort, error, disk full ────────▶ thrown; what was written is removed
 */
export interface TranscodeRequest {
  tools: Tools;
  plan: WorkPlan;
  profile: Profile;
  probe: Probe;
  /** null only for a remux */
  encoder: EncoderChoice | null;
  /** absolute paths; the output must not exist and its directory must, and only we may write into it */
  input: string;
  output: string;
  /** no growth of the output's time for so long while not paused: reason 'stalled' */
  stallMs: number;
  /** how far behind other programs it stands; left out: as usual */
  manners?: CourtesyWish;
  /** aborts with reason 'output-too-large' beyond this; default: the size of the original for a transcode, none for a remux */
  maxOutputBytes?: number;
  signal?: AbortSignal | undefined;
  control?: TranscodeControl;
  onProgress?: (progress: EncodeProgress) => void;
}

export interface TranscodeResult {
  /** ffmpeg's own command, as a person would repeat it */
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
  /** for the run itself; returns how to stop listening */
  onChange(listener: (paused: boolean) => void): () => void;
}

export function createControl(): TranscodeControl {
  let paused = false;
  const listeners = new Set<(paused: boolean) => void>();
  const set = (value: boolean): void => {
    if (paused === value) return;
    paused = value;
    for (const listener of listeners) listener(value);
  };
  return {
    get paused() {
      return paused;
    },
    pause: () => set(true),
    resume: () => set(false),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/**
 * Makes the output that a plan asks for.
 * @throws ToolError (a PlainError with `command` and `stderrTail`) with reason code ffmpeg-failed, encoder-failed, stalled,
 *   output-too-large, disk-full, out-of-memory or input-output-error; the signal's own reason after an abort
 */
export async function transcode(request: TranscodeRequest): Promise<TranscodeResult> {
  request.signal?.throwIfAborted();
  if (await exists(request.output))
    throw new PlainError(`${request.output} exists already and is not overwritten.`, {
      reason: reason('target-exists', { name: path.basename(request.output) }),
    });
  const began = performance.now();
  const covers: Cover[] = [];
  try {
    for (const index of coversToExtract(request.plan, request.probe)) covers.push(await extractCover(request, index));
    const { ended, frames } = await encode(request, covers);
    const size = await stat(request.output).then(
      (made) => made.size,
      () => 0,
    );
    if (size === 0) throw nothingWritten(request);
    return {
      command: ended.command,
      stderrTail: ended.stderrTail,
      frames,
      encodeMs: Math.round(performance.now() - began),
      outputBytes: size,
    };
  } catch (error) {
    await rm(request.output, { force: true });
    throw error instanceof ToolError && !error.reason ? explained(error, request) : error;
  } finally {
    for (const cover of covers) await rm(cover.file, { force: true });
  }
}

/** Some builds end without an error when the disk they write to is full. */
function nothingWritten(request: TranscodeRequest): PlainError {
  return new PlainError(`ffmpeg ended without an error but wrote nothing of ${path.basename(request.input)}.`, {
    reason: reason('ffmpeg-failed', { message: 'it wrote nothing; perhaps the disk of the data directory is full' }),
    retry: true,
  });
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    },
  );
}

async function extractCover(request: TranscodeRequest, index: number): Promise<Cover> {
  const file = `${request.output}.cover${index}`;
  await rm(file, { force: true });
  await run({
    command: [request.tools.ffmpeg.path, ...extractArguments(request.input, index, file)],
    wrapper: wrapper(request.tools, request.tools.ffmpeg.path, {
      read: [request.input],
      write: path.dirname(request.output),
      maxFileBytes: 1024 ** 3,
    }),
    what: `take the cover out of ${path.basename(request.input)}`,
    signal: request.signal,
    timeoutMs: 300_000,
  });
  return { index, file };
}

/** Slack for the prlimit: the muxer's own check of the size comes first, this catches what it does not see. */
const FILE_SLACK = 64 * 1024 * 1024;

async function encode(request: TranscodeRequest, covers: Cover[]): Promise<{ ended: Ended; frames: number | null }> {
  const { tools, encoder } = request;
  const name = path.basename(request.input);
  const maxBytes = request.maxOutputBytes ?? (request.plan.action === 'transcode' ? request.probe.sizeBytes : Infinity);
  const watch = watcher(request, name, maxBytes);
  const threads = processorsLeft(tools.courtesy ?? null, request.manners?.coresFree ?? 0);
  const running = start({
    command: [tools.ffmpeg.path, ...encodeArguments({ ...request, covers, release: tools.ffmpeg.release, threads })],
    wrapper: wrapper(tools, tools.ffmpeg.path, {
      read: [request.input],
      write: path.dirname(request.output),
      devices: encoder !== null && rowOf(encoder).hardware,
      maxFileBytes: Math.max(2 * (Number.isFinite(maxBytes) ? maxBytes : request.probe.sizeBytes), 0) + FILE_SLACK,
      ...(request.manners ? { courtesy: request.manners } : {}),
    }),
    ...(request.manners ? { niceness: request.manners.niceness } : {}),
    what: `${request.plan.action === 'remux' ? 're-wrap' : 'encode'} ${name}`,
    signal: request.signal,
    onLine: watch.onLine,
  });
  try {
    watch.follow(running);
    return { ended: await running.done, frames: watch.frames() };
  } finally {
    watch.end();
  }
}

interface Watcher {
  onLine(line: string): void;
  follow(running: Running): void;
  frames(): number | null;
  end(): void;
}

/** Listens to the progress, and ends a run that stands still or grows too large. */
function watcher(request: TranscodeRequest, name: string, maxBytes: number): Watcher {
  let running: Running | null = null;
  let frames: number | null = null;
  let [percent, outTimeMs] = [0, -1];
  let last: EncodeProgress | null = null;
  let timer: NodeJS.Timeout | null = null;
  const paused = (): boolean => request.control?.paused ?? false;
  const stop = (message: string, why: Reason, retry: boolean): void =>
    running?.stop((ended) => new ToolError(message, ended, { reason: why, retry }));
  const rearm = (): void => {
    if (timer) clearTimeout(timer);
    if (!paused())
      timer = setTimeout(() => {
        const seconds = Math.round(request.stallMs / 1000);
        stop(`The encode of ${name} made no progress for ${seconds} seconds and was stopped.`, reason('stalled', { seconds }), true);
      }, request.stallMs);
  };
  const onLine = progressParser((block) => {
    frames = block.frame ?? frames;
    if (block.outTimeMs !== null && block.outTimeMs > outTimeMs) {
      outTimeMs = block.outTimeMs;
      rearm();
    }
    last = progressOf(block, { durationMs: request.probe.durationMs, lastPercent: percent, paused: paused() });
    percent = last.percent;
    request.onProgress?.(last);
    if ((block.totalSize ?? 0) > maxBytes) {
      stop(
        `The copy of ${name} grew larger than it may become, so the encode was stopped.`,
        reason('output-too-large', { limit: maxBytes }),
        false,
      );
    }
  });
  let unlisten = (): void => {};
  return {
    onLine,
    frames: () => frames,
    follow(started) {
      running = started;
      const obey = (want: boolean): void => {
        if (want) started.pause();
        else started.resume();
        rearm();
        if (last) request.onProgress?.((last = { ...last, paused: want, fps: null, speed: null, leftMs: null }));
      };
      unlisten = request.control?.onChange(obey) ?? unlisten;
      if (paused()) obey(true);
      else rearm();
    },
    end() {
      if (timer) clearTimeout(timer);
      unlisten();
    },
  };
}

/** Of the devices' own words, before `known`: no free session or no memory of the card is no disk and no memory of ours. */
const deviceBroke = /OpenEncodeSessionEx failed|CUDA_ERROR_|VA_STATUS_ERROR_|MFX_ERR|AMF_(FAIL|OUT_OF_MEMORY)|No capable devices/i;

const known: [RegExp, (line: string) => Reason, retry: boolean][] = [
  [/No space left on device|Disk quota exceeded/i, () => reason('disk-full', { where: 'workspace' }), true],
  [/Cannot allocate memory|out of memory|malloc of size/i, () => reason('out-of-memory'), true],
  [/Input\/output error|Stale file handle|Transport endpoint/i, (message) => reason('input-output-error', { message }), true],
];

function explained(error: ToolError, request: TranscodeRequest): ToolError {
  const message = lastLine(error.stderrTail) ?? error.message;
  if (error.killedBy === 'SIGXFSZ' || /File too large/i.test(error.stderrTail)) {
    return new ToolError(error.message, error, { cause: error, reason: reason('output-too-large'), retry: false });
  }
  const hardware = request.encoder !== null && rowOf(request.encoder).hardware;
  const fits = hardware && deviceBroke.test(error.stderrTail) ? undefined : known.find(([pattern]) => pattern.test(error.stderrTail));
  const broken = hardware && /device|cuda|nvenc|vaapi|mfx|qsv|amf|videotoolbox|Error while opening encoder/i.test(error.stderrTail);
  const why =
    fits?.[1](message) ??
    (broken
      ? reason('encoder-failed', { encoder: request.encoder?.name, device: deviceWords(request.encoder), message })
      : reason('ffmpeg-failed', {
          message,
          exit: error.killedBy ?? (error.exitCode === null ? null : `exit code ${error.exitCode}`),
        }));
  return new ToolError(error.message, error, { cause: error.cause ?? error, reason: why, retry: fits?.[2] ?? true });
}

function deviceWords(encoder: EncoderChoice | null): string | null {
  if (!encoder?.device) return null;
  return encoder.name.endsWith('_nvenc') ? `card ${encoder.device}` : encoder.device;
}
