import { disliked, fits, staysItself } from './containers.ts';
import { expectedBytes } from './estimate.ts';
import type { Container, Probe, Stream, VideoStream } from './media.ts';
import { filmStreams, hasHdr10Values, isInterlaced, isPicture } from './media.ts';
import { firstRefusal, type FileFacts } from './plan-rules.ts';
import type { Profile } from './profile.ts';
import type { Reason } from './reasons.ts';
import { reason } from './reasons.ts';
import { targetPath } from './target.ts';

export type Plan = SkipPlan | WorkPlan;

export interface SkipPlan {
  action: 'skip';
  reason: Reason;
  /** milliseconds until the same question has another answer by itself */
  againInMs?: number | undefined;
}

/** What to make. It names streams and wishes, never ffmpeg arguments: each node builds its own command from it. */
export interface WorkPlan {
  action: 'remux' | 'transcode';
  reason: Reason;
  /** container of the output; the file's extension follows from it only when it differs from the source's */
  container: Container;
  /** extension of the output with its dot, in the source's own spelling when the container stays */
  extension: string;
  /** every source stream in output order, none missing: what is not kept is named in `dropped` with its reason */
  streams: StreamPlan[];
  dropped: DroppedStream[];
  video: VideoPlan | null;
  /** size the output is expected to have, in bytes, for ordering the queue and for the forecast */
  expectedBytes: number;
  /** what a person should know about the whole file, for example that the container changes */
  notes?: Reason[];
}

export interface StreamPlan {
  index: number;
  kind: 'video' | 'audio' | 'subtitle' | 'attachment' | 'data';
  /** encode: the film itself; copy: as it is; convert: to another subtitle codec the container can hold */
  action: 'encode' | 'copy' | 'convert';
  /** codec in the output */
  codec: string;
  /** what a person should know about this stream, for example that styling is lost */
  note: Reason | null;
}

export interface DroppedStream {
  index: number;
  reason: Reason;
}

export interface VideoPlan {
  bitDepth: 8 | 10;
  deinterlace: boolean;
  /** the encoder must carry HDR10's fixed values over */
  hdr10?: boolean | undefined;
}

/** What the film becomes; plans of before AV1 was a wish say HEVC. */
export function plannedCodec(plan: Pick<WorkPlan, 'streams'>): Profile['codec'] {
  return plan.streams.some((s) => s.action === 'encode' && s.codec === 'av1') ? 'av1' : 'hevc';
}

/**
 * Skip, remux or transcode, with the reason a person would want to hear first. Pure: the same probe, facts and profile
 * always give the same plan. A work plan accounts for every source stream; where one could not be kept, the file is skipped.
 */
export function makePlan(probe: Probe, file: FileFacts, profile: Profile): Plan {
  const films = filmStreams(probe);
  const film = films[0];
  const refused = firstRefusal({ probe, file, profile, films, film: film! });
  if (refused) return { action: 'skip', ...refused };
  const plan = planWork(probe, file, profile, film!);
  return plan.action === 'skip' ? plan : (nameTaken(file, plan) ?? plan);
}

