import type { Reason } from '../core/reasons.ts';
import type { Database } from '../db/connect.ts';
import { listLibraries, type Library } from '../db/libraries.ts';
import { nameFiles, settleByItems } from '../db/source-files.ts';
import { listSourceLibraries, readSourceLibrary, type SourceLibraryRow } from '../db/source-libraries.ts';
import { dueNow } from '../db/source-messages.ts';
import { forgetSourceEvents, listSources, readSource, type Source as SourceRow } from '../db/sources.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Source } from '../sources/source.ts';
import { isWithin } from './changed-folders.ts';
import { createHealth, problemOf } from './source-health.ts';
import type { Links } from './source-links.ts';
import { listSection } from './source-listing.ts';
import { createNewsDesk, type NewsDesk } from './source-news.ts';

/**
 * Media servers and fetchers during one term: who is well, what they offer, what they list, what they say by themselves.
 *
 *   every minute   identify ─▶ libraries ─▶ counts ─▶ well, or a problem with its reason      (source-health.ts)
 *   all the time   follow ─▶ items changed · somebody plays                                   (source-news.ts)
 *   for a scan     list ─▶ source_items ─▶ names of films; what it does not know, and films in parts, are left alone
 *
 * A server that is away stops nothing: a scan goes on with what was listed last and says so. Beside this: source-use.ts
 * asks whether a film is played, messenger.ts tells of new files, source-commands.ts does what people ask for.
 */
export interface Sources {
  start(): void;
  stop(): Promise<void>;
  /** @throws PlainError when there is none, or with a `source-…` reason why it cannot be asked */
  open(sourceId: number): Promise<{ row: SourceRow; source: Source }>;
  /** what people wish of sources changed: who is followed is looked at now */
  kick(): void;
  /** asks it now who it is and what it offers; resolves with whether it is well */
  look(sourceId: number): Promise<boolean>;
  /** reads all of its libraries, one after the other; a second wish is part of the first. Never rejects */
  listAll(sourceId: number): Promise<void>;
  /** something in a library changed (null: in any of them): those that are watched are scanned */
  libraryChanged(row: SourceRow, key: string | null): Promise<void>;
  /** for a scan: what the server lists in this library now; null where the library is no server's */
  list(library: Library, onItems: (count: number) => Promise<void> | void, signal: AbortSignal): Promise<Listing | null>;
  /** names and standing of a library's files follow from what is listed */
  settle(library: Library): Promise<void>;
  lookAtItems: NewsDesk['lookAtItems'];
  lookAtPlaces(places: readonly { rootId: string; path: string }[]): Promise<void>;
}

export interface Listing {
  /** items; null: it could not be asked */
  listed: number | null;
  note: Reason | null;
}

export interface SourcesParts {
  db: Database;
  links: Links;
  events: Events;
  log: Log;
  scanner: { scanSoon(libraryId: number): void; lookAt(libraryId: number, folders: readonly string[]): void };
  /** attempts that wait until nobody plays their film ask again */
  askWaiting: () => void;
  /** a message may be confirmed now */
  hurryMessenger: () => void;
  everyMs?: number;
  gatherMs?: number;
}

const EVERY_MS = 60_000;
/** An unchanged mark is believed for so long; a server may forget to move it. */
const BELIEVE_MARK_MS = 6 * 3_600_000;
/** Our own new files move the mark too: it brings a whole scan this often at most. News and webhooks are faster. */
const SCAN_BY_MARK_MS = 15 * 60_000;

