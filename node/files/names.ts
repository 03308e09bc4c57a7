import { createHash } from 'node:crypto';

/**
 * The names that we give to files beside an original. 143 bytes is the longest name that every file system in use takes
 * (eCryptfs, and with it encrypted Synology folders; the others take 255), so a longer one is cut in the middle.
 */
const LONGEST = 143;

/** Where a delivered output waits beside the original. It ends like its target, so that ffmpeg sees the right extension. */
export function tmpName(attempt: number, name: string): string {
  return fit(`.tmp_${attempt}_`, name, '');
}

/** The file that says "a swap is being prepared here". */
export function lockName(name: string): string {
  return fit('', name, '.lock');
}

/** The attempt in a name that looks like ours. Older tools leave similar names: this alone proves nothing. */
export function attemptOfTmp(name: string): number | null {
  const found = /^\.tmp_(\d{1,15})_./.exec(name);
  return found ? Number(found[1]) : null;
}

export function looksLikeLeftover(name: string): boolean {
  return name.startsWith('.tmp_') || name.endsWith('.lock');
}

function fit(before: string, name: string, after: string): string {
  const whole = before + name + after;
  if (Buffer.byteLength(whole) <= LONGEST) return whole;
  const extension = /\.[A-Za-z0-9]{1,8}$/.exec(name)?.[0] ?? '';
  const mark = `~${createHash('sha256').update(name).digest('hex').slice(0, 12)}${extension}`;
  return before + cut(name, LONGEST - Buffer.byteLength(before + mark + after)) + mark + after;
}

/** At most so many bytes, never half a character. */
function cut(text: string, bytes: number): string {
  let result = '';
  let used = 0;
  for (const character of text) {
    used += Buffer.byteLength(character);
    if (used > bytes) break;
    result += character;
  }
  return result;
}

const mediaExtensions = new Set(
  (
    '3g2 3gp asf avi divx dv evo f4v flv m1v m2p m2ts m2v m4v mk3d mkv mov mp4 mpe mpeg mpg mpv mts mxf ' +
    'nsv ogm ogv qt rm rmvb tod tp trp ts vob webm wmv wtv xvid y4m'
  ).split(' '),
);

/** By extension only: what is really inside is ffprobe's to say. Disc images (.iso) are a whole disc, not a film. */
export function isMediaName(name: string): boolean {
  const dot = name.lastIndexOf('.');
  return dot > 0 && mediaExtensions.has(name.slice(dot + 1).toLowerCase());
}

const unfinished = /\.(part|partial|!qb|!ut|tmp|temp|crdownload|download|opdownload|filepart|bc!|aria2|incomplete)$/i;

/** A name under which a program leaves what it has not finished yet. */
export function isUnfinishedName(name: string): boolean {
  return unfinished.test(name);
}

/** The names that may be finished under this one: "Film.mkv.part" and "Film.part" both belong to "Film.mkv". */
export function finishedStem(name: string): string {
  const whole = name.replace(unfinished, '');
  return (isMediaName(whole) ? whole.slice(0, whole.lastIndexOf('.')) : whole).toLowerCase();
}
