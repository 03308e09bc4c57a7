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
