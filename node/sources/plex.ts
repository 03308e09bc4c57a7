import { placeOf } from '../core/source-paths.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { OutgoingAnswer } from '../outgoing.ts';
import { createAsker, type Ask, type Asker } from './asker.ts';
import { list, record, text, whole, words, type Loose } from './loose.ts';

import { everyPage, type Page } from './paging.ts';
import { plexHeaders } from './plex-headers.ts';
import { PLEX_TYPES, readFiles } from './plex-items.ts';
import { readNews } from './plex-news.ts';
import { backgroundHas, readSessions, useIn } from './plex-sessions.ts';
import type { Learnt, Source, SourceChange, SourceLibrary, SourceParts, Use } from './source.ts';
import { away, odd } from './trouble.ts';

/**
 * A Plex Media Server. The token is in a header and only ever sent to the server whose identity is pinned; `/identity`
 * itself needs none. Plex decides which files there are and how they are called; what they really are, a probe says.
 *
 *   replaced ─▶ refresh?path=folder (GET, or POST where that is refused) ─▶ read the item back: size? codec? ─▶ analyze once
 *
 * A 200 to the refresh proves nothing (it also comes for a folder of no library), so the folder is compared with those of
 * the library first. The trash is never emptied from here: that is how a film in the middle of a replacement loses what
 * was watched of it.
 */
export function createPlexSource(parts: SourceParts): Source {
  const { name } = parts;
  const now = parts.now ?? Date.now;
  const learnt: Learnt = { ...parts.learnt };
  const types = new Map<string, string>();
  const asker: Asker = createAsker({
    name,
    url: parts.url,
    outgoing: parts.outgoing,
    identity: parts.identity,
    identify: (signal) => source.identify(signal),
    headers: plexHeaders(parts.clientId),
    credentials: { 'x-plex-token': parts.credential },
    now,
  });

  const source: Source = {
    kind: 'plex',
    async identify(signal) {
      const said = containerOf(await asker.openly('/identity', signal));
      const id = text(said['machineIdentifier'], 200);
      if (id === null) throw odd(name, 'it does not say who it is');
      return { id, name: (await friendlyName(signal)) || name, version: words(said['version'], 100) };
    },
    async listLibraries(signal) {
      const said = containerOf(await asker.json('/library/sections', signal));
      if (said['Directory'] !== undefined && !Array.isArray(said['Directory'])) throw odd(name, 'a list of libraries that is none');
      for (const section of list(said['Directory'])) types.set(String(section['key']), String(section['type']));
      return list(said['Directory']).flatMap(readLibrary);
    },
    async countItems(libraryKey, signal) {
      const type = await typeOf(libraryKey, signal);
      if (type === null) return null;
      const answer = await asker.answer(`/library/sections/${segment(libraryKey)}/all`, signal, {
        query: { type },
        headers: pageHeaders(0, 0),
        ...BIG,
      });
      const page = readPage(answer);
      return page.total ?? (page.items.length > 0 ? page.items.length : null);
    },
    async *listItems(libraryKey, signal) {
      const type = await typeOf(libraryKey, signal);
      if (type === null) return;
      for await (const page of everyPage(
        name,
        (start) => askPage(libraryKey, type, start, signal),
        (item) => text(item['ratingKey'], 200),
      )) {
        const files = page.flatMap(readFiles);
        if (files.length > 0) yield files;
        else if (page.some(hidesItsFiles)) throw odd(name, 'it does not say where its files are, which it tells only its owner');
      }
    },
    async readItem(ref, signal) {
      const answer = await asker.answer(`/library/metadata/${segment(ref)}`, signal, { allow: [404] });
      return answer.status === 404 ? [] : metadataOf(answer).flatMap(readFiles);
    },
    inUse,
    tellChanged,
    async analyze(ref, signal) {
      await asker.answer(`/library/metadata/${segment(ref)}/analyze`, signal, { method: 'PUT', timeoutMs: 60_000 });
    },
    async follow(onNews, signal) {
      await asker.prove(signal);
      const url = asker.address('/:/websockets/notifications');
      await parts.outgoing
        .listen(url, { headers: asker.credentials(), signal, maxBytes: 1024 * 1024 }, (message) => readNews(message).forEach(onNews))
        .catch((error: unknown) => {
          throw error instanceof PlainError && error.reason?.code !== 'source-away' ? error : away(name, 'its live line broke', error);
        });
    },
    learnt: () => ({ ...learnt }),
  };
  return source;

  /** Only while a server is tried, with the token that was typed for it: `/identity` does not say how it is called. */
  async function friendlyName(signal: AbortSignal): Promise<string> {
    if (parts.identity !== null || parts.credential === '') return '';
    const said = await asker.json('/', signal).catch(() => null);
    return words(record(record(said)['MediaContainer'])['friendlyName'], 100);
  }

  async function askPage(libraryKey: string, type: string, start: number, signal: AbortSignal): Promise<Page<Loose>> {
    const ask = (sort: boolean): Promise<OutgoingAnswer> =>
      asker.answer(`/library/sections/${segment(libraryKey)}/all`, signal, {
        query: {
          type,
          // oldest first: what is added meanwhile comes at the end and moves nothing
          ...(sort && { sort: type === '4' ? 'episode.addedAt' : 'addedAt' }),
          excludeElements: 'Role,Director,Writer,Genre,Country,Image,Rating,Guid,Collection',
        },
        headers: pageHeaders(start, PAGE),
        allow: [400],
        ...BIG,
      });
    let answer = await ask(learnt['sort'] !== false);
    if (answer.status === 400 && learnt['sort'] !== false) {
      learnt['sort'] = false;
      answer = await ask(false);
    }
    if (answer.status === 400) throw odd(name, 'it does not list this library');
    return readPage(answer);
  }

  function readPage(answer: OutgoingAnswer): Page<Loose> {
    const said = containerOf(parse(answer));
    const headers = answer.headers;
    const items = metadataOf(answer);
    const size = whole(said['size']) ?? items.length;
    if (size > items.length) throw odd(name, `a page that says ${size} and shows ${items.length}`);
    return {
      items,
      offset: whole(said['offset']) ?? whole(headers['x-plex-container-start']),
      total: whole(said['totalSize']) ?? whole(headers['x-plex-container-total-size']),
    };
  }

  /** null: neither films nor shows, so that nothing of it is listed. A library keeps its type for life */
  async function typeOf(libraryKey: string, signal: AbortSignal): Promise<string | null> {
    if (!types.has(libraryKey)) await source.listLibraries(signal);
    const type = types.get(libraryKey);
    if (type === undefined) throw odd(name, 'it does not have that library any more');
    return PLEX_TYPES[type] ?? null;
  }

  /** Every doubt is `unknown`: a film is never taken away from under somebody because a question failed. */
  async function inUse(item: { ref: string; part: string | null }, signal: AbortSignal): Promise<Use> {
    try {
      const sessions = readSessions(textOf(await asker.answer('/status/sessions', signal)));
      if (sessions === null) return { use: 'unknown', why: 'its list of who plays what could not be read' };
      const use = useIn(sessions, item);
      return use.use === 'no' ? await inBackground(item.ref, signal) : use;
    } catch (error) {
      if (signal.aborted) throw error;
      return { use: 'unknown', why: messageOf(error) };
    }
  }

  async function inBackground(ref: string, signal: AbortSignal): Promise<Use> {
    const answer = await asker.answer('/status/sessions/background', signal, { allow: NO_SUCH });
    // older servers have no such list, and no downloads that would be in it
    if (NO_SUCH.includes(answer.status)) return { use: 'no' };
    const has = backgroundHas(textOf(answer), ref);
    if (has === null) return { use: 'unknown', why: 'its list of downloads could not be read' };
    return has ? { use: 'yes', who: 'A download', how: 'downloading' } : { use: 'no' };
  }

  async function tellChanged(change: SourceChange, signal: AbortSignal): Promise<void> {
    const libraries = await source.listLibraries(signal);
    const library = libraries.find(
      ({ key, folders }) => (change.libraryKey === null || key === change.libraryKey) && covers(folders, change.folder),
    );
    if (!library) {
      throw new PlainError(`${name} has no library with the folder “${change.folder}”, so it was not told.`, {
        reason: { code: 'source-unmapped', params: { source: name, path: change.folder } },
      });
    }
    const verbs = learnt['refreshVerb'] === 'POST' ? ['POST', 'GET'] : ['GET', 'POST'];
    for (const method of verbs) {
      const ask: Ask = { method, query: { path: change.folder }, allow: [404, 405] };
      const { status } = await asker.answer(`/library/sections/${segment(library.key)}/refresh`, signal, ask);
      if (status === 404 || status === 405) continue;
      learnt['refreshVerb'] = method;
      return;
    }
    throw odd(name, 'it takes no word about changed folders');
  }

  function containerOf(answer: unknown): Loose {
    const container = record(answer)['MediaContainer'];
    if (typeof container !== 'object' || container === null) throw odd(name, 'there is nothing in it');
    return record(container);
  }

  function metadataOf(answer: OutgoingAnswer): Loose[] {
    const said = containerOf(parse(answer))['Metadata'];
    if (said !== undefined && !Array.isArray(said)) throw odd(name, 'a list that is none');
    return list(said);
  }

  function parse(answer: OutgoingAnswer): unknown {
    try {
      return JSON.parse(textOf(answer));
    } catch {
      throw odd(name, 'it is no JSON');
    }
  }
}

