import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { filmStreams, type Probe, type VideoStream } from '../core/media.ts';
import { reason, type ReasonCode } from '../core/reasons.ts';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import type { Tools } from './locate.ts';
import { parseProbe } from './parse-probe.ts';
import type { Json } from './probe-values.ts';
import { lastLine, run, ToolError } from './process.ts';
import { fileUrl, MAX_STREAMS, safeInput, wrapper } from './sandbox.ts';
import { isBluRayStream, isWebm, sniff } from './sniff.ts';

export interface ProbeRequest {
  tools: Tools;
  /** absolute */
  path: string;
  signal?: AbortSignal | undefined;
  /** for each of the two runs of ffprobe; default one minute, a disk may have to wake up */
  timeoutMs?: number;
}

const HEAD = 4096;
/** Far above 200 streams and 1,000 chapters; ffmpeg itself gets slow with the square of the number of tags. */
const MAX_JSON = 4 * 1024 * 1024;
const LATER_MS = 20_000;

/**
 * Asks ffprobe what a file is. The file may be anything; no other file is opened on its behalf.
 * @throws PlainError with reason code empty-file, not-media, damaged, probe-timeout, format-not-allowed,
 *   codec-not-allowed, too-many-streams, not-a-file, unreadable, probe-failed or ffmpeg-refused; `retry` only where trying again may help
 */
export async function probeFile(request: ProbeRequest): Promise<Probe> {
  const { head, sizeBytes } = await look(request.path);
  const name = path.basename(request.path);
  if (sizeBytes === 0) throw problem('empty-file', `${name} is empty (0 bytes).`, { retry: true });
  const { description, warnings } = await describe(request, head);
  const draft = {
    description,
    sizeBytes,
    warnings,
    hints: { webm: isWebm(head), m2ts: isBluRayStream(head) },
    probedBy: request.tools.ffprobe.version,
  };
  const first = parseProbe({ ...draft, frames: null });
  if (first.streams.length === 0) throw problem('damaged', `${name} is damaged: nothing can be read from it.`);
  if (first.streams.length > MAX_STREAMS) throw tooMany(name);
  const film = filmStreams(first)[0];
  if (!film) return first;
  const frames = [...(await firstFrames(request, film.index)), ...(await laterFrames(request, film, first))];
  return parseProbe({ ...draft, frames: { index: film.index, frames } });
}

/** Opens the file ourselves first: clear words for what cannot be read, and no hanging on a pipe with a film's name. */
async function look(file: string): Promise<{ head: Buffer; sizeBytes: number }> {
  const name = path.basename(file);
  let handle: FileHandle | null = null;
  try {
    // a FIFO without a writer would block a plain open for ever
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = await handle.stat();
    if (!stat.isFile()) throw problem('not-a-file', `${name} is not an ordinary file.`);
    const head = Buffer.alloc(HEAD);
    const { bytesRead } = await handle.read(head, 0, HEAD, 0);
    return { head: head.subarray(0, bytesRead), sizeBytes: stat.size };
  } catch (error) {
    if (error instanceof PlainError) throw error;
    throw problem('unreadable', `${name} can't be read (${codeOf(error) ?? messageOf(error)}).`, {
      cause: error,
      retry: true,
      said: codeOf(error) ?? '',
    });
  } finally {
    await handle?.close();
  }
}

async function describe(request: ProbeRequest, head: Buffer): Promise<{ description: Json; warnings: string[] }> {
  const name = path.basename(request.path);
  try {
    const { stdout, stderrTail } = await ffprobe(request, ['-show_format', '-show_streams', '-show_chapters']);
    return { description: JSON.parse(stdout) as Json, warnings: warningLines(stderrTail) };
  } catch (error) {
    request.signal?.throwIfAborted();
    if (error instanceof ToolError) throw explain(error, name, head);
    if (error instanceof PlainError) throw error; // this ffprobe may open no film
    throw problem('probe-failed', `ffprobe gave an unreadable answer about ${name}.`, { cause: error, retry: true });
  }
}

/** Three decoded frames of the film know what the container does not say: HDR metadata, captions, fields. */
async function firstFrames(request: ProbeRequest, index: number): Promise<Json[]> {
  try {
    return await framesAt(request, index, '%+#3');
  } catch (error) {
    request.signal?.throwIfAborted();
    if (error instanceof ToolError && error.timedOut) throw explain(error, path.basename(request.path), Buffer.alloc(0));
    return []; // what cannot be decoded here is found by whoever encodes or verifies it
  }
}

