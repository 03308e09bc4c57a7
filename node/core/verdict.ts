import type { Compared, Kind } from './compare.ts';
import { chapterWords, colorWords, compareStreams, geometryWords, hdrWords, kindOf, sameChapters, wantedTags } from './compare.ts';
import { frameRateOf } from './estimate.ts';
import type { Container, Probe, VideoStream } from './media.ts';
import { filmStreams } from './media.ts';
import { codecName, containerName } from './names.ts';
import { plannedCodec, type WorkPlan } from './plan.ts';
import type { Profile } from './profile.ts';
import type { Reason, ReasonCode } from './reasons.ts';
import { reason } from './reasons.ts';
import { pictureFault, type PictureFault, type PieceFinding } from './likeness.ts';

/** Everything the keeper measured about original and output. The verdict reads nothing else. */
export interface Evidence {
  plan: WorkPlan;
  profile: Profile;
  original: Probe;
  output: Probe;
  originalBytes: number;
  outputBytes: number;
  /** frames of the film stream: packets counted in the original, or decoded frames when that was needed */
  originalFrames: FrameCount;
  outputFrames: FrameCount;
  /** error lines of a full decode of every stream of the output; empty means clean */
  decodeErrors: string[];
  /** the original decodes with errors itself; null when it was not necessary to know */
  originalDecodeErrors: string[] | null;
  /** pieces of both films side by side; left out where the pictures were copied, not encoded */
  pictures?: PieceFinding[] | undefined;
  /** left out where the pictures were encoded */
  copied?: CopiedFinding | undefined;
}

/** Hashes over every coded picture of both films; null where it could not be read so. */
export interface CopiedFinding {
  original: string | null;
  output: string | null;
  /** over the messages between them, too, in which HDR10+ is */
  messages: boolean;
}

export interface FrameCount {
  frames: number;
  counted: 'packets' | 'decoded';
}

export type Verdict = { accepted: true; checks: Check[] } | { accepted: false; reason: Reason; checks: Check[] };

/** One line of the table on the job page: what was compared, the two values in words, and whether it held. */
export interface Check {
  name:
    | 'container'
    | 'video'
    | 'audio'
    | 'subtitles'
    | 'attachments'
    | 'chapters'
    | 'tags'
    | 'duration'
    | 'frames'
    | 'decode'
    | 'pictures'
    | 'second-look'
    | 'size'
    | 'colour'
    | 'start'
    | 'geometry';
  original: string;
  output: string;
  passed: boolean;
}

/**
 * May this output replace that original? Every check is made and shown; the first that failed gives the reason, so their
 * order is the order of harm: is it the right thing at all, is it whole, is everything in it, does it look the same, and
 * only then whether it is worth it. An original that is itself damaged is not the output's fault: that is 'source-damaged',
 * for a person to decide.
 */
export function judge(evidence: Evidence): Verdict {
  const film = filmStreams(evidence.original)[0];
  const made = filmStreams(evidence.output);
  const results = film ? allChecks(evidence, film, made) : [noFilm()];
  const checks = results.map(({ check }) => check);
  const failed = results.find(({ check }) => !check.passed);
  if (!failed) return { accepted: true, checks };
  return { accepted: false, reason: blame(evidence, failed.reason), checks };
}

/** Whether the verdict needs to know how the original decodes, and its frames decoded rather than its packets counted. */
export function needsOriginalDecode(evidence: Evidence): boolean {
  if (evidence.originalDecodeErrors !== null) return false;
  const amiss = evidence.pictures?.some((piece) => pictureFault(piece) !== null) ?? false;
  return amiss || evidence.decodeErrors.length > 0 || !sameFrames(evidence) || !sameDuration(evidence).passed;
}

interface Result {
  check: Check;
  reason: Reason;
}

function allChecks(e: Evidence, film: VideoStream, made: VideoStream[]): Result[] {
  const output = made[0];
  return [
    containerCheck(e),
    videoCheck(e, film, made),
    decodeCheck(e),
    durationCheck(e),
    framesCheck(e),
    e.plan.action === 'remux' ? copiedCheck(e, film) : picturesCheck(e),
    ...soundLengthCheck(e),
    ...(['film', 'audio', 'subtitle', 'picture', 'attachment', 'data'] as const).flatMap((kind) => streamCheck(e, kind)),
    chaptersCheck(e, film),
    tagsCheck(e),
    ...(output ? [colourCheck(film, output), geometryCheck(film, output), startCheck(e, film, output)] : []),
    sizeCheck(e),
  ];
}

function result(
  name: Check['name'],
  original: string,
  output: string,
  passed: boolean,
  code: ReasonCode,
  params?: Record<string, string | number>,
): Result {
  return { check: { name, original, output, passed }, reason: reason(code, params ?? { original, output }) };
}