const PAGE = 200;
/** how servers say that they do not know a question */
const NO_SUCH = [400, 404, 405, 501];
/** for servers that ignore the size of a page and send fifty thousand episodes at once */
const BIG = { maxBytes: 96 * 1024 * 1024, timeoutMs: 120_000 };

const pageHeaders = (start: number, size: number): Record<string, string> => ({
  'x-plex-container-start': String(start),
  'x-plex-container-size': String(size),
});

const KINDS: Record<string, SourceLibrary['kind']> = { movie: 'movies', show: 'shows' };

function readLibrary(section: Loose): SourceLibrary[] {
  const key = text(section['key'], 200);
  if (key === null) return [];
  const folders = list(section['Location']).flatMap((one) => text(one['path']) ?? []);
  const title = words(section['title']) || 'Unnamed library';
  return [{ key, title, kind: KINDS[String(section['type'])] ?? 'other', folders, changeMark: text(section['contentChangedAt'], 40) }];
}

/** Guests of a server are shown films without paths; an empty listing would say that all of them are gone. */
function hidesItsFiles(item: Loose): boolean {
  return list(item['Media']).some((media) => list(media['Part']).some((part) => part['file'] === undefined));
}

/** Keys come from the server and go into a path. */
function segment(key: string): string {
  return encodeURIComponent(key);
}

function textOf(answer: OutgoingAnswer): string {
  return Buffer.from(answer.body).toString('utf8');
}

/** By whole names, as in core/source-paths.ts; Windows paths in any case and with both separators. */
function covers(folders: string[], folder: string): boolean {
  return folders.some((one) => placeOf(`${folder}/x`, [{ prefix: one, rootId: 'library', folder: '' }]) !== null);
}
