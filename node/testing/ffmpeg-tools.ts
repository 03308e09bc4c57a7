import { locateTools, type Tools } from '../ffmpeg/locate.ts';
import { quickFfmpeg } from './tools.ts';

/** Every ffmpeg that this machine has: what CodecShift would choose, and the bundled one beside it. Found once. */
export async function everyFfmpeg(): Promise<{ name: string; tools: Tools }[]> {
  return (found ??= find());
}

/** The one that CodecShift would choose. */
export async function chosenFfmpeg(): Promise<Tools> {
  return (await everyFfmpeg())[0]!.tools;
}

/** For tests that are not about ffmpeg itself: the bundled one where there is one, because it starts soonest (see tools.ts). */
export async function oneFfmpeg(): Promise<Tools> {
  return (one ??= locateTools({ configured: quickFfmpeg() ?? {} }));
}

let one: Promise<Tools> | null = null;
let found: Promise<{ name: string; tools: Tools }[]> | null = null;

async function find(): Promise<{ name: string; tools: Tools }[]> {
  const chosen = await locateTools();
  const sets = [{ name: `${chosen.ffmpeg.from} ${chosen.ffmpeg.version}`, tools: chosen }];
  const own = quickFfmpeg();
  if (chosen.ffmpeg.from === 'bundled' || own === null) return sets;
  const tools = await locateTools({ configured: own });
  return [...sets, { name: `bundled ${tools.ffmpeg.version}`, tools }];
}
