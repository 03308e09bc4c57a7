import { createArrSource } from './arr.ts';
import { createJellyfinSource } from './jellyfin.ts';
import { createPlexSource } from './plex.ts';
import type { Source, SourceParts } from './source.ts';

/** One adapter for each kind of program. Nothing is asked yet. */
export function openSource(parts: SourceParts): Source {
  switch (parts.kind) {
    case 'plex':
      return createPlexSource(parts);
    case 'jellyfin':
    case 'emby':
      return createJellyfinSource(parts, parts.kind);
    case 'sonarr':
    case 'radarr':
      return createArrSource(parts, parts.kind);
  }
}