/** A film begins with a logo: captions, HDR10+ and fields may come only after it. Not worth waiting for where there is no index. */
async function laterFrames(request: ProbeRequest, film: VideoStream, { startMs, durationMs: whole }: Probe): Promise<Json[]> {
  // one subtitle without an end makes a file of 49 days
  const durationMs = film.durationMs ?? whole;
  if (durationMs === null || durationMs < 1000) return [];
  const places = [1, 2, 3].map((quarter) => `${((startMs + (durationMs * quarter) / 4) / 1000).toFixed(3)}%+#3`);
  try {
    return await framesAt({ ...request, timeoutMs: Math.min(request.timeoutMs ?? LATER_MS, LATER_MS) }, film.index, places.join(','));
  } catch {
    request.signal?.throwIfAborted();
    return [];
  }
}

async function framesAt(request: ProbeRequest, index: number, intervals: string): Promise<Json[]> {
  const entries =
    'frame=interlaced_frame,top_field_first,color_range,color_space,color_transfer,color_primaries,chroma_location:frame_side_data_list';
  const ask = ['-select_streams', String(index), '-read_intervals', intervals, '-show_frames', '-show_entries', entries];
  const { stdout } = await ffprobe(request, ask);
  const frames = (JSON.parse(stdout) as { frames?: unknown }).frames;
  return Array.isArray(frames) ? (frames.slice(0, 12) as Json[]) : [];
}

function ffprobe(request: ProbeRequest, ask: string[]): ReturnType<typeof run> {
  const { tools } = request;
  return run({
    command: [
      tools.ffprobe.path,
      '-hide_banner',
      '-v',
      'warning',
      '-max_alloc',
      String(1024 ** 3),
      ...safeInput,
      ...ask,
      '-of',
      'json=compact=1',
      fileUrl(request.path),
    ],
    wrapper: wrapper(tools, tools.ffprobe.path, { read: [request.path] }),
    what: `look at ${path.basename(request.path)}`,
    signal: request.signal,
    timeoutMs: request.timeoutMs ?? 60_000,
    maxStdoutBytes: MAX_JSON,
  });
}

/** From ffprobe's words and the first bytes to one of our reasons. */
function explain(error: ToolError, name: string, head: Buffer): PlainError {
  const said = error.stderrTail;
  const codec = /Codec \(([^)]{1,40})\) not on whitelist/.exec(said)?.[1];
  if (error.timedOut) return problem('probe-timeout', `Reading the description of ${name} took too long.`, { cause: error, retry: true });
  if (error.overflowed)
    return problem('overlong-description', `${name} says far more about itself than any film needs, so it is not opened.`, {
      cause: error,
    });
  if (/exceeds max_streams|Number of streams exceeds/i.test(said)) return tooMany(name, error);
  if (codec) {
    return new PlainError(`${name} uses ${codec}, which is not on the list of formats that are opened.`, {
      cause: error,
      reason: reason('codec-not-allowed', { codec }),
    });
  }
  if (/Permission denied|Input\/output error|Stale file handle|No such file/i.test(said)) {
    return problem('unreadable', `${name} can't be read.`, { cause: error, retry: true, said: lastWords(said) });
  }
  if (error.killedBy || error.exitCode === null || error.exitCode >= 126)
    return problem('probe-failed', error.message, { cause: error, retry: true, said: error.message });
  switch (sniff(head)) {
    case 'film':
      return problem('damaged', `${name} is damaged and can't be read as a film.`, { cause: error, said: lastWords(said) });
    case 'zeros':
      return problem('damaged', `${name} is damaged: it holds only zeros.`, { cause: error, said: 'it holds only zeros' });
    case 'playlist':
      return new PlainError(`${name} is a playlist naming other files; such files are never opened.`, {
        cause: error,
        reason: reason('format-not-allowed', { format: 'playlist' }),
      });
    case 'other-media':
      return new PlainError(`The container of ${name} is not on the list of those that are opened.`, {
        cause: error,
        reason: reason('format-not-allowed'),
      });
    case 'text':
      return problem('not-media', `${name} is a text file, not a film.`, { cause: error, said: 'it is a text file' });
    case 'nothing':
      return problem('not-media', `${name} is not a film.`, { cause: error });
  }
}

function lastWords(stderr: string): string {
  return (lastLine(stderr) ?? '').replace(/^file:.*: (?=[^:]+$)/, '');
}

function problem(code: ReasonCode, message: string, more: { cause?: unknown; retry?: boolean; said?: string } = {}): PlainError {
  return new PlainError(message, { cause: more.cause, retry: more.retry ?? false, reason: reason(code, { message: more.said || null }) });
}

function tooMany(name: string, cause?: unknown): PlainError {
  return new PlainError(`${name} has more than ${MAX_STREAMS} streams.`, {
    cause,
    reason: reason('too-many-streams', { limit: MAX_STREAMS }),
  });
}

/** ffmpeg repeats itself; each line once, without addresses. */
function warningLines(stderr: string): string[] {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((l) => l.replace(/ @ 0x[0-9a-f]+\]/, ']').trim())
    .filter(Boolean);
  return [...new Set(lines)].slice(0, 20);
}
