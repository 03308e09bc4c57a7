import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { locateTools, type Tools } from '../ffmpeg/locate.ts';
import { repository } from './tools.ts';

/** Every ffmpeg that this machine has: what CodecShift would choose, and the bundled one beside it. Found once. */
export async function everyFfmpeg(): Promise<{ name: string; tools: Tools }[]> {
  return (found ??= find());
}

/** The one that CodecShift would choose. */
export async function chosenFfmpeg(): Promise<Tools> {
  return (await everyFfmpeg())[0]!.tools;
}

let found: Promise<{ name: string; tools: Tools }[]> | null = null;

async function find(): Promise<{ name: string; tools: Tools }[]> {
  const chosen = await locateTools();
  const sets = [{ name: `${chosen.ffmpeg.from} ${chosen.ffmpeg.version}`, tools: chosen }];
  const ffmpeg = join(repository, 'node_modules', '@ffmpeg-binary', `${process.platform}-${process.arch}`, 'ffmpeg');
  const ffprobe = join(repository, 'node_modules', '@ffprobe-installer', `${process.platform}-${process.arch}`, 'ffprobe');
  if (chosen.ffmpeg.from === 'bundled' || !existsSync(ffmpeg) || !existsSync(ffprobe)) return sets;
  chmodSync(ffprobe, 0o755); // npm unpacks it without its execute bit
  const bundled = await locateTools({ configured: { ffmpeg, ffprobe } });
  return [...sets, { name: `bundled ${bundled.ffmpeg.version}`, tools: bundled }];
}
