import { createHmac } from 'node:crypto';
import { redact, redactDeep } from '../redact.ts';

/**
 * Takes out of a support bundle what is nobody's business: the same name is the same stand-in everywhere, so that one who
 * helps can follow a film through it, and in the next bundle of the same machine too. First by the meaning of fields
 * (a path, a title, a machine), then once more over the finished text: what a field named is also taken out of messages.
 */
export interface Pseudonyms {
  /** everything in a plain value; names are learnt on the way */
  value(value: unknown): unknown;
  /** a finished file of the bundle: secrets, learnt names, and whatever looks like a name or an address */
  text(text: string): string;
  /** such a name is taken out wherever it stands; one that is an ordinary word only where a field holds it and nothing else */
  learn(kind: Kind, name: string | null | undefined): void;
}

export type Kind = 'film' | 'folder' | 'library' | 'machine' | 'person' | 'server' | 'host' | 'place';

/** Fields by what they hold. */
const fields: readonly [RegExp, Kind | 'path'][] = [
  [/^(path|file|folder|input|output|target|trashPath|refused|used|from|directory)$/, 'path'],
  [/^(title|detail|film|series)$/, 'film'],
  [/^(library|libraryName)$/, 'library'],
  [/^(by|actor|who|user|displayName|decidedBy|adminUser|startedBy|updatedBy|excludedBy)$/, 'person'],
  [/^(source|server)$/, 'server'],
  [/^(host|hostname)$/, 'host'],
];
/** They hold names, but not of one kind. */
const nameFields = /^(name|label|node|coordinator|place)$/;
/** Words that a person could have called something, and that the bundle's own text is made of. */
const ours =
  /^(the command line|the dashboard|ffmpeg|ffprobe|codecshift|error|debug|info|warn|node|nodes|mesh|web|worker|keeper|coordinator|film|films|library|failed|running|null|true|false|name|path|level|room)$/i;
/** So short that a person could have called something so, and every sentence is full of them. */
const shortWords =
  /^(.|\d\d|am|an|as|at|be|by|do|en|go|he|id|if|in|is|it|me|my|no|of|ok|on|or|so|to|up|us|we|ms|kb|mb|gb|tb|ts|ip|os|io|ui)$/iu;
const MOST = 3000;
const media = 'mkv|mp4|m4v|avi|mov|m2ts|mts|ts|mpg|mpeg|wmv|webm|flv|ogm|ogv|vob|iso|srt|ass|ssa|sub|idx|sup|nfo|mka';
const stand = /(film|folder|library|machine|person|server|host|place)-[0-9a-f]{6}/;
const systemPath = /^\/(usr|bin|sbin|lib\d*|dev|proc|sys|etc|opt|snap|nix|run|tmp)(\/|$)/;

