import { list, record, text } from './loose.ts';
import type { SourceNews } from './source.ts';

/** States of an entry in Plex's live messages: all that was done to it is done; it is gone. */
const PROCESSED = 5;
const DELETED = 9;
/** what has files of its own */
const TYPES = new Set([1, 4]);

/**
 * One message of /:/websockets/notifications. They are not documented by Plex, so that whatever is not understood is no
 * news and no error; listings stay the truth.
 */
export function readNews(message: string): SourceNews[] {
  const container = record(record(parsed(message))['NotificationContainer']);
  const entries = (name: string): Record<string, unknown>[] => list(container[name]).slice(0, 1000);
  if (container['type'] === 'playing') {
    return entries('PlaySessionStateNotification').flatMap((one): SourceNews[] => {
      const ref = text(one['ratingKey'], 200);
      return ref === null ? [] : [{ kind: 'playing', ref, state: text(one['state'], 20) ?? '' }];
    });
  }
  if (container['type'] !== 'timeline') return [];
  return entries('TimelineEntry').flatMap((one) => (one['identifier'] === 'com.plexapp.plugins.library' ? timeline(one) : []));
}

function timeline(entry: Record<string, unknown>): SourceNews[] {
  const [ref, section] = [text(entry['itemID'], 200), text(entry['sectionID'], 200)];
  const libraryKey = section === '-1' ? null : section;
  const state = Number(entry['state']);
  if (ref === null || (state !== PROCESSED && state !== DELETED)) return [];
  // shows, seasons and music come here too; of a show that is done, something below it may be new
  if (!TYPES.has(Number(entry['type']))) return [{ kind: 'library-changed', libraryKey }];
  return [state === DELETED ? { kind: 'item-gone', ref } : { kind: 'item-changed', ref, libraryKey }];
}

function parsed(message: string): unknown {
  try {
    return JSON.parse(message);
  } catch {
    return null;
  }
}
