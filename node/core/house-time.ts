/**
 * The clock of the house: local times in a named time zone, with summer time. Everything here is asked with a moment and tells of
 * a local clock; nothing adds 24 hours and believes that it is the same time tomorrow.
 */
export interface LocalTime {
  /** "2026-11-30" */
  day: string;
  /** 0…1439 */
  minute: number;
}

export function localTime(atMs: number, timeZone: string): LocalTime {
  const parts = Object.fromEntries(
    formatter(timeZone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, value]),
  );
  return { day: `${parts['year']}-${parts['month']}-${parts['day']}`, minute: Number(parts['hour']) * 60 + Number(parts['minute']) };
}

/** "Europe/Berlin", and no offset or abbreviation, which knows no summer time. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(name) || name.length > 60) return false;
  try {
    formatter(name);
    return true;
  } catch {
    return false;
  }
}

/** "22:00" as a minute of the day. */
export function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));
}

/** Is the local clock between these two times? They may lie around midnight. The end does not belong to it. */
export function isBetween(atMs: number, hours: { from: string; until: string }, timeZone: string): boolean {
  const { minute } = localTime(atMs, timeZone);
  const [from, until] = [minuteOf(hours.from), minuteOf(hours.until)];
  return from < until ? minute >= from && minute < until : minute >= from || minute < until;
}

const MINUTE_MS = 60_000;
/** A night is at most a day and the hour that the clock goes back. */
const MOST_MINUTES = 25 * 60;

/**
 * When these hours are over, as a moment; null when it is not within them. Looked for minute by minute on the local clock: a time
 * that does not exist on the last Sunday of March, or comes twice in October, needs no rule of its own then.
 */
export function betweenUntil(atMs: number, hours: { from: string; until: string }, timeZone: string): number | null {
  if (!isBetween(atMs, hours, timeZone)) return null;
  const begun = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  for (let minutes = 1; minutes <= MOST_MINUTES; minutes++) {
    const moment = begun + minutes * MINUTE_MS;
    if (!isBetween(moment, hours, timeZone)) return moment;
  }
  return begun + MOST_MINUTES * MINUTE_MS;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Making one costs a thousand times as much as using it. */
function formatter(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  if (formatters.size > 50) formatters.clear();
  formatters.set(timeZone, made);
  return made;
}