/** @param key of this house, so that nobody finds a title by trying: it is in no bundle */
export function createPseudonyms(key: string, options: { names: boolean }): Pseudonyms {
  const learnt = new Map<string, string>();
  const ordinary = new Map<string, string>();
  const of = (kind: Kind, name: string): string =>
    `${kind}-${createHmac('sha256', key).update(`${kind} ${name}`).digest('hex').slice(0, 6)}`;

  return {
    learn,
    // dates become texts first, as in the file that it ends in
    value: (value) => deep(redactDeep(JSON.parse(JSON.stringify(value ?? null))), '', 8),
    text(text) {
      let clean = redact(text);
      if (!options.names)
        for (const [name, instead] of [...learnt].sort(([a], [b]) => b.length - a.length)) clean = swap(clean, name, instead);
      return addresses(options.names ? clean : shapes(clean));
    },
  };

  function learn(kind: Kind, name: string | null | undefined): void {
    if (typeof name !== 'string' || name === '' || stand.test(name) || learnt.size + ordinary.size >= MOST) return;
    const isFilm = kind === 'film' || kind === 'folder';
    if (ours.test(name) || shortWords.test(name)) {
      if (!isFilm) ordinary.set(name, of(kind, name));
      return;
    }
    // titles and folders are known by their fields; the short ones among them are words too often
    if (isFilm && name.length < 4) return;
    const ending = kind === 'film' ? (new RegExp(`\\.(${media})$`, 'i').exec(name)?.[0] ?? '') : '';
    learnt.set(name, of(kind, name) + ending);
    if (ending) learn('film', name.slice(0, -ending.length));
  }

  function deep(value: unknown, field: string, depth: number): unknown {
    if (typeof value === 'string') return named(field, value);
    if (typeof value !== 'object' || value === null) return value;
    if (depth === 0) return '[…]';
    if (Array.isArray(value)) return value.slice(0, 6000).map((each) => deep(each, field, depth - 1));
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, deep(inner, name, depth - 1)]));
  }

  function named(field: string, value: string): string {
    if (options.names || value === '') return value;
    const kind = fields.find(([names]) => names.test(field))?.[1];
    const known = (kind === 'path' ? learnt.get(value) : undefined) ?? (kind || nameFields.test(field) ? ordinary.get(value) : undefined);
    if (known) return known;
    if (kind === 'path' || /^(file:)?(\/|[A-Za-z]:[\\/])/.test(value)) return path(value);
    if (kind === undefined) return value;
    if (ours.test(value)) return value;
    learn(kind, value);
    return stand.test(value) ? value : of(kind, value);
  }

  /** Folder by folder, so that it is seen which films lie together; paths of the system stay. */
  function path(value: string): string {
    if (systemPath.test(value.replace(/^file:/, '')) || !/[\\/.]/.test(value)) return value;
    const parts = value.split(/([\\/])/);
    const last = parts.findLastIndex((part) => part !== '' && part !== '/' && part !== '\\');
    return parts
      .map((part, index) => {
        if (part === '' || part === '/' || part === '\\' || part === 'file:' || /^[A-Za-z]:$/.test(part) || part === '..' || part === '.')
          return part;
        const isFile = index === last && new RegExp(`\\.(${media})$`, 'i').test(part);
        learn(isFile ? 'film' : 'folder', part);
        return learnt.get(part) ?? of(isFile ? 'film' : 'folder', part);
      })
      .join('');
  }

  /** What no field told of. A sentence before a file name goes with it: better too much than a title. */
  function shapes(text: string): string {
    const files = new RegExp(String.raw`[^"\\/\n\r:;|<>*?\t,={}\[\]]{1,200}\.(${media})\b`, 'gi');
    return (
      text
        .replace(files, (found, ending: string) => (stand.test(found) ? found : ` ${of('film', found.trim())}.${ending.toLowerCase()}`))
        .replace(/\b[\w.+-]+@[\w-]+(\.[\w-]+)+\b/g, (found) => of('person', found))
        // a cluster is called like its first machine, unless a person says otherwise
        .replace(/(codecshift-backup-)([a-z\d-]{1,40}?)(?=-\d{4}-\d\d-\d\dT)/g, (all, start: string, house: string) =>
          stand.test(house) ? all : start + of('machine', house),
        )
        // of a place that is not among the known ones any more
        .replace(/(?<![\w.@-])(?:[a-z\d][\w-]*\.)+[a-z][\w-]*(?=(?::\d+)? does not answer)/gi, (found) =>
          stand.test(found) ? found : of('host', found),
        )
        .replace(/(https?:\/\/)([a-z\d][\w.-]*[a-z][\w.-]*)/gi, (all, scheme: string, host: string) =>
          host === 'localhost' || stand.test(host) ? all : scheme + of('host', host),
        )
    );
  }

  function swap(text: string, name: string, instead: string): string {
    for (const form of new Set([name, JSON.stringify(name).slice(1, -1), encodeURIComponent(name)])) {
      if (!text.includes(form)) continue;
      // a short name may be a part of a word, and a word a field of the bundle's own
      text =
        form.length < 8 || /^\w+$/.test(form)
          ? text.replaceAll(form, (found, at: number, all: string) => (isWord(all, at, at + found.length) ? instead : found))
          : text.replaceAll(form, instead);
    }
    return text;
  }
}

/** Before it may be a line break as JSON writes it, whose letter is part of no word; behind it not the end of a field's name. */
function isWord(text: string, from: number, to: number): boolean {
  const before = text.slice(Math.max(0, from - 3), from);
  return (!/[\p{L}\p{N}_-]$/u.test(before) || /(?<!\\)\\[nrt]$/.test(before)) && !/^(?:[\p{L}\p{N}_-]|":)/u.test(text.slice(to, to + 2));
}

/** Enough of an address is left to see whether two are in one network. */
function addresses(text: string): string {
  return text
    .replace(/\b(?!127\.|0\.0\.0\.0)(\d{1,3}\.\d{1,3})\.\d{1,3}\.\d{1,3}\b(?!\.\d)/g, '$1.x.x')
    .replace(/\[?(?<![\w:])((?:fd|fe|2|3)[\da-f]{2,3})(?::[\da-f]{0,4}){2,7}(?![\w:])\]?/gi, '[$1:…]')
    .replace(/\b12D3Koo\w{40,50}/g, (id) => `12D3…${id.slice(-6)}`);
}
