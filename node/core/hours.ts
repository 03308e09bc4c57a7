import type { Window } from './node-wishes.ts';

/**
 * Hours of the week in which a node may begin work, by its own clock. A minute of the week counts from Sunday 00:00.
 * Windows may pass midnight and, on Saturday night, the end of the week; none at all means always.
 */
export function isOpen(windows: readonly Window[], minuteOfWeek: number): boolean {
  return windows.length === 0 || windows.some((w) => starts(w).some((start) => since(start, minuteOfWeek) < lengthOf(w)));
}

/** Share of the week in which it is open, 0…1; windows that overlap count once. */
export function openShare(windows: readonly Window[]): number {
  if (windows.length === 0) return 1;
  const spans = windows.flatMap((w) => starts(w).map((start) => ({ from: start, to: start + lengthOf(w) })));
  // what passes the end of the week goes on at its beginning
  const inside = spans.flatMap(({ from, to }) =>
    to > WEEK
      ? [
          { from, to: WEEK },
          { from: 0, to: to - WEEK },
        ]
      : [{ from, to }],
  );
  let [open, until] = [0, 0];
  for (const { from, to } of inside.toSorted((a, b) => a.from - b.from)) {
    open += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return open / WEEK;
}

/** Minutes until the next window begins; 0 while one is open, null when none ever will be. */
export function opensInMinutes(windows: readonly Window[], minuteOfWeek: number): number | null {
  if (isOpen(windows, minuteOfWeek)) return 0;
  const waits = windows.flatMap(starts).map((start) => since(minuteOfWeek, start));
  return waits.length === 0 ? null : Math.min(...waits);
}

/** "Mon 22:00": when the next window begins, in words; null while one is open, or when none ever will be. */
export function opensAt(windows: readonly Window[], minuteOfWeek: number): string | null {
  const wait = opensInMinutes(windows, minuteOfWeek);
  if (wait === null || wait === 0) return null;
  const at = (minuteOfWeek + wait) % WEEK;
  const minute = at % DAY;
  return `${dayNames[Math.floor(at / DAY)]} ${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

/** The local minute of the week of a machine whose clock is `utcOffset` minutes ahead of UTC (east is positive). */
export function minuteOfWeek(atMs: number, utcOffset: number): number {
  // 1970 began on a Thursday
  const minutes = Math.floor(atMs / 60_000) + utcOffset + 4 * DAY;
  return ((minutes % WEEK) + WEEK) % WEEK;
}

/** "Mon-Fri 22:00-07:00; Sat-Sun all day" */
export function describeWindows(windows: readonly Window[]): string {
  if (windows.length === 0) return 'always';
  return windows.map((w) => `${describeDays(w.days)} ${w.from === w.to ? 'all day' : `${w.from}-${w.to}`}`).join('; ');
}

/** Checks what a form or the API sent. All problems at once, each a sentence for the person. */
export function parseWindows(input: unknown): { windows: Window[]; problems: string[] } {
  if (!Array.isArray(input)) return { windows: [], problems: ['The hours must be a list.'] };
  if (input.length > MOST) return { windows: [], problems: [`At most ${MOST} lines of hours can be kept.`] };
  const parsed = input.map((one: unknown, i) => parseWindow(one, `Line ${i + 1}`));
  const problems = parsed.flatMap((p) => p.problems);
  return { windows: problems.length > 0 ? [] : parsed.map((p) => p.window), problems };
}

const DAY = 24 * 60;
const WEEK = 7 * DAY;
const MOST = 20;
const dayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;

function starts(window: Window): number[] {
  return window.days.map((day) => day * DAY + minuteOfDay(window.from));
}

function lengthOf({ from, to }: Window): number {
  const length = minuteOfDay(to) - minuteOfDay(from);
  return length > 0 ? length : length + DAY;
}

/** Minutes from one moment of the week to a later one, round the end of the week. */
function since(from: number, to: number): number {
  return (to - from + WEEK) % WEEK;
}

function minuteOfDay(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));
}

function parseWindow(input: unknown, line: string): { window: Window; problems: string[] } {
  const { days: someDays, from, to } = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>;
  const days = Array.isArray(someDays) ? someDays.map((day: unknown) => (typeof day === 'string' && day !== '' ? Number(day) : day)) : [];
  const problems = [
    ...(days.length > 0 ? [] : [`${line} names no day.`]),
    ...(days.every(isDay) ? [] : [`${line} names a day that does not exist; they are numbered 0 (Sunday) to 6.`]),
    ...(isTime(from) ? [] : [`${line} begins at no time of day; write it like 22:30.`]),
    ...(isTime(to) ? [] : [`${line} ends at no time of day; write it like 07:00.`]),
  ];
  const sorted = [...new Set(days as number[])].toSorted((a, b) => a - b);
  return { window: { days: sorted, from: from as string, to: to as string }, problems };
}

function isDay(day: unknown): day is number {
  return Number.isInteger(day) && (day as number) >= 0 && (day as number) <= 6;
}

function isTime(time: unknown): time is string {
  return typeof time === 'string' && /^([01]\d|2[0-3]):[0-5]\d$/.test(time);
}

/** Days as a person counts them, Monday first, neighbours joined. */
function describeDays(days: readonly number[]): string {
  const order = [...new Set(days.map((day) => (day + 6) % 7))].toSorted((a, b) => a - b);
  if (order.length === 7) return 'every day';
  const runs: number[][] = [];
  for (const day of order) {
    const run = runs.at(-1);
    if (run?.at(-1) === day - 1) run.push(day);
    else runs.push([day]);
  }
  const name = (day: number): string => dayNames[(day + 1) % 7]!;
  return runs.map((run) => (run.length === 1 ? name(run[0]!) : `${name(run[0]!)}-${name(run.at(-1)!)}`)).join(', ');
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
