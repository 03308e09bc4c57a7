import type { Database } from '../db/connect.ts';
import { filesOfItem, libraryOfItem, noteUse, removeItem, replaceItem } from '../db/source-items.ts';
import { listSourceLibraries } from '../db/source-libraries.ts';
import { hurryMessages } from '../db/source-messages.ts';
import { listSourcePaths } from '../db/source-paths.ts';
import type { Source as SourceRow } from '../db/sources.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Source, SourceNews } from '../sources/source.ts';
import { placed } from './source-listing.ts';
import { isBelowFolder } from './source-tidings.ts';

/**
 * What a media server says by itself. Only hints: each leads to a question, and a line that is silent or broken costs
 * nothing but time, because everything is also asked for at intervals.
 *
 *   item changed ─┬─ a message about it waits ─▶ that is looked at now (it is our own doing)
 *                 └─ else ─▶ the item is read ─▶ its folder is looked at
 *   playing ──────▶ remembered with the item; whoever waits for it asks again
 */
export interface NewsDesk {
  follow(row: SourceRow, source: Source): void;
  /** items that something else told of, a webhook say */
  lookAtItems(row: SourceRow, source: Source, refs: readonly string[]): Promise<number>;
  /** only those sources are followed on; the others' lines are closed */
  keepOnly(ids: ReadonlySet<number>): void;
  stop(): Promise<void>;
}

export interface NewsParts {
  db: Database;
  log: Log;
  /** files changed below these roots */
  lookAtPlaces: (places: readonly { rootId: string; path: string }[]) => Promise<void>;
  /** more changed than can be read one by one, or it was not said what */
  libraryChanged: (row: SourceRow, libraryKey: string | null) => void;
  /** somebody began or ended playing */
  onPlaying: () => void;
  hurried: () => void;
  gatherMs?: number;
  firstPauseMs?: number;
}

const GATHER_MS = 2000;
const PAUSE_MS = { first: 5000, most: 300_000 };
/** A server that scans a whole library tells of every item: the listing of the library is cheaper than each of them. */
const MOST_ITEMS = 50;

interface Line {
  source: Source;
  abort: AbortController;
  ended: Promise<void>;
  refs: Set<string>;
  timer: NodeJS.Timeout | undefined;
}

export function createNewsDesk(parts: NewsParts): NewsDesk {
  const { db, log } = parts;
  const lines = new Map<number, Line>();
  const played = new Map<string, number>();
  return {
    follow(row, source) {
      if (lines.get(row.id)?.source === source) return;
      close(row.id);
      if (!source.follow) return;
      const line: Line = { source, abort: new AbortController(), ended: Promise.resolve(), refs: new Set(), timer: undefined };
      lines.set(row.id, line);
      line.ended = hear(row, line);
    },
    lookAtItems,
    keepOnly(ids) {
      for (const id of lines.keys()) if (!ids.has(id)) close(id);
    },
    async stop() {
      const all = [...lines.values()];
      for (const id of [...lines.keys()]) close(id);
      await Promise.allSettled(all.map((line) => line.ended));
    },
  };

  function close(id: number): void {
    const line = lines.get(id);
    lines.delete(id);
    clearTimeout(line?.timer);
    line?.abort.abort();
  }

  /** A line that breaks is opened again, later each time; one that brought news begins anew. */
  async function hear(row: SourceRow, line: Line): Promise<void> {
    const { signal } = line.abort;
    const first = parts.firstPauseMs ?? PAUSE_MS.first;
    for (let pauseMs = first; !signal.aborted; pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most)) {
      let heard = false;
      try {
        await line.source.follow!((news) => ((heard = true), take(row, line, news)), signal);
      } catch (error) {
        log.debug({ source: row.name, why: messageOf(error) }, 'the line to a media server broke');
      }
      if (heard) pauseMs = first;
      await pause(pauseMs * (0.75 + Math.random() / 2), signal);
    }
  }

  function take(row: SourceRow, line: Line, news: SourceNews): void {
    if (line.abort.signal.aborted) return;
    switch (news.kind) {
      case 'library-changed':
        return parts.libraryChanged(row, news.libraryKey);
      case 'item-gone':
        return void removeItem(db, row.id, news.ref).catch(quiet);
      case 'playing':
        return void playing(row, news.ref, news.state).catch(quiet);
      case 'item-changed':
        line.refs.add(news.ref);
        line.timer ??= setTimeout(() => void flush(row, line).catch(quiet), parts.gatherMs ?? GATHER_MS).unref();
    }
  }

  async function flush(row: SourceRow, line: Line): Promise<void> {
    line.timer = undefined;
    const refs = [...line.refs];
    line.refs.clear();
    if (refs.length > MOST_ITEMS) return parts.libraryChanged(row, null);
    await lookAtItems(row, line.source, refs);
  }

  async function lookAtItems(row: SourceRow, source: Source, refs: readonly string[]): Promise<number> {
    const places: { rootId: string; path: string }[] = [];
    for (const ref of refs.slice(0, MOST_ITEMS)) {
      if ((await hurryMessages(db, row.id, ref)) > 0) parts.hurried();
      else places.push(...(await readItem(row, source, ref)));
    }
    await parts.lookAtPlaces(places);
    return places.length;
  }

  /** What it is by now, and where its files are; those that it had before are looked at too. */
  async function readItem(row: SourceRow, source: Source, ref: string): Promise<{ rootId: string; path: string }[]> {
    const before = await filesOfItem(db, row.id, ref);
    const items = await source.readItem(ref, AbortSignal.timeout(60_000));
    if (items.length === 0) {
      await removeItem(db, row.id, ref);
      return before;
    }
    const rules = await listSourcePaths(db, row.id);
    const now = items.map((item) => placed(item, rules));
    const library = (await libraryOfItem(db, row.id, ref)) ?? (await libraryByFolder(row.id, items[0]!.path));
    if (library !== null) await replaceItem(db, library, ref, now);
    const places = now.flatMap(({ rootId, filePath }) => (rootId !== null && filePath !== null ? [{ rootId, path: filePath }] : []));
    return [...before, ...places];
  }

  /** Of a new item nobody says in which library it is, but its path does. */
  async function libraryByFolder(sourceId: number, path: string): Promise<number | null> {
    let best: { id: number; length: number } | null = null;
    for (const library of await listSourceLibraries(db, sourceId))
      for (const folder of library.goneAt ? [] : library.folders)
        if (isBelowFolder(path, folder) && folder.length > (best?.length ?? -1)) best = { id: library.id, length: folder.length };
    return best?.id ?? null;
  }

  async function playing(row: SourceRow, ref: string, state: string): Promise<void> {
    const key = `${row.id} ${ref} ${state}`;
    const last = played.get(key) ?? -Infinity;
    // a player says every ten seconds that it plays; once in a while is enough to know
    if (performance.now() - last < 30_000) return;
    if (played.size > 1000) played.clear();
    played.set(key, performance.now());
    await noteUse(db, row.id, ref);
    parts.onPlaying();
  }

  function quiet(error: unknown): void {
    log.debug({ why: messageOf(error) }, 'what a media server said could not be followed up');
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms).unref();
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
