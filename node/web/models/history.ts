import type { Bar } from '../charts.ts';
import { day, plural, size } from '../format.ts';

export interface DayTotal {
  /** local day, "2026-11-22" */
  day: string;
  replaced: number;
  kept: number;
  failed: number;
  bytesIn: number;
  bytesOut: number;
}

export interface HistoryTotals {
  replaced: number;
  kept: number;
  failed: number;
  bytesIn: number;
  bytesOut: number;
  reclaimed: number;
}

export interface HistoryChart {
  bars: Bar[];
  days: { date: Date; reclaimed: number; replaced: number }[];
  first: string;
  last: string;
  /** the finding in one sentence, also for those who do not see the bars */
  sentence: string;
}

/** The days of a range, without gaps, the last one today and still open. */
export function dailyChart(rows: readonly DayTotal[], days: number, now: Date): HistoryChart {
  const byDay = new Map<string, { reclaimed: number; replaced: number }>();
  for (const row of rows) {
    const known = byDay.get(row.day) ?? { reclaimed: 0, replaced: 0 };
    byDay.set(row.day, { reclaimed: known.reclaimed + Math.max(0, row.bytesIn - row.bytesOut), replaced: known.replaced + row.replaced });
  }
  const list = Array.from({ length: days }, (_, i) => {
    const [year, month, dayOfMonth] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() - (days - 1 - i)];
    const key = new Date(Date.UTC(year, month, dayOfMonth)).toISOString().slice(0, 10);
    // the books count days of UTC, and a page says a day in the zone of its machine: noon there is called the same in both
    return { date: new Date(year, month, dayOfMonth, 12), ...(byDay.get(key) ?? { reclaimed: 0, replaced: 0 }) };
  });
  return {
    bars: list.map((d, i) => ({ value: d.reclaimed, open: i === days - 1 })),
    days: list,
    first: list[0] ? day(list[0].date) : '',
    last: 'today',
    sentence: chartSentence(list, days),
  };
}

function chartSentence(list: HistoryChart['days'], days: number): string {
  const total = list.reduce((sum, d) => sum + d.reclaimed, 0);
  const files = list.reduce((sum, d) => sum + d.replaced, 0);
  if (files === 0) return `No file was replaced in the last ${days} days.`;
  const best = list.reduce((a, b) => (b.reclaimed > a.reclaimed ? b : a));
  const active = list.filter((d) => d.replaced > 0).length;
  const words = `${size(total)} reclaimed from ${plural(files, 'file')} in the last ${days} days`;
  return active > 1 ? `${words}, most of it on ${day(best.date)} with ${size(best.reclaimed)}.` : `${words}.`;
}
