import os from 'node:os';
import { execa } from 'execa';
import type { Niceness } from '../core/manner-wishes.ts';
import type { Reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import { lowerPriority } from './courtesy.ts';
import { ProcessGroup } from './process-group.ts';
import { collect, tail, type Taking } from './process-output.ts';

/**
 * The one way in which ffmpeg and ffprobe are run: an argument array, never a shell; nothing on stdin; a bare
 * environment; an own process group; the last 32 KB of stderr kept.
 *
 *   start ──▶ running ◀──pause/resume──▶ stopped (SIGSTOP)
 *               │  └── abort, timeout, too much output ──▶ SIGTERM to the group ──10 s──▶ SIGKILL
 *               ▼
 *             ended {exitCode, killedBy, stdout, stderrTail}
 *
 * That a run does not outlive us is the business of its group (process-group.ts).
 */
export interface RunRequest extends Taking {
  /** program and arguments as a person would repeat them by hand */
  command: string[];
  /** nice, prlimit, bwrap and their arguments: see sandbox.ts */
  wrapper?: string[];
  /** where there is no wrapper that does it; left out: low */
  niceness?: Niceness;
  /** completes "ffmpeg could not …", for example "encode Alien.mkv" */
  what: string;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
  onErrorLine?: (line: string) => void;
}

export interface Ended {
  command: string[];
  exitCode: number | null;
  killedBy: string | null;
  stdout: string;
  stderrTail: string;
  timedOut: boolean;
}

export interface Running {
  pid: number | null;
  /** @throws ToolError when the run did not end with exit code 0; the signal's reason after an abort */
  done: Promise<Ended>;
  /** false where the platform cannot */
  pause(): boolean;
  resume(): boolean;
  /** ends the run; `done` then rejects with the error made of its end */
  stop(because: (ended: Ended) => unknown): void;
}

interface ToolErrorOptions {
  cause?: unknown;
  reason?: Reason;
  retry?: boolean;
  overflowed?: boolean;
}

/** A run of ffmpeg or ffprobe that went wrong, with everything needed to repeat it by hand. */
export class ToolError extends PlainError {
  override name = 'ToolError';
  readonly command: string[];
  /** at most 32 KB */
  readonly stderrTail: string;
  readonly exitCode: number | null;
  readonly killedBy: string | null;
  readonly timedOut: boolean;
  /** it was ended because it said more than it may */
  readonly overflowed: boolean;

  constructor(message: string, run: Omit<Ended, 'stdout'>, options: ToolErrorOptions = {}) {
    super(message, options);
    this.command = run.command;
    this.stderrTail = run.stderrTail;
    this.exitCode = run.exitCode;
    this.killedBy = run.killedBy;
    this.timedOut = run.timedOut;
    this.overflowed = options.overflowed ?? false;
  }
}

const GUARDED_FROM_MS = 120_000;
const posix = process.platform !== 'win32';

/** Runs to the end. @throws ToolError, or the signal's reason */
export async function run(request: RunRequest): Promise<Ended> {
  return start(request).done;
}

export function start(request: RunRequest): Running {
  request.signal?.throwIfAborted();
  const [file, ...args] = [...(request.wrapper ?? []), ...request.command] as [string, ...string[]];
  const child = execa(file, args, {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    detached: posix,
    cleanup: false,
    env: toolEnvironment(),
    extendEnv: false,
    cwd: posix ? '/' : os.tmpdir(),
    windowsHide: true,
  });
  const pid = child.pid ?? null;
  const group = new ProcessGroup(pid, { guarded: (request.timeoutMs ?? Infinity) >= GUARDED_FROM_MS });
  if (pid !== null && !request.wrapper?.length) lowerPriority(pid, request.niceness ?? 'low');

  let because: ((ended: Ended) => unknown) | null = null;
  let timedOut = false;
  const stop = (why: (ended: Ended) => unknown): void => {
    because ??= why;
    group.end();
  };
  const stdout = collect(child.stdout, request, () => stop((ended) => overflowError(request, ended)));
  const stderr = tail(child.stderr, request.onErrorLine);
  const onAbort = (): void => stop(() => request.signal?.reason);
  request.signal?.addEventListener('abort', onAbort, { once: true });
  const onTimeout = (): void => {
    timedOut = true;
    stop((ended) => timeoutError(request, ended));
  };
  const timer = request.timeoutMs === undefined ? null : setTimeout(onTimeout, request.timeoutMs);

  const finish = async (): Promise<Ended> => {
    const result = await child.finally(() => {
      group.ended();
      if (timer) clearTimeout(timer);
      request.signal?.removeEventListener('abort', onAbort);
    });
    const ended: Ended = {
      command: request.command,
      exitCode: result.exitCode ?? null,
      killedBy: result.signal ?? null,
      stdout: stdout(),
      stderrTail: stderr(),
      timedOut,
    };
    if (because) throw because(ended);
    return judgeEnd(request, ended, result.failed ? (result.cause ?? result) : null);
  };
  return { pid, done: finish(), pause: () => group.signal('SIGSTOP'), resume: () => group.signal('SIGCONT'), stop };
}

function overflowError(request: RunRequest, ended: Ended): ToolError {
  const message = `${toolName(ended.command)} said more than it may while trying to ${request.what}.`;
  return new ToolError(message, ended, { overflowed: true });
}

function timeoutError(request: RunRequest, ended: Ended): ToolError {
  const seconds = Math.round((request.timeoutMs ?? 0) / 1000);
  return new ToolError(`${toolName(ended.command)} did not ${request.what} within ${seconds} seconds and was ended.`, ended, {
    retry: true,
  });
}

function judgeEnd(request: RunRequest, ended: Ended, cause: unknown): Ended {
  if (ended.exitCode === 0) return ended;
  const why = lastLine(ended.stderrTail) ?? (ended.killedBy ? `it was ended by ${ended.killedBy}` : startProblem(cause, ended));
  throw new ToolError(`${toolName(ended.command)} could not ${request.what}: ${why}`, ended, {
    cause,
    retry: ended.killedBy === 'SIGKILL',
  });
}

function startProblem(cause: unknown, ended: Ended): string {
  const code = (cause as { code?: string } | null)?.code;
  return code ? `it could not be started (${code})` : `it ended with exit code ${ended.exitCode}`;
}

function toolName(command: string[]): string {
  return (command[0] ?? '').replace(/^.*[/\\]/, '').replace(/\.exe$/i, '') || 'ffmpeg';
}

/** Lines that only repeat that something failed, never why. */
const empty = [
  /^Conversion failed!?$/,
  /^Error while (processing|filtering)/,
  /^(\[[^\]]+\] )?(Nothing was written|Task finished with error|Terminating thread)/,
  /^(\[[^\]]+\] )?Error (sending frames|submitting|while decoding|initializing|opening output|encoding a frame)/,
  /^Exiting/,
  /^Last message repeated/,
  /^(\[[^\]]+\] )?(Could not open encoder before EOF|Error while opening encoder)/,
  /^Error parsing (global )?options/,
  /^Failed to set value/,
  /^(\[[^\]]+\] )?video:/,
  /^(\[[^\]]+\] )?Output file is empty/,
];

