import { pino, type Logger } from 'pino';
import { parseLevels, type LevelWish } from './core/log-levels.ts';
import { createLogBook, type LogBook } from './log-book.ts';
import { redactDeep } from './redact.ts';

export type Log = Logger;

export interface LogOptions {
  /** "info", or "info,mesh=debug"; "silent" writes nothing */
  level: string;
  /** one readable line instead of JSON */
  pretty: boolean;
  write?: (line: string) => void;
  /** hears the same lines as JSON, whatever `pretty` says: a file */
  alsoJson?: (line: string) => void;
}

/**
 * One log per process, one child per room. JSON lines on a pipe (journald, Docker and launchd keep and rotate them),
 * one readable line on a terminal. No pino transport: its worker threads do not start inside a single executable.
 */
export function createLog(options: LogOptions): Log {
  return openLog(options).log;
}

/** The log of a program, and the book with its newest lines. Nothing secret gets into either (redact.ts). */
export function openLog(options: LogOptions): { log: Log; book: LogBook } {
  const write = options.write ?? ((line: string): void => void process.stderr.write(line));
  const silent = options.level === 'silent' || options.level === 'fatal';
  const wish = silent ? null : parseLevels(options.level);
  if (wish && 'problem' in wish) throw new RangeError(`the log level ${wish.problem}`);
  const book = createLogBook(wish ?? quiet);
  const stream = {
    write(line: string): void {
      const clean = redactDeep(JSON.parse(line)) as Said;
      const { time, level, room, msg, ...fields } = clean;
      book.add({ time: String(time), level: String(level), room: room ?? 'node', msg: String(msg ?? ''), fields }, line.length);
      if (!book.isWanted(String(level), room ?? null)) return;
      const json = `${JSON.stringify(clean)}\n`;
      write(options.pretty ? readable(clean) : json);
      options.alsoJson?.(json);
    },
  };
  const log = pino(
    {
      // every line comes through, so that the book has the details of the last moments
      level: silent ? options.level : 'debug',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return { log, book };
}

const quiet: LevelWish = { all: 'error', rooms: {} };

interface Said extends Record<string, unknown> {
  time?: unknown;
  level?: unknown;
  room?: string;
  msg?: unknown;
}

function readable(said: Said): string {
  const { time, level, room, msg, err, ...rest } = said;
  const at = String(time).slice(11, 19);
  const mark = level === 'error' || level === 'fatal' ? '✗' : level === 'warn' ? '!' : ' ';
  const fields = Object.entries(rest)
    .map(([key, value]) => printable(` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`))
    .join('');
  const cause = err ? `\n           ${printable(String((err as { message?: unknown }).message ?? err))}` : '';
  return `${at} ${mark} ${room ? `${room}: ` : ''}${printable(String(msg ?? ''))}${fields}${cause}\n`;
}

/** A file name may hold terminal escapes; they are shown, never obeyed. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
