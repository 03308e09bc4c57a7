/**
 * What PostgreSQL cannot hold is replaced before it is sent: file names, tags and ffmpeg's output are hostile, and one
 * NUL or half a surrogate pair would otherwise refuse a whole batch (22021, 22P05).
 */
export function text(value: string): string;
export function text(value: string | null): string | null;
export function text(value: string | null): string | null {
  return value === null ? null : value.toWellFormed().replaceAll('\0', '\ufffd');
}

/** A value as a jsonb parameter; `null` stays SQL's null. */
export function json(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'string' ? text(inner) : inner));
}

/** The last part of a long text, in characters, cleaned: for stderr. */
export function tail(value: string | null, characters: number): string | null {
  return value === null ? null : text(value.slice(-characters));
}

/**
 * A whole number to be written into the SQL itself. LIMIT must never be a parameter: a generic plan then assumes a tenth
 * of the table and leaves the index (measured: 7.0 ms instead of 1.9 ms at a million rows).
 */
export function limit(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 1 || value > max) throw new RangeError(`a limit must be 1 to ${max}, not ${value}`);
  return value;
}
