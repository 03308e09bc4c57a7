import { PlainError } from '../../errors.ts';

/** systemd reads such a file itself (systemd.exec(5)); elsewhere `run --env-file` does. */
export type EnvDialect = 'systemd' | 'node';

/** Puts the values into the text of a file of `NAME=value` lines; lines of other names, and comments, stay as they are. */
export function withEnvironment(
  text: string,
  values: Readonly<Record<string, string>>,
  dialect: EnvDialect,
  forgotten: readonly string[] = [],
): string {
  const goes = (line: string): boolean => Object.hasOwn(values, nameOf(line)) || forgotten.includes(nameOf(line));
  const others = text.split('\n').filter((line) => line !== '' && !goes(line));
  const ours = Object.entries(values).map(
    ([name, value]) => `${name}=${dialect === 'systemd' ? forSystemd(name, value) : forNode(name, value)}`,
  );
  const lines = [...others, ...ours];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** The names in such a text. */
export function namesIn(text: string): string[] {
  return text
    .split('\n')
    .map(nameOf)
    .filter((name) => name !== '');
}

function nameOf(line: string): string {
  return /^\s*(?:export\s+)?(\w+)\s*=/.exec(line)?.[1] ?? '';
}

function forSystemd(name: string, value: string): string {
  oneLine(name, value);
  return `"${value.replace(/[\\"`$]/g, (c) => `\\${c}`)}"`;
}

/** Its quotation marks have no escapes: one that is not in the value has to hold it. Double ones turn \n into a new line. */
function forNode(name: string, value: string): string {
  oneLine(name, value);
  const mark = ["'", '`', '"'].find((each) => !value.includes(each) && !(each === '"' && value.includes('\\n')));
  if (!mark)
    throw new PlainError(`${name} holds every kind of quotation mark. Put it into a file of its own and name that with ${name}_FILE.`);
  return `${mark}${value}${mark}`;
}

function oneLine(name: string, value: string): void {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f]/.test(value)) throw new PlainError(`${name} holds a line end or another control character.`);
}
