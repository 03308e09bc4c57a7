import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { pictureSubtitles } from './hard-bytes.ts';
import { hardClips } from './hard-recipes.ts';
import { requireTool } from './tools.ts';

const cover = '-f lavfi -i mandelbrot=s=120x160:r=1 -frames:v 1 -c:v mjpeg'.split(' ');
const MANY = 300;
const parts: Record<string, () => string | Buffer> = {
  'subs.srt': () => '1\n00:00:00,100 --> 00:00:00,900\nA line with <i>leaning</i> words\n\n2\n00:00:01,000 --> 00:00:01,800\nGrüße, 世界\n',
  'subs.ass': () =>
    '[Script Info]\nScriptType: v4.00+\nPlayResX: 320\nPlayResY: 180\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour\nStyle: Sign,Comic,20,&H0000FFFF\n\n' +
    '[Events]\nFormat: Layer, Start, End, Style, Text\nDialogue: 0,0:00:00.20,0:00:01.50,Sign,{\\pos(10,10)}Styled\n',
  'subs.sup': () => pictureSubtitles([200, 1100]),
  'font.ttf': () => 'not really a font, but bytes that must survive\n'.repeat(90),
  'chapters.txt': () =>
    ';FFMETADATA1\ntitle=Metropolis\nartist=Someone\ndate=1927\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=Beginning\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Schluß\n',
  'many.txt': () =>
    `;FFMETADATA1\ncomment=${'word '.repeat(600)}\n${Array.from({ length: MANY }, (_, n) => `[CHAPTER]\nTIMEBASE=1/1000\nSTART=${n * 6}\nEND=${n * 6 + 6}\ntitle=第${n}章\n`).join('')}`,
};

const making = new Map<string, Promise<string>>();

/** Makes one of the clips in a folder, and what it is made from. @returns its path */
export function hardClip(name: string, folder: string): Promise<string> {
  const path = join(folder, name);
  const known = making.get(path) ?? make(name, path, folder);
  making.set(path, known);
  return known;
}

async function make(name: string, path: string, folder: string): Promise<string> {
  if (existsSync(path)) return path;
  await mkdir(dirname(path), { recursive: true });
  const part = parts[name];
  if (part) return await writeFile(path, part()).then(() => path);
  const recipe = hardClips[name];
  const args = recipe?.args ?? (name === 'cover.jpg' ? cover : null);
  if (!args) throw new Error(`no clip is called ${name}`);
  const ready: string[] = [];
  for (const word of args) ready.push(await resolve(word, folder));
  const draft = join(folder, `making-${name}`);
  const stable = ['-fflags', '+bitexact'];
  await promisify(execFile)(requireTool('ffmpeg'), ['-hide_banner', '-v', 'error', '-nostdin', '-y', ...ready, ...stable, draft], {
    timeout: 120_000,
  });
  if (recipe?.patch) await writeFile(draft, recipe.patch(await readFile(draft)));
  await rename(draft, path);
  return path;
}

/** `@name` anywhere in a word is a file; names of clips may have spaces, so the known ones are looked for. */
async function resolve(word: string, folder: string): Promise<string> {
  if (!word.includes('@')) return word;
  const found: string[] = [];
  for (const piece of word.split('|')) {
    const at = piece.indexOf('@');
    found.push(at < 0 ? piece : piece.slice(0, at) + (await hardClip(piece.slice(at + 1), folder)));
  }
  return found.join('|');
}
