import type { PathRule } from '../core/commands.ts';
import { placeOf } from '../core/source-paths.ts';
import type { Database } from '../db/connect.ts';
import { upsertItems, type ListedItem } from '../db/source-items.ts';
import { beginListing, endListing, type SourceLibraryRow } from '../db/source-libraries.ts';
import { listSourcePaths } from '../db/source-paths.ts';
import type { Source, SourceItem } from '../sources/source.ts';

/**
 * Reads a whole library of a media server into `source_items`, page by page, so that fifty thousand films need no more
 * memory than one page. What the listing did not see is forgotten only when it is complete. Films that come or go while it
 * runs are seen the next time: the mark that is kept is the one from before.
 */
export async function listSection(
  parts: { db: Database; source: Source; onItems: (count: number) => Promise<void> | void },
  library: SourceLibraryRow,
  mark: string | null,
  signal: AbortSignal,
): Promise<number> {
  const { db, source } = parts;
  const rules = await listSourcePaths(db, library.sourceId);
  const listing = await beginListing(db, library.id);
  let files = 0;
  for await (const page of source.listItems(library.key, signal)) {
    signal.throwIfAborted();
    await upsertItems(
      db,
      library.id,
      listing,
      page.map((item) => placed(item, rules)),
    );
    files += page.length;
    await parts.onItems(files);
  }
  await endListing(db, library.id, listing, mark);
  return files;
}

/** An item with the place of its file here, as far as the rules know one. */
export function placed(item: SourceItem, rules: readonly PathRule[]): ListedItem {
  const place = placeOf(item.path, rules);
  return { ...item, rootId: place?.rootId ?? null, filePath: place?.path ?? null };
}
