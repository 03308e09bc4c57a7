/**
 * Has a source noticed that a file is another one now? Judged by what it says of the item itself: that it took a message
 * proves nothing, and a scan that it queued may begin in seconds or in hours.
 */
export interface SaidOfFile {
  path: string;
  sizeBytes: number | null;
  codec: string | null;
  addedAt: number | null;
  watched: { views: number; positionMs: number } | null;
}

export interface Expected {
  before: { added: number | null; watched: { views: number; positionMs: number } | null };
  after: { path: string; size: number; codec: string | null };
}

export type Noticed =
  /** it has no such item (any more) */
  | { as: 'gone' }
  /** it still shows the old file */
  | { as: 'old' }
  /** it knows the new file, and calls its format as it was before */
  | { as: 'unread' }
  /** it knows the new file; `differs`: what it no longer knows of the film, in words */
  | { as: 'seen'; differs: string | null };

/** @param files every file of the item: one of several versions may be the one that was exchanged */
export function noticed(files: readonly SaidOfFile[], expected: Expected): Noticed {
  if (files.length === 0) return { as: 'gone' };
  const { after } = expected;
  const file = files.find(({ path }) => path === after.path) ?? files.find(({ sizeBytes }) => sizeBytes === after.size);
  if (!file || (file.sizeBytes !== null && file.sizeBytes !== after.size)) return { as: 'old' };
  if (after.codec !== null && !isCodec(file.codec, after.codec)) return { as: 'unread' };
  return { as: 'seen', differs: differences(file, expected.before) };
}

/** Seconds until it is asked again, after so many tries. */
export function askAgainIn(tries: number): number {
  return [5, 15, 45, 120, 300][tries] ?? 600;
}

/** So long a source may take before a person hears of it. */
export const PATIENCE_SECONDS = 1800;
/** And so often it is told again from then on. */
export const DAILY_SECONDS = 86_400;
/** Until so long after the change: whoever has not shown it by then was told thirty times, and a person can have it told again. */
export const TOLD_FOR_SECONDS = 30 * DAILY_SECONDS;

/** A source that never says a codec has not analysed anything yet: that counts as unread. */
function isCodec(said: string | null, codec: string): boolean {
  return said !== null && plainCodec(said) === plainCodec(codec);
}

function plainCodec(name: string): string {
  const lower = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  return { h265: 'hevc', x265: 'hevc', hvc1: 'hevc', hev1: 'hevc', avc: 'h264', avc1: 'h264', x264: 'h264', av01: 'av1' }[lower] ?? lower;
}

function differences(now: SaidOfFile, before: Expected['before']): string | null {
  const found: string[] = [];
  // a day's grace: servers round, and some count from another moment
  if (before.added !== null && now.addedAt !== null && Math.abs(now.addedAt - before.added) > 86_400_000)
    found.push('it counts as newly added');
  if (before.watched && now.watched) {
    if (now.watched.views < before.watched.views) found.push('it is no longer marked as watched');
    else if (before.watched.positionMs > 0 && now.watched.positionMs === 0 && now.watched.views === before.watched.views)
      found.push('the place where somebody stopped is lost');
  }
  return found.length > 0 ? found.join(', and ') : null;
}
