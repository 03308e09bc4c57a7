import { parseArgs, type ParseArgsConfig } from 'node:util';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import { nodeKeys, specOf } from '../config/schema.ts';
import { redact } from '../redact.ts';

export interface Parsed {
  values: Record<string, unknown>;
  positionals: string[];
}

/**
 * Parses one command's flags and runs it. Every mistake becomes one sentence on stderr and exit code 2 (wrong use) or
 * 1 (could not be done); a stack trace never reaches a person.
 */
export async function command(
  args: string[],
  help: string,
  options: NonNullable<ParseArgsConfig['options']>,
  body: (parsed: Parsed) => Promise<number | void>,
): Promise<number> {
  let parsed: Parsed;
  try {
    parsed = parseArgs({
      args: withNegatives(args),
      options: { ...options, help: { type: 'boolean', short: 'h' }, json: { type: 'boolean' } },
      allowPositionals: true,
    }) as Parsed;
  } catch (error) {
    process.stderr.write(`${wrongUse(error)}\n\n${help}`);
    return 2;
  }
  if (parsed.values['help']) {
    process.stdout.write(help);
    return 0;
  }
  try {
    return (await body(parsed)) ?? 0;
  } catch (error) {
    if (error instanceof PlainError) process.stderr.write(`${error.message}\n`);
    else if (isWithoutFolder(error))
      process.stderr.write('The folder in which this was said is not there any more. Go to another one (cd) and say it again.\n');
    else
      process.stderr.write(
        // people paste what they do not understand
        redact(
          `Something unexpected went wrong: ${messageOf(error)}\n${process.env['CODECSHIFT_LOG_LEVEL'] === 'debug' && error instanceof Error ? `${error.stack}\n` : ''}`,
        ),
      );
    return 1;
  }
}

/** No option is called by a number: "--lines -1" is a wrong value, and told as one by whoever knows the right ones. */
function withNegatives(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of args) {
    if (/^-\d+$/.test(word) && /^--[a-z][\w-]*$/.test(joined.at(-1) ?? '')) joined.push(`${joined.pop()}=${word}`);
    else joined.push(word);
  }
  return joined;
}

/** What parseArgs found wrong, as a sentence for whoever typed it; it may be three lines about dashes. */
function wrongUse(error: unknown): string {
  const said = messageOf(error);
  const option = /'(?:-\w, )?(--?[^\s'=]+)/.exec(said)?.[1];
  if (option === undefined) return said.split('\n')[0]!;
  if (codeOf(error) === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return `There is no option ${option} here.`;
  return said.includes('does not take') ? `${option} takes no value.` : `${option} wants a value.`;
}

/** A shell may stand in a folder that somebody else deleted; no path can be made whole from there. */
function isWithoutFolder(error: unknown): boolean {
  return (error as { syscall?: unknown } | null)?.syscall === 'uv_cwd';
}

/**
 * What a command does not understand is not done half: "pause 12" must not pause everything.
 * @param known so many words belong to it
 * @throws PlainError
 */
export function noMoreWords(positionals: readonly string[], known = 0): void {
  if (positionals.length > known) throw new PlainError(`Too many words: ${positionals.join(' ')}`);
}

/** The flags of the settings with scope 'node', as parseArgs wants them. */
export function nodeFlags(only?: string[]): NonNullable<ParseArgsConfig['options']> {
  const specs = nodeKeys.map(specOf).filter((s) => s.flag && (!only || only.includes(s.flag)));
  return Object.fromEntries(
    specs.map((s) => [
      s.flag!,
      s.type === 'boolean' ? { type: 'boolean' as const } : { type: 'string' as const, multiple: s.type === 'list' },
    ]),
  );
}

/** Their help lines. */
export function nodeFlagHelp(only?: string[]): string {
  const specs = nodeKeys.map(specOf).filter((s) => s.flag && (!only || only.includes(s.flag)));
  return specs.map((s) => `  --${s.flag!.padEnd(15)} ${s.help} (${s.env})`).join('\n');
}

export function print(json: boolean, data: unknown, text: () => string): void {
  process.stdout.write(json ? `${JSON.stringify(data, null, 2)}\n` : `${text().trimEnd()}\n`);
}
