import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { locateTools, type Tools } from '../ffmpeg/locate.ts';
import { repository } from './tools.ts';

/** Every ffmpeg that this machine has: what CodecShift would choose, and the bundled one beside it. Found once. */
export async function everyFfmpeg(): Promise<{ name: string; tools: Tools }[]> {
  return (found ??= find());
}

/** For tests that are not about ffmpeg itself: the bundled one where there is one, because it starts soonest (see tools.ts). */
export async function oneFfmpeg(): Promise<Tools> {
  return (one ??= locateTools({ configured: bundled() ?? {} }));
}

let one: Promise<Tools> | null = null;
let found: Promise<{ name: string; tools: Tools }[]> | null = null;

async function find(): Promise<{ name: string; tools: Tools }[]> {
  const chosen = await locateTools();
  const sets = [{ name: `${chosen.ffmpeg.from} ${chosen.ffmpeg.version}`, tools: chosen }];
  const own = bundled();
  if (chosen.ffmpeg.from === 'bundled' || own === null) return sets;
  const tools = await locateTools({ configured: own });
  return [...sets, { name: `bundled ${tools.ffmpeg.version}`, tools }];
}

function bundled(): { ffmpeg: string; ffprobe: string } | null {
  const ffmpeg = join(repository, 'node_modules', '@ffmpeg-binary', `${process.platform}-${process.arch}`, 'ffmpeg');
  const ffprobe = join(repository, 'node_modules', '@ffprobe-installer', `${process.platform}-${process.arch}`, 'ffprobe');
  if (!existsSync(ffmpeg) || !existsSync(ffprobe)) return null;
  chmodSync(ffprobe, 0o755); // npm unpacks it without its execute bit
  return { ffmpeg, ffprobe };
}
