import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { visibleName } from '../core/visible-name.ts';
import { messageOf, PlainError } from '../errors.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { running } from './running.ts';
import { pathsCommand } from './source-paths.ts';
import { bytes } from './words.ts';

const kinds = ['plex', 'jellyfin', 'emby', 'sonarr', 'radarr'];
const actions = ['add', 'remove', 'refresh', 'libraries', 'watch', 'unwatch', 'paths'];

const help = `codecshift sources [--data-dir DIR] [--json]
codecshift sources add <${kinds.join('|')}> ADDRESS [--name NAME] [--token-file FILE]
codecshift sources refresh|libraries|remove NAME
codecshift sources watch|unwatch NAME LIBRARY... [--look-first]
codecshift sources paths NAME [--map PREFIX=LIBRARY[:FOLDER]]... [--save] [--anyway]

Lists the media servers, adds one, says what it has, and which of its libraries are watched. "paths" says which folder here
each of its folders is, and looks for sample files; --save keeps that, --anyway also what could not be proved. With --look-first nothing
of a library that is new here is converted before you start it on the page.
The token or API key is read from --token-file, else from the standard input: what stands on a command line, everybody on
the machine can read.
`;

const flags = {
  name: { type: 'string' },
  'token-file': { type: 'string' },
  map: { type: 'string', multiple: true },
  save: { type: 'boolean' },
  anyway: { type: 'boolean' },
  'look-first': { type: 'boolean' },
} as const;

export interface SourceAnswer {
  id: number;
  kind: string;
  name: string;
  url: string;
  version: string;
  enabled: boolean;
  signedIn: boolean;
  problem: { code: string; sentence: string } | null;
  libraries: number;
  watched: number;
  telling: number;
  unconfirmed: number;
}

export interface SourceLibraryAnswer {
  key: string;
  title: string;
  kind: string;
  folders: string[];
  items: number | null;
  bytes: number | null;
  watched: boolean;
  goneAt: string | null;
}

type Api = Awaited<ReturnType<typeof running>>['api'];

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(['data-dir']), ...flags }, async ({ values, positionals }) => {
    const [action, wanted, ...rest] = positionals;
    const json = values['json'] === true;
    if (action !== undefined && !actions.includes(action))
      throw new PlainError(
        `"${action}" is nothing that can be done with a media server. Possible: ${actions.join(', ')}. To list them: codecshift sources`,
      );
    if (action === 'add') return add(values, wanted, rest, json);
    if (rest.length > 0 && action !== 'watch' && action !== 'unwatch') throw new PlainError(`Too many words: ${positionals.join(' ')}`);
    const { api } = await running(values);
    const { items } = await api<{ items: SourceAnswer[] }>('GET', '/sources');
    if (action === undefined) return print(json, { items }, () => sourceLines(items));
    if (wanted === undefined)
      throw new PlainError(`Say which server: codecshift sources ${action} NAME. "codecshift sources" shows the names.`);
    const source = findSource(items, wanted);
    if (action === 'paths') return pathsCommand(api, source, values, json);
    return act(api, action, source, { words: rest, lookFirst: values['look-first'] === true }, json);
  });
}

async function act(
  api: Api,
  action: string,
  source: SourceAnswer,
  { words, lookFirst }: { words: string[]; lookFirst: boolean },
  json: boolean,
): Promise<void> {
  const at = `/sources/${source.id}`;
  if (action === 'remove') {
    const answer = await api('POST', `${at}/remove`, { confirm: true });
    return print(json, answer, () => `${source.name} was removed. Its libraries are plain folders now; no file was touched.`);
  }
  const { items } = await api<{ items: SourceLibraryAnswer[] }>(
    action === 'refresh' ? 'POST' : 'GET',
    action === 'refresh' ? `${at}/refresh` : `${at}/libraries`,
  );
  const there = items.filter((l) => l.goneAt === null);
  if (action === 'watch' || action === 'unwatch') {
    if (words.length === 0)
      throw new PlainError(
        `Say which library: codecshift sources ${action} ${source.name} LIBRARY. "codecshift sources libraries ${source.name}" shows them.`,
      );
    const chosen = new Set(words.map((word) => findLibrary(there, word).key));
    const keys = there
      .filter((l) => (action === 'watch' ? l.watched || chosen.has(l.key) : l.watched && !chosen.has(l.key)))
      .map((l) => l.key);
    const answer = await api('POST', `${at}/watch`, { keys, lookFirst });
    return print(json, answer, () =>
      keys.length === 0
        ? 'None of its libraries is watched now.'
        : `Watched now: ${there
            .filter((l) => keys.includes(l.key))
            .map((l) => shown(l.title))
            .join(', ')}.`,
    );
  }
  print(json, { items }, () => libraryLines(there));
}