function noFilm(): Result {
  return result('video', 'no film', '?', false, 'video-differs', { output: 'unknown', planned: 'none' });
}

/** Failures that a damaged original explains are not held against the output. */
function blame(e: Evidence, why: Reason): Reason {
  const fromDamage = ['decode-errors', 'frames-differ', 'duration-differs', 'pictures-differ'].includes(why.code);
  if (!fromDamage || !e.originalDecodeErrors || e.originalDecodeErrors.length === 0) return why;
  return reason('source-damaged', { message: e.originalDecodeErrors[0]! });
}

function containerCheck({ plan, original, output }: Evidence): Result {
  const passed = output.container === plan.container || bothApple(output.container, plan.container);
  const planned = containerName(plan.container);
  return result('container', containerName(original.container), containerName(output.container), passed, 'container-differs', {
    output: containerName(output.container),
    planned,
  });
}

/** MP4 and MOV are told apart only by a brand that muxers write as they like. */
function bothApple(a: Container, b: Container): boolean {
  return [a, b].every((container) => container === 'mp4' || container === 'mov');
}

function videoCheck({ plan, original }: Evidence, film: VideoStream, made: VideoStream[]): Result {
  const depth = plan.video?.bitDepth ?? film.bitDepth;
  const codec = plannedCodec(plan);
  const output = made[0];
  const passed =
    made.length === 1 &&
    output?.codec === codec &&
    output.bitDepth === depth &&
    (output.chroma === film.chroma || (film.chroma === '4:0:0' && output.chroma === '4:2:0')) &&
    (plan.action === 'remux' || profileFits(output, codec, depth)) &&
    !(plan.video?.deinterlace && output.fieldOrder !== 'progressive' && output.fieldOrder !== 'unknown');
  const found = made.length === 0 ? 'missing' : made.map(videoWords).join(', ');
  const planned = `${codecName(codec)} ${depth} bit ${film.chroma ?? ''}`.trim();
  return result('video', filmStreams(original).map(videoWords).join(', '), found, passed, 'video-differs', { output: found, planned });
}

/** Main 10 may hold 8 bits; an encoder that says neither is not trusted to be playable. AV1's Main holds both. */
function profileFits(output: VideoStream, codec: string, depth: number): boolean {
  const profile = (output.codecProfile ?? '').toLowerCase();
  if (codec === 'av1') return profile === 'main' || profile === '0';
  return profile === 'main 10' || (depth === 8 && profile.startsWith('main'));
}

function videoWords(film: VideoStream): string {
  return [codecName(film.codec), `${film.bitDepth} bit`, film.chroma ?? ''].join(' ').trim();
}

function decodeCheck({ decodeErrors, originalDecodeErrors }: Evidence): Result {
  const words = (lines: string[]) => (lines.length === 0 ? 'clean' : `${lines.length} errors: ${lines[0]!.slice(0, 200)}`);
  const original = originalDecodeErrors === null ? 'not needed' : words(originalDecodeErrors);
  const first = decodeErrors[0] ?? '';
  return result('decode', original, words(decodeErrors), decodeErrors.length === 0, 'decode-errors', { message: first.slice(0, 300) });
}

function durationCheck(e: Evidence): Result {
  const { before, after, passed } = sameDuration(e);
  const words = (ms: number | null) => (ms === null ? 'not told' : `${(ms / 1000).toFixed(2)} s`);
  return result('duration', words(before), words(after), passed, 'duration-differs', {
    original: (before ?? 0) / 1000,
    output: (after ?? 0) / 1000,
  });
}

/**
 * Half a percent, but never more than a second for containers that know their length, two for those that estimate it, and
 * never less than two frames: half a percent of a three-hour film would be 54 seconds of missing ending.
 */
function sameDuration({ original, output }: Evidence): { before: number | null; after: number | null; passed: boolean } {
  const [before, after] = [original.durationMs, output.durationMs];
  if (before === null || after === null) return { before, after, passed: false };
  const film = filmStreams(original)[0];
  const frame = film ? 1000 / frameRateOf(film) : 40;
  const ceiling = exact.has(original.container) ? 1000 : 2000;
  const tolerance = Math.max(Math.min(before * 0.005, ceiling), 2 * frame, 100);
  return { before, after, passed: Math.abs(before - after) <= tolerance };
}

const exact: ReadonlySet<Container> = new Set(['matroska', 'webm', 'mp4', 'mov']);

