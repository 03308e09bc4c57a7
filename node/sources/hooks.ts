import { createHash } from 'node:crypto';
import type { SourceKind } from '../core/commands.ts';
import { readArrHook } from './arr-hook.ts';
import { instant, record, text, type Loose } from './loose.ts';
import { another, odd } from './trouble.ts';

/** What a webhook was about. Only a hint: the truth is read from the source itself, or from the disk. */
export interface HookHint {
  /** the same message (and an Import Complete that repeats it) has the same key; at most 100 characters */
  key: string;
  what: 'new' | 'changed' | 'gone' | 'renamed';
  libraryKey: string | null;
  ref: string | null;
  /** in the source's view, where it says one */
  path: string | null;
  /** of `renamed`: what it was called */
  before: string | null;
  sizeBytes: number | null;
}

/**
 * Reads the JSON of a webhook. Unknown events give no hint, and so does a test message.
 * @param identity who it must be from, where the program says that
 * @throws PlainError reason `source-is-another`: it is from another server; `source-odd`: it is no webhook of this program
 */
export function readHook(kind: SourceKind, identity: string, json: unknown): HookHint[] {
  const body = record(json);
  switch (kind) {
    case 'plex':
      return readPlexHook(identity, body);
    case 'jellyfin':
      return readJellyfinHook(identity, body);
    case 'emby':
      return readEmbyHook(identity, body);
    case 'sonarr':
    case 'radarr':
      return readArrHook(body, odd(names[kind], 'a webhook without an event')).map(({ of, ...hint }) => ({ ...hint, key: keyOf(of) }));
  }
}

const names: Record<SourceKind, string> = { plex: 'Plex', jellyfin: 'Jellyfin', emby: 'Emby', sonarr: 'Sonarr', radarr: 'Radarr' };
const nothing = { libraryKey: null, ref: null, path: null, before: null, sizeBytes: null };

/** No path and no size in it; a season that came at once is one message about its show. */
function readPlexHook(identity: string, body: Loose): HookHint[] {
  const event = text(body['event'], 100);
  const server = text(record(body['Server'])['uuid'], 200);
  if (event === null || server === null) throw odd('Plex', 'a webhook without an event or server');
  if (server !== identity) throw another('Plex');
  if (event !== 'library.new' && event !== 'library.on.deck') return [];
  const item = record(body['Metadata']);
  const key = text(item['ratingKey'], 200);
  const libraryKey = text(item['librarySectionID'], 200);
  const ref = item['type'] === 'movie' || item['type'] === 'episode' ? key : null;
  if (key === null && libraryKey === null) return [];
  return [{ ...nothing, key: keyOf(['plex', event, key, libraryKey, text(item['addedAt'], 20)]), what: 'new', libraryKey, ref }];
}

/** Of Jellyfin's Webhook plugin, with its default template. */
function readJellyfinHook(identity: string, body: Loose): HookHint[] {
  const event = text(body['NotificationType'], 100);
  if (event === null) throw odd('Jellyfin', 'a webhook without an event');
  const server = text(body['ServerId'], 200);
  if (server !== null && server !== identity) throw another('Jellyfin');
  const what = event === 'ItemAdded' ? 'new' : event === 'ItemDeleted' ? 'gone' : null;
  const ref = text(body['ItemId'], 200);
  if (what === null || ref === null) return [];
  return [{ ...nothing, key: keyOf(['jellyfin', event, ref, text(body['Timestamp'], 60)]), what, ref, path: text(body['Path']) }];
}

function readEmbyHook(identity: string, body: Loose): HookHint[] {
  const event = text(body['Event'], 100);
  if (event === null) throw odd('Emby', 'a webhook without an event');
  const server = text(record(body['Server'])['Id'], 200);
  if (server !== null && server !== identity) throw another('Emby');
  const what = event === 'library.new' ? 'new' : event === 'library.deleted' ? 'gone' : null;
  const item = record(body['Item']);
  const ref = text(item['Id'], 200);
  if (what === null || ref === null) return [];
  const date = instant(body['Date']);
  return [{ ...nothing, key: keyOf(['emby', event, ref, date]), what, ref, path: text(item['Path']) }];
}

function keyOf(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
