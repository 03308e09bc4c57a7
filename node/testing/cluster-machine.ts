import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { familyOf } from './network-commands.ts';
import type { Network } from './network.ts';
import type { Disk } from './cluster-disks.ts';
import { lendProofs, keepProofs } from './known-encoders.ts';
import { programRunner, until } from './program.ts';
import { quickFfmpegEnv, repository } from './tools.ts';

/**
 * One machine of a cluster: its own network, data directory and view of the disk, on which CodecShift is started, killed,
 * frozen and asked, all as often as wanted.
 */
export interface Machine {
  name: string;
  dataDir: string;
  /** where this machine has the shared folder; null: it has it not */
  films: string | null;
  /** null when it was started without a small disk of its own for unfinished encodes */
  workspace: Disk | null;
  readonly running: boolean;
  readonly frozen: boolean;
  /** everything its programs printed, one start after the other */
  output(): string;
  /** starts the program; resolves when its API answers, rejects when it ends before */
  start(more?: Started): Promise<void>;
  /** starts the program and does not wait */
  launch(more?: Started): void;
  /** SIGTERM and its end */
  stop(): Promise<void>;
  /** SIGKILL: 'program' leaves alive what it started, 'power' leaves nothing */
  kill(what?: 'program' | 'power'): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** its clock is off by so many milliseconds from now on */
  setClock(offsetMs: number): void;
  /** GET, or POST when there is a body, within some seconds; throws with the answer's text unless the status is 2xx */
  api<T = unknown>(path: string, body?: unknown): Promise<T>;
  /** a page or anything else of its dashboard */
  get(path: string): Promise<{ status: number; text: string }>;
  /** a button of its dashboard; resolves with the status */
  press(path: string, fields?: Record<string, string>): Promise<number>;
  /** what it keeps of itself, where a test has to look behind it */
  file(path: string): string;
}

export interface Started {
  args?: readonly string[];
  env?: Record<string, string>;
}

export interface MachineOptions extends Started {
  name: string;
  network: Network;
  base: string;
  /** the folder that machines with the share see, in this process's view */
  share: string;
  hasShare: boolean;
  /** it is given the shared folder as a library on its command line */
  isLibrary: boolean;
  databaseUrl: string | null;
  workspace: Disk | null;
}

/** The dashboard's port is the usual one on every machine: they do not share a network with anybody. */
const port = 8265;

