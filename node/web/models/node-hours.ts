import { describeWindows, minuteOfWeek, opensAt, opensInMinutes } from '../../core/hours.ts';
import type { Window } from '../../core/node-wishes.ts';

/** Monday first, as a week is read; the numbers are those of `Window`. */
export const weekDays: readonly { day: number; short: string; long: string }[] = [
  { day: 1, short: 'Mon', long: 'Monday' },
  { day: 2, short: 'Tue', long: 'Tuesday' },
  { day: 3, short: 'Wed', long: 'Wednesday' },
  { day: 4, short: 'Thu', long: 'Thursday' },
  { day: 5, short: 'Fri', long: 'Friday' },
  { day: 6, short: 'Sat', long: 'Saturday' },
  { day: 0, short: 'Sun', long: 'Sunday' },
];

/** "Resting until 22:00", "Resting until Mon 22:00"; '' while it may begin work. By the node's own clock. */
export function restUntil(schedule: readonly Window[], utcOffset: number | null, now: Date): string {
  const minute = minuteOfWeek(now.getTime(), utcOffset ?? 0);
  const opens = opensAt(schedule, minute);
  if (opens === null) return '';
  const soon = (opensInMinutes(schedule, minute) ?? 0) < 24 * 60;
  return `Resting until ${soon ? opens.slice(4) : opens}`;
}

/** "Mon–Fri 22:00–07:00; Sat–Sun all day" */
export function hoursInWords(schedule: readonly Window[]): string {
  const words = describeWindows(schedule).replaceAll('-', '–');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
