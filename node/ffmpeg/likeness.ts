import path from 'node:path';
import { filmStreams, type Container, type Probe, type VideoStream } from '../core/media.ts';
import { comparePiece, PIECE_MS, PIECE_PICTURES, pictureFault, piecesOf, thumb, thumbsOf, type PieceFinding } from '../core/likeness.ts';
import type { Tools } from './locate.ts';
import { run, ToolError } from './process.ts';
import { fileUrl, safeGlobals, safeInput, wrapper } from './sandbox.ts';

export interface LikenessRequest {
  tools: Tools;
  /** absolute paths */
  original: string;
  output: string;
  originalProbe: Probe;
  outputProbe: Probe;
  /** a piece in every half minute instead of three in all */
  thorough: boolean;
  signal?: AbortSignal | undefined;
  /** 0…1 */
  onShare?: (share: number) => void;
}

/**
 * Looks at pieces of both films, for core's `pictureFault`. What is not at its place is looked at once more from farther
 * back: a decoder that began in the middle of a group of pictures, or a cut recording whose first pictures no decoder can
 * show, is no fault of the output. A piece of the original that cannot be shown in time is left out.
 * @throws ToolError when the output's decoder broke off; the signal's reason
 */
export async function compareLikeness(request: LikenessRequest): Promise<PieceFinding[]> {
  const [film, made] = [filmStreams(request.originalProbe)[0], filmStreams(request.outputProbe)[0]];
  if (!film || !made) return [];
  const length = Math.min(request.originalProbe.durationMs ?? 0, request.outputProbe.durationMs ?? 0);
  const places = piecesOf(length, request.thorough);
  const findings: PieceFinding[] = [];
  for (const [i, atMs] of places.entries()) {
    findings.push(await lookAt(request, film, made, atMs));
    request.onShare?.((i + 1) / places.length);
  }
  return findings;
}

/** The first way of looking that finds no fault; else the finding that comes nearest. */
async function lookAt(request: LikenessRequest, film: VideoStream, made: VideoStream, atMs: number): Promise<PieceFinding> {
  const later = (request.outputProbe.durationMs ?? 0) - (request.originalProbe.durationMs ?? 0);
  const ways = [
    { lead: 0, later: 0 },
    { lead: LONG_LEAD_MS, later: 0 },
    // lost at the start, not at the end: then both ends lie together
    ...(Math.abs(later) > 20 ? [{ lead: LONG_LEAD_MS, later }] : []),
  ];
  let nearest: PieceFinding | null = null;
  for (const way of ways) {
    const [was, is] = await Promise.all([
      thumbsAt(request, request.original, request.originalProbe, film, { atMs, lead: way.lead }).catch(unseen),
      thumbsAt(request, request.output, request.outputProbe, made, { atMs: Math.max(0, atMs + way.later), lead: way.lead }),
    ]);
    const found = comparePiece(atMs, was, is);
    if (pictureFault(found) === null) return found;
    if (!nearest || found.difference < nearest.difference) nearest = found;
  }
  return nearest!;

  function unseen(error: unknown): Uint8Array[] {
    if (error instanceof ToolError && !request.signal?.aborted) return [];
    throw error;
  }
}

/** From so much earlier both are decoded when something is amiss. */
const LONG_LEAD_MS = 20_000;
/** Containers without an exact index: a seek may land behind the last picture that can be begun with. */
const INEXACT_LEAD_MS = 5000;
const exact: ReadonlySet<Container> = new Set(['matroska', 'webm', 'mp4', 'mov']);
const TIMEOUT_MS = 300_000;

async function thumbsAt(
  { tools, signal }: LikenessRequest,
  file: string,
  probe: Probe,
  film: VideoStream,
  { atMs, lead }: { atMs: number; lead: number },
): Promise<Uint8Array[]> {
  const before = Math.min(atMs, Math.max(lead, exact.has(probe.container) ? 0 : INEXACT_LEAD_MS));
  const chunks: Buffer[] = [];
  await run({
    command: [
      tools.ffmpeg.path,
      ...safeGlobals,
      '-v',
      'error',
      ...safeInput,
      '-noautorotate',
      ...(atMs > before ? ['-ss', seconds(atMs - before)] : []),
      '-i',
      fileUrl(file),
      '-map',
      `0:${film.index}`,
      // both ranges named alike, so that nothing is stretched and the two stay comparable
      '-vf',
      `scale=${thumb.width}:${thumb.height}:flags=area:in_range=full:out_range=full,format=yuv420p`,
      '-fps_mode',
      'passthrough',
      ...(before > 0 ? ['-ss', seconds(before)] : []),
      '-t',
      seconds(PIECE_MS),
      '-frames:v',
      String(PIECE_PICTURES),
      '-f',
      'rawvideo',
      '-',
    ],
    wrapper: wrapper(tools, tools.ffmpeg.path, { read: [file] }),
    what: `look at the pictures of ${path.basename(file)}`,
    signal,
    timeoutMs: TIMEOUT_MS,
    onBytes: (chunk) => void chunks.push(chunk),
    maxStdoutBytes: (PIECE_PICTURES + 2) * thumb.bytes,
  });
  return thumbsOf(Buffer.concat(chunks));
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
