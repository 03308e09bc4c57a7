import type { Segment } from '../charts.ts';
import { size } from '../format.ts';
import { sum, type FileCell } from './file-cells.ts';

/** The bar of the Overview: what every file was, is and will be, as one length. */
export interface LibraryBarView {
  segments: (Segment & { label: string; text: string })[];
  total: number;
  /** where the size now and the size in the end lie, in percent of the bar */
  nowAt: number;
  nowText: string;
  doneAt: number | null;
  doneText: string;
  /** where the two words above the bar stand, in percent, and on which side of it; they never cover each other */
  words: { done: number; doneLeft: boolean; now: number; nowRight: boolean };
  sentence: string;
}

export interface LibraryBarPart {
  bar: LibraryBarView;
}

/** The whole length is the library before CodecShift; what was won back is the hatched end. */
export function libraryBar(cells: readonly FileCell[]): LibraryBarView {
  const sums = groups.map(() => 0);
  for (const cell of cells) sums[groups.findIndex((g) => g.of(cell))]! += cell.bytes;
  const now = sum(cells, (c) => c.bytes);
  const won = Math.max(
    0,
    sum(cells, (c) => c.originalBytes - c.bytes),
  );
  const end = sum(cells, (c) => (c.status === 'queued' ? Math.min(c.expectedBytes, c.bytes) : c.bytes));
  const total = now + won;
  const segments: LibraryBarView['segments'] = groups
    .map((group, i) => ({ tone: group.tone as Segment['tone'], label: group.label, value: sums[i]!, text: size(sums[i]!) }))
    .filter((s) => s.value > 0);
  if (won > 0) segments.push({ tone: 'free', label: 'Reclaimed', value: won, text: size(won) });
  const shrinks = end < now * 0.995 && total > 0;
  const nowAt = total === 0 ? 0 : (now / total) * 100;
  const doneAt = shrinks ? (end / total) * 100 : null;
  return {
    segments,
    total,
    nowAt,
    nowText: `${size(now)} now`,
    doneAt,
    doneText: `${size(end)} when finished`,
    words: wordPlaces(doneAt, nowAt),
    sentence: `Library of ${size(total)} before CodecShift: ${segments.map((s) => `${s.label} ${s.text}`).join(', ')}.${shrinks ? ` Expected ${size(end)} when finished.` : ''}`,
  };
}

const groups = [
  { tone: 'jade', label: 'Converted', of: (c: FileCell) => c.status === 'done' },
  {
    tone: 'blue',
    label: 'Efficient already',
    of: (c: FileCell) => c.status !== 'queued' && c.status !== 'resting' && ['hevc', 'av1', 'vp9', 'vvc'].includes(c.codec),
  },
  { tone: 'amber', label: 'H.264, waiting', of: (c: FileCell) => c.status === 'queued' && c.codec === 'h264' },
  { tone: 'mauve', label: 'Older formats, waiting', of: (c: FileCell) => c.status === 'queued' },
  { tone: 'grey', label: 'Only looked at, nothing is converted', of: (c: FileCell) => c.status === 'resting' },
  { tone: 'grey', label: 'Not looked at yet', of: (c: FileCell) => c.status === 'new' || c.status === 'settling' },
  { tone: 'grey', label: 'Left as they are', of: () => true },
] as const;

/** What a word needs of the bar on a tablet, in percent; a phone has them above and below it. */
const WORD = 20;

function wordPlaces(doneAt: number | null, nowAt: number): LibraryBarView['words'] {
  if (doneAt === null || nowAt - doneAt > 2 * WORD) return { done: doneAt ?? 0, doneLeft: false, now: nowAt, nowRight: nowAt < WORD };
  if (doneAt < WORD) return { done: doneAt, doneLeft: false, now: Math.max(nowAt, doneAt + 1.5 * WORD), nowRight: true };
  if (nowAt <= 100 - WORD) return { done: doneAt, doneLeft: true, now: nowAt, nowRight: true };
  return { done: Math.min(doneAt, nowAt - WORD), doneLeft: true, now: nowAt, nowRight: false };
}
