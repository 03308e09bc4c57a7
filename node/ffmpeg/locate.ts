import { chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, PlainError } from '../errors.ts';
import { besideExecutable, packageFile } from '../program.ts';
import { run } from './process.ts';
import { findWrappers, isExecutable, onPath, type Wrappers } from './sandbox.ts';

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
  from: 'configured' | 'system' | 'bundled';
}

/** Everything this room needs to run ffmpeg: found once at start, handed to every function. */
export interface Tools extends Wrappers {
  ffmpeg: Tool;
  ffprobe: Tool;
}

export interface LocateOptions {
  configured?: { ffmpeg?: string | undefined; ffprobe?: string | undefined };
  /** where an executable copy of a bundled tool may be kept when node_modules is read-only */
  cacheDir?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Finds ffmpeg and ffprobe: configured, then PATH, then what came with the program; each must run, and ffmpeg must have
 * libx265. A configured path that does not work is an error and never silently replaced by another program.
 * @throws PlainError in one sentence with the way to get ffmpeg on this platform
 */
export async function locateTools(options: LocateOptions = {}): Promise<Tools> {
  const [ffmpeg, ffprobe] = await Promise.all([locate('ffmpeg', options), locate('ffprobe', options)]);
  return { ffmpeg, ffprobe, ...(await findWrappers(ffmpeg.path, options.signal)) };
}

async function locate(name: Tool['name'], options: LocateOptions): Promise<Tool> {
  const configured = options.configured?.[name];
  if (configured) {
    const tool = await tryTool(name, path.resolve(configured), 'configured', options.signal);
    if ('tool' in tool) return tool.tool;
    throw new PlainError(`The configured ${name} at ${configured} cannot be used: ${tool.problem}.`, { cause: tool.cause });
  }
  const problems: string[] = [];
  for (const [from, find] of [
    ['system', () => onPath(name)],
    ['bundled', () => bundled(name, options.cacheDir)],
  ] as const) {
    const file = await find().catch((error: unknown) => void problems.push(`${from}: ${messageOf(error)}`));
    if (!file) continue;
    const tool = await tryTool(name, file, from, options.signal);
    if ('tool' in tool) return tool.tool;
    problems.push(`${file}: ${tool.problem}`);
  }
  const found = problems.length ? ` (${problems.join('; ')})` : '';
  throw new PlainError(`No ${name} that can make HEVC was found${found}; ${howToInstall()}`);
}

/**
 * The same program again: it may be another version since an upgrade.
 * @throws PlainError when it cannot be used any more
 */
export async function askAgain(tool: Tool, signal?: AbortSignal): Promise<Tool> {
  const asked = await tryTool(tool.name, tool.path, tool.from, signal);
  if ('tool' in asked) return asked.tool;
  throw new PlainError(`${tool.name} at ${tool.path} cannot be used any more: ${asked.problem}.`, { cause: asked.cause });
}

async function tryTool(
  name: Tool['name'],
  file: string,
  from: Tool['from'],
  signal: AbortSignal | undefined,
): Promise<{ tool: Tool } | { problem: string; cause: unknown }> {
  try {
    const ask = (flag: string): ReturnType<typeof run> =>
      run({ command: [file, '-hide_banner', flag], what: `answer ${flag}`, signal, timeoutMs: 20_000, maxStdoutBytes: 4 * 1024 * 1024 });
    const { stdout } = await ask('-version');
    const version = /^ff(?:mpeg|probe) version (\S+)/m.exec(stdout)?.[1];
    if (!version || !stdout.startsWith(`${name} version`)) return { problem: `it is not ${name}`, cause: null };
    if (name === 'ffmpeg' && !/^ V\S+ libx265 /m.test((await ask('-encoders')).stdout))
      return { problem: 'it has no libx265', cause: null };
    return {
      tool: {
        name,
        path: file,
        version: version.slice(0, 80),
        release: parseRelease(version),
        year: Number(/Copyright \(c\) \d{4}-(\d{4})/.exec(stdout)?.[1]) || null,
        from,
      },
    };
  } catch (error) {
    signal?.throwIfAborted();
    return { problem: messageOf(error).replace(/\.$/, ''), cause: error };
  }
}

/** "5.1.9-0+deb12u1" and "n7.0-7-gd38bf5e08e" are releases; "N-117234-g…" and "git-2024…" are not. */
export function parseRelease(version: string): number[] | null {
  const match = /^n?(\d{1,3})\.(\d{1,4})(?:\.(\d{1,4}))?(?!\d)/.exec(version);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : null;
}

const packages = { ffmpeg: '@ffmpeg-binary', ffprobe: '@ffprobe-installer' } as const;

/** The build that came with npm, or lies beside the single executable; null when there is none. */
async function bundled(name: Tool['name'], cacheDir: string | undefined): Promise<string | null> {
  const program = process.platform === 'win32' ? `${name}.exe` : name;
  for (const file of bundledPlaces(name, program)) {
    if ((await stat(file).catch(() => null))?.isFile()) return executable(file, cacheDir);
  }
  return null;
}

function bundledPlaces(name: Tool['name'], program: string): string[] {
  const beside = besideExecutable();
  if (beside) return [path.join(beside, program), path.join(beside, 'tools', program)];
  try {
    return [packageFile(`${packages[name]}/${process.platform}-${process.arch}`, program)];
  } catch {
    return []; // not a platform that has one
  }
}

/** The ffprobe package is packed without its execute bit, and we run no install scripts: set it, or run a copy. */
async function executable(file: string, cacheDir: string | undefined): Promise<string> {
  if (await isExecutable(file)) return file;
  try {
    await chmod(file, 0o755);
    return file;
  } catch (error) {
    if (!cacheDir) throw error;
    const { size } = await stat(file);
    const copy = path.join(cacheDir, `${path.basename(file)}-${size}`);
    if (await isExecutable(copy)) return copy;
    await mkdir(cacheDir, { recursive: true });
    const half = `${copy}.${process.pid}`;
    await copyFile(file, half);
    await chmod(half, 0o755);
    await rename(half, copy);
    return copy;
  }
}

function howToInstall(): string {
  const how: Partial<Record<NodeJS.Platform, string>> = {
    linux: 'install it with your package manager, for example "apt install ffmpeg", "dnf install ffmpeg" or "apk add ffmpeg".',
    darwin: 'install it with "brew install ffmpeg".',
    win32: 'install it with "winget install Gyan.FFmpeg".',
    freebsd: 'install it with "pkg install ffmpeg".',
  };
  return how[process.platform] ?? 'install ffmpeg with libx265 and put it on PATH.';
}
