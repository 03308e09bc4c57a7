import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { copyEmbedded } from './embedded-template.ts';
import { keepProofs, lendProofs } from './known-encoders.ts';
import { quickFfmpegEnv, repository } from './tools.ts';

/**
 * CodecShift as a person starts it: a process of its own, of which a test sees what a person sees (the lines it prints,
 * its page, its API, its exit code).
 */
export interface Program {
  url: string;
  pid: number;
  /** everything it printed so far, both streams */
  output(): string;
  /** GET, or POST when there is a body; throws with the answer's text unless the status is 2xx. While nobody coordinates it asks again */
  api<T = unknown>(path: string, body?: unknown): Promise<T>;
  /** a page as a browser gets it, with plain apostrophes; throws unless the status is 200. While nobody coordinates it asks again */
  page(path: string): Promise<string>;
  /** as `fetch`, with the path below the program's URL and the right to change things */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** SIGTERM, then its end; fails when it doesn't end within a minute */
  stop(): Promise<Ended>;
  /** SIGKILL to the program alone: what it started lives on, as after a real crash */
  kill(): Promise<Ended>;
  /** resolves when the process has ended by itself or otherwise */
  ended: Promise<Ended>;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
}

export interface ProgramOptions {
  dataDir: string;
  libraries?: readonly string[];
  /** further words of the command line */
  args?: readonly string[];
  env?: Record<string, string>;
  /** the program itself, or another entry of the same composition, for example one with fault points */
  entry?: string;
  /** a built executable instead of the source; CODECSHIFT_TEST_PROGRAM names one for all tests that start the program */
  executable?: string;
  /** nothing of this process's environment but PATH, as `env -i` */
  bare?: boolean;
  cwd?: string;
  port?: number;
  /** it looks for its ffmpeg and makes its database itself, as where nobody ever ran it; both are brought unless said */
  fresh?: boolean;
}

const defaults: Record<string, string> = {
  // Clips are new files: without this they would be left alone for two minutes.
  CODECSHIFT_SETTLE: '0',
  CODECSHIFT_SPEED: 'fast',
  CODECSHIFT_AT_ONCE: '2',
  CODECSHIFT_MIN_FREE: '0',
  // seconds a file, and most tests look at the films only
  CODECSHIFT_PICTURES: 'off',
  // Several programs of several tests run on one machine: none of them may find another one.
  CODECSHIFT_DISCOVERY: 'off',
  CODECSHIFT_CLUSTER: 'new',
  CODECSHIFT_MESH_PORT: '0',
  // who may come in has tests of its own
  CODECSHIFT_AUTH: 'none',
};

/** Starts the program and waits for the line with its address. Throws with its whole output when it ends before. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  if (makesDatabase(options)) await copyEmbedded(options.dataDir);
  const usual = !bringsOwn(options);
  if (usual) lendProofs(options.dataDir);
  const { child, output, ended } = launch(options);
  if (usual && !options.entry) void ended.then(() => keepProofs(options.dataDir));
  const url = await new Promise<string>((resolve, reject) => {
    const look = (): void => {
      const found = /Dashboard:\s+(http:\/\/\S+)/.exec(output());
      if (found) resolve(found[1]!.replace(/\/$/, ''));
    };
    child.stdout!.on('data', look);
    void ended.then((end) => reject(new Error(`The program ended before it was ready (${end.code ?? end.signal}):\n${end.output}`)));
  });
  const request = (path: string, init: RequestInit = {}): Promise<Response> => fetch(new URL(path, url), authorised(init, options.dataDir));
  return {
    url,
    pid: child.pid!,
    output,
    ended,
    request,
    api: <T>(path: string, body?: unknown) => askApi<T>(request, path, body),
    page: (path) => askPage(request, path),
    stop: () => endBy(child, ended, 'SIGTERM', options.dataDir),
    kill: () => endBy(child, ended, 'SIGKILL', options.dataDir),
  };
}

/** Starts the program where it is expected to refuse, and waits for its end. */
export async function runProgram(options: ProgramOptions): Promise<Ended> {
  if (makesDatabase(options)) await copyEmbedded(options.dataDir);
  return launch(options).ended;
}

/**
 * Looks again and again until `look` gives something, and returns that. Not a sleep: it ends with the condition, and
 * with `what` in the error when the condition never comes. It looks less often at what takes long: a look is a question to the
 * program and its database, and five waiting tests that ask ten times a second cost a third of a processor.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  limitMs = 240_000,
): Promise<T> {
  const began = performance.now();
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    const waited = performance.now() - began;
    if (waited > limitMs) throw new Error(`Waited ${limitMs / 1000} s in vain for: ${what}`);
    await pause(Math.min(100 + waited / 10, 1000));
  }
}

/** Resolves when, by the program's own word, every library was scanned and nothing waits or runs. */
export async function idle(program: Program, limitMs?: number): Promise<Status> {
  const look = async (): Promise<Status | null> => {
    const { items } = await program.api<{ items: { scan: { state: string } | null }[] }>('/libraries');
    const status = await program.api<Status>('/status');
    const scanned = items.length > 0 && items.every(({ scan }) => scan !== null && scan.state !== 'running');
    return scanned && status.jobs.waiting === 0 && status.jobs.running === 0 ? status : null;
  };
  return until('an idle program', look, limitMs);
}

export interface Status {
  paused: boolean;
  jobs: Record<'waiting' | 'running' | 'held' | 'failed' | 'finished' | 'cancelled', number>;
  reclaimedBytes: number;
  replaced: number;
  running: { id: number; progress: { percent: number | null } | null }[];
}

/** Nothing may be put in its way: what it finds itself is what the test is about. */
function bringsOwn({ bare, fresh, args, env }: ProgramOptions): boolean {
  return bare === true || fresh === true || /ffmpeg|PATH/i.test(JSON.stringify([args, env]));
}

