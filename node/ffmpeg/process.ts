import { spawn } from 'node:child_process';
import os from 'node:os';
import { StringDecoder } from 'node:string_decoder';
import { execa } from 'execa';
import type { Niceness } from '../core/manner-wishes.ts';
import type { Reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import { lowerPriority } from './courtesy.ts';

/**
 * The one way in which ffmpeg and ffprobe are run: an argument array, never a shell; nothing on stdin; a bare
 * environment; an own process group; the last 32 KB of stderr kept.
 *
 *   start ──▶ running ◀──pause/resume──▶ stopped (SIGSTOP)
 *               │  └── abort, timeout, too much output ──▶ SIGTERM to the group ──10 s──▶ SIGKILL
 *               ▼
 *             ended {exitCode, killedBy, stdout, stderrTail}
 *
 * A run must not outlive us. A clean exit kills every group by an 'exit' listener. When we are killed with SIGKILL
 * nobody runs that listener, and ffmpeg itself does not notice: it ignores SIGPIPE and goes on for hours with nobody
 * reading its progress. So each long run has a guard, a shell of five words of our own (no argument of ffmpeg's reaches
 * it) that waits for the end of a pipe which we hold: however we die, the kernel closes the pipe and the guard kills
 * the group. On Windows libuv puts children that are not detached into a job object that ends with us.
 */
export interface RunRequest {
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
  /** stdout is handed over line by line and not kept */
  onLine?: (line: string) => void;
  onErrorLine?: (line: string) => void;
  /** stdout is no text: handed over as it comes and not kept, at most `maxStdoutBytes` of it */
  onBytes?: (chunk: Buffer) => void;
  /** kept stdout; more than this ends the run with an error */
  maxStdoutBytes?: number;
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

const TAIL = 32 * 1024;
const KILL_AFTER_MS = 10_000;
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
  const group = new Group(pid);
  const guard = pid !== null && (request.timeoutMs ?? Infinity) >= GUARDED_FROM_MS ? startGuard(pid) : null;
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
      guard?.();
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

const groups = new Set<Group>();
process.on('exit', () => {
  for (const group of groups) group.kill();
});

/** A process group, as long as it lives. Once it has ended its number may belong to somebody else. */
class Group {
  #pid: number | null;
  #timer: NodeJS.Timeout | null = null;

  constructor(pid: number | null) {
    this.#pid = pid;
    if (pid !== null) groups.add(this);
  }

  signal(name: NodeJS.Signals): boolean {
    if (this.#pid === null || (!posix && name !== 'SIGTERM' && name !== 'SIGKILL')) return false;
    try {
      return process.kill(posix ? -this.#pid : this.#pid, name);
    } catch {
      return false;
    }
  }

  /** A stopped process hears SIGTERM only after SIGCONT. */
  end(): void {
    this.signal('SIGTERM');
    this.signal('SIGCONT');
    this.#timer ??= setTimeout(() => this.kill(), KILL_AFTER_MS);
  }

  kill(): void {
    this.signal('SIGKILL');
  }

  ended(): void {
    this.#pid = null;
    if (this.#timer) clearTimeout(this.#timer);
    groups.delete(this);
  }
}

/** Kills the group when this process is gone. Returns what dismisses it. */
function startGuard(pid: number): (() => void) | null {
  if (!posix) return null;
  const guard = spawn('/bin/sh', ['-c', 'read -r _; kill -s KILL -- "-$1"', 'codecshift-guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
    env: {},
  });
  guard.on('error', () => {}); // no shell here: the run is only less well guarded
  guard.stdin.on('error', () => {});
  guard.unref();
  return () => void guard.kill('SIGKILL');
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

type Source = NodeJS.ReadableStream | null | undefined;

function collect(stream: Source, { onLine, onBytes, maxStdoutBytes = 1024 * 1024 }: RunRequest, onOverflow: () => void): () => string {
  if (onLine) {
    eachLine(stream, onLine);
    return () => '';
  }
  const chunks: Buffer[] = [];
  const keep = onBytes ?? ((chunk: Buffer) => void chunks.push(chunk));
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxStdoutBytes) keep(chunk);
    else onOverflow();
  });
  return () => clean(Buffer.concat(chunks).toString('utf8'));
}

function tail(stream: Source, onLine: ((line: string) => void) | undefined): () => string {
  const decoder = new StringDecoder('utf8');
  let kept = '';
  stream?.on('data', (chunk: Buffer) => {
    kept += decoder.write(chunk);
    if (kept.length > 2 * TAIL) kept = kept.slice(-TAIL);
  });
  if (onLine) eachLine(stream, onLine);
  return () => clean(bounded(kept));
}

/** The last 32 KB as bytes, whatever the alphabet. */
function bounded(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.length <= TAIL
    ? text
    : bytes
        .subarray(-TAIL)
        .toString('utf8')
        .replace(/^\uFFFD+/, '');
}

/** PostgreSQL stores no NUL and no half a character. */
function clean(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}

const MAX_LINE = 64 * 1024;

function eachLine(stream: Source, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream?.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split(/\r?\n|\r/);
    rest = (lines.pop() ?? '').slice(-MAX_LINE);
    for (const line of lines) onLine(clean(line));
  });
  stream?.on('end', () => {
    if (rest) onLine(clean(rest));
  });
}