/** A track that was cut short hides behind a whole film: the file is as long as its longest stream. */
function soundLengthCheck({ plan, original, output }: Evidence): Result[] {
  const made = output.streams.filter((stream) => stream.kind === 'audio');
  const planned = plan.streams.filter((stream) => stream.kind === 'audio');
  return planned.flatMap(({ index }, at) => {
    const [before, after] = [original.streams.find((stream) => stream.index === index)?.durationMs, made[at]?.durationMs];
    if (!before || !after) return [];
    const passed = Math.abs(before - after) <= Math.max(500, Math.min(before * 0.005, 2000));
    const words = (ms: number) => `sound track ${at + 1}: ${(ms / 1000).toFixed(2)} s`;
    return passed
      ? []
      : [result('duration', words(before), words(after), false, 'duration-differs', { original: before / 1000, output: after / 1000 })];
  });
}

function framesCheck(e: Evidence): Result {
  const words = ({ frames, counted }: FrameCount) => `${frames} ${counted === 'decoded' ? 'decoded' : 'counted'}`;
  return result('frames', words(e.originalFrames), words(e.outputFrames), sameFrames(e), 'frames-differ', {
    original: e.originalFrames.frames,
    output: e.outputFrames.frames,
  });
}

function sameFrames({ originalFrames, outputFrames }: Evidence): boolean {
  return originalFrames.frames > 0 && originalFrames.frames === outputFrames.frames;
}

/** Fails closed: where the original shows no picture at all, or none was looked at, nobody can say that the copy shows the same. */
function picturesCheck({ pictures = [] }: Evidence): Result {
  const seen = pictures.filter((piece) => piece.pictures > 0);
  const looked = `${seen.reduce((sum, piece) => sum + piece.pictures, 0)} looked at in ${seen.length} ${seen.length === 1 ? 'place' : 'places'}`;
  if (seen.length === 0) return notSeen('none could be shown', 'no picture of the original could be shown');
  const bad = seen.map((piece) => ({ piece, fault: pictureFault(piece) })).find(({ fault }) => fault !== null);
  const farthest = Math.max(...seen.map((piece) => piece.difference));
  const near = `the same, at most ${farthest.toFixed(1)} of 255 levels apart`;
  if (!bad) return result('pictures', looked, near, true, 'pictures-differ');
  const at = clockWords(bad.piece.atMs);
  const message = faultWords[bad.fault ?? 'other-pictures'];
  return result('pictures', looked, `${message}, at ${at}`, false, 'pictures-differ', { at, message });
}

/** A re-wrap is proved picture by picture, HDR10+ message by message, or it is not believed. */
function copiedCheck({ copied }: Evidence, film: VideoStream): Result {
  const dynamic = film.hdr?.kind === 'hdr10plus';
  const whole = dynamic ? 'every picture with its HDR10+' : 'every picture';
  if (!copied || copied.original === null || copied.output === null || (dynamic && !copied.messages))
    return notSeen(whole, 'its pictures could not be compared bit by bit');
  const passed = copied.original === copied.output;
  const message = 'it was copied, but not every bit is the same';
  return result('pictures', whole, passed ? 'bit by bit the same' : message, passed, dynamic ? 'hdr-differs' : 'pictures-differ', {
    original: whole,
    output: message,
    message,
  });
}

function notSeen(original: string, message: string): Result {
  return result('pictures', original, '?', false, 'not-enough-trust', { message });
}

const faultWords: Record<PictureFault, string> = {
  missing: 'no picture is there',
  'other-pictures': 'the picture is another one',
  'part-differs': 'a part of the picture is another one',
  'other-moment': 'the picture is of another moment',
};

