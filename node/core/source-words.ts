import { sentence } from './reasons.ts';
import type { SourceKind } from './commands.ts';

/** What people read about messages to media servers and fetchers. */

export const sourceNames: Record<SourceKind, string> = {
  plex: 'Plex',
  jellyfin: 'Jellyfin',
  emby: 'Emby',
  sonarr: 'Sonarr',
  radarr: 'Radarr',
};

export function isFetcher(kind: SourceKind): boolean {
  return kind === 'sonarr' || kind === 'radarr';
}

/** Where a message stands, as one sentence. Plain text: escape it where it is shown. */
export function messageWords(message: {
  source: string;
  state: 'waiting' | 'told' | 'analyzing' | 'confirmed' | 'unconfirmed' | 'dropped';
  kind: 'replaced' | 'restored';
  reason: { code: string; params?: Record<string, string | number> | undefined } | null;
}): string {
  const { source, state, reason } = message;
  const file = message.kind === 'replaced' ? 'new file' : 'original';
  if (state === 'waiting')
    return reason ? `${source} is to be told of the ${file}. ${sentence(reason)}` : `${source} is told of the ${file} in a moment.`;
  if (state === 'told') return `${source} was told; it has not shown the ${file} yet.`;
  if (state === 'analyzing') return `${source} shows the ${file} and reads its streams anew.`;
  if (state === 'confirmed' && (reason?.code === 'source-told-only' || reason?.code === 'source-new-entry')) return sentence(reason);
  if (state === 'confirmed') return reason ? `${source} shows the ${file}. ${sentence(reason)}` : `${source} shows the ${file}.`;
  if (state === 'dropped') return reason ? sentence(reason) : `Nothing was left to tell ${source}: the file changed again.`;
  return `${reason ? sentence(reason) : `${source} has not confirmed the ${file}.`} It is told again once a day.`;
}
