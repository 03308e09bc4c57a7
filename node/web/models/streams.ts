import type { Probe, Stream } from '../../core/media.ts';
import type { WorkPlan } from '../../core/plan.ts';
import { containerName, languageName } from '../../core/names.ts';
import { sentence } from '../../core/reasons.ts';
import { bitrate, clock, codec as codecName, size } from '../format.ts';

/** One line of the table "original · planned · new file" on the job and file pages. */
export interface StreamRow {
  what: string;
  before: string;
  planned: string;
  after: string | null;
  /** said in words beside the mark, never by colour alone */
  verdict: 'same' | 'encoded' | 'changed' | 'dropped' | 'none';
  note: string | null;
}

const kinds = { video: 'Video', audio: 'Audio', subtitle: 'Subtitles', attachment: 'Attachment', data: 'Data' } as const;

/**
 * Compares a file with what is planned for it and, once there is one, with the new file. Streams of the new file are
 * told by their place: the plan lists every kept source stream in output order.
 */
export function streamRows(before: Probe | null, plan: WorkPlan | null, after: Probe | null): StreamRow[] {
  if (!before) return [];
  return [...factRows(before, plan, after), ...before.streams.map((stream) => streamRow(stream, plan, after))];
}

function streamRow(stream: Stream, plan: WorkPlan | null, after: Probe | null): StreamRow {
  const place = plan ? plan.streams.findIndex((s) => s.index === stream.index) : -1;
  const planned = plan?.streams[place];
  const base = { what: `${kinds[stream.kind] ?? 'Stream'} ${stream.index}`, before: describeStream(stream) };
  if (!plan) return { ...base, planned: '', after: null, verdict: 'none', note: null };
  if (!planned) {
    const dropped = plan.dropped.find((d) => d.index === stream.index);
    return {
      ...base,
      planned: 'left out',
      after: after && 'left out',
      verdict: 'dropped',
      note: dropped ? sentence(dropped.reason) : null,
    };
  }
  const result = after?.streams[place];
  const now = after ? (result ? describeStream(result) : 'missing') : null;
  return {
    ...base,
    planned: plannedWords(planned.action, planned.codec, plan, stream),
    after: now,
    verdict: verdictOf(planned.action, base.before, now),
    note: planned.note ? sentence(planned.note) : null,
  };
}

function plannedWords(action: 'encode' | 'copy' | 'convert', codec: string, plan: WorkPlan, stream: Stream): string {
  if (action === 'copy') return 'copied as it is';
  if (action === 'convert') return `converted to ${codecName(codec)}`;
  const parts = [codecName(codec)];
  if (plan.video) parts.push(`${plan.video.bitDepth} bit`);
  if (plan.video?.deinterlace && stream.kind === 'video') parts.push('deinterlaced');
  return parts.join(' · ');
}

function verdictOf(action: 'encode' | 'copy' | 'convert', before: string, after: string | null): StreamRow['verdict'] {
  if (action === 'encode') return 'encoded';
  if (action === 'convert') return 'changed';
  if (after === null) return 'none';
  return before === after ? 'same' : 'changed';
}

/** A stream in one line: what a person tells streams apart by, nothing that changes by merely copying it. */
export function describeStream(stream: Stream): string {
  const parts: (string | number | null | undefined | false)[] = [codecName(stream.codec)];
  if (stream.kind === 'video') {
    parts.push(`${stream.width}×${stream.height}`, `${stream.bitDepth} bit`, stream.frameRate && `${round(stream.frameRate, 3)} fps`);
    parts.push(
      stream.hdr && hdrWord(stream.hdr.kind),
      interlaced(stream.fieldOrder) && 'interlaced',
      stream.rotation ? `rotated ${stream.rotation}°` : null,
    );
    parts.push(stream.disposition.includes('attached_pic') && 'cover picture');
  }
  if (stream.kind === 'audio')
    parts.push(channelWord(stream.channels, stream.channelLayout), stream.sampleRate && `${round(stream.sampleRate / 1000, 1)} kHz`);
  if (stream.kind === 'attachment') parts.push(stream.fileName, stream.mimeType);
  parts.push(stream.language && stream.language !== 'und' && languageName(stream.language), stream.title && `“${stream.title}”`);
  for (const mark of ['default', 'forced', 'comment', 'hearing_impaired'] as const) {
    if (stream.disposition.includes(mark)) parts.push(mark.replace('_', ' '));
  }
  return parts.filter(Boolean).join(' · ');
}

function factRows(before: Probe, plan: WorkPlan | null, after: Probe | null): StreamRow[] {
  const film = plan?.video !== null && plan?.video !== undefined;
  const row = (what: string, value: (p: Probe) => string, planned: string, mayChange: boolean): StreamRow => {
    const was = value(before);
    const is = after && value(after);
    const verdict = is === null ? 'none' : is === was ? 'same' : mayChange ? 'encoded' : 'changed';
    return { what, before: was, planned, after: is, verdict, note: null };
  };
  return [
    row('Container', (p) => containerName(p.container), plan ? containerName(plan.container) : '', true),
    row('Length', (p) => (p.durationMs === null ? 'unknown' : clock(p.durationMs)), plan ? 'the same' : '', false),
    row('Bit rate', (p) => (p.bitrate === null ? 'unknown' : bitrate(p.bitrate)), '', film),
    row('Chapters', (p) => String(p.chapters.length), plan ? 'the same' : '', false),
    row('Size', (p) => size(p.sizeBytes), plan ? `about ${size(plan.expectedBytes)}` : '', true),
  ];
}

export function hdrWord(kind: string): string {
  return { hdr10: 'HDR10', hlg: 'HLG', hdr10plus: 'HDR10+', 'dolby-vision': 'Dolby Vision' }[kind] ?? kind;
}

function interlaced(order: string): boolean {
  return order !== 'progressive' && order !== 'unknown';
}

function channelWord(channels: number, layout: string | null): string {
  const simple: Record<number, string> = { 1: 'mono', 2: 'stereo', 6: '5.1', 8: '7.1' };
  return simple[channels] ?? layout ?? `${channels} channels`;
}

function round(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
