/**
 * How often one library is looked through: as the setting says (`{}`), every so many minutes, or once a day at an hour of
 * the coordinator's clock. `{ everyMinutes: 0 }` means only when a person asks.
 */
export type ScanSchedule = Record<string, never> | { everyMinutes: number } | { atHour: number };

const MAX_MINUTES = 10_080;

/** What was stored or sent, judged; null when it is none. Left-over fields are refused, so that a typing error is no wish. */
export function parseSchedule(value: unknown): ScanSchedule | null {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  const [entry, ...more] = Object.entries(value);
  if (!entry) return {};
  const [key, n] = entry;
  if (more.length > 0 || !Number.isSafeInteger(n)) return null;
  if (key === 'everyMinutes' && n >= 0 && n <= MAX_MINUTES) return { everyMinutes: n };
  return key === 'atHour' && n >= 0 && n <= 23 ? { atHour: n } : null;
}

export interface ScanClock {
  /** milliseconds since 1970 */
  now: number;
  /** what local time is ahead of UTC, milliseconds */
  offsetMs: number;
  /** of the setting; 0: only when a person asks */
  defaultMinutes: number;
}

/**
 * Is a scan due? A library that was never scanned always is. At an hour: once after that hour began, also when nobody was
 * there at the hour itself.
 */
export function isScanDue(schedule: ScanSchedule, lastScanAt: number | null, clock: ScanClock): boolean {
  if (lastScanAt === null) return true;
  if ('atHour' in schedule && schedule.atHour !== undefined) return lastScanAt < lastTimeAt(schedule.atHour, clock);
  const every = 'everyMinutes' in schedule && schedule.everyMinutes !== undefined ? schedule.everyMinutes : clock.defaultMinutes;
  return every > 0 && clock.now - lastScanAt >= every * 60_000;
}

/** When it was this hour of the day the last time. */
function lastTimeAt(hour: number, { now, offsetMs }: ScanClock): number {
  const day = 86_400_000;
  const today = Math.floor((now + offsetMs) / day) * day - offsetMs + hour * 3_600_000;
  return today <= now ? today : today - day;
}