/** The swap would refuse it, after hours of work for nothing. */
function nameTaken(file: FileFacts, plan: WorkPlan): SkipPlan | null {
  const target = targetPath(file.path, plan.extension);
  if (!file.inTheWay || target === file.path) return null;
  const by = file.inTheWay === target ? null : nameOf(file.inTheWay);
  return { action: 'skip', reason: reason('name-taken', { name: nameOf(target), by }) };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function planWork(probe: Probe, file: FileFacts, profile: Profile, film: VideoStream): Plan {
  const remux = film.codec === 'hevc';
  const blocked: Stream[] = [];
  const codec = remux ? 'hevc' : (profile.codec ?? 'hevc');
  for (const container of candidates(probe.container, profile, codec)) {
    // ffmpeg 5.1 writes no turn into Matroska (measured)
    if (film.rotation !== 0 && container === 'matroska' && probe.container !== 'matroska')
      return { action: 'skip', reason: reason('turned', { degrees: film.rotation, container }) };
    const mapped = mapStreams(probe, container, film, { action: remux ? 'copy' : 'encode', codec });
    if (!('streams' in mapped)) {
      blocked.push(mapped.blocked);
      continue;
    }
    return {
      action: remux ? 'remux' : 'transcode',
      reason: remux ? reason('rewrap', { from: probe.container, to: container }) : whyEncode(probe, film, codec),
      container,
      extension: extensionFor(container, probe.container, file.path),
      ...mapped,
      video: remux ? null : videoPlan(film, profile),
      expectedBytes: remux ? probe.sizeBytes : expectedBytes(probe, profile),
      notes: container === probe.container ? [] : [reason('container-changes', { from: probe.container, to: container })],
    };
  }
  return { action: 'skip', reason: notKeepable(blocked.at(-1)!) };
}

function videoPlan(film: VideoStream, profile: Profile): VideoPlan {
  const bitDepth = film.bitDepth > 8 || profile.tenBit ? 10 : 8;
  return { bitDepth, deinterlace: isInterlaced(film), ...(hasHdr10Values(film) ? { hdr10: true } : {}) };
}

/** The same container where it can be, else MKV, which holds nearly everything. */
function candidates(from: Container, profile: Profile, codec: Profile['codec']): Container[] {
  if (!staysItself[codec].has(from) || (profile.remux && disliked.has(from))) return ['matroska'];
  return from === 'matroska' ? ['matroska'] : [from, 'matroska'];
}

interface Mapped {
  streams: StreamPlan[];
  dropped: DroppedStream[];
}

function mapStreams(
  probe: Probe,
  container: Container,
  film: VideoStream,
  made: Pick<StreamPlan, 'action' | 'codec'>,
): Mapped | { blocked: Stream } {
  const streams: StreamPlan[] = [];
  const dropped: DroppedStream[] = [];
  for (const stream of inOutputOrder(probe.streams, container)) {
    if (stream.index === film.index) {
      streams.push({ index: stream.index, kind: 'video', ...made, note: null });
      continue;
    }
    const fit = fits(stream, container, probe.container, probe.chapters.length > 0);
    if (fit.how === 'no') return { blocked: stream };
    if (fit.how === 'implied') dropped.push({ index: stream.index, reason: reason(fit.by) });
    else if (fit.how === 'copy') streams.push({ index: stream.index, kind: stream.kind, action: 'copy', codec: stream.codec, note: null });
    else {
      const note = reason('styling-lost', { from: stream.codec, to: fit.codec });
      streams.push({ index: stream.index, kind: stream.kind, action: 'convert', codec: fit.codec, note });
    }
  }
  return { streams, dropped };
}

/** Matroska keeps attachments (and covers, which are attachments there) behind all tracks. */
function inOutputOrder(streams: Stream[], container: Container): Stream[] {
  if (container !== 'matroska') return streams;
  const attached = (stream: Stream) => stream.kind === 'attachment' || isPicture(stream);
  return [...streams.filter((s) => !attached(s)), ...streams.filter(attached)];
}

function notKeepable(stream: Stream): Reason {
  const { index, codec, language, title } = stream;
  return reason('stream-not-keepable', {
    index,
    codec: stream.codecTag && codec === 'bin_data' ? `${codec} ${stream.codecTag}` : codec,
    language,
    title,
    container: 'matroska',
  });
}

function whyEncode(probe: Probe, film: VideoStream, codec: Profile['codec']): Reason {
  const megabits = film.bitrate ?? probe.bitrate;
  const params = { codec: film.codec, height: film.height, megabits: megabits === null ? null : Math.round(megabits / 1e5) / 10 };
  if (codec === 'av1') return reason('to-av1', params);
  return reason(film.codec === 'h264' ? 'not-hevc' : 'older-codec', params);
}

function extensionFor(container: Container, from: Container, path: string): string {
  const own = /\.[^./\s]{1,12}$/.exec(path)?.[0] ?? '';
  if (container === from) return own;
  return container === 'matroska' ? '.mkv' : `.${container}`;
}
