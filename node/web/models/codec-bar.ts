import type { Segment } from '../charts.ts';
import { codec as codecWord } from '../format.ts';

/** One coloured length of a library's bar, with its line in the legend. */
export interface BarPart extends Segment {
  label: string;
  files: number;
}

export interface CodecCount {
  status: string;
  codec: string;
  files: number;
  bytes: number;
  originalBytes: number;
}

export interface CodecBar {
  parts: BarPart[];
  /** the bar's whole length: the library before CodecShift */
  total: number;
  reclaimedBytes: number;
}

const order: BarPart['tone'][] = ['jade', 'blue', 'amber', 'mauve', 'grey', 'free'];

/**
 * The library bar: its full length is the library before CodecShift, coloured by codec; what was won back is the
 * hatched end.
 */
export function codecBar(counts: readonly CodecCount[]): CodecBar {
  const parts = new Map<string, BarPart>();
  let reclaimed = 0;
  for (const count of counts) {
    if (count.status === 'missing' || count.files <= 0) continue;
    const { tone, label } = familyOf(count);
    const part = parts.get(label) ?? { tone, label, value: 0, files: 0 };
    parts.set(label, { ...part, value: part.value + Math.max(0, count.bytes), files: part.files + count.files });
    reclaimed += Math.max(0, count.originalBytes - count.bytes);
  }
  const list = [...parts.values()].sort((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone) || b.value - a.value);
  if (reclaimed > 0) list.push({ tone: 'free', label: 'Reclaimed', value: reclaimed, files: 0 });
  return { parts: list, total: list.reduce((sum, part) => sum + part.value, 0), reclaimedBytes: reclaimed };
}

function familyOf(count: CodecCount): Pick<BarPart, 'tone' | 'label'> {
  if (count.codec === '') return { tone: 'grey', label: 'Not looked at yet' };
  // converted by us and HEVC before are one colour: the counters hold their sum, and a guess would be a lie
  if (count.codec === 'hevc') return { tone: 'jade', label: 'HEVC' };
  if (['av1', 'vp9', 'vvc'].includes(count.codec)) return { tone: 'blue', label: codecWord(count.codec) };
  if (count.codec === 'h264') return { tone: 'amber', label: 'H.264' };
  return { tone: 'mauve', label: 'Older formats' };
}