export function createSources(parts: SourcesParts): Sources {
  const { db, links, events, log } = parts;
  const ending = new AbortController();
  const listings = new Map<number, Promise<number>>();
  const listingAll = new Map<number, Promise<void>>();
  const health = createHealth({ db, links, events, log, onChanged });
  const news = createNewsDesk({
    db,
    log,
    lookAtPlaces,
    libraryChanged: (row, key) => void libraryChanged(row, key).catch(quiet),
    onPlaying: parts.askWaiting,
    hurried: parts.hurryMessenger,
    ...(parts.gatherMs === undefined ? {} : { gatherMs: parts.gatherMs }),
  });
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();

  return {
    start() {
      timer = setInterval(() => {
        turn = turn.then(round);
      }, parts.everyMs ?? EVERY_MS);
      timer.unref();
      turn = turn.then(round);
    },
    async stop() {
      ending.abort();
      clearInterval(timer);
      await news.stop();
      await Promise.allSettled([turn, ...listings.values(), ...listingAll.values()]);
    },
    open,
    kick() {
      turn = turn.then(round);
    },
    look: async (sourceId) => (await check(await known(sourceId))) !== null,
    libraryChanged,
    listAll(sourceId) {
      const running = listingAll.get(sourceId);
      if (running) return running;
      const all = listEvery(sourceId)
        .catch(quiet)
        .finally(() => listingAll.delete(sourceId));
      listingAll.set(sourceId, all);
      return all;
    },
    list,
    settle,
    lookAtItems: news.lookAtItems,
    lookAtPlaces,
  };

  async function round(): Promise<void> {
    if (ending.signal.aborted) return;
    try {
      const rows = (await listSources(db)).filter((row) => row.enabled);
      news.keepOnly(new Set(rows.map((row) => row.id)));
      await Promise.allSettled(rows.map(check));
      await forgetSourceEvents(db, 48);
    } catch (error) {
      quiet(error);
    }
  }

  async function check(row: SourceRow): Promise<Source | null> {
    const wasAway = row.problem !== null;
    const source = await health.check(row, AbortSignal.any([ending.signal, AbortSignal.timeout(60_000)]));
    if (!source || ending.signal.aborted) return source;
    news.follow(row, source);
    if (wasAway) await wellAgain(row.id);
    return source;
  }

  async function wellAgain(sourceId: number): Promise<void> {
    await dueNow(db, sourceId);
    parts.hurryMessenger();
    parts.askWaiting();
    // a scan that failed for want of a first listing can begin now
    const sections = new Set((await listSourceLibraries(db, sourceId)).map(({ id }) => id));
    for (const library of await listLibraries(db))
      if (library.problem && sections.has(library.sourceLibraryId ?? -1)) parts.scanner.scanSoon(library.id);
  }

  async function known(sourceId: number): Promise<SourceRow> {
    const row = await readSource(db, sourceId);
    if (!row) throw new PlainError('This media server is not known any more.');
    return row;
  }

  async function open(sourceId: number): Promise<{ row: SourceRow; source: Source }> {
    const row = await known(sourceId);
    if (!row.enabled)
      throw new PlainError(`${row.name} is switched off here.`, { reason: { code: 'source-off', params: { source: row.name } } });
    // not even the question who is there, before it was found to be the old one again
    if (row.problem?.code === 'source-is-another')
      throw new PlainError(`Another server answers at the address of ${row.name}; it is told nothing.`, { reason: row.problem });
    return { row, source: await links.open(row) };
  }

  /** Found by the mark of a library: a watched one is scanned, another one only listed anew. */
  function onChanged(row: SourceRow, library: SourceLibraryRow): void {
    if (library.watched) {
      if (library.listedAt !== null) void scanWatched(library, SCAN_BY_MARK_MS).catch(quiet);
    } else if (library.listedAt !== null && Date.now() - library.listedAt.getTime() > SCAN_BY_MARK_MS)
      void listOnce(row, library).catch(quiet);
  }

  async function libraryChanged(row: SourceRow, key: string | null): Promise<void> {
    for (const library of await listSourceLibraries(db, row.id))
      if (library.watched && (key === null || key === library.key)) await scanWatched(library, 60_000);
  }

  async function scanWatched(section: SourceLibraryRow, notSinceMs: number): Promise<void> {
    for (const library of await listLibraries(db)) {
      const since = library.lastScanAt ? Date.now() - library.lastScanAt.getTime() : Infinity;
      if (section.libraryIds.includes(library.id) && library.enabled && since > notSinceMs) parts.scanner.scanSoon(library.id);
    }
  }

  async function listEvery(sourceId: number): Promise<void> {
    const { row } = await open(sourceId);
    for (const library of await listSourceLibraries(db, sourceId)) {
      if (ending.signal.aborted) return;
      if (library.goneAt === null) await listOnce(row, library).catch(quiet);
      events.emit('source.changed', { sourceId });
    }
  }

  /** One listing of a library at a time; whoever wants it meanwhile gets the same one. */
  function listOnce(
    row: SourceRow,
    library: SourceLibraryRow,
    onItems: (count: number) => Promise<void> | void = () => {},
    signal?: AbortSignal,
  ): Promise<number> {
    const running = listings.get(library.id);
    if (running) return running;
    const both = signal ? AbortSignal.any([ending.signal, signal]) : ending.signal;
    const listing = (async () => {
      const source = await links.open(row);
      const mark = (await source.listLibraries(both)).find(({ key }) => key === library.key)?.changeMark ?? null;
      const files = await listSection({ db, source, onItems }, library, mark, both);
      await links.keepLearnt(row, source);
      return files;
    })().finally(() => listings.delete(library.id));
    listings.set(library.id, listing);
    return listing;
  }

  async function list(library: Library, onItems: (count: number) => Promise<void> | void, signal: AbortSignal): Promise<Listing | null> {
    const section = library.sourceLibraryId === null ? null : await readSourceLibrary(db, library.sourceLibraryId);
    if (!section) return null;
    try {
      const { row, source } = await open(section.sourceId);
      const offered = (await source.listLibraries(signal)).find(({ key }) => key === section.key);
      if (!offered) return { listed: null, note: { code: 'source-library-gone', params: { source: row.name, library: section.title } } };
      if (isAsListed(section, offered.changeMark)) return { listed: section.items, note: null };
      const files = await listOnce(row, section, onItems, signal);
      return { listed: (await readSourceLibrary(db, section.id))?.items ?? files, note: null };
    } catch (error) {
      signal.throwIfAborted();
      const problem = problemOf({ name: section.source }, error);
      // without any listing nobody knows which films are in several parts
      if (section.listedAt === null)
        throw new PlainError(`${section.source} has never listed this library, and cannot be asked now: ${messageOf(error)}`, {
          cause: error,
          reason: problem,
          retry: true,
        });
      const ago = (Date.now() - section.listedAt.getTime()) / 1000;
      return { listed: null, note: { code: 'source-listing-old', params: { source: section.source, message: plain(error), ago } } };
    }
  }

  async function settle(library: Library): Promise<void> {
    const section = library.sourceLibraryId === null ? null : await readSourceLibrary(db, library.sourceLibraryId);
    if (!section || section.listedAt === null) return;
    await nameFiles(db, library.id);
    await settleByItems(db, library.id, section.source);
  }

  async function lookAtPlaces(places: readonly { rootId: string; path: string }[]): Promise<void> {
    if (places.length === 0) return;
    for (const library of await listLibraries(db)) {
      const inside = places.filter(({ rootId, path }) => rootId === library.rootId && isWithin(path, library.folder));
      const folders = new Set(inside.map(({ path }) => path.slice(0, Math.max(0, path.lastIndexOf('/')))));
      if (folders.size > 0 && (library.enabled || library.looking)) parts.scanner.lookAt(library.id, [...folders]);
    }
  }

  function quiet(error: unknown): void {
    if (!ending.signal.aborted) log.info({ why: messageOf(error) }, 'a media server could not be asked');
  }
}

function isAsListed(section: SourceLibraryRow, mark: string | null): boolean {
  return (
    mark !== null && mark === section.changeMark && section.listedAt !== null && Date.now() - section.listedAt.getTime() < BELIEVE_MARK_MS
  );
}

function plain(error: unknown): string {
  return messageOf(error).slice(0, 300);
}