export async function createMachine(options: MachineOptions): Promise<Machine> {
  const { name, network, base } = options;
  const home = join(base, name);
  const dataDir = join(home, 'data');
  const films = options.hasShare ? join(home, 'films') : null;
  const [clock, socket] = [join(home, 'clock'), join(home, 'api.sock')];
  mkdirSync(join(home, 'films'), { recursive: true });
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(clock, '0');
  await openRelay(network, name, socket);
  let program: ChildProcess | null = null;
  let frozen = false;
  let printed = '';
  const signalAll = (signal: NodeJS.Signals): void => {
    if (!program?.pid) return;
    // children first to go on, the parent first to stop: it must not see them stand still
    const family = familyOf(program.pid);
    for (const pid of signal === 'SIGCONT' ? family.toReversed() : family) send(pid, signal);
  };

  const machine: Machine = {
    name,
    dataDir,
    films,
    workspace: options.workspace,
    get running() {
      return program !== null;
    },
    get frozen() {
      return frozen;
    },
    output: () => printed,
    launch,
    async start(more) {
      launch(more);
      const started = program;
      await until(
        `an answer of ${name}`,
        async () => {
          if (program !== started) throw new Error(`CodecShift on ${name} ended before it was ready:\n${printed.slice(-3000)}`);
          return machine.api('/status').then(
            () => true,
            () => false,
          );
        },
        120_000,
      );
    },
    stop: () => end('SIGTERM'),
    kill: (what = 'program') => end('SIGKILL', what === 'power'),
    freeze() {
      frozen = program !== null;
      signalAll('SIGSTOP');
    },
    thaw() {
      frozen = false;
      signalAll('SIGCONT');
    },
    setClock: (offsetMs) => writeFileSync(clock, String(offsetMs)),
    async api<T>(path: string, body?: unknown) {
      const { status, text } = await ask(`/api/v1${path}`, body);
      if (status < 200 || status > 299)
        throw new Error(`${body === undefined ? 'GET' : 'POST'} ${path} on ${name} answered ${status}: ${text}`);
      return (text === '' ? null : JSON.parse(text)) as T;
    },
    get: (path) => ask(path),
    press: async (path, fields = {}) => (await ask(path, new URLSearchParams({ csrf: '', ...fields }))).status,
    file: (path) => readFileSync(join(dataDir, path), 'utf8'),
  };
  return machine;

  function launch(more: Started = {}): void {
    if (program) throw new Error(`CodecShift runs already on ${name}`);
    rmSync(join(dataDir, 'running.json'), { force: true });
    lendProofs(dataDir);
    const library = films && options.isLibrary ? ['--library', films] : [];
    const words = ['run', '--name', name, '--data-dir', dataDir, ...library, ...(options.args ?? []), ...(more.args ?? [])];
    const argv = [...programRunner(), join(repository, 'node', 'main.ts'), ...words];
    const env = { ...environment(clock, options), ...options.env, ...more.env };
    const child = network.spawn(name, argv, { env, cwd: home, mounts: mounts(options, films) });
    program = child;
    frozen = false;
    const collect = (chunk: Buffer): void => void (printed = (printed + chunk.toString()).slice(-4_000_000));
    child.stdout!.on('data', collect);
    child.stderr!.on('data', collect);
    child.once('exit', (code, signal) => {
      keepProofs(dataDir);
      printed += `--- ended with ${code ?? signal}\n`;
      if (program === child) program = null;
    });
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL', all = false): Promise<void> {
    const child = program;
    if (!child?.pid) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (all) for (const pid of familyOf(child.pid)) send(pid, signal);
    else send(child.pid, signal);
    if (frozen) machine.thaw();
    const late = setTimeout(() => send(child.pid!, 'SIGKILL'), 60_000);
    await gone;
    clearTimeout(late);
    program = null;
    frozen = false;
  }

  async function ask(path: string, body?: unknown): Promise<{ status: number; text: string }> {
    const running = join(dataDir, 'running.json');
    if (!existsSync(running)) throw new Error(`CodecShift on ${name} is not ready`);
    const { secret } = JSON.parse(readFileSync(running, 'utf8')) as { secret: string };
    const headers: Record<string, string> = { host: 'localhost', accept: path.startsWith('/api/') ? 'application/json' : 'text/html' };
    headers['authorization'] = `Bearer ${secret}`;
    if (body !== undefined)
      headers['content-type'] = body instanceof URLSearchParams ? 'application/x-www-form-urlencoded' : 'application/json';
    return overSocket({ socketPath: socket, path, method: body === undefined ? 'GET' : 'POST', headers }, body);
  }
}

/** What the program of one machine sees of the disk: the share under a path of its own, or not at all. */
function mounts({ share, hasShare }: MachineOptions, films: string | null): string[] {
  return [...(hasShare ? [`mount --bind ${share} ${films}`] : []), `umount -l ${share}`];
}

function environment(clock: string, { databaseUrl }: MachineOptions): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([key]) => !/^(CODECSHIFT_|DATABASE_URL|NODE_TEST|NODE_OPTIONS|NODE_V8)/.test(key));
  return {
    ...Object.fromEntries(own),
    ...(databaseUrl ? { DATABASE_URL: databaseUrl } : {}),
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'clock-step.ts')}`,
    ...quickFfmpegEnv(),
    CODECSHIFT_TEST_CLOCK: clock,
    CODECSHIFT_SETTLE: '0',
    CODECSHIFT_SPEED: 'fast',
    CODECSHIFT_MIN_FREE: '0',
    CODECSHIFT_PICTURES: 'off',
    CODECSHIFT_AUTH: 'none',
  };
}

async function openRelay(network: Network, name: string, socket: string): Promise<void> {
  const relay = network.spawn(name, [process.execPath, join(import.meta.dirname, 'cluster-relay.ts'), socket, String(port)]);
  await new Promise<void>((resolve, reject) => {
    relay.stdout!.once('data', () => resolve());
    relay.once('exit', (code) => reject(new Error(`The relay of ${name} ended with ${code}`)));
  });
}

function overSocket(
  options: { socketPath: string; path: string; method: string; headers: Record<string, string> },
  body: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = httpRequest({ ...options, signal: AbortSignal.timeout(15_000) }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : body instanceof URLSearchParams ? body.toString() : JSON.stringify(body));
  });
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ended meanwhile
  }
}
