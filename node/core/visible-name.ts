/**
 * A file name as a person may safely read it, on a page or in a terminal: what is invisible, turns the writing round or
 * moves a cursor is written as an escape, and a very long name is cut in its middle, because its end tells the most.
 */
export function visibleName(name: string, limit = 400): string {
  // most of what can be escaped becomes ten characters
  const raw = [...name];
  const near = raw.length > 2 * limit ? [...raw.slice(0, limit), ...raw.slice(-limit)].join('') : name;
  const clear = near.replace(hidden, (character) => escapes[character] ?? `\\u{${character.codePointAt(0)!.toString(16)}}`);
  const letters = [...clear];
  if (letters.length <= limit && raw.length <= 2 * limit) return clear;
  const end = Math.floor(limit / 3);
  return `${letters.slice(0, limit - end - 1).join('')}…${letters.slice(-end).join('')}`;
}

/** control characters, line and paragraph separators, bidirectional marks, zero-width characters, halves of a pair */
const hidden = /[\p{Cc}\p{Cs}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;
const escapes: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
