import { instant, list, record, text, two, whole, words, type Loose } from './loose.ts';
import type { SourceItem } from './source.ts';

/** Ten thousand ticks of Jellyfin and Emby are a millisecond. */
const TICKS = 10_000;

/** Every file of one film or episode. Episodes that nobody has are listed too, without a file. */
export function readJellyfinFiles(item: Loose): SourceItem[] {
  const ref = text(item['Id'], 200);
  if (ref === null || item['LocationType'] === 'Virtual') return [];
  const sources = list(item['MediaSources']).filter((one) => one['Type'] !== 'Placeholder' && text(one['Path']) !== null);
  const versions = sources.length > 0 ? sources : [item];
  const called =
    item['Type'] === 'Episode'
      ? episode(item)
      : { title: words(item['Name']) || 'Unnamed film', detail: words(item['ProductionYear'], 10) };
  return versions.flatMap((source): SourceItem[] => {
    const path = text(source['Path']);
    if (path === null) return [];
    const video = list(source['MediaStreams']).find((stream) => stream['Type'] === 'Video');
    return [
      {
        ref,
        part: text(source['Id'], 200) ?? ref,
        path,
        sizeBytes: whole(source['Size']),
        ...called,
        parts: Math.max(1, whole(item['PartCount']) ?? 1),
        versions: versions.length,
        codec: video ? text(video['Codec'], 50) : null,
        addedAt: instant(item['DateCreated']),
        watched: watched(item['UserData']),
      },
    ];
  });
}

/** null: a key belongs to no person, so that nothing is known of watching. */
function watched(value: unknown): SourceItem['watched'] {
  if (typeof value !== 'object' || value === null) return null;
  const data = record(value);
  return { views: whole(data['PlayCount']) ?? 0, positionMs: Math.floor((whole(data['PlaybackPositionTicks']) ?? 0) / TICKS) };
}

function episode(item: Loose): { title: string; detail: string } {
  const [season, number, last] = [whole(item['ParentIndexNumber']), whole(item['IndexNumber']), whole(item['IndexNumberEnd'])];
  const until = last !== null && number !== null && last > number ? `–E${two(last)}` : '';
  const where = season !== null && number !== null ? `S${two(season)} E${two(number)}${until}` : words(item['PremiereDate'], 10);
  const name = words(item['Name']);
  return { title: words(item['SeriesName']) || name || 'Unnamed episode', detail: words([where, name].filter(Boolean).join(' · ')) };
}
