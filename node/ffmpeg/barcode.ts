import { constants } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { toOrdinary, type Rgb } from '../core/hdr-colour.ts';
import { filmStreams, type Probe, type VideoStream } from '../core/media.ts';
import { MAX_COLUMNS } from '../core/pictures.ts';
import { matrixOf } from './frame-look.ts';
import type { Tools } from './locate.ts';
import { run } from './process.ts';
import { fileUrl, safeGlobals, safeInput, wrapper } from './sandbox.ts';

export interface ColoursRequest {
  tools: Tools;
  /** absolute */
  file: string;
  probe: Probe;
  /** made for this and removed afterwards; absolute */
  directory: string;
  /** what is not known by then is painted between its neighbours */
  budgetMs: number;
  signal: AbortSignal;
}

const COLUMNS = 192;
/** One ffmpeg opens the film so many times, each at another place: a start of the program costs more than a seek. */
const AT_ONCE = 16;
/** Fewer colours than one in so many columns are no picture of a film. */
const SPARSEST = 8;

/**
 * The film's colours from beginning to end: the mean of one key frame for each column, three bytes each. From coarse to fine,
 * so that a slow disk gives a coarse strip in the same time. Null when too little could be seen; a film that breaks ffmpeg
 * has no strip, and nothing else happens.
 * @throws only the reason of an abort
 */
export async function filmColours(request: ColoursRequest): Promise<Buffer | null> {
  const film = filmStreams(request.probe)[0];
  const { durationMs } = request.probe;
  if (!film || !durationMs) return null;
  const columns = Math.min(MAX_COLUMNS, COLUMNS, Math.max(SPARSEST, Math.floor(durationMs / 250)));
  const colours: (Rgb | null)[] = Array.from({ length: columns }, () => null);
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(request.budgetMs)]);
  try {
    await mkdir(request.directory, { recursive: true, mode: 0o700 });
    const order = coarseToFine(columns);
    while (order.length > 0 && !signal.aborted) await see(request, film, order.splice(0, AT_ONCE), colours, signal);
  } catch {
    // what was seen before is enough, or it is not
  } finally {
    await rm(request.directory, { recursive: true, force: true, maxRetries: 3 });
  }
  request.signal.throwIfAborted();
  return colours.filter(Boolean).length * SPARSEST >= columns ? Buffer.from(filled(colours).flat()) : null;
}

async function see(
  request: ColoursRequest,
  film: VideoStream,
  which: number[],
  colours: (Rgb | null)[],
  signal: AbortSignal,
): Promise<void> {
  const { tools, file, directory } = request;
  const outputs = which.map((column) => path.join(directory, `${column}.rgb`));
  const at = (column: number): string => (((column + 0.5) / colours.length) * (request.probe.durationMs! / 1000)).toFixed(3);
  const inputs = which.flatMap((column) => [
    ...safeInput,
    // a thread for each core would first want as many key frames
    '-threads',
    '1',
    '-skip_frame',
    'nokey',
    '-noaccurate_seek',
    '-ss',
    at(column),
    '-i',
    fileUrl(file),
  ]);
  const filter = `scale=64:36:flags=area:in_color_matrix=${matrixOf(film)},scale=1:1:flags=area,format=rgb24`;
  const taken = ['-frames:v', '1', '-fps_mode', 'passthrough', '-vf', filter, '-c:v', 'rawvideo', '-f', 'rawvideo', '-n'];
  await run({
    command: [
      tools.ffmpeg.path,
      ...safeGlobals,
      '-v',
      'error',
      ...inputs,
      ...outputs.flatMap((output, n) => ['-map', `${n}:${film.index}`, ...taken, fileUrl(output)]),
    ],
    wrapper: wrapper(tools, tools.ffmpeg.path, { read: [file], write: directory, maxFileBytes: 4096 }),
    what: `see the colours of ${path.basename(file)}`,
    signal,
    timeoutMs: 60_000,
  }).catch(() => undefined); // some of its places may have been readable
  for (const [n, column] of which.entries()) colours[column] = await readColour(outputs[n]!, film.color.transfer);
}

async function readColour(file: string, curve: string | null): Promise<Rgb | null> {
  try {
    const handle = await open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(3), 0, 3, 0);
      return bytesRead === 3 ? toOrdinary([...buffer] as Rgb, curve) : null;
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}

/** 0…n-1 so that every beginning of the list is spread over the whole. */
export function coarseToFine(n: number): number[] {
  const bits = Math.ceil(Math.log2(Math.max(2, n)));
  const order: number[] = [];
  for (let i = 0; i < 2 ** bits; i++) {
    const reversed = Number.parseInt(i.toString(2).padStart(bits, '0').split('').toReversed().join(''), 2);
    if (reversed < n) order.push(reversed);
  }
  return order;
}

/** Columns that were not seen take their colour from both neighbours, the nearer one more. */
export function filled(colours: readonly (Rgb | null)[]): Rgb[] {
  const seen = colours.flatMap((colour, n) => (colour ? [n] : []));
  return colours.map((colour, n) => {
    if (colour) return colour;
    const before = seen.findLast((s) => s < n) ?? seen[0]!;
    const after = seen.find((s) => s > n) ?? before;
    const share = after === before ? 0 : Math.max(0, (n - before) / (after - before));
    return colours[before]!.map((value, c) => Math.round(value + (colours[after]![c]! - value) * share)) as Rgb;
  });
}
