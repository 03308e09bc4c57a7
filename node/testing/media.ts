import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { assets, parts, recipes } from './clips.ts';
import type { ClipName, Recipe, Step } from './clips.ts';
import { requireTool, sharedMediaFolder } from './tools.ts';

/**
 * Real media files for tests: little clips made by ffmpeg on first use (clips.ts says how) and real files from public
 * test suites. Clips are cached in the system's temporary folder under a key made from their recipe and the ffmpeg
 * that makes them, so that test files running side by side, and the next run, share them.
 */
export interface LibraryFile extends Recipe {
  name: ClipName;
  /** absolute path of this copy */
  path: string;
}

export type { ClipName } from './clips.ts';
export const clipNames = Object.keys(recipes) as ClipName[];

/** Fills `folder` with copies of the clips, all of them when `which` is left out, under the names people would use. */
export async function makeLibrary(folder: string, which: readonly ClipName[] = clipNames): Promise<LibraryFile[]> {
  const files: LibraryFile[] = [];
  for (const name of which) {
    const recipe: Recipe = recipes[name];
    const path = join(folder, recipe.file);
    await mkdir(dirname(path), { recursive: true });
    await copyFile(await clip(name), path);
    files.push({ ...recipe, name, path });
  }
  return files;
}

/** The cached clip itself. Read it, copy it; never change it. */
export async function clip(name: ClipName): Promise<string> {
  return make(name, recipes[name].make, extname(recipes[name].file));
}

/** A file of the shared collection, for example 'mediabunny/cursed-vfr.mp4', or null when it isn't on this machine. */
export function sharedMedia(name: string): string | null {
  const path = join(sharedMediaFolder, name);
  return existsSync(path) ? path : null;
}

/** The sentence with which a test skips that needs the shared collection. */
export const withoutSharedMedia = existsSync(sharedMediaFolder)
  ? false
  : 'the folder of real media files is not on this machine (CODECSHIFT_MEDIA names it)';

const making = new Map<string, Promise<string>>();

function make(name: string, steps: Step[], extension: string): Promise<string> {
  const known = making.get(name);
  if (known) return known;
  const made = makeOnce(name, steps, extension);
  making.set(name, made);
  return made;
}

async function makeOnce(name: string, steps: Step[], extension: string): Promise<string> {
  const folder = join(tmpdir(), 'codecshift-clips');
  const path = join(folder, `${name}-${await cacheKey(steps)}${extension}`);
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  // Another test file may be making the same clip: each works under its own name, and the last rename wins with equal bytes.
  const draft = join(folder, `making-${process.pid}-${name}${extension}`);
  for (const step of steps) await run(step, draft);
  await rename(draft, path);
  return path;
}

async function run(step: Step, out: string): Promise<void> {
  if ('text' in step) return writeFile(out, step.text);
  if ('ffmpeg' in step) return ffmpeg(await Promise.all(step.ffmpeg.map((word) => resolveWord(word, out))), out);
  if ('rotate' in step) return writeFile(out, rotateClockwise(await readFile(out)));
  if ('cut' in step) {
    const whole = await readFile(await clip(step.cut as ClipName));
    return writeFile(out, whole.subarray(0, Math.floor((whole.length * step.keepPercent) / 100)));
  }
  const bytes = await readFile(await clip(step.damage as ClipName));
  noise(step.bytes).copy(bytes, Math.floor((bytes.length * step.fromPercent) / 100));
  return writeFile(out, bytes);
}

async function ffmpeg(args: string[], out: string): Promise<void> {
  try {
    await promisify(execFile)(requireTool('ffmpeg'), ['-hide_banner', '-v', 'error', '-nostdin', '-y', ...args], { timeout: 300_000 });
  } catch (cause) {
    await rm(out, { force: true });
    throw new Error(`A test clip could not be made: ffmpeg ${args.join(' ')}`, { cause });
  }
}

async function resolveWord(word: string, out: string): Promise<string> {
  if (word === '@out') return out;
  if (word.startsWith('@asset:')) return asset(word.slice('@asset:'.length));
  if (!word.startsWith('@')) return word;
  const name = word.slice(1);
  const part = parts[name];
  return part ? make(name, part, '.jpg') : clip(name as ClipName);
}

async function asset(name: string): Promise<string> {
  const text = assets[name];
  if (text === undefined) throw new Error(`No asset is called ${name}`);
  const path = join(tmpdir(), 'codecshift-clips', `${digest(text)}-${name}`);
  if (existsSync(path)) return path;
  const draft = `${path}.${process.pid}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(draft, text);
  await rename(draft, path);
  return path;
}

/** Everything a clip is made from goes into its key, so that a changed recipe never meets an old file. */
async function cacheKey(steps: Step[]): Promise<string> {
  const tool = await stat(requireTool('ffmpeg'));
  return digest(JSON.stringify([steps, recipes, parts, assets, tool.size, tool.mtimeMs]));
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The same "random" bytes every time. */
function noise(length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_block, index) => createHash('sha256').update(`noise ${index}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/**
 * Puts the matrix of a quarter turn into the track header of the first track. In a version 0 `tkhd` box the 36 bytes
 * of the matrix start 40 bytes after the version field (ISO/IEC 14496-12, 8.3.2).
 */
function rotateClockwise(mp4: Buffer): Buffer {
  const header = mp4.indexOf('tkhd');
  if (header < 0 || mp4[header + 4] !== 0) throw new Error('This MP4 has no version 0 track header');
  const matrix = [0, 0x0001_0000, 0, -0x0001_0000, 0, 0, 0, 0, 0x4000_0000];
  for (const [index, value] of matrix.entries()) mp4.writeInt32BE(value, header + 44 + index * 4);
  return mp4;
}
