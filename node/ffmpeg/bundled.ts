import { chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { besideExecutable, packageFile } from '../program.ts';
import { isExecutable } from './sandbox.ts';

const packages = { ffmpeg: '@ffmpeg-binary', ffprobe: '@ffprobe-installer' } as const;

/**
 * The build that came with npm, or lies beside the single executable; null when there is none.
 * @param toolsDir where an executable copy may be kept when node_modules is read-only
 */
export async function bundled(name: 'ffmpeg' | 'ffprobe', toolsDir: string | undefined): Promise<string | null> {
  const program = process.platform === 'win32' ? `${name}.exe` : name;
  for (const file of bundledPlaces(name, program)) {
    if ((await stat(file).catch(() => null))?.isFile()) return executable(file, toolsDir);
  }
  return null;
}

function bundledPlaces(name: 'ffmpeg' | 'ffprobe', program: string): string[] {
  const beside = besideExecutable();
  if (beside) return [path.join(beside, program), path.join(beside, 'tools', program)];
  try {
    return [packageFile(`${packages[name]}/${process.platform}-${process.arch}`, program)];
  } catch {
    return []; // not a platform that has one
  }
}

/** The ffprobe package is packed without its execute bit, and we run no install scripts: set it, or run a copy. */
async function executable(file: string, toolsDir: string | undefined): Promise<string> {
  if (await isExecutable(file)) return file;
  try {
    await chmod(file, 0o755);
    return file;
  } catch (error) {
    if (!toolsDir) throw error;
    const { size } = await stat(file);
    const copy = path.join(toolsDir, `${path.basename(file)}-${size}`);
    if (await isExecutable(copy)) return copy;
    await mkdir(toolsDir, { recursive: true });
    const half = `${copy}.${process.pid}`;
    await copyFile(file, half);
    await chmod(half, 0o755);
    await rename(half, copy);
    return copy;
  }
}
