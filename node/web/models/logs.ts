import { logLevels, logRooms, parseLevels, type LevelWish, type LogLevel } from '../../core/log-levels.ts';
import type { SaidLine } from '../../core/commands.ts';
import { PlainError } from '../../errors.ts';
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
  /** the machines whose lines can be read here; '' is this one. Empty where there is no choice */
  machines: readonly { value: string; label: string }[];
  machine: string;
  /** the lines come by themselves */
  following: boolean;
  /** to follow, or to stand still; null where that cannot be had */
  followHref: string | null;
  /** why another machine's lines are not here */
  trouble: string;
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

/** The lines alone: this part comes anew while a person follows. */
export interface LogsList {
  logs: LogsView;
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

interface PageFacts {
  nodeName: string;
  href: (query: Record<string, string | number | undefined>) => string;
  typed?: string;
  problem?: string;
  /** left out where nothing can be followed */
  following?: boolean;
}

export function logsView(book: LogBook, query: LogQuery, page: PageFacts): LogsView {
  const lines = book.lines(query);
  const { now, usual, until } = book.levels();
  const asked = askedOf(query);
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
    machines: [],
    machine: '',
    ...followView(query, page),
    trouble: '',
  };
}

function followView(query: LogQuery, page: PageFacts): Pick<LogsView, 'following' | 'followHref'> {
  // who looks at older lines wants them to stand still
  if (page.following === undefined || query.before !== undefined) return { following: false, followHref: null };
  return { following: page.following, followHref: page.href({ ...askedOf(query), follow: page.following ? undefined : 1 }) };
}

function askedOf(query: LogQuery): Record<string, string | undefined> {
  return { level: query.level, room: query.room, words: query.words || undefined };
}

/** The lines of another machine, as it said them just now. */
export function remoteLogsView(here: LogsView, from: { id: string; name: string }, said: readonly SaidLine[] | PlainError): LogsView {
  const lines = said instanceof PlainError ? [] : said.map((line) => shown(line, line.rest));
  return {
    ...here,
    ...{ lines, machine: from.id, nodeName: from.name, olderHref: null, newestHref: null, following: false, followHref: null },
    trouble: said instanceof PlainError ? said.message : '',
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

function lineView(line: LogLine): LogLineView {
  const rest = Object.entries(line.fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return shown(line, rest.join('  '));
}

function shown({ seq, time, level, room, msg }: Omit<SaidLine, 'rest'>, rest: string): LogLineView {
  return {
    seq,
    at: time.slice(11, 19),
    iso: time,
    level,
    tone: level === 'error' || level === 'fatal' ? 'bad' : level === 'warn' ? 'warn' : '',
    room,
    msg: msg.slice(0, LONGEST),
    rest: rest.slice(0, LONGEST * 2),
  };
}

function isLevel(text: string): text is LogLevel {
  return (logLevels as readonly string[]).includes(text);
}
