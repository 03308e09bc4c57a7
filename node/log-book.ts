import { isAtLeast, levelOf, levelsText, type LevelWish, type LogLevel } from './core/log-levels.ts';

/** One line of the log, without secrets. */
export interface LogLine {
  /** grows by one with each line of this process */
  seq: number;
  /** ISO 8601 */
  time: string;
  level: string;
  room: string;
  msg: string;
  /** everything else that it says, as it says it */
  fields: Record<string, unknown>;
}

export interface LogQuery {
  /** this level and worse */
  level?: LogLevel;
  room?: string;
  /** all of these words, in any case, anywhere in the line */
  words?: string;
  /** only lines before this one, for going back; or after it, for following */
  before?: number;
  after?: number;
  limit: number;
}

/**
 * The newest lines of this process in memory, and how much of each room is written out. What a person asks for help with
 * happened a moment ago, and nobody had switched the details on: so the details of the last moments are kept here too,
 * written out or not, in a shelf of their own that cannot push out what matters.
 */
export interface LogBook {
  add(line: Omit<LogLine, 'seq'>, size: number): LogLine;
  /** newest first; with `after`: oldest first */
  lines(query: LogQuery): LogLine[];
  /** told a moment after lines came, however many they were; returns how to stop */
  follow(then: () => void): () => void;
  /** is this line to be written out? */
  isWanted(level: string, room: string | null): boolean;
  levels(): { now: string; usual: string; until: string | null };
  /** for a while, so that nobody forgets it; null: back to the usual at once */
  setLevels(wish: LevelWish | null, forMs: number): void;
}

/** Soon enough for a person, and a flood of lines is one piece of news. Whoever is told may write lines himself. */
const FOLLOW_MS = 250;
const SHELVES = { kept: { lines: 5000, bytes: 4 * 1024 * 1024 }, details: { lines: 2000, bytes: 1024 * 1024 } };

export function createLogBook(usual: LevelWish): LogBook {
  const kept = createShelf(SHELVES.kept);
  const details = createShelf(SHELVES.details);
  let seq = 0;
  let now: LevelWish = usual;
  let until = 0;
  let timer: NodeJS.Timeout | undefined;
  const followers = new Set<() => void>();
  let news: NodeJS.Timeout | undefined;

  return {
    add(line, size) {
      const numbered = { seq: ++seq, ...line };
      (isAtLeast(line.level, 'info') ? kept : details).put(numbered, size);
      if (followers.size > 0) news ??= setTimeout(tell, FOLLOW_MS).unref();
      return numbered;
    },
    lines({ level, room, words, before, after, limit }) {
      const wanted = (words ?? '').toLowerCase().split(/\s+/).filter(Boolean);
      const found = [...kept.all(), ...details.all()]
        .filter((line) => (before === undefined || line.seq < before) && (after === undefined || line.seq > after))
        .filter((line) => (level === undefined || isAtLeast(line.level, level)) && (room === undefined || line.room === room))
        .filter((line) => has(line, wanted))
        .sort((a, b) => (after === undefined ? b.seq - a.seq : a.seq - b.seq));
      return found.slice(0, limit);
    },
    follow(then) {
      followers.add(then);
      return () => void followers.delete(then);
    },
    isWanted: (level, room) => isAtLeast(level, levelOf(now, room)),
    levels: () => ({ now: levelsText(now), usual: levelsText(usual), until: until === 0 ? null : new Date(until).toISOString() }),
    setLevels(wish, forMs) {
      clearTimeout(timer);
      now = wish ?? usual;
      until = wish ? Date.now() + forMs : 0;
      if (!wish) return;
      timer = setTimeout(() => ([now, until] = [usual, 0]), forMs);
      timer.unref();
    },
  };

  function tell(): void {
    news = undefined;
    for (const then of followers) then();
  }
}

function has(line: LogLine, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const text = `${line.room} ${line.msg} ${JSON.stringify(line.fields)}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function createShelf(most: { lines: number; bytes: number }): { put(line: LogLine, size: number): void; all(): LogLine[] } {
  let held: { line: LogLine; size: number }[] = [];
  let first = 0;
  let bytes = 0;
  return {
    put(line, size) {
      held.push({ line, size });
      bytes += size;
      while (held.length - first > most.lines || bytes > most.bytes) bytes -= held[first++]!.size;
      // shifting an array of thousands for every line would cost more than the line
      if (first > most.lines) [held, first] = [held.slice(first), 0];
    },
    all: () => held.slice(first).map(({ line }) => line),
  };
}