/** The last line of stderr that says something, without memory addresses; null when there is none. */
export function lastLine(stderr: string): string | null {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((l) => l.replace(/^\[([^\]@]+?) @ 0x[0-9a-f]+\] /, '[$1] ').trim())
    .filter(Boolean);
  return (lines.findLast((l) => !empty.some((e) => e.test(l))) ?? lines.at(-1))?.slice(0, 500) ?? null;
}

/**
 * What a driver needs to be found, and nothing that changes what ffmpeg writes (FFREPORT) or in which language.
 * GCONV_PATH leads nowhere: the bundled static ffprobe crashes when it loads a converter of another glibc (measured on
 * every transport stream that names its service), and nobody here needs one.
 */
const passed = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SystemRoot',
  'windir',
  'LD_LIBRARY_PATH',
  'LIBVA_DRIVER_NAME',
  'LIBVA_DRIVERS_PATH',
  'CUDA_VISIBLE_DEVICES',
  'CUDA_CACHE_PATH',
  'NVIDIA_VISIBLE_DEVICES',
  'NVIDIA_DRIVER_CAPABILITIES',
  'XDG_RUNTIME_DIR',
  'ONEVPL_SEARCH_PATH',
];

function toolEnvironment(): Record<string, string> {
  const env: Record<string, string> = { LC_ALL: 'C', AV_LOG_FORCE_NOCOLOR: '1', GCONV_PATH: '/nonexistent' };
  for (const name of passed) if (process.env[name] !== undefined) env[name] = process.env[name];
  return env;
}
