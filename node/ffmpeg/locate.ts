import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { chooseFfmpeg, type FfmpegBuild, type FfmpegChoice, type FfprobeBuild } from '../core/ffmpeg-choice.ts';
import { PlainError } from '../errors.ts';
import { bundled } from './bundled.ts';
import { examine, examineProbe, problemOf, versionOf } from './examine.ts';
import { placesOf } from './places.ts';
import { findWrappers, isExecutable, type Wrappers } from './sandbox.ts';

/** One usable program: it ran and said its version. */
export interface Tool {
  name: 'ffmpeg' | 'ffprobe';
  /** absolute */
  path: string;
  /** as the program says it, for example "5.1.9-0+deb12u1" */
  version: string;
  /** [5, 1, 9]; null when the version is not a number (a nightly build) */
  release: number[] | null;
  /** the last year in its copyright line: how old a build is that has no release number */
  year: number | null;
  from: FfmpegBuild['from'];
}

/** Everything this room needs to run ffmpeg: found once at start, handed to every function. */
export interface Tools extends Wrappers {
  ffmpeg: Tool;
  ffprobe: Tool;
}

export interface LocateOptions {
  configured?: { ffmpeg?: string | undefined; ffprobe?: string | undefined };
  /** a person may put an ffmpeg here; an executable copy of a bundled tool is kept here when node_modules is read-only */
  toolsDir?: string | undefined;
  /** a person lets an ffmpeg with a serious known hole open films */
  allowVulnerable?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export interface FoundFfmpeg {
  /** of the one that is used; the same object all the time, also when it is another version later */
  tools: Tools;
  /** every one of this machine, usable or not */
  builds(): readonly FfmpegBuild[];
  choice(): FfmpegChoice;
  /**
   * Looks again: a package may have been upgraded. The one in use stays, unless it was refused: then nothing runs with it,
   * and a better one that came meanwhile is taken.
   * @throws PlainError when the one in use cannot be used any more
   */
  again(signal?: AbortSignal): Promise<void>;
}

/** The ffmpeg and ffprobe that are used. @throws as `findFfmpeg` */
export async function locateTools(options: LocateOptions = {}): Promise<Tools> {
  return (await findFfmpeg(options)).tools;
}

/**
 * Finds every ffmpeg of this machine, asks each what it can do, and takes the one that was configured, else the best
 * (core/ffmpeg-choice.ts). A configured path that does not work is an error and never silently replaced by another program.
 * @throws PlainError in one sentence with the way to get ffmpeg on this platform
 */
export async function findFfmpeg(options: LocateOptions = {}): Promise<FoundFfmpeg> {
  const allowed = options.allowVulnerable ?? false;
  let builds = await examineAll(options);
  let choice = chooseFfmpeg(builds, { allowed });
  const tools: Tools = await toolsOf(choice, builds, options);
  return {
    tools,
    builds: () => builds,
    choice: () => choice,
    async again(signal) {
      const now = await examineAll({ ...options, ...(signal ? { signal } : {}) });
      const same = now.findIndex((build) => build.path === tools.ffmpeg.path);
      if (!tools.refused && (now[same]?.problem ?? (same < 0 ? 'it is not there' : null)) !== null)
        throw new PlainError(`ffmpeg at ${tools.ffmpeg.path} cannot be used any more: ${now[same]?.problem ?? 'it is not there'}.`);
      const next = chooseFfmpeg(now, { allowed, ...(tools.refused ? {} : { stay: same }) });
      Object.assign(tools, await toolsOf(next, now, options));
      [builds, choice] = [now, next];
    },
  };
}

async function toolsOf(choice: FfmpegChoice, builds: readonly FfmpegBuild[], { signal }: LocateOptions): Promise<Tools> {
  const build = choice.used === null ? null : builds[choice.used]!;
  if (!build) throw noneFound('ffmpeg', builds);
  if (!build.ffprobe) throw noneFound('ffprobe', []);
  const { path: file, version, release, year, from } = build;
  const { ffprobe } = build;
  return {
    ffmpeg: { name: 'ffmpeg', path: file, version, release: copyOf(release), year, from },
    ffprobe: { name: 'ffprobe', path: ffprobe.path, version: ffprobe.version, release: copyOf(ffprobe.release), year: ffprobe.year, from },
    ...(await findWrappers(file, signal)),
    refused: choice.refused,
  };
}

function copyOf(release: readonly number[] | null): number[] | null {
  return release && [...release];
}

/** The configured one first, then in the order in which they were found. @throws PlainError for what was configured */
async function examineAll(options: LocateOptions): Promise<FfmpegBuild[]> {
  const { configured, toolsDir, signal } = options;
  const own = configured?.ffmpeg ? await examine(path.resolve(configured.ffmpeg), 'configured', signal) : null;
  if (own?.problem) throw new PlainError(`The configured ffmpeg at ${configured!.ffmpeg!} cannot be used: ${own.problem}.`);
  const packed = await bundled('ffmpeg', toolsDir).catch(() => null);
  const places: { path: string; from: FfmpegBuild['from'] }[] = [
    ...(own ? [{ path: own.path, from: own.from }] : []),
    ...(await placesOf('ffmpeg', toolsDir)),
    ...(packed ? [{ path: packed, from: 'bundled' as const }] : []),
  ];
  const probes = probeFinder(options);
  return Promise.all(
    (await eachOnce(places)).map(async (place): Promise<FfmpegBuild> => {
      const asked = own?.path === place.path ? own : examine(place.path, place.from, signal);
      const [build, ffprobe] = await Promise.all([asked, probes(place.path)]);
      return { ...build, ffprobe };
    }),
  );
}

async function eachOnce<T extends { path: string }>(places: readonly T[]): Promise<T[]> {
  const real = await Promise.all(places.map(({ path: file }) => realpath(file).catch(() => file)));
  return places.filter((_, index) => real.indexOf(real[index]!) === index);
}

/** Gives an ffmpeg its ffprobe: the configured one, the one beside it, else the first that is found. */
function probeFinder({ configured, toolsDir, signal }: LocateOptions): (ffmpeg: string) => Promise<FfprobeBuild | null> {
  const asked = new Map<string, ReturnType<typeof examineProbe>>();
  const ask = (file: string): ReturnType<typeof examineProbe> => {
    const known = asked.get(file) ?? examineProbe(file, signal);
    asked.set(file, known);
    return known;
  };
  let general: Promise<Omit<FfprobeBuild, 'beside'> | null> | null = null;
  return async (ffmpeg) => {
    if (configured?.ffprobe) return { ...(await ownProbe(configured.ffprobe, signal)), beside: false };
    for (const file of await besides(ffmpeg)) {
      const probe = await ask(file);
      if (probe) return { ...probe, beside: true };
    }
    const probe = await (general ??= firstProbe(ask, toolsDir));
    return probe && { ...probe, beside: false };
  };
}

async function ownProbe(configured: string, signal: AbortSignal | undefined): Promise<Omit<FfprobeBuild, 'beside'>> {
  const file = path.resolve(configured);
  try {
    return { path: file, ...(await versionOf('ffprobe', file, signal)) };
  } catch (error) {
    signal?.throwIfAborted();
    throw new PlainError(`The configured ffprobe at ${configured} cannot be used: ${problemOf(error)}.`, { cause: error });
  }
}

/** A link like /etc/alternatives may have its ffprobe where it leads to. */
async function besides(ffmpeg: string): Promise<string[]> {
  const program = process.platform === 'win32' ? 'ffprobe.exe' : 'ffprobe';
  const real = await realpath(ffmpeg).catch(() => ffmpeg);
  const files = [...new Set([real, ffmpeg].map((file) => path.join(path.dirname(file), program)))];
  const there = await Promise.all(
    files.map(async (file) => (await isExecutable(file)) && ((await stat(file).catch(() => null))?.isFile() ?? false)),
  );
  return files.filter((_, index) => there[index]);
}

async function firstProbe(ask: typeof examineProbe, toolsDir: string | undefined): Promise<Omit<FfprobeBuild, 'beside'> | null> {
  for (const place of await placesOf('ffprobe', toolsDir)) {
    const probe = await ask(place.path);
    if (probe) return probe;
  }
  const packed = await bundled('ffprobe', toolsDir).catch(() => null);
  return packed ? ask(packed) : null;
}

function noneFound(name: Tool['name'], builds: readonly FfmpegBuild[]): PlainError {
  const problems = builds.map((build) => `${build.path}: ${build.problem}`).join('; ');
  const what = name === 'ffmpeg' ? 'ffmpeg that can make HEVC' : 'ffprobe';
  return new PlainError(`No ${what} was found${problems ? ` (${problems})` : ''}; ${howToInstall()}`);
}

function howToInstall(): string {
  const how: Partial<Record<NodeJS.Platform, string>> = {
    linux:
      'install it with your package manager, for example "apt install ffmpeg" or "pacman -S ffmpeg". On Fedora take that of RPM Fusion: ffmpeg-free makes no HEVC.',
    darwin: 'install it with "brew install ffmpeg".',
    win32: 'install it with "winget install Gyan.FFmpeg".',
    freebsd: 'install it with "pkg install ffmpeg".',
  };
  return how[process.platform] ?? 'install ffmpeg with libx265 and put it on PATH.';
}
