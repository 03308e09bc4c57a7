import { list, text, two, whole, words, type Loose } from './loose.ts';
import type { SourceItem } from './source.ts';

/** Type numbers of Plex: films, and episodes directly, so that nobody walks through shows and seasons. */
export const PLEX_TYPES: Record<string, string> = { movie: '1', show: '4' };

/** Every file of one film or episode, as a listing or the item's own page says it. Clips, shows and seasons have none. */
export function readFiles(item: Loose): SourceItem[] {
  const ref = text(item['ratingKey'], 200);
  if (ref === null || (item['type'] !== 'movie' && item['type'] !== 'episode')) return [];
  const versions = list(item['Media']).filter((media) => list(media['Part']).length > 0);
  const called = item['type'] === 'episode' ? episode(item) : film(item);
  const addedAt = whole(item['addedAt']);
  const watched = { views: whole(item['viewCount']) ?? 0, positionMs: whole(item['viewOffset']) ?? 0 };
  return versions.flatMap((media) => {
    const parts = list(media['Part']);
    return parts.flatMap((part): SourceItem[] => {
      const [id, path] = [text(part['id'], 200), text(part['file'])];
      if (id === null || path === null) return [];
      const codec = text(media['videoCodec'], 50);
      const sizeBytes = whole(part['size']);
      return [
        {
          ref,
          part: id,
          path,
          sizeBytes,
          ...called,
          parts: parts.length,
          versions: versions.length,
          codec,
          addedAt: addedAt === null ? null : addedAt * 1000,
          watched,
        },
      ];
    });
  });
}

function film(item: Loose): { title: string; detail: string } {
  return { title: words(item['title']) || 'Unnamed film', detail: words(item['year'], 10) };
}

/** "S02 E14 · Lucy Gets Trapped"; what is shown daily has a date instead of numbers. */
function episode(item: Loose): { title: string; detail: string } {
  const [season, number] = [whole(item['parentIndex']), whole(item['index'])];
  const date = words(item['originallyAvailableAt'], 10);
  const where = season !== null && number !== null ? `S${two(season)} E${two(number)}` : date;
  const name = words(item['title']);
  return { title: words(item['grandparentTitle']) || name || 'Unnamed episode', detail: words([where, name].filter(Boolean).join(' · ')) };
}
