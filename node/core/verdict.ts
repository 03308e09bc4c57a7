import { result, type Check, type CheckResult } from './check.ts';
import type { Compared, Kind } from './compare.ts';
import { chapterWords, colorWords, compareStreams, geometryWords, hdrWords, kindOf, sameChapters, wantedTags } from './compare.ts';
import { frameRateOf } from './estimate.ts';
import { durationCheck, framesCheck, sameLength, soundLengthCheck, startCheck, type Lengths } from './length-checks.ts';
import type { Container, VideoStream } from './media.ts';
import { filmStreams } from './media.ts';
import { codecName, containerName } from './names.ts';
import { picturesCheck, type PictureFindings } from './picture-checks.ts';
import { plannedCodec } from './plan.ts';
import type { Profile } from './profile.ts';
import type { Reason } from './reasons.ts';
import { reason } from './reasons.ts';
import { pictureFault } from './likeness.ts';

/** Everything the keeper measured about original and output. The verdict reads nothing else. */
export interface Evidence extends Lengths, PictureFindings {
  profile: Profile;
  originalBytes: number;
  outputBytes: number;
  /** error lines of a full decode of every stream of the output; empty means clean */
  decodeErrors: string[];
  /** the original decodes with errors itself; null when it was not necessary to know */
  originalDecodeErrors: string[] | null;
}

export type Verdict = { accepted: true; checks: Check[] } | { accepted: false; reason: Reason; checks: Check[] };

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
  return amiss || evidence.decodeErrors.length > 0 || !sameLength(evidence);
}

function allChecks(e: Evidence, film: VideoStream, made: VideoStream[]): CheckResult[] {
  const output = made[0];
  return [
    containerCheck(e),
    videoCheck(e, film, made),
    decodeCheck(e),
    durationCheck(e),
    framesCheck(e),
    picturesCheck(e, film, e.plan.action === 'remux'),
    ...soundLengthCheck(e),
    ...(['film', 'audio', 'subtitle', 'picture', 'attachment', 'data'] as const).flatMap((kind) => streamCheck(e, kind)),
    chaptersCheck(e, film),
    tagsCheck(e),
    ...(output ? [colourCheck(film, output), geometryCheck(film, output), startCheck(e, film, output)] : []),
    sizeCheck(e),
  ];
}

function noFilm(): CheckResult {
  return result('video', 'no film', '?', false, 'video-differs', { output: 'unknown', planned: 'none' });
}

/** Failures that a damaged original explains are not held against the output. */
function blame(e: Evidence, why: Reason): Reason {
  const fromDamage = ['decode-errors', 'frames-differ', 'duration-differs', 'pictures-differ'].includes(why.code);
  if (!fromDamage || !e.originalDecodeErrors || e.originalDecodeErrors.length === 0) return why;
  return reason('source-damaged', { message: e.originalDecodeErrors[0]! });
}

function containerCheck({ plan, original, output }: Evidence): CheckResult {
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

function videoCheck({ plan, original }: Evidence, film: VideoStream, made: VideoStream[]): CheckResult {
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

function decodeCheck({ decodeErrors, originalDecodeErrors }: Evidence): CheckResult {
  const words = (lines: string[]) => (lines.length === 0 ? 'clean' : `${lines.length} errors: ${lines[0]!.slice(0, 200)}`);
  const original = originalDecodeErrors === null ? 'not needed' : words(originalDecodeErrors);
  const first = decodeErrors[0] ?? '';
  return result('decode', original, words(decodeErrors), decodeErrors.length === 0, 'decode-errors', { message: first.slice(0, 300) });
}

const names: Record<Kind, { check: Check['name']; words: string }> = {
  film: { check: 'video', words: 'film track’s names' },
  audio: { check: 'audio', words: 'sound tracks' },
  subtitle: { check: 'subtitles', words: 'subtitles' },
  picture: { check: 'attachments', words: 'cover pictures' },
  attachment: { check: 'attachments', words: 'attachments' },
  data: { check: 'attachments', words: 'data tracks' },
};

function streamCheck(e: Evidence, kind: Kind): CheckResult[] {
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

function chaptersCheck({ original, output }: Evidence, film: VideoStream): CheckResult {
  const passed = sameChapters(original, output, Math.max(1000 / frameRateOf(film), 20));
  return result('chapters', chapterWords(original.chapters), chapterWords(output.chapters), passed, 'chapters-differ');
}

function tagsCheck({ original, output }: Evidence): CheckResult {
  const wanted = wantedTags(original.tags);
  const found = wantedTags(output.tags);
  const lost = [...wanted].filter(([name, value]) => found.get(name) !== value);
  const words = (pairs: [string, string | undefined][]) =>
    pairs.map(([name, value]) => `${name}: ${value?.slice(0, 80) ?? 'missing'}`).join('; ');
  if (lost.length === 0) return result('tags', `${wanted.size} kept`, `${found.size} found`, true, 'tags-differ');
  return result('tags', words(lost), words(lost.map(([name]) => [name, found.get(name)])), false, 'tags-differ');
}

function colourCheck(film: VideoStream, output: VideoStream): CheckResult {
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

function geometryCheck(film: VideoStream, output: VideoStream): CheckResult {
  const [before, after] = [geometryWords(film).join(' · '), geometryWords(output).join(' · ')];
  return result('geometry', before, after, before === after, 'geometry-differs');
}

/**
 * A re-wrap must not grow by more than the container's own bytes; an encode must be worth it. Less than a hundredth of the
 * original is not believed: a broken encoder makes the right number of black pictures.
 */
function sizeCheck({ plan, profile, originalBytes, outputBytes }: Evidence): CheckResult {
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
