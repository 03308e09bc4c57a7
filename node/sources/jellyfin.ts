import { messageOf } from '../errors.ts';
import { version } from '../version.ts';
import { createAsker, type Asker } from './asker.ts';
import { list, record, text, whole, words, type Loose } from './loose.ts';
import { readJellyfinFiles } from './jellyfin-items.ts';
import { everyPage, type Page } from './paging.ts';
import type { Source, SourceChange, SourceLibrary, SourceParts, Use } from './source.ts';
import { odd } from './trouble.ts';

/**
 * Jellyfin and Emby, which come from one program and still answer alike. What differs is how one shows the key (Jellyfin
 * wants its own header and is about to forget all others; Emby only knows X-Emby-Token), and what a changed file is called.
 *
 *   replaced ─▶ Media/Updated (a path, to the monitor) ─▶ read the item back: size? codec? ─▶ Refresh of the item, a full one
 *
 * Jellyfin probes a file anew only when its time stamp differs, which a replacement sees to; a probe that failed once is
 * never repeated by itself, hence the full refresh.
 */
export function createJellyfinSource(parts: SourceParts, kind: 'jellyfin' | 'emby'): Source {
  const { name } = parts;
  const asker: Asker = createAsker({
    name,
    url: parts.url,
    outgoing: parts.outgoing,
    identity: parts.identity,
    identify: (signal) => source.identify(signal),
    headers: { accept: 'application/json' },
    credentials: credentialsOf(kind, parts.credential, parts.clientId),
    now: parts.now ?? Date.now,
  });

  const source: Source = {
    kind,
    async identify(signal) {
      const said = record(await asker.openly('/System/Info/Public', signal));
      const id = text(said['Id'], 200);
      if (id === null) throw odd(name, 'it does not say who it is');
      return { id, name: words(said['ServerName'], 100) || name, version: words(said['Version'], 100) };
    },
    async listLibraries(signal) {
      const said = await asker.json('/Library/VirtualFolders', signal);
      const folders = Array.isArray(said) ? said : record(said)['Items'];
      if (!Array.isArray(folders)) throw odd(name, 'a list of libraries that is none');
      return list(folders).flatMap(readLibrary);
    },
    async countItems(libraryKey, signal) {
      return (await askPage(libraryKey, 0, 0, signal)).total;
    },
    async *listItems(libraryKey, signal) {
      for await (const page of everyPage(
        name,
        (start) => askPage(libraryKey, start, PAGE, signal),
        (item) => text(item['Id'], 200),
      )) {
        const files = page.flatMap(readJellyfinFiles);
        if (files.length > 0) yield files;
      }
    },
    async readItem(ref, signal) {
      const query = { ids: ref, fields: FIELDS, recursive: 'true', enableTotalRecordCount: 'false' };
      const answer = await asker.json('/Items', signal, { query });
      return itemsOf(answer).flatMap(readJellyfinFiles);
    },
    inUse,
    async tellChanged(change, signal) {
      await asker.answer('/Library/Media/Updated', signal, { method: 'POST', body: { Updates: updatesOf(kind, change) } });
    },
    async analyze(ref, signal) {
      const query = { recursive: 'false', metadataRefreshMode: 'FullRefresh', imageRefreshMode: 'None', replaceAllMetadata: 'false' };
      const only = kind === 'jellyfin' ? { regenerateTrickplay: 'false' } : {};
      await asker.answer(`/Items/${encodeURIComponent(ref)}/Refresh`, signal, { method: 'POST', query: { ...query, ...only } });
    },
    learnt: () => ({ ...parts.learnt }),
  };
  return source;

  async function askPage(libraryKey: string, start: number, size: number, signal: AbortSignal): Promise<Page<Loose>> {
    const answer = await asker.json('/Items', signal, {
      query: {
        parentId: libraryKey,
        recursive: 'true',
        includeItemTypes: 'Movie,Episode',
        fields: FIELDS,
        // oldest first: what is added meanwhile comes at the end and moves nothing
        sortBy: 'DateCreated,SortName',
        sortOrder: 'Ascending',
        startIndex: String(start),
        limit: String(size),
        enableTotalRecordCount: 'true',
        enableImages: 'false',
      },
      ...BIG,
    });
    const said = record(answer);
    return { items: itemsOf(answer), offset: whole(said['StartIndex']), total: whole(said['TotalRecordCount']) };
  }

  function itemsOf(answer: unknown): Loose[] {
    const items = record(answer)['Items'];
    if (!Array.isArray(items)) throw odd(name, 'a list that is none');
    return list(items);
  }

  /** Every doubt is `unknown`: a film is never taken away from under somebody because a question failed. */
  async function inUse(item: { ref: string; part: string | null; path: string }, signal: AbortSignal): Promise<Use> {
    try {
      const sessions = await asker.json('/Sessions', signal);
      if (!Array.isArray(sessions)) return { use: 'unknown', why: 'its list of who plays what could not be read' };
      const found = list(sessions).find((session) => plays(session, item));
      if (!found) return { use: 'no' };
      const who = words(found['UserName'], 60) || words(found['DeviceName'], 60) || 'Somebody';
      return { use: 'yes', who, how: record(found['PlayState'])['IsPaused'] === true ? 'paused' : 'playing' };
    } catch (error) {
      if (signal.aborted) throw error;
      return { use: 'unknown', why: messageOf(error) };
    }
  }
}

const PAGE = 200;
const FIELDS = 'Path,MediaSources,DateCreated,ProductionYear,PartCount';
const BIG = { maxBytes: 96 * 1024 * 1024, timeoutMs: 120_000 };

const KINDS: Record<string, SourceLibrary['kind']> = { movies: 'movies', tvshows: 'shows' };

function readLibrary(folder: Loose): SourceLibrary[] {
  const key = text(folder['ItemId'], 200) ?? text(folder['Id'], 200);
  if (key === null) return [];
  const locations = Array.isArray(folder['Locations']) ? folder['Locations'].flatMap((one: unknown) => text(one) ?? []) : [];
  const title = words(folder['Name']) || 'Unnamed library';
  return [{ key, title, kind: KINDS[String(folder['CollectionType'])] ?? 'other', folders: locations, changeMark: null }];
}

/** By the item, by its version, or by the file itself: a session of another profile may only have the last. */
function plays(session: Loose, item: { ref: string; part: string | null; path: string }): boolean {
  const playing = session['NowPlayingItem'];
  if (typeof playing !== 'object' || playing === null) return false;
  const now = record(playing);
  const version = text(record(session['PlayState'])['MediaSourceId'], 200);
  return now['Id'] === item.ref || now['Path'] === item.path || (item.part !== null && version === item.part);
}

function updatesOf(kind: 'jellyfin' | 'emby', change: SourceChange): { Path: string; UpdateType: string }[] {
  if (change.before === change.after) return [{ Path: change.after, UpdateType: kind === 'emby' ? 'Created' : 'Modified' }];
  return [
    { Path: change.after, UpdateType: 'Created' },
    { Path: change.before, UpdateType: 'Deleted' },
  ];
}

function credentialsOf(kind: 'jellyfin' | 'emby', credential: string, clientId: string): Record<string, string> {
  if (kind === 'emby') return { 'x-emby-token': credential };
  const said = { Token: credential, Client: 'CodecShift', Device: 'CodecShift', DeviceId: clientId, Version: version };
  const pairs = Object.entries(said).map(([key, value]) => `${key}="${encodeURIComponent(value)}"`);
  return { authorization: `MediaBrowser ${pairs.join(', ')}` };
}
