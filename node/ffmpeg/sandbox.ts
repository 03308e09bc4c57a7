import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { allowedDecoders, allowedFormats } from '../core/allowed-media.ts';
import { sentence, type Reason } from '../core/reasons.ts';
import { messageOf, PlainError } from '../errors.ts';
import { courtesyPrefix, findCourtesy, usualCourtesy, type Courtesy, type CourtesyWish } from './courtesy.ts';
import { run } from './process.ts';

/**
 * Media is hostile. What ffmpeg may do is narrowed twice:
 *
 * 1. By its own lists, on every input, on every platform: only the protocol `file:` (no playlist reaches the network),
 *    only demuxers of real media containers (a text file named .mkv is else opened as an HLS or ffconcat list and pulls
 *    in any other file, in spite of the protocol list), only the decoders that film collections need (MagicYUV's
 *    CVE-2026-8461 was reachable by ffprobe too).
 * 2. By a cage, where the machine has one: bubblewrap without network, with the system read-only, the one input
 *    read-only, and the workspace writable; nothing else of the disk exists in there.
 *
 * Limits: `-max_alloc` bounds a single allocation, prlimit the size of the output file and core dumps. There is no
 * RLIMIT_AS: x265's threads and GPU drivers reserve address space by the gigabyte that they never touch. There is no
 * RLIMIT_CPU on encodes: a long film honestly takes days of CPU time; stalls are found by progress.
 */

/** More streams than any film has; beyond it a file is refused, not read. */
export const MAX_STREAMS = 200;

const MAX_ALLOC = String(1024 ** 3);

/** Options before every command of ffmpeg. */
export const safeGlobals = ['-hide_banner', '-nostdin', '-max_alloc', MAX_ALLOC];

/** Options before every `-i` of ffmpeg, and for ffprobe. */
export const safeInput = [
  '-protocol_whitelist',
  'file',
  '-format_whitelist',
  allowedFormats.join(','),
  '-codec_whitelist',
  allowedDecoders.join(','),
  '-max_streams',
  String(MAX_STREAMS),
];

/** An absolute path as ffmpeg must see it: a name can then be no option, no other protocol, no pattern. */
export function fileUrl(absolutePath: string): string {
  if (!path.isAbsolute(absolutePath)) throw new TypeError(`not an absolute path: ${absolutePath}`);
  return `file:${absolutePath}`;
}

export interface Cage {
  name: 'bubblewrap';
  path: string;
}

/** What may be seen from inside: everything else of the disk does not exist there. */
export interface View {
  /** absolute paths of files that may be read */
  read: string[];
  /** absolute path of a directory that may be written */
  write?: string;
  /** graphics devices; only encodes need them */
  devices?: boolean;
  /** the largest file that may be written, in bytes */
  maxFileBytes?: number;
  /** how far behind other programs it stands */
  courtesy?: CourtesyWish;
}

/** The helpers of the machine, absolute paths; null where it has none. */
export interface Wrappers {
  nice: string | null;
  prlimit: string | null;
  /** further ways to stand behind others; left out where none was looked for */
  courtesy?: Courtesy | null;
  cage: Cage | null;
  /** why there is no cage, in words; null when there is one */
  cageProblem: string | null;
  /** a known hole of the program for which it opens no film; null or left out: it may */
  refused?: { hole: string; says: string } | null;
}

/**
 * What stands before the program: low priority, limits, cage; as much of it as this machine has. Every run that sees a film
 * comes through here, so this is also where an ffmpeg with a known hole is stopped.
 * @throws PlainError `ffmpeg-refused`
 */
export function wrapper(by: Wrappers, program: string, view: View): string[] {
  if (by.refused && view.read.length > 0) throw refusal(by.refused);
  const limits = view.maxFileBytes === undefined ? [] : [`--fsize=${view.maxFileBytes}`];
  return [
    ...courtesyPrefix(by.nice, by.courtesy ?? null, view.courtesy ?? usualCourtesy),
    ...(by.prlimit ? [by.prlimit, '--core=0', ...limits] : []),
    ...(by.cage ? bubblewrap(by.cage, program, view) : []),
  ];
}

