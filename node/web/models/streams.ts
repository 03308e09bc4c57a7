import { filmStreams, type Probe, type Stream } from '../../core/media.ts';
import type { StreamPlan, WorkPlan } from '../../core/plan.ts';
import { containerName, languageName } from '../../core/names.ts';
import { sentence } from '../../core/reasons.ts';
import { bitrate, clock, codec as codecName, plural, savingPercent, size } from '../format.ts';
import { shareWords } from './shares.ts';

/** One line of the table on the job and file pages: a stream of the original, or a fact of the whole file. */
export interface StreamRow {
  what: string;
  before: string;
  /** bit rate, size and share of the file, where known */
  beforeSize: string;
  /** the new file's, or until there is one what is planned */
  after: string;
  afterSize: string;
  fate: Fate;
  note: string | null;
}

/** What becomes of a stream, in words beside a mark, never by colour alone. */
export interface Fate {
  word: string;
  icon: 'check' | 'arrow-right' | 'x' | 'triangle-alert' | '';
  tone: 'ok' | 'won' | 'heed' | 'bad' | 'dim';
}

const fates = {
  none: { word: '', icon: '', tone: 'dim' },
  willStay: { word: 'stays as it is', icon: 'check', tone: 'dim' },
  willEncode: { word: 'will be encoded', icon: 'arrow-right', tone: 'dim' },
  willConvert: { word: 'will be converted', icon: 'arrow-right', tone: 'heed' },
  willGo: { word: 'will be left out', icon: 'x', tone: 'heed' },
  kept: { word: 'kept', icon: 'check', tone: 'ok' },
  encoded: { word: 'encoded', icon: 'arrow-right', tone: 'won' },
  converted: { word: 'converted', icon: 'arrow-right', tone: 'heed' },
  leftOut: { word: 'left out', icon: 'x', tone: 'heed' },
  changed: { word: 'changed', icon: 'triangle-alert', tone: 'heed' },
  missing: { word: 'missing', icon: 'x', tone: 'bad' },
} as const satisfies Record<string, Fate>;

const kinds = { video: 'Video', audio: 'Audio', subtitle: 'Subtitles', attachment: 'Attachment', data: 'Data' } as const;

/**
 * A file, what is planned for each of its streams and, once there is a new file, what became of them. Streams of the new
 * file are told by their place: the plan lists every kept source stream in output order.
 */
export function streamRows(before: Probe | null, plan: WorkPlan | null, after: Probe | null): StreamRow[] {
  if (!before) return [];
  const inFileOrder = before.streams.toSorted((a, b) => a.index - b.index);
  return [...factRows(before, plan, after), ...inFileOrder.map((stream) => streamRow(stream, before, plan, after))];
}

function streamRow(stream: Stream, before: Probe, plan: WorkPlan | null, after: Probe | null): StreamRow {
  const place = plan ? plan.streams.findIndex((s) => s.index === stream.index) : -1;
  const planned = plan?.streams[place];
  const was = describeStream(stream);
  const base = { what: `${kinds[stream.kind] ?? 'Stream'} ${stream.index}`, before: was, beforeSize: shareWords(stream, before) };
  if (!plan) return { ...base, after: '', afterSize: '', fate: fates.none, note: null };
  if (!planned) {
    const dropped = plan.dropped.find((d) => d.index === stream.index);
    const note = dropped ? sentence(dropped.reason) : null;
    return { ...base, after: '', afterSize: '', fate: after ? fates.leftOut : fates.willGo, note };
  }
  const made = after?.streams[place];
  const now = made ? describeStream(made) : after ? '' : plannedWords(planned, plan, stream);
  return {
    ...base,
    after: now,
    afterSize: made && after ? shareWords(made, after) : '',
    fate: after ? (made ? becameOf(planned, was, now) : fates.missing) : willBe(planned),
    note: planned.note ? sentence(planned.note) : null,
  };
}

