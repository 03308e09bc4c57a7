import type { VideoStream } from '../core/media.ts';
import type { Metric } from '../core/quality.ts';

/** One end of a comparison: what is to be known of a film stream to bring it beside another. */
export interface Side {
  film: Pick<VideoStream, 'index' | 'bitDepth' | 'pixelFormat' | 'color' | 'chroma' | 'width' | 'height'>;
  /** seconds on the file's own clock: the piece begins and ends midway between two frames; null: the whole file */
  cut: { from: number; to: number } | null;
}

/**
 * The filter graph that scores a piece of `output` (second input) against the same piece of `original` (first input).
 * Both are cut by their own clocks and counted through, so that the n-th frame meets the n-th frame: time stamps of two
 * containers are rounded differently, and the filters' own pairing by time then takes the neighbour (measured).
 * showinfo tells afterwards which frames really met, and their mean and spread; psnr looks at the colours, to which
 * VMAF and the luma of SSIM are blind.
 */
export function scoreGraph(original: Side, output: Side, by: { metric: Metric; threads: number; deinterlace: string | null }): string {
  const format = common(original, output);
  const range = original.film.color.range === 'pc' || original.film.pixelFormat?.startsWith('yuvj') ? 'pc' : 'tv';
  const first = chain(original, 'a', { format, range, deinterlace: by.deinterlace });
  const second = chain(output, 'b', { format, range, deinterlace: null });
  return [
    `[0:${original.film.index}]${first},split[a1][a2]`,
    `[1:${output.film.index}]${second},split[b1][b2]`,
    '[b1][a1]psnr@colours,nullsink',
    `[b2][a2]${judge(original, by)}[judged]`,
  ].join(';');
}

function chain(side: Side, name: string, to: { format: string; range: string; deinterlace: string | null }): string {
  const exact = side.cut ? [trim(side.cut.from, side.cut.to)] : [];
  // a deinterlacer looks at the neighbours: it gets a second of them on both sides of the piece
  const wide = side.cut ? [trim(side.cut.from - 1, side.cut.to + 1)] : [];
  const deinterlaced = to.deinterlace ? [...wide, to.deinterlace, ...exact] : exact;
  const own = side.film.color.range === 'pc' || side.film.pixelFormat?.startsWith('yuvj') ? 'pc' : 'tv';
  const scale = side.film.chroma === '4:0:0' ? [] : [`scale=in_range=${own}:out_range=${to.range}`];
  return [...deinterlaced, ...scale, `format=${to.format}`, `showinfo@${name}`, 'settb=1/25', 'setpts=N'].join(',');
}

/** The deeper of both: a step from 10 to 8 bits would hide differences. */
function common(a: Side, b: Side): string {
  return Math.max(a.film.bitDepth, b.film.bitDepth) > 8 ? 'yuv420p10le' : 'yuv420p';
}

function judge(original: Side, by: { metric: Metric; threads: number }): string {
  if (by.metric === 'ssim') return 'ssim@judge';
  const { width, height } = original.film;
  const model = Math.max(width, height) > 2560 ? 'vmaf_4k_v0.6.1' : 'vmaf_v0.6.1';
  return `libvmaf@judge=model=version=${model}:n_threads=${by.threads}`;
}

/** Absolute times: what was read before them is thrown away. */
export function trim(from: number, to: number): string {
  return `trim=start=${from.toFixed(6)}:end=${to.toFixed(6)}`;
}

export interface Frame {
  /** seconds on the file's clock */
  time: number;
  /** of Y, U, V, in steps of the compared format */
  mean: number[];
  spread: number[];
}

/** What a run of the graph said. */
export interface Heard {
  a: Frame[];
  b: Frame[];
  score: number | null;
  /** decibels of Y, U, V */
  psnr: number[] | null;
}

/**
 * Collects the words of showinfo and the judges, line by line. Only lines that begin with the filter's own name in
 * brackets count: metadata of a hostile file is printed too, but never at the beginning of a line.
 */
export function listener(): { onLine(line: string): void; heard: Heard } {
  const heard: Heard = { a: [], b: [], score: null, psnr: null };
  const base: Record<string, number> = {};
  const onLine = (line: string): void => {
    const said = /^\[(showinfo|psnr|libvmaf|ssim)@(a|b|colours|judge) @ [0-9a-fx]+\] (.{1,2000})$/i.exec(line);
    if (!said) return;
    const [, filter, name, text] = said as unknown as [string, string, string, string];
    if (filter === 'psnr') heard.psnr = planes(text) ?? heard.psnr;
    else if (name === 'judge') heard.score = scoreOf(text) ?? heard.score;
    else if (name === 'a' || name === 'b') frame(text, name);
  };
  const frame = (text: string, name: 'a' | 'b'): void => {
    const clock = /^config in time_base: (\d+)\/(\d+)/.exec(text);
    if (clock) base[name] = Number(clock[1]) / Number(clock[2]);
    const pts = /^n: *\d+ pts: *(-?\d+) /.exec(text);
    const unit = base[name];
    if (!pts || unit === undefined || heard[name].length >= MAX_FRAMES) return;
    heard[name].push({ time: Number(pts[1]) * unit, mean: numbers(text, 'mean'), spread: numbers(text, 'stdev') });
  };
  return { onLine, heard };
}

const MAX_FRAMES = 5000;

function numbers(text: string, name: string): number[] {
  const list = new RegExp(`${name}:\\[([-\\d.\\s\\x08]{1,100})\\]`).exec(text)?.[1];
  return list ? (list.match(/-?\d+(\.\d+)?/g) ?? []).map(Number) : [];
}

/** "PSNR y:38.9 u:42.1 v:inf average:…" */
function planes(text: string): number[] | null {
  const found = /^PSNR y:(\S+) u:(\S+) v:(\S+)/.exec(text);
  return found ? found.slice(1, 4).map(decibels) : null;
}

function decibels(text: string): number {
  return text === 'inf' ? 100 : Number(text);
}

/** VMAF 0…100, SSIM of the luma 0…1. */
function scoreOf(text: string): number | null {
  const found = /^VMAF score: (\S+)/.exec(text) ?? /^SSIM Y:(\S+)/.exec(text);
  const score = found ? Number(found[1]) : Number.NaN;
  return Number.isFinite(score) ? score : null;
}
