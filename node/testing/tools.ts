import { accessSync, chmodSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The programs the tests need, and where they are on this machine. Independent of ffmpeg/locate.ts on purpose: a test
 * must not find its judge through the code that it judges.
 */
export type Tool = 'ffmpeg' | 'ffprobe' | 'chromium' | 'postgres';

export const repository = join(import.meta.dirname, '..', '..');

/** The absolute path of a tool, or null. The PATH comes first, then the usual places, then what npm installed. */
export function findTool(tool: Tool): string | null {
  return candidates(tool).find(isExecutable) ?? null;
}

/** The same, but only what the system itself has: not what npm installed. */
export function findSystemTool(tool: Tool): string | null {
  return candidates(tool).find((path) => !path.startsWith(join(repository, 'node_modules')) && isExecutable(path)) ?? null;
}

/**
 * The ffmpeg and ffprobe that npm brought, for what need not look for one itself: they start in 10 to 20 ms where Debian's link
 * 215 libraries for 80 ms, and one run of all tests starts some thousands. Null where npm brought none.
 */
export function quickFfmpeg(): { ffmpeg: string; ffprobe: string } | null {
  const [ffmpeg, ffprobe] = [broughtByNpm('ffmpeg'), broughtByNpm('ffprobe')];
  if (!existsSync(ffmpeg) || !existsSync(ffprobe)) return null;
  chmodSync(ffprobe, 0o755); // npm unpacks it without its execute bit
  return { ffmpeg, ffprobe };
}

/** The same as settings of a program. */
export function quickFfmpegEnv(): Record<string, string> {
  const found = quickFfmpeg();
  return found ? { CODECSHIFT_FFMPEG: found.ffmpeg, CODECSHIFT_FFPROBE: found.ffprobe } : {};
}

/** As `findTool`, for tests that cannot go on without it. */
export function requireTool(tool: Tool): string {
  const path = findTool(tool);
  if (path === null) throw new Error(`This test needs ${tool}. "npm run pretest" installs it where it can.`);
  return path;
}

/** The folder of real files from public test suites, beside the repository or named by CODECSHIFT_MEDIA. */
export const sharedMediaFolder = process.env['CODECSHIFT_MEDIA'] ?? join(repository, '..', 'shared', 'media');

function candidates(tool: Tool): string[] {
  const names = tool === 'chromium' ? chromiums : [tool];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const onPath = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...onPath, ...otherPlaces(tool)];
}

/** The shell without a window first: the same engine on a third of the processor. */
const chromiums = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function otherPlaces(tool: Tool): string[] {
  switch (tool) {
    case 'ffmpeg':
    case 'ffprobe':
      return [broughtByNpm(tool)];
    case 'postgres':
      return [...postgresFolders(), '/usr/local/pgsql/bin'].map((folder) => join(folder, 'postgres'));
    case 'chromium':
      return [];
  }
}

function broughtByNpm(tool: 'ffmpeg' | 'ffprobe'): string {
  const from = tool === 'ffmpeg' ? '@ffmpeg-binary' : '@ffprobe-installer';
  return join(repository, 'node_modules', from, `${process.platform}-${process.arch}`, tool);
}

/** Debian keeps the server's programs off the PATH, one folder per version. Newest first. */
function postgresFolders(): string[] {
  const base = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(base).filter((name) => /^\d+$/.test(name));
    return versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(base, version, 'bin'));
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
