import type { AttachmentStream, AudioStream, Chapter, Color, Container, Hdr, Probe, Stream, Tags, VideoStream } from './media.ts';
import { isPicture } from './media.ts';
import { codecName, languageName, sameLanguage } from './names.ts';
import type { WorkPlan } from './plan.ts';

/**
 * Two probes side by side, in words. Each function says what the original's value must become in the output and what it is,
 * as two lists of strings that are equal exactly when nothing was lost. What differs only because of how containers write
 * things down (MP4 sets "default" on the first track, Matroska spells `deu` as `ger`, encoder tags) is ironed out here,
 * each case found in real pairs made by ffmpeg.
 */
export interface Compared {
  expected: string[];
  found: string[];
}

export type Kind = 'film' | 'audio' | 'subtitle' | 'picture' | 'attachment' | 'data';

export function kindOf(stream: Stream): Kind {
  if (isPicture(stream)) return 'picture';
  return stream.kind === 'video' ? 'film' : stream.kind;
}

/** One kind of stream as planned and as found, one line per stream in output order. */
export function compareStreams(kind: Kind, plan: WorkPlan, original: Probe, output: Probe): Compared {
  const planned = plan.streams.flatMap((p) => {
    const source = original.streams.find((stream) => stream.index === p.index);
    return source && kindOf(source) === kind ? [{ source, codec: p.codec }] : [];
  });
  const made = output.streams.filter((stream) => kindOf(stream) === kind);
  const anyDefault = planned.some(({ source }) => source.disposition.includes('default'));
  const expected = planned.map(({ source, codec }, at) => line(source, codec, wordsFor(source, plan.container, anyDefault, at)));
  const found = made.map((stream, at) => line(stream, stream.codec, wordsFor(stream, plan.container, anyDefault, at)));
  return { expected, found };
}

/** A muxer that is told of no default marks the first track of a kind; players would have taken that one anyway. */
function wordsFor(stream: Stream, container: Container, anyDefault: boolean, at: number): string[] {
  const said = stream.disposition.filter((word) => keepsDisposition(container, word, stream.kind));
  return (anyDefault || at > 0 ? said : said.filter((word) => word !== 'default')).toSorted();
}

function keepsDisposition(container: Container, word: string, kind: string): boolean {
  if (kind === 'video' || kind === 'attachment') return word === 'attached_pic' || word === 'timed_thumbnails';
  // a transport stream says nothing else of a track; copied, these stay (measured)
  if (container === 'mpegts' || container === 'm2ts') return inTransportStreams.has(word);
  return word !== 'still_image' && word !== 'dependent' && word !== 'metadata';
}

const inTransportStreams = new Set(['hearing_impaired', 'visual_impaired', 'clean_effects', 'descriptions']);

function line(stream: Stream, codec: string, dispositions: string[]): string {
  // the film itself is meant to change its codec: only its names are compared here
  const words = kindOf(stream) === 'film' ? [] : [codecName(codec)];
  if (stream.kind === 'audio') words.push(...audioWords(stream));
  if (stream.kind === 'attachment') words.push(...attachmentWords(stream));
  else if (!isPicture(stream))
    words.push(languageName(sameLanguage(stream.language) ?? ''), stream.title ? `“${stream.title.trim()}”` : '');
  else if (stream.kind === 'video') words.push(`${stream.width}×${stream.height}`);
  return [...words, ...dispositions].filter((word) => word !== '').join(' · ');
}

function audioWords(stream: AudioStream): string[] {
  return [
    stream.channels === 1 ? 'mono' : stream.channels === 2 ? 'stereo' : `${stream.channels} channels`,
    stream.sampleRate ? `${stream.sampleRate} Hz` : '',
  ];
}

function attachmentWords(stream: AttachmentStream): string[] {
  return [stream.fileName ?? '', stream.mimeType ?? ''];
}

/** Titles and times; a time may move by one frame, and with the start of the file where that moved to zero. */
export function sameChapters(original: Probe, output: Probe, toleranceMs: number): boolean {
  if (original.chapters.length !== output.chapters.length) return false;
  const shift = original.startMs - output.startMs;
  return original.chapters.every((chapter, at) => {
    const other = output.chapters[at]!;
    const near = (a: number, b: number) => Math.abs(a - b) <= toleranceMs || Math.abs(a - shift - b) <= toleranceMs;
    const lastOne = at === original.chapters.length - 1;
    return (
      (chapter.title ?? '').trim() === (other.title ?? '').trim() &&
      near(chapter.startMs, other.startMs) &&
      (lastOne || near(chapter.endMs, other.endMs))
    );
  });
}

export function chapterWords(chapters: Chapter[]): string {
  if (chapters.length === 0) return 'none';
  const last = chapters.at(-1)!;
  return `${chapters.length}, the last at ${(last.startMs / 1000).toFixed(2)} s${last.title ? ` “${last.title.slice(0, 60)}”` : ''}`;
}

/** What the file says about itself and a person would miss, by lower-case name. */
export function wantedTags(tags: Tags): Map<string, string> {
  const wanted = new Map<string, string>();
  for (const [name, value] of Object.entries(tags)) {
    const lower = name.toLowerCase();
    if (kept.has(lower) && value.trim() !== '') wanted.set(lower, value.trim());
  }
  return wanted;
}

const kept = new Set([
  'title',
  'artist',
  'album',
  'album_artist',
  'date',
  'comment',
  'description',
  'synopsis',
  'show',
  'episode_id',
  'season_number',
  'episode_sort',
  'network',
  'genre',
  'copyright',
  'composer',
  'director',
  'location',
]);

/** Values of a film stream that decide how it looks, in words; "not told" and the value players assume then are the same. */
export function colorWords(color: Color): string[] {
  const said = [color.primaries, color.transfer, color.space].map(told);
  return [
    ...(new Set(said).size === 1 ? said.slice(0, 1) : said),
    color.range === 'pc' || color.range === 'full' ? 'full range' : 'limited range',
  ];
}

function told(value: string | null): string {
  return value === null || value === '' || value === 'unknown' || value === 'unspecified' || value === 'reserved' ? 'not told' : value;
}

export function hdrWords(hdr: Hdr | null): string[] {
  if (!hdr) return ['none'];
  return [hdr.kind, hdr.masteringDisplay ?? 'no mastering display', hdr.contentLight ?? 'no light levels'];
}

export function geometryWords(film: VideoStream): string[] {
  return [
    `${film.width}×${film.height}`,
    `pixels ${aspect(film.sampleAspectRatio)}`,
    `turned ${film.rotation}°`,
    ...(film.tags['stereo_mode'] && film.tags['stereo_mode'] !== 'mono' ? [film.tags['stereo_mode']] : []),
  ];
}

/** To a hundredth: Matroska stores the shape as display width and height and rounds them. */
function aspect(ratio: string | null): string {
  const [width, height] = (ratio ?? '1:1').split(/[:/]/).map(Number);
  return width && height ? (width / height).toFixed(2) : '1.00';
}
