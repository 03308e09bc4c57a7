import path from 'node:path';
import { filmStreams, type Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import { reason } from '../core/reasons.ts';
import { needsOriginalDecode, type Evidence } from '../core/verdict.ts';
import { compareCopied } from './copied.ts';
import type { Tools } from './locate.ts';
import { probeFile } from './probe.ts';
import { run, start, ToolError } from './process.ts';
import { progressParser } from './progress.ts';
import { fileUrl, safeGlobals, safeInput, wrapper } from './sandbox.ts';
import { compareLikeness } from './likeness.ts';

export interface EvidenceRequest {
  tools: Tools;
  /** absolute paths */
  original: string;
  output: string;
  plan: WorkPlan;
  profile: Profile;
  /** saves probing the original again when its fingerprint has not changed */
  originalProbe?: Probe;
  signal?: AbortSignal | undefined;
  /** 0…100 */
  onProgress?: (percent: number) => void;
}

/**
 * Measures original and output for core's verdict:
 *
 *   probe both ─▶ decode every stream of the output ─▶ count the original's film packets ─▶ look at pieces of both, or at
 *                                                        │                                 every bit of what was only copied
 *                                                        │ as many as decoded frames, no errors, the same pictures: done
 *                                                        └ else decode the original too: the exact count, its own errors
 *
 * The second decode is rare and needed for packets that never become a frame (edit lists, broken starts, field pairs).
 * An output that is no media at all throws as `probeFile` does.
 * @throws PlainError with reason verify-failed (retry) when measuring itself broke
 */
export async function gatherEvidence(request: EvidenceRequest): Promise<Evidence> {
  const { tools, signal, plan, profile } = request;
  const say =
    (from: number, to: number) =>
    (share: number): void =>
      request.onProgress?.(from + (to - from) * share);
  const output = await probeFile({ tools, path: request.output, signal });
  const original = request.originalProbe ?? (await probeFile({ tools, path: request.original, signal }));
  const decoded = await decodeAll(request, request.output, output, say(0, 60));
  const packets = await countPackets(request, original);
  say(60, 65)(1);
  const pictures = await lookAtPictures(request, original, output, say(65, 80));
  const evidence: Evidence = {
    plan,
    profile,
    original,
    output,
    originalBytes: original.sizeBytes,
    outputBytes: output.sizeBytes,
    originalFrames: { frames: packets, counted: 'packets' },
    outputFrames: { frames: decoded.frames, counted: 'decoded' },
    decodeErrors: decoded.errors,
    originalDecodeErrors: null,
    pictures,
    copied: plan.action === 'remux' ? await compareCopied({ ...request, originalProbe: original, outputProbe: output }) : undefined,
  };
  if (needsOriginalDecode(evidence)) {
    const again = await decodeAll(request, request.original, original, say(80, 100));
    evidence.originalFrames = { frames: again.frames, counted: 'decoded' };
    evidence.originalDecodeErrors = again.errors;
  }
  request.onProgress?.(100);
  return evidence;
}

/** A frame count and a clean decode say nothing of what is shown. Pictures that were copied are the same bits. */
async function lookAtPictures(
  request: EvidenceRequest,
  originalProbe: Probe,
  outputProbe: Probe,
  onShare: (share: number) => void,
): Promise<Evidence['pictures']> {
  if (request.plan.action === 'remux') return undefined;
  const { tools, original, output, signal } = request;
  // a job made by an older version says nothing of it
  const thorough = request.profile.verification === 'pictures' || request.profile.verification === 'second-look';
  try {
    return await compareLikeness({ tools, original, output, originalProbe, outputProbe, thorough, signal, onShare });
  } catch (error) {
    if (!(error instanceof ToolError) || error.reason) throw error;
    throw brokenOff(error.message, error);
  }
}

const MAX_ERRORS = 50;
const STALL_MS = 600_000;

interface Decoded {
  frames: number;
  errors: string[];
}

/** Decodes all pictures and sounds; subtitles are only read. The film is mapped first, its frames are what is counted. */
async function decodeAll(request: EvidenceRequest, file: string, probe: Probe, onShare: (share: number) => void): Promise<Decoded> {
  const { tools } = request;
  const name = path.basename(file);
  const errors: string[] = [];
  let [frames, outTimeMs] = [0, -1];
  const command = [
    tools.ffmpeg.path,
    ...safeGlobals,
    '-v',
    'error',
    ...safeInput,
    '-noautorotate',
    '-i',
    fileUrl(file),
    ...mapped(probe),
    '-c:s',
    'copy',
    '-fps_mode',
    'passthrough',
    '-progress',
    'pipe:1',
    '-nostats',
    '-stats_period',
    '0.5',
    '-f',
    'null',
    '-',
  ];
  const running = start({
    command,
    wrapper: wrapper(tools, tools.ffmpeg.path, { read: [file] }),
    what: `decode ${name}`,
    signal: request.signal,
    onErrorLine: (line) => note(errors, line),
    onLine: progressParser((block) => {
      frames = block.frame ?? frames;
      if (probe.durationMs && block.outTimeMs !== null) onShare(Math.min(1, block.outTimeMs / probe.durationMs));
      if (block.outTimeMs === null || block.outTimeMs <= outTimeMs) return;
      outTimeMs = block.outTimeMs;
      timer.refresh();
    }),
  });
  const timer = setTimeout(() => running.stop((ended) => brokenOff(`Checking ${name} made no progress for ten minutes.`, ended)), STALL_MS);
  try {
    await running.done;
  } catch (error) {
    if (!(error instanceof ToolError) || error.reason) throw error;
    // a crash or a kill says nothing about the file; an exit code says that ffmpeg gave up on it
    if (error.exitCode === null || error.exitCode >= 126) throw brokenOff(error.message, error);
    if (errors.length === 0) note(errors, error.message);
  } finally {
    clearTimeout(timer);
  }
  return { frames, errors };
}

function mapped(probe: Probe): string[] {
  const film = filmStreams(probe)[0];
  const rest = probe.streams.filter((s) => s !== film && (s.kind === 'video' || s.kind === 'audio' || s.kind === 'subtitle'));
  return [...(film ? [film] : []), ...rest].flatMap((s) => ['-map', `0:${s.index}`]);
}

/** Complaints of the null muxer are about timestamps of copies, not about decoding. */
function note(errors: string[], line: string): void {
  const text = line
    .replace(/ @ 0x[0-9a-f]+\]/g, ']')
    .trim()
    .slice(0, 500);
  if (text === '' || /^\[null\]|non.?monoton|^Last message repeated/i.test(text) || errors.length >= MAX_ERRORS) return;
  errors.push(text);
}

/** Packets of the film stream; 0 without one. Reads the whole file, decodes nothing. */
async function countPackets(request: EvidenceRequest, probe: Probe): Promise<number> {
  const film = filmStreams(probe)[0];
  if (!film) return 0;
  const { tools, original, signal } = request;
  const { stdout } = await run({
    command: [
      tools.ffprobe.path,
      '-hide_banner',
      '-v',
      'error',
      ...safeInput,
      '-select_streams',
      String(film.index),
      '-count_packets',
      '-show_entries',
      'stream=nb_read_packets',
      '-of',
      'json',
      fileUrl(original),
    ],
    wrapper: wrapper(tools, tools.ffprobe.path, { read: [original] }),
    what: `count the frames of ${path.basename(original)}`,
    signal,
  });
  const counted = Number((JSON.parse(stdout) as { streams?: { nb_read_packets?: string }[] }).streams?.[0]?.nb_read_packets);
  return Number.isSafeInteger(counted) ? counted : 0;
}

function brokenOff(message: string, run: ConstructorParameters<typeof ToolError>[1]): ToolError {
  return new ToolError(message, run, { reason: reason('verify-failed', { message }), retry: true });
}
