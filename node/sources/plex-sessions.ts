import { flag, list, record, text, words, type Loose } from './loose.ts';
import type { Use } from './source.ts';
import { readXml } from './xml.ts';

/** One who plays something, as far as it matters for a file. `ref` null: it does not say what it plays. */
export interface PlexSession {
  ref: string | null;
  parts: string[];
  who: string;
  paused: boolean;
  live: boolean;
}

/**
 * The answer of /status/sessions, JSON or XML (older servers give XML whatever was asked for).
 * @returns null when it cannot be understood, or says that there are more than it shows: then nothing is known
 */
export function readSessions(body: string): PlexSession[] | null {
  const container = body.trimStart().startsWith('<') ? containerOfXml(body) : containerOfJson(body);
  if (container === null) return null;
  const sessions = [...list(container['Metadata']), ...list(container['Video']), ...list(container['Track'])];
  const said = Number(container['size'] ?? NaN);
  return Number.isNaN(said) || said > sessions.length ? null : sessions.map(readSession);
}

/**
 * Whether one of them has this item, or one of its files, open. In a transcode `Media` is the target and the file a bare
 * name, so the item's key decides. Somebody who plays something unnamed could be playing this.
 */
export function useIn(sessions: PlexSession[], item: { ref: string; part: string | null }): Use {
  const found = sessions.find(({ ref, parts }) => ref === item.ref || (item.part !== null && parts.includes(item.part)));
  if (found) return { use: 'yes', who: found.who, how: found.paused ? 'paused' : 'playing' };
  const unnamed = sessions.find(({ ref, live }) => ref === null && !live);
  return unnamed ? { use: 'unknown', why: `${unnamed.who} plays something that is not named` } : { use: 'no' };
}

/** Downloads and conversions for them: whatever kind of list it comes in. null: not understood */
export function backgroundHas(body: string, ref: string): boolean | null {
  const container = body.trimStart().startsWith('<') ? containerOfXml(body) : containerOfJson(body);
  if (container === null) return null;
  return Object.values(container)
    .flatMap((value) => list(value))
    .some((one) => text(one['ratingKey'], 200) === ref || text(one['key'], 500) === `/library/metadata/${ref}`);
}

function readSession(session: Loose): PlexSession {
  const player = first(session['Player']);
  const parts = list(session['Media']).flatMap((media) => list(media['Part']).map((part) => text(part['id'], 200)));
  return {
    ref: text(session['ratingKey'], 200),
    parts: parts.filter((id) => id !== null),
    who: words(first(session['User'])['title'], 60) || words(player['title'], 60) || 'Somebody',
    paused: player['state'] === 'paused',
    live: flag(session['live']),
  };
}

/** JSON has one object where XML has a list of one. */
function first(value: unknown): Loose {
  return Array.isArray(value) ? (list(value)[0] ?? {}) : record(value);
}

function containerOfJson(body: string): Loose | null {
  try {
    const container = (JSON.parse(body) as { MediaContainer?: unknown } | null)?.MediaContainer;
    return typeof container === 'object' && container !== null ? record(container) : null;
  } catch {
    return null;
  }
}

function containerOfXml(body: string): Loose | null {
  const root = readXml(body);
  return root?.name === 'MediaContainer' ? root.value : null;
}
