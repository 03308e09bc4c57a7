import { setTimeout as wait } from 'node:timers/promises';
import { PlainError } from '../errors.ts';
import type { LogLine } from '../log-book.ts';
import { command, nodeFlags, noMoreWords } from './arguments.ts';
import { running } from './running.ts';

const help = `codecshift logs [--level LEVEL] [--room ROOM] [--words WORDS] [--lines N] [--follow] [--data-dir DIR] [--json]
codecshift logs levels [LEVELS] [--minutes N]

The newest lines of the log of the program that runs on this machine, oldest first; --follow goes on with what comes.
  --level   debug, info (default), warn or error, and what is worse
  --room    only one room: mesh, keeper, worker, coordinator, web, …
  --words   only lines with all of these words
  --lines   so many, at most 1000 (default 100)
With "levels": how much is written out; with LEVELS (for example info,mesh=debug) it is changed for some minutes (default 30, at
most 1440).
--json gives one object a line.
`;

/** of one answer of the program */
const MOST_LINES = 1000;
const MOST_MINUTES = 1440;

interface Answer {
  items: LogLine[];
  levels: { now: string; usual: string; until: string | null };
}
type Api = Awaited<ReturnType<typeof running>>['api'];

const flags = {
  level: { type: 'string' },
  room: { type: 'string' },
  words: { type: 'string' },
  lines: { type: 'string' },
  minutes: { type: 'string' },
  follow: { type: 'boolean', short: 'f' },
} as const;

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(['data-dir']), ...flags }, async ({ values, positionals }) => {
    noMoreWords(positionals, positionals[0] === 'levels' ? 2 : 1);
    if (positionals.length > 0 && positionals[0] !== 'levels')
      throw new PlainError(`"${positionals[0]}" is not known here. See codecshift logs --help.`);
    requireBetween('lines', values['lines'], MOST_LINES);
    const { api } = await running(values);
    const json = values['json'] === true;
    if (positionals[0] === 'levels') return levels(api, positionals[1], values, json);
    const asked = new URLSearchParams({ level: text(values['level']) ?? 'info' });
    for (const name of ['room', 'words'] as const) if (text(values[name])) asked.set(name, text(values[name])!);
    const first = await api<Answer>('GET', `/node/logs?${withMore(asked, { limit: text(values['lines']) ?? '100' })}`);
    show(first.items.reverse(), json);
    if (values['follow']) await follow(api, asked, first.items.at(-1)?.seq ?? 0, json);
    return 0;
  });
}

/** @throws PlainError in the words of whoever typed it: further on it is called otherwise */
function requireBetween(flag: string, value: unknown, most: number): void {
  const typed = text(value) ?? '1';
  if (!/^\d+$/.test(typed) || Number(typed) < 1 || Number(typed) > most)
    throw new PlainError(`--${flag} must be a whole number from 1 to ${most}, not "${typed}".`);
}

/** Until the program or this command is ended, or nobody reads any more. */
async function follow(api: Api, asked: URLSearchParams, from: number, json: boolean): Promise<void> {
  let isRead = true;
  process.stdout.once('error', () => (isRead = false));
  for (let after = from; isRead; await wait(1000)) {
    const { items } = await api<Answer>('GET', `/node/logs?${withMore(asked, { after: String(after), limit: '1000' })}`);
    show(items, json);
    after = items.at(-1)?.seq ?? after;
  }
}

async function levels(api: Api, wish: string | undefined, values: Record<string, unknown>, json: boolean): Promise<void> {
  requireBetween('minutes', values['minutes'], MOST_MINUTES);
  const minutes = Number(text(values['minutes']) ?? 30);
  const now =
    wish === undefined
      ? (await api<Answer>('GET', '/node/logs?limit=1')).levels
      : await api<Answer['levels']>('POST', '/node/log-levels', { levels: wish === 'usual' ? '' : wish, minutes });
  const until = now.until === null ? '' : ` until ${now.until}, then ${now.usual} again`;
  process.stdout.write(json ? `${JSON.stringify(now)}\n` : `Written out: ${now.now}${until}\n`);
}

function show(lines: readonly LogLine[], json: boolean): void {
  for (const line of lines) process.stdout.write(json ? `${JSON.stringify(line)}\n` : `${readable(line)}\n`);
}

function readable({ time, level, room, msg, fields }: LogLine): string {
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const mark = level === 'error' || level === 'fatal' ? '✗' : level === 'warn' ? '!' : level === 'debug' ? '·' : ' ';
  // a file name may hold terminal escapes
  // oxlint-disable-next-line no-control-regex
  return `${time.slice(0, 19).replace('T', ' ')} ${mark} ${room}: ${msg}${rest.join('')}`.replace(
    /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function withMore(asked: URLSearchParams, more: Record<string, string>): string {
  return new URLSearchParams([...asked, ...Object.entries(more)]).toString();
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
