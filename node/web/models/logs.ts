import { logLevels, logRooms, parseLevels, type LevelWish, type LogLevel } from '../../core/log-levels.ts';
import type { LogBook, LogLine, LogQuery } from '../../log-book.ts';

/** The newest lines of one machine's log. */
export interface LogsView {
  lines: LogLineView[];
  /** what was asked for, for the form */
  level: string;
  room: string;
  words: string;
  levels: readonly { value: string; label: string }[];
  rooms: readonly string[];
  /** null: there is nothing older that fits */
  olderHref: string | null;
  newestHref: string | null;
  /** how much is written out now */
  writes: { now: string; usual: string; until: string };
  typed: string;
  problem: string;
  nodeName: string;
}

export interface LogLineView {
  seq: number;
  /** "14:03:22" */
  at: string;
  iso: string;
  level: string;
  tone: 'bad' | 'warn' | '';
  room: string;
  msg: string;
  /** "why=… library=…" */
  rest: string;
}

export interface LogsPart {
  logs: LogsView;
  /** where its forms go */
  listHref: string;
  levelsHref: string;
}

export const MANY_LINES = 200;
export const MOST_MINUTES = 24 * 60;
const LONGEST = 600;

/** Whatever a person typed into the address: what is not understood is left out. */
export function logQuery(query: (name: string) => string | undefined): LogQuery {
  const level = query('level') ?? 'info';
  const room = query('room') ?? '';
  const before = Number(query('before'));
  return {
    ...(isLevel(level) ? { level } : { level: 'info' as const }),
    ...((logRooms as readonly string[]).includes(room) ? { room } : {}),
    words: (query('words') ?? '').slice(0, 200),
    ...(Number.isSafeInteger(before) && before > 0 ? { before } : {}),
    limit: MANY_LINES,
  };
}

export function logsView(
  book: LogBook,
  query: LogQuery,
  page: { nodeName: string; href: (query: Record<string, string | number | undefined>) => string; typed?: string; problem?: string },
): LogsView {
  const lines = book.lines(query);
  const { now, usual, until } = book.levels();
  const asked = { level: query.level, room: query.room, words: query.words || undefined };
  return {
    lines: lines.map(lineView),
    level: query.level ?? 'info',
    room: query.room ?? '',
    words: query.words ?? '',
    levels: [
      { value: 'debug', label: 'Everything' },
      { value: 'info', label: 'What happens' },
      { value: 'warn', label: 'Warnings' },
      { value: 'error', label: 'Errors' },
    ],
    rooms: logRooms,
    olderHref: lines.length === query.limit ? page.href({ ...asked, before: lines.at(-1)!.seq }) : null,
    newestHref: query.before === undefined ? null : page.href(asked),
    writes: { now, usual, until: until ?? '' },
    typed: page.typed ?? now,
    problem: page.problem ?? '',
    nodeName: page.nodeName,
  };
}

/** Minutes and levels as a form or the API sends them; '' for the levels is back to the usual. */
export function readLevels(levels: string, minutes: number): { wish: LevelWish | null; forMs: number } | { problem: string } {
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > MOST_MINUTES)
    return { problem: `The time is a whole number of minutes, from 1 to ${MOST_MINUTES}.` };
  if (levels.trim() === '') return { wish: null, forMs: 0 };
  const wish = parseLevels(levels);
  return 'problem' in wish ? { problem: `The levels ${wish.problem}.` } : { wish, forMs: minutes * 60_000 };
}

function lineView({ seq, time, level, room, msg, fields }: LogLine): LogLineView {
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return {
    seq,
    at: time.slice(11, 19),
    iso: time,
    level,
    tone: level === 'error' || level === 'fatal' ? 'bad' : level === 'warn' ? 'warn' : '',
    room,
    msg: msg.slice(0, LONGEST),
    rest: rest.join('  ').slice(0, LONGEST * 2),
  };
}

function isLevel(text: string): text is LogLevel {
  return (logLevels as readonly string[]).includes(text);
}
