import { visibleName } from '../core/visible-name.ts';

/**
 * Reads what servers say, which is typed loosely: numbers as text, flags as 1 or "1", lists that are missing when they are
 * empty. What is not there or not sensible is null or empty; nothing in here throws.
 */
export type Loose = Record<string, unknown>;

export function record(value: unknown): Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : {};
}

export function list(value: unknown): Loose[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null).map(record) : [];
}

/** Also of a number; null when empty or longer than `most`. */
export function text(value: unknown, most = 4096): string | null {
  const said = typeof value === 'number' ? String(value) : value;
  return typeof said === 'string' && said !== '' && said.length <= most ? said : null;
}

/** What a person reads: cut instead of refused, with whatever hides in it or turns the line round made visible. */
export function words(value: unknown, most = 200): string {
  if (typeof value !== 'string' && typeof value !== 'number') return '';
  return visibleName([...String(value).trim()].slice(0, most).join(''), most);
}

/** A whole number from 0 that JavaScript counts exactly. */
export function whole(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

export function flag(value: unknown): boolean {
  return value === true || value === 1 || value === '1' || value === 'true';
}

/** "2019-06-17T20:03:15.0000000Z" in milliseconds since 1970. */
export function instant(value: unknown): number | null {
  const at = typeof value === 'string' && value.length < 40 ? Date.parse(value) : NaN;
  return Number.isFinite(at) ? at : null;
}

export function two(number: number): string {
  return String(number).padStart(2, '0');
}
