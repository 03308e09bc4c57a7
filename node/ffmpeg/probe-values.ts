/**
 * ffprobe's JSON, and the ways in which a value of it is read. Every value comes from the file: any may be missing, of another
 * type, endless or absurd. So none of these throws, and what is not sane reads as nothing.
 */
export type Json = Record<string, unknown>;

const MAX_TEXT = 500;

/** an object, empty where it is none */
export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** its entries, each as an object; none where it is no list */
export function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

/** null where it is no text, or empty */
export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? short(value) : null;
}

/** At most 500 characters. PostgreSQL stores no NUL and no half a character. */
export function short(value: string): string {
  return value.replaceAll('\0', '').slice(0, MAX_TEXT).toWellFormed();
}

/** ffprobe writes most numbers as text. Beyond what is exact it is none */
export function number(value: unknown): number | null {
  if (value === null || value === undefined || value === '') return null;
  const n = typeof value === 'number' ? value : typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isFinite(n) && Math.abs(n) <= Number.MAX_SAFE_INTEGER ? n : null;
}

/** zero and less mean: not known */
export function positive(value: number | null): number | null {
  return value !== null && value > 0 ? value : null;
}

/** of seconds */
export function milliseconds(value: unknown): number | null {
  const seconds = number(value);
  return seconds === null ? null : Math.round(seconds * 1000);
}

/** "30000/1001" → 29.97…; "0/0" → null */
export function rate(value: unknown): number | null {
  const [top, bottom] = (text(value) ?? '').split('/').map(Number);
  const fps = (top ?? 0) / (bottom ?? 1);
  return Number.isFinite(fps) && fps > 0 ? fps : null;
}
