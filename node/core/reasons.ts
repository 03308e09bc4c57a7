import { endReasons } from './end-reasons.ts';
import { fileReasons } from './file-reasons.ts';
import { containerName, codecName, languageName } from './names.ts';
import type { ReasonEntry } from './reason-entry.ts';
import { waitReasons } from './wait-reasons.ts';

/**
 * Every reason CodecShift can give, as a code with parameters. A code is stored in PostgreSQL and in messages; the
 * sentence is made from it by `sentence()` at the moment it is shown, so that words can improve without a migration.
 *
 * The list is closed (the tables below). A code that this version does not know, from a newer node or an older row,
 * still shows as readable words and never throws.
 */
export interface Reason {
  code: ReasonCode;
  /** plain values for the sentence; strings are untrusted (file names, ffmpeg output) and are escaped where shown */
  params?: Record<string, string | number>;
}

export type ReasonCode = keyof typeof reasonTable;

/**
 * The closed list. Add to one of the tables first; never rename a code (rows keep it for years), never reuse one. Sentences
 * say what was found and, where it matters, what happens next.
 */
const reasonTable = { ...fileReasons, ...waitReasons, ...endReasons };

export const reasonCodes = Object.keys(reasonTable) as ReasonCode[];

export function isReasonCode(code: unknown): code is ReasonCode {
  return typeof code === 'string' && Object.hasOwn(reasonTable, code);
}

/** The whole entry; for an unknown code a harmless one, so that callers need no special case. */
export function reasonEntry(code: string): ReasonEntry {
  if (isReasonCode(code)) return reasonTable[code];
  const words = plain(code.replaceAll('-', ' '), 60) || 'unknown';
  const label = words[0]?.toUpperCase() + words.slice(1);
  return {
    kind: 'note',
    label,
    sentence: `${label}. (This version of CodecShift has no better words for it.)`,
    retry: false,
    profile: null,
    setting: null,
  };
}

/** What a person reads. Plain text: escape it where it is shown. */
export function sentence(reason: { code: string; params?: Record<string, string | number> | undefined }): string {
  const params = reason.params ?? {};
  const has = (name: string) => Object.hasOwn(params, name) && params[name] !== '';
  const optional = reasonEntry(reason.code).sentence.replace(/\[([^\]]*)\]/g, (_, part: string) =>
    [...part.matchAll(/\{(\w+)/g)].every((m) => has(m[1]!)) ? part : '',
  );
  // a message that is a sentence of its own brings its own full stop
  return optional.replace(/\{(\w+)(?:\|(\w+))?\}(\.?)/g, (_, name: string, format: string | undefined, stop: string) => {
    const text = has(name) ? show(params[name]!, format) : '?';
    return /[.!?]$/.test(text) ? text : text + stop;
  });
}

export function label(reason: { code: string }): string {
  return reasonEntry(reason.code).label;
}

/** A reason without the ceremony; params that are null or undefined are left out. */
export function reason(code: ReasonCode, params: Record<string, string | number | null | undefined> = {}): Reason {
  const kept: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined) continue;
    kept[name] = typeof value === 'string' ? value.slice(0, 500) : value;
  }
  return Object.keys(kept).length === 0 ? { code } : { code, params: kept };
}

function show(value: string | number, format: string | undefined): string {
  if (format === 'codec') return codecName(String(value));
  if (format === 'container') return containerName(String(value));
  if (format === 'language') return languageName(String(value));
  if (typeof value === 'string') return plain(value, 300);
  if (format === 'size') return size(value);
  if (format === 'percent') return `${round(value, 1)} %`;
  if (format === 'seconds') return seconds(value);
  return String(round(value, 3));
}

/** Untrusted text on one line, without control characters and bidirectional overrides, at most `limit` characters. */
function plain(text: string, limit: number): string {
  const clean = text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim();
  const letters = [...clean];
  return letters.length <= limit ? clean : `${letters.slice(0, limit - 1).join('')}…`;
}

/** "24.8 GB", decimal, as disks are sold. */
export function size(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let step = 0;
  let value = bytes;
  while (Math.abs(value) >= 999.5 && step < units.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${step === 0 || Math.abs(value) >= 100 ? Math.round(value) : value.toFixed(1)} ${units[step]}`;
}

function seconds(value: number): string {
  if (value < 90) return `${round(value, value < 10 ? 2 : 0)} s`;
  return value < 5400 ? `${Math.round(value / 60)} min` : `${round(value / 3600, 1)} h`;
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