function clockWords(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

const names: Record<Kind, { check: Check['name']; words: string }> = {
  film: { check: 'video', words: 'film track’s names' },
  audio: { check: 'audio', words: 'sound tracks' },
  subtitle: { check: 'subtitles', words: 'subtitles' },
  picture: { check: 'attachments', words: 'cover pictures' },
  attachment: { check: 'attachments', words: 'attachments' },
  data: { check: 'attachments', words: 'data tracks' },
};

function streamCheck(e: Evidence, kind: Kind): Result[] {
  const compared = compareStreams(kind, e.plan, e.original, e.output);
  const allowed = kind === 'data' ? withoutImplied(e, compared) : compared;
  if (allowed.expected.concat(allowed.found).every((words) => words === '') && kind !== 'audio' && kind !== 'subtitle') return [];
  const [original, output] = [listed(allowed.expected), listed(allowed.found)];
  const code = kind === 'attachment' || kind === 'picture' ? 'attachments-differ' : 'streams-differ';
  return [result(names[kind].check, original, output, original === output, code, { kind: names[kind].words, original, output })];
}

/** Timecode and chapter tracks that the plan left to the muxer may be there again. */
function withoutImplied({ plan, output }: Evidence, compared: Compared): Compared {
  const implied = new Set(['tmcd', 'text']);
  const kept = output.streams.filter((s) => kindOf(s) === 'data' && !(plan.dropped.length > 0 && implied.has(s.codecTag ?? '')));
  return kept.length === 0 ? { ...compared, found: [] } : compared;
}

function listed(lines: string[]): string {
  return lines.join('; ') || 'none';
}

function chaptersCheck({ original, output }: Evidence, film: VideoStream): Result {
  const passed = sameChapters(original, output, Math.max(1000 / frameRateOf(film), 20));
  return result('chapters', chapterWords(original.chapters), chapterWords(output.chapters), passed, 'chapters-differ');
}

function tagsCheck({ original, output }: Evidence): Result {
  const wanted = wantedTags(original.tags);
  const found = wantedTags(output.tags);
  const lost = [...wanted].filter(([name, value]) => found.get(name) !== value);
  const words = (pairs: [string, string | undefined][]) =>
    pairs.map(([name, value]) => `${name}: ${value?.slice(0, 80) ?? 'missing'}`).join('; ');
  if (lost.length === 0) return result('tags', `${wanted.size} kept`, `${found.size} found`, true, 'tags-differ');
  return result('tags', words(lost), words(lost.map(([name]) => [name, found.get(name)])), false, 'tags-differ');
}

function colourCheck(film: VideoStream, output: VideoStream): Result {
  const before = [colorWords(film.color), hdrWords(film.hdr)];
  const after = [colorWords(output.color), hdrWords(output.hdr)];
  const sameColor = String(before[0]) === String(after[0]);
  const sameHdr = String(before[1]) === String(after[1]);
  const words = (both: string[][]) =>
    both
      .flat()
      .filter((word) => word !== 'none')
      .join(' · ');
  return result('colour', words(before), words(after), sameColor && sameHdr, sameColor ? 'hdr-differs' : 'colour-differs');
}

function geometryCheck(film: VideoStream, output: VideoStream): Result {
  const [before, after] = [geometryWords(film).join(' · '), geometryWords(output).join(' · ')];
  return result('geometry', before, after, before === after, 'geometry-differs');
}

/**
 * How far each sound track starts from the picture; more than a frame would be out of step. A recording cut in the middle of a
 * scene begins with pictures that no decoder can show: the copy starts later, but then its end still lies where it did.
 */
function startCheck(e: Evidence, film: VideoStream, output: VideoStream): Result {
  const [before, after] = [offsets(e.original, film), offsets(e.output, output)];
  const tolerance = (1000 / frameRateOf(film)) * (exact.has(e.original.container) ? 1 : 2) + 5;
  const near = (a: number | null, b: number | null | undefined) => a !== null && typeof b === 'number' && Math.abs(a - b) <= tolerance;
  const inStep = before.map(
    ({ start, end }, at) => !after[at] || near(start, after[at].start) || (sameFrames(e) && near(end, after[at].end)),
  );
  const worst = Math.max(inStep.indexOf(false), 0);
  const words = (all: Offset[]) => (all.length === 0 ? 'no sound' : all.map(({ start }) => `${Math.round(start)} ms`).join(', '));
  return result('start', words(before), words(after), inStep.every(Boolean), 'sync-differs', {
    original: Math.round(before[worst]?.start ?? 0),
    output: Math.round(after[worst]?.start ?? 0),
  });
}

interface Offset {
  /** from the film's first frame to the start of the sound, in ms */
  start: number;
  /** from the film's end, when the container tells its length */
  end: number | null;
}

function offsets(probe: Probe, film: VideoStream): Offset[] {
  return probe.streams.flatMap((s) => {
    if (s.kind !== 'audio' || s.startMs === null || film.startMs === null) return [];
    const start = s.startMs - film.startMs;
    return [{ start, end: film.durationMs === null ? null : start - film.durationMs }];
  });
}

/**
 * A re-wrap must not grow by more than the container's own bytes; an encode must be worth it. Less than a hundredth of the
 * original is not believed: a broken encoder makes the right number of black pictures.
 */
function sizeCheck({ plan, profile, originalBytes, outputBytes }: Evidence): Result {
  const saved = originalBytes > 0 ? (1 - outputBytes / originalBytes) * 100 : 0;
  const remux = plan.action === 'remux';
  const code = saved > 99 ? 'suspiciously-small' : saved <= 0 || remux ? 'not-smaller' : 'small-saving';
  const passed = saved <= 99 && (remux ? saved >= -2 : saved > 0 && saved >= profile.minSavingPercent);
  const words = (bytes: number) => `${bytes.toLocaleString('en')} bytes`;
  const params = {
    saved: Math.floor(saved * 10) / 10,
    limit: profile.minSavingPercent,
    output: outputBytes,
    original: originalBytes,
    percent: 100 - saved,
  };
  return result('size', words(originalBytes), words(outputBytes), passed, code, params);
}
