import type { Queryable } from '../db/connect.ts';
import { setLibrarySource } from '../db/libraries.ts';
import { upsertItems } from '../db/source-items.ts';
import { beginListing, endListing, listSourceLibraries, offerLibraries, setWatched } from '../db/source-libraries.ts';
import { replaceSourcePaths } from '../db/source-paths.ts';
import { addSource, readSource, type Source } from '../db/sources.ts';
import { placed } from '../coordinator/source-listing.ts';
import type { SourceItem } from '../sources/source.ts';
import { aLibrary } from './records.ts';

/** A server that is added, mapped ("/data" is the root) and watched, with what it listed. */
export async function aWatchedSource(
  q: Queryable,
  items: SourceItem[],
): Promise<{ row: Source; section: number; library: { id: number; rootId: string } }> {
  const library = await aLibrary(q);
  const { id } = await addSource(q, {
    kind: 'plex',
    name: 'House',
    url: 'http://10.0.0.2:32400',
    connections: [],
    identity: 'machine-1',
    version: '1',
    account: '',
    credential: 'sealed',
  });
  await offerLibraries(q, id, [{ key: '1', title: 'Films', kind: 'movies', folders: ['/data'] }]);
  const section = (await listSourceLibraries(q, id))[0]!.id;
  await setWatched(q, section, true);
  const rule = { prefix: '/data', rootId: library.rootId, folder: '' };
  await replaceSourcePaths(q, id, [{ ...rule, proof: {}, proved: true }]);
  await setLibrarySource(q, library.id, { source: 'plex', sourceLibraryId: section, enabled: true, looking: false });
  const listing = await beginListing(q, section);
  await upsertItems(
    q,
    section,
    listing,
    items.map((item) => placed(item, [rule])),
  );
  await endListing(q, section, listing, null);
  return { row: (await readSource(q, id))!, section, library };
}
