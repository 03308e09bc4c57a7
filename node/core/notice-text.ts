import { visibleName } from './visible-name.ts';

/**
 * Texts that leave the house. What a film or a machine is called is hostile: no control characters, no turned writing, one line,
 * no mention and no link that somebody hid in a name. A text that is too long is cut, and says so.
 */

/** One line as a person may safely read it. */
export function plainLine(text: string, limit = 200): string {
  return visibleName(text, limit).replaceAll(/\s+/g, ' ').trim();
}

/** At most `limit` characters (UTF-16 units, as Discord and everybody counts), with how much is missing. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  // the note gets shorter with what it counts; two rounds are enough
  let kept = wholeCharacters(text, limit - 24);
  kept = wholeCharacters(text, limit - note(text.length - kept.length).length);
  return kept + note(text.length - kept.length);
}

/** The same in bytes of UTF-8: ntfy makes an attachment of a message that is longer. */
export function cutBytes(text: string, limit: number): string {
  if (bytesOf(text) <= limit) return text;
  let length = Math.min(text.length, limit);
  const over = (): boolean => bytesOf(wholeCharacters(text, length) + note(text.length)) > limit;
  while (length > 0 && over()) length -= Math.max(1, Math.floor(length / 50));
  const kept = wholeCharacters(text, length);
  return kept + note(text.length - kept.length);
}

/** Discord reads its own signs in a text: each is written so that it stands for itself. A link needs its colon. */
export function discordText(text: string): string {
  return text.replaceAll(/[\\*_~`|>#[\]()<@:-]/g, String.raw`\$&`);
}

function note(missing: number): string {
  return `… (${missing} more)`;
}

/** Never half of a pair: a lone half is no text at all for most receivers. */
function wholeCharacters(text: string, length: number): string {
  const end = Math.max(0, length);
  const last = text.charCodeAt(end - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? end - 1 : end);
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
