import { pino, type Logger } from 'pino';

export type Log = Logger;

/**
 * One log per process, one child per room. JSON lines on a pipe (journald, Docker and launchd keep and rotate them),
 * one readable line on a terminal. No pino transport: its worker threads do not start inside a single executable.
 */
export function createLog(options: { level: string; pretty: boolean; write?: (line: string) => void }): Log {
  const write = options.write ?? ((line: string): void => void process.stderr.write(line));
  const stream = { write: (line: string): void => write(options.pretty ? readable(line) : line) };
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['token', '*.token', 'password', '*.password', 'databaseUrl', '*.databaseUrl'], censor: '[secret]' },
    },
    stream,
  );
}

function readable(line: string): string {
  try {
    const { time, level, room, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const at = String(time).slice(11, 19);
    const mark = level === 'error' || level === 'fatal' ? '✗' : level === 'warn' ? '!' : ' ';
    const fields = Object.entries(rest)
      .map(([key, value]) => ` ${key}=${typeof value === 'string' ? printable(value) : JSON.stringify(value)}`)
      .join('');
    const cause = err ? `\n           ${printable(String((err as { message?: unknown }).message ?? err))}` : '';
    return `${at} ${mark} ${room ? `${String(room)}: ` : ''}${printable(String(msg ?? ''))}${fields}${cause}\n`;
  } catch {
    return line;
  }
}

/** A file name may hold terminal escapes; they are shown, never obeyed. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