/** Why an ffmpeg with a known hole opens no film, with the way out. */
export function refusal({ says }: NonNullable<Wrappers['refused']>): PlainError {
  const why: Reason = { code: 'ffmpeg-refused', params: { says } };
  return new PlainError(sentence(why), { reason: why, retry: true });
}

const system = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/alternatives',
  '/etc/OpenCL',
  '/etc/vulkan',
  '/etc/libva.conf',
  '/nix/store',
  '/gnu/store',
  '/run/opengl-driver',
];
const devices = [
  '/dev/dri',
  '/dev/kfd',
  '/dev/dxg',
  '/dev/nvidia0',
  '/dev/nvidia1',
  '/dev/nvidia2',
  '/dev/nvidia3',
  '/dev/nvidiactl',
  '/dev/nvidia-uvm',
  '/dev/nvidia-uvm-tools',
  '/dev/nvidia-modeset',
];

function bubblewrap(cage: Cage, program: string, view: View): string[] {
  const readOnly = (p: string): string[] => ['--ro-bind', p, p];
  const maybe = (flag: string, paths: string[]): string[] => paths.flatMap((p) => [flag, p, p]);
  return [
    cage.path,
    '--die-with-parent',
    '--unshare-net',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    // as root without any capability other people's files could not be read; read-only mounts stay read-only
    ...(process.getuid?.() === 0 ? ['--cap-drop', 'ALL', '--cap-add', 'CAP_DAC_OVERRIDE'] : []),
    ...maybe('--ro-bind-try', system),
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--tmpfs',
    '/tmp',
    // without the list of processors x265 makes no thread pool
    '--ro-bind-try',
    '/sys/devices/system',
    '/sys/devices/system',
    ...(view.devices ? [...maybe('--dev-bind-try', devices), '--ro-bind-try', '/sys', '/sys'] : []),
    ...(system.some((d) => program.startsWith(`${d}/`)) ? [] : readOnly(homeOf(program))),
    ...(view.write === undefined ? [] : ['--bind', view.write, view.write]),
    ...view.read.flatMap(readOnly),
    '--chdir',
    '/',
    '--',
  ];
}

/**
 * What has to be seen of a program outside of the system's own folders: itself, or where it was installed with libraries of its
 * own, that place. Not all of /opt: people keep other things there too.
 */
export function homeOf(program: string): string {
  return /^(\/opt\/[^/]+|\/home\/linuxbrew\/\.linuxbrew)\//.exec(program)?.[1] ?? program;
}

/** Finds the helpers; the cage counts only when the program really ran inside it. */
export async function findWrappers(program: string, signal?: AbortSignal): Promise<Wrappers> {
  if (process.platform === 'win32') return { nice: null, prlimit: null, cage: null, cageProblem: 'there is no sandbox for Windows yet' };
  const works = (command: string[]): Promise<boolean> =>
    run({ command, what: 'start', signal, timeoutMs: 5000 }).then(
      () => true,
      () => false,
    );
  const [nice, prlimit, bwrap, courtesy] = await Promise.all([
    onPath('nice'),
    onPath('prlimit'),
    onPath('bwrap'),
    findCourtesy(onPath, works),
  ]);
  if (process.platform !== 'linux' || !bwrap) {
    const cageProblem = process.platform === 'linux' ? 'bubblewrap is not installed' : 'there is no sandbox for this platform yet';
    return { nice, prlimit, courtesy, cage: null, cageProblem };
  }
  const cage: Cage = { name: 'bubblewrap', path: bwrap };
  const bare = { nice, prlimit, courtesy, cage, cageProblem: null };
  try {
    await run({
      command: [program, '-version'],
      wrapper: wrapper(bare, program, { read: [] }),
      what: 'run in the sandbox',
      signal,
      timeoutMs: 15_000,
    });
    return bare;
  } catch (error) {
    signal?.throwIfAborted();
    return { nice, prlimit, courtesy, cage: null, cageProblem: messageOf(error) };
  }
}

/** The absolute path of a program on PATH, or null. Empty and relative entries of PATH are ignored. */
export async function onPath(name: string): Promise<string | null> {
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  for (const directory of (process.env['PATH'] ?? '').split(path.delimiter)) {
    if (!path.isAbsolute(directory)) continue;
    const candidate = path.join(directory, file);
    if (await isExecutable(candidate)) return candidate;
  }
  return null;
}

export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