/** To make and migrate an embedded database costs four seconds of a processor, which the first starts of dozens of tests would pay. */
function makesDatabase({ dataDir, args, env, entry, executable, bare, fresh }: ProgramOptions): boolean {
  if (bare || fresh || entry || executable || /DATABASE_URL|--database-url|CODECSHIFT_CLUSTER/.test(JSON.stringify([args, env])))
    return false;
  return !existsSync(dataDir) || (statSync(dataDir).isDirectory() && readdirSync(dataDir).length === 0);
}

interface Launched {
  child: ChildProcess;
  output(): string;
  ended: Promise<Ended>;
}

function launch(options: ProgramOptions): Launched {
  const libraries = (options.libraries ?? []).flatMap((folder) => ['--library', folder]);
  const words = ['run', ...libraries, '--data-dir', options.dataDir, '--port', String(options.port ?? 0), ...(options.args ?? [])];
  const [file, ...before] = commandOf(options);
  const child = spawn(file, [...before, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...(options.bare ? { PATH: process.env['PATH'] } : cleanEnvironment()),
      ...(bringsOwn(options) ? {} : quickFfmpegEnv()),
      ...defaults,
      ...options.env,
    },
    cwd: options.cwd ?? dirname(options.dataDir),
  });
  let text = '';
  const collect = (chunk: Buffer): void => void (text += chunk.toString());
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, output: text }));
  });
  // A failed test must not leave a program behind that goes on encoding.
  const killLater = (): void => void child.kill('SIGKILL');
  process.once('exit', killLater);
  void ended.then(() => process.off('exit', killLater));
  return { child, output: () => text, ended };
}

function commandOf({ entry, executable }: ProgramOptions): [string, ...string[]] {
  const built = executable ?? process.env['CODECSHIFT_TEST_PROGRAM'];
  if (built && !entry) return [resolve(repository, built)];
  return [...programRunner(), entry ?? join(repository, 'node', 'main.ts')];
}

/** What runs a program from its sources. --liftoff-only and the slow disk: as for the tests themselves (scripts/test.ts). */
export function programRunner(): [string, ...string[]] {
  const slow = process.env['CODECSHIFT_TEST_SLOW_DISK']
    ? [`--import=${pathToFileURL(join(import.meta.dirname, 'slow-disk.ts')).href}`]
    : [];
  return [process.execPath, '--liftoff-only', ...onSignal, ...slow, join(repository, 'scripts', 'node.cjs')];
}

/** A program that does not end says on SIGUSR2 what it holds open (https://nodejs.org/api/report.html). */
const onSignal = ['--report-on-signal', '--report-signal=SIGUSR2', '--report-filename=stdout', '--report-exclude-env'];

/** The test's own settings for CodecShift must not leak into the program. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([key]) => !/^(CODECSHIFT_|DATABASE_URL|NODE_TEST|NODE_OPTIONS)/.test(key));
  return Object.fromEntries(entries);
}

async function endBy(child: ChildProcess, ended: Promise<Ended>, signal: 'SIGTERM' | 'SIGKILL', dataDir: string): Promise<Ended> {
  child.kill(signal);
  const tooLong = new AbortController();
  const late = pause(60_000, null, { signal: tooLong.signal, ref: false }).then(async () => {
    child.kill('SIGUSR2');
    await pause(5_000);
    child.kill('SIGKILL');
    throw new Error(`The program on ${dataDir} did not end within a minute of ${signal}:\n${(await ended).output}`);
  });
  try {
    return tellOfHangs(dataDir, await Promise.race([ended, late]));
  } finally {
    late.catch(() => undefined);
    tooLong.abort();
  }
}

/** It ended, but not as it should: seen in the output of the tests, where nobody would look for it otherwise. */
function tellOfHangs(dataDir: string, end: Ended): Ended {
  const hangs = end.output.split('\n').filter((line) => /did not stop in time|is left behind/.test(line));
  for (const line of hangs) console.log(`The program on ${dataDir} was stopped: ${line}`);
  return end;
}

async function askApi<T>(request: Program['request'], path: string, body: unknown): Promise<T> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  // A machine that stood still for longer than its lease does not coordinate for a moment, and says that nothing was done.
  const { status, text } = await until(
    `an answer to ${init.method ?? 'GET'} ${path}`,
    async () => {
      const answer = await request(`/api/v1${path}`, init);
      const said = { status: answer.status, text: await answer.text() };
      const nobody = said.status === 503 && said.text.includes('"no-coordinator"') && !said.text.includes('It is not known');
      return nobody ? null : said;
    },
    60_000,
  );
  if (status < 200 || status > 299) throw new Error(`${init.method ?? 'GET'} ${path} answered ${status}: ${text}`);
  return (text === '' ? null : JSON.parse(text)) as T;
}

async function askPage(request: Program['request'], path: string): Promise<string> {
  const answer = await until(
    `the page ${path}`,
    async () => {
      const now = await request(path, { headers: { accept: 'text/html' } });
      return now.status === 503 ? null : now;
    },
    60_000,
  );
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`);
  return (await answer.text()).replaceAll('&#39;', "'");
}

/** The program leaves its address and a secret in the data directory for the command line; a test comes in the same way. */
function authorised(init: RequestInit, dataDir: string): RequestInit {
  const { secret } = JSON.parse(readFileSync(join(dataDir, 'running.json'), 'utf8')) as { secret: string };
  // a connection of its own: one that was kept open is closed at the other end while everything stands still
  return { ...init, headers: { accept: 'application/json', ...init.headers, authorization: `Bearer ${secret}`, connection: 'close' } };
}
