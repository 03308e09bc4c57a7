import { encoderNames } from '../core/encoder-choice.ts';
import { wantedFilters, type FfmpegBuild, type FfprobeBuild } from '../core/ffmpeg-choice.ts';
import { messageOf } from '../errors.ts';
import { run } from './process.ts';

/** What a program says of its own version. */
export interface Said {
  version: string;
  release: number[] | null;
  year: number | null;
}

export type Build = Omit<FfmpegBuild, 'ffprobe'>;

/**
 * What an ffmpeg can do by its own word: four short questions, no film. Whether an encoder works is another matter
 * (detect.ts). Never throws but for an abort: what cannot be used is told in `problem`.
 */
export async function examine(file: string, from: FfmpegBuild['from'], signal?: AbortSignal): Promise<Build> {
  const nothing = { encoders: [], decodes: { hevc: false, av1: false }, tenBit: false, lacks: [] };
  let said: Said = { version: '', release: null, year: null };
  try {
    said = await versionOf('ffmpeg', file, signal);
    const codecs = codecsIn(await ask(file, ['-codecs'], signal));
    const encoders = encoderNames.filter((name) => codecs.encoders.has(name));
    if (!encoders.includes('libx265')) return { path: file, from, ...said, ...nothing, encoders, problem: 'it has no libx265' };
    const [filters, x265] = await Promise.all([ask(file, ['-filters'], signal), ask(file, ['-h', 'encoder=libx265'], signal)]);
    const has = filtersIn(filters);
    return {
      path: file,
      from,
      ...said,
      encoders,
      decodes: codecs.decodes,
      tenBit: /\byuv420p10le\b/.test(x265),
      lacks: Object.keys(wantedFilters).filter((name) => !has.has(name)),
      problem: null,
    };
  } catch (error) {
    signal?.throwIfAborted();
    return { path: file, from, ...said, ...nothing, problem: problemOf(error) };
  }
}

/** Null when it is none, or does not run. */
export async function examineProbe(file: string, signal?: AbortSignal): Promise<Omit<FfprobeBuild, 'beside'> | null> {
  try {
    return { path: file, ...(await versionOf('ffprobe', file, signal)) };
  } catch {
    signal?.throwIfAborted();
    return null;
  }
}

/** @throws PlainError, also "it is not ffmpeg" */
export async function versionOf(name: 'ffmpeg' | 'ffprobe', file: string, signal: AbortSignal | undefined): Promise<Said> {
  const said = await ask(file, ['-version'], signal);
  const version = new RegExp(`^${name} version (\\S+)`).exec(said)?.[1]?.slice(0, 80);
  if (!version) throw new Error(`it is not ${name}`);
  return { version, release: parseRelease(version), year: Number(/Copyright \(c\) \d{4}-(\d{4})/.exec(said)?.[1]) || null };
}

export function problemOf(error: unknown): string {
  return messageOf(error).replace(/\.$/, '').slice(0, 500);
}

/** "5.1.9-0+deb12u1" and "n7.0-7-gd38bf5e08e" are releases; "N-117234-g…" and "git-2024…" are not. */
export function parseRelease(version: string): number[] | null {
  const match = /^n?(\d{1,3})\.(\d{1,4})(?:\.(\d{1,4}))?(?!\d)/.exec(version);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : null;
}

/** " TSC scale             V->V       Scale the input video size" */
export function filtersIn(said: string): ReadonlySet<string> {
  return new Set([...said.matchAll(/^ [T.][S.][C.]? ?(\S+) +\S+->\S+/gm)].map((line) => line[1]!));
}

/**
 * " DEV.L. hevc    H.265 / HEVC (decoders: hevc hevc_cuvid) (encoders: libx265 hevc_nvenc)". Where the only decoder or encoder
 * has the codec's own name, it is not listed. The decoder "av1" is an empty shell that needs a graphics chip.
 */
function codecsIn(said: string): { encoders: Set<string>; decodes: FfmpegBuild['decodes'] } {
  const encoders = new Set<string>();
  const decodes = { hevc: false, av1: false };
  for (const [, decoded, codec, rest = ''] of said.matchAll(/^ ([D.])[E.]\S{4} (hevc|av1) +(.*)$/gm)) {
    if (codec === 'hevc') decodes.hevc = decoded === 'D';
    else decodes.av1 = /\(decoders: [^)]*(libdav1d|libaom-av1)/.test(rest);
    for (const name of /\(encoders: ([^)]*)\)/.exec(rest)?.[1]?.trim().split(/\s+/) ?? []) encoders.add(name);
  }
  return { encoders, decodes };
}

async function ask(file: string, words: string[], signal: AbortSignal | undefined): Promise<string> {
  const command = [file, '-hide_banner', ...words];
  return (await run({ command, what: `answer ${words[0]!}`, signal, timeoutMs: 20_000, maxStdoutBytes: 4 * 1024 * 1024 })).stdout;
}