async function add(values: Record<string, unknown>, kind: string | undefined, [address, ...more]: string[], json: boolean): Promise<void> {
  if (kind === undefined || !kinds.includes(kind))
    throw new PlainError(`Say which kind of server: codecshift sources add <${kinds.join('|')}> ADDRESS`);
  if (address === undefined)
    throw new PlainError(`Say at which address it is, for example: codecshift sources add ${kind} http://192.168.1.10:32400`);
  if (more.length > 0)
    throw new PlainError(
      'A token does not belong on a command line, where everybody on the machine can read it. Give it with --token-file, or on the standard input.',
    );
  const credential = await readToken(values['token-file']);
  const { api } = await running(values);
  const name = typeof values['name'] === 'string' ? { name: values['name'] } : {};
  const answer = await api<{ id: number }>('POST', '/sources', { kind, url: address, credential, ...name });
  const { items } = await api<{ items: SourceAnswer[] }>('GET', '/sources');
  const source = items.find((s) => s.id === answer.id);
  print(
    json,
    answer,
    () => `${source?.name ?? 'The server'} is known now. What it has: codecshift sources libraries ${quoted(source?.name ?? '')}`,
  );
}

/** One line of a file or of the standard input. @throws PlainError */
export async function readToken(file: unknown): Promise<string> {
  if (typeof file !== 'string' && process.stdin.isTTY) process.stderr.write('Paste the token or API key, then press Return and Ctrl-D:\n');
  const all = await (typeof file === 'string' ? readFile(file, 'utf8') : readAll(process.stdin)).catch((cause: unknown) => {
    throw new PlainError(`The token could not be read: ${messageOf(cause)}`, { cause });
  });
  const token = all.trim();
  if (token === '' || token.length > 2000 || /\s/.test(token))
    throw new PlainError('The token must be one word on one line. Nothing was sent anywhere.');
  return token;
}

/** Its number, or its name in any case. @throws PlainError */
export function findSource(sources: readonly SourceAnswer[], wanted: string): SourceAnswer {
  const found = sources.find((s) => String(s.id) === wanted) ?? sources.find((s) => s.name.toLowerCase() === wanted.toLowerCase());
  if (found) return found;
  throw new PlainError(
    `There is no media server called ${shown(wanted)}. Known: ${sources.map((s) => shown(s.name)).join(', ') || 'none'}.`,
  );
}

/** By its key, or by a title that only one has. @throws PlainError */
export function findLibrary(libraries: readonly SourceLibraryAnswer[], wanted: string): SourceLibraryAnswer {
  const exact = libraries.find((l) => l.key === wanted);
  const titled = libraries.filter((l) => l.title.toLowerCase() === wanted.toLowerCase());
  if (exact && titled.length === 0) return exact;
  if (titled.length === 1) return titled[0]!;
  if (titled.length > 1)
    throw new PlainError(
      `${titled.length} libraries are called ${shown(wanted)}. Say which by its key: ${titled.map((l) => l.key).join(', ')}`,
    );
  throw new PlainError(
    `There is no library called ${shown(wanted)}. It has: ${libraries.map((l) => shown(l.title)).join(', ') || 'none'}.`,
  );
}

export function sourceLines(sources: readonly SourceAnswer[]): string {
  if (sources.length === 0) return 'No media server yet. To add one: codecshift sources add plex http://192.168.1.10:32400';
  return sources
    .map(
      (s) =>
        [`${markOf(s)} ${shown(s.name)}: ${stateOf(s)}`, `${s.kind}${s.version ? ` ${s.version}` : ''}`, s.url, ...numbers(s)].join(', ') +
        (s.enabled && s.problem ? `\n    ${s.problem.sentence}` : ''),
    )
    .join('\n');
}

function numbers(s: SourceAnswer): string[] {
  return [
    ...(s.libraries > 0 ? [`${s.watched} of ${s.libraries} libraries watched`] : []),
    ...(s.telling > s.unconfirmed ? [`${s.telling - s.unconfirmed} to be told`] : []),
    ...(s.unconfirmed > 0 ? [`${s.unconfirmed} not confirmed`] : []),
  ];
}

function markOf(s: SourceAnswer): string {
  return !s.enabled ? '-' : s.problem || !s.signedIn ? '!' : '*';
}

function stateOf(s: SourceAnswer): string {
  if (!s.enabled) return 'switched off';
  if (!s.signedIn || s.problem?.code === 'source-refuses' || s.problem?.code === 'secret-lost') return 'sign in again';
  return s.problem === null ? 'connected' : s.problem.code === 'source-away' ? 'away' : 'has a problem';
}

export function libraryLines(libraries: readonly SourceLibraryAnswer[]): string {
  if (libraries.length === 0) return 'It has no library, or was not asked yet: codecshift sources refresh NAME';
  return libraries
    .map((l) => {
      const figures = [l.items === null ? 'not counted' : `${l.items} items`, ...(l.bytes === null ? [] : [bytes(l.bytes)])].join(', ');
      return [
        `${l.watched ? '*' : ' '} ${l.key}  ${shown(l.title)} (${l.kind}, ${figures})`,
        ...l.folders.map((folder) => `      ${visibleName(folder, 200)}`),
      ].join('\n');
    })
    .join('\n');
}

function shown(name: string): string {
  return visibleName(name, 80);
}

function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `"${shown(name)}"`;
}
