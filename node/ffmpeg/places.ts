import { readdir, realpath, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { besideExecutable } from '../program.ts';
import { isExecutable } from './sandbox.ts';

/** Where a program was found, before it was asked anything. */
interface Place {
  /** absolute */
  path: string;
  from: 'system' | 'tools';
}

/** More than this on one machine is no help to anybody. */
const MOST = 10;

/**
 * Every ffmpeg (or ffprobe) of this machine besides the configured and the bundled one, each file once: what PATH finds
 * first, then the places where packages put one that PATH does not name. A service often has a shorter PATH than the person.
 */
export async function placesOf(name: 'ffmpeg' | 'ffprobe', toolsDir?: string): Promise<Place[]> {
  const program = process.platform === 'win32' ? `${name}.exe` : name;
  const folders = [
    ...toolsFolders(toolsDir).map((folder) => ({ folder, from: 'tools' as const })),
    ...[...pathFolders(), ...(await usualFolders())].map((folder) => ({ folder, from: 'system' as const })),
  ];
  const seen = new Set<string>();
  const found: Place[] = [];
  for (const { folder, from } of folders) {
    const file = path.join(folder, program);
    if (found.length >= MOST || !(await isExecutable(file)) || !(await stat(file).catch(() => null))?.isFile()) continue;
    const real = await realpath(file).catch(() => file);
    // /bin is /usr/bin, and Homebrew links into its own cellar
    if (seen.has(real)) continue;
    seen.add(real);
    found.push({ path: file, from });
  }
  return found;
}

/** A person puts a better ffmpeg here: beside the single executable, or in the data directory. */
function toolsFolders(toolsDir: string | undefined): string[] {
  const beside = besideExecutable();
  return [...(beside ? [path.join(beside, 'tools')] : []), ...(toolsDir ? [toolsDir] : [])];
}

/** Empty and relative entries of PATH are ignored. */
function pathFolders(): string[] {
  return (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}

async function usualFolders(): Promise<string[]> {
  const home = os.homedir();
  const env = (name: string, ...way: string[]): string[] => (process.env[name] ? [path.join(process.env[name], ...way)] : []);
  switch (process.platform) {
    case 'darwin':
      return [
        '/opt/homebrew/bin',
        '/opt/homebrew/opt/ffmpeg-full/bin',
        '/usr/local/bin',
        '/opt/local/bin',
        '/Applications/Jellyfin.app/Contents/MacOS',
      ];
    case 'win32':
      return [
        ...env('LOCALAPPDATA', 'Microsoft', 'WinGet', 'Links'),
        ...env('ProgramFiles', 'WinGet', 'Links'),
        path.join(home, 'scoop', 'apps', 'ffmpeg', 'current', 'bin'),
        ...env('ProgramData', 'scoop', 'apps', 'ffmpeg', 'current', 'bin'),
        ...env('ProgramData', 'chocolatey', 'bin'),
        ...env('ProgramFiles', 'ffmpeg', 'bin'),
        ...env('ProgramFiles', 'Jellyfin', 'Server'),
        ...env('SystemDrive', path.sep, 'ffmpeg', 'bin'),
      ];
    default:
      return [
        '/usr/local/bin',
        '/usr/bin',
        '/usr/lib/jellyfin-ffmpeg',
        '/usr/share/jellyfin-ffmpeg',
        '/snap/bin',
        '/home/linuxbrew/.linuxbrew/bin',
        ...(await ownFolders('/opt')),
      ];
  }
}

/** "/opt/ffmpeg", "/opt/ffmpeg-7.1/bin": whatever is called so there. */
async function ownFolders(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => /ffmpeg/i.test(name)).toSorted();
  return names.slice(0, MOST).flatMap((name) => [path.join(folder, name), path.join(folder, name, 'bin')]);
}