function plannedWords(planned: StreamPlan, plan: WorkPlan, stream: Stream): string {
  if (planned.action === 'copy') return describeStream(stream);
  if (planned.action === 'convert') return codecName(planned.codec);
  const parts = [codecName(planned.codec)];
  if (plan.video) parts.push(`${plan.video.bitDepth} bit`);
  if (plan.video?.deinterlace && stream.kind === 'video') parts.push('deinterlaced');
  return parts.join(' · ');
}

function willBe({ action }: StreamPlan): Fate {
  return action === 'copy' ? fates.willStay : action === 'encode' ? fates.willEncode : fates.willConvert;
}

function becameOf({ action }: StreamPlan, before: string, after: string): Fate {
  if (action === 'encode') return fates.encoded;
  if (action === 'convert') return fates.converted;
  return before === after ? fates.kept : fates.changed;
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

/** How a fact of the whole file may differ: not at all, as planned, or as the new file's wish. */
type MayChange = 'never' | 'as planned';

function factRows(before: Probe, plan: WorkPlan | null, after: Probe | null): StreamRow[] {
  const row = (what: string, value: (p: Probe) => string, planned: string, may: MayChange, note: string | null = null): StreamRow => {
    const was = value(before);
    const now = after ? value(after) : plan ? planned : '';
    return { what, before: was, beforeSize: '', after: now, afterSize: '', fate: factFate(was, now, plan, after, may), note };
  };
  const attachments = (p: Probe): number => p.streams.filter((s) => s.kind === 'attachment').length;
  const same = (value: (p: Probe) => string): string => value(before);
  const why = plan?.notes?.[0] && plan.container !== before.container ? sentence(plan.notes[0]) : null;
  const rows = [
    row('Container', (p) => containerName(p.container), plan ? containerName(plan.container) : '', 'as planned', why),
    row('Length', lengthWords, same(lengthWords), 'never'),
    sizeRow(
      row('Size', (p) => size(p.sizeBytes), plan ? `about ${size(plan.expectedBytes)}` : '', 'as planned'),
      before,
      after,
    ),
    row('Bit rate', (p) => (p.bitrate === null ? 'unknown' : bitrate(p.bitrate)), '', 'as planned'),
    row('HDR', hdrWords, same(hdrWords), 'never'),
    row('Chapters', (p) => chapterWords(p), chapterWords(before), 'never'),
  ];
  if (attachments(before) > 0 || (after && attachments(after) > 0))
    rows.push(row('Attachments', (p) => plural(attachments(p), 'file'), plural(attachments(before), 'file'), 'never'));
  return rows;
}

function sizeRow(row: StreamRow, before: Probe, after: Probe | null): StreamRow {
  if (!after || after.sizeBytes === before.sizeBytes) return row;
  const smaller = after.sizeBytes < before.sizeBytes;
  return { ...row, fate: { word: savingPercent(before.sizeBytes, after.sizeBytes), icon: '', tone: smaller ? 'won' : 'heed' } };
}

function factFate(was: string, now: string, plan: WorkPlan | null, after: Probe | null, may: MayChange): Fate {
  if ((!plan && !after) || (was === 'none' && now === 'none')) return fates.none;
  if (was === now) return after ? fates.kept : fates.willStay;
  if (may === 'as planned') return fates.none;
  return after ? fates.changed : fates.none;
}

function lengthWords(probe: Probe): string {
  return probe.durationMs === null ? 'unknown' : clock(probe.durationMs);
}

function chapterWords(probe: Probe): string {
  return probe.chapters.length === 0 ? 'none' : String(probe.chapters.length);
}

function hdrWords(probe: Probe): string {
  const hdr = filmStreams(probe)[0]?.hdr;
  if (!hdr) return 'none';
  const light = hdr.contentLight ? `${hdr.contentLight.replace(',', ' / ')} cd/m²` : null;
  return [hdrWord(hdr.kind), hdr.masteringDisplay && 'mastering display', light].filter(Boolean).join(' · ');
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
