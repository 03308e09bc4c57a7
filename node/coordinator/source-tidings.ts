import { filmStreams, type Probe } from '../core/media.ts';
import { sourcePathOf } from '../core/source-paths.ts';
import { isFetcher } from '../core/source-words.ts';
import type { Database } from '../db/connect.ts';
import { itemsOfPath, type FileItem } from '../db/source-items.ts';
import { listSourceLibraries } from '../db/source-libraries.ts';
import type { NewSourceMessage } from '../db/source-messages.ts';
import { listSourcePaths } from '../db/source-paths.ts';
import { listSources, type Source as SourceRow } from '../db/sources.ts';

/** A file that was exchanged: what it was and is, below its root. */
export interface FileChange {
  kind: 'replaced' | 'restored';
  fileId: number;
  jobId: number | null;
  rootId: string;
  from: string;
  to: string;
  /** sizes */
  before: number;
  after: number;
  /** of the file that stands there now */
  probe: Probe | null;
}

/**
 * Who has to be told that a file was exchanged, and what each of them knew of it: written in the same transaction as the
 * exchange itself, so that nothing is forgotten, whoever dies. One message for each entry that a source has of the file;
 * where it has none, one that only names the folder. A source without a rule for this path is told nothing.
 */
export async function tidingsOf(db: Database, change: FileChange): Promise<NewSourceMessage[]> {
  const sources = (await listSources(db)).filter((row) => row.enabled);
  if (sources.length === 0) return [];
  const items = await itemsOfPath(db, change.rootId, change.from);
  const told: NewSourceMessage[] = [];
  for (const row of sources) told.push(...(await ofSource(db, row, change, items)));
  return told;
}

async function ofSource(db: Database, row: SourceRow, change: FileChange, all: FileItem[]): Promise<NewSourceMessage[]> {
  const rules = await listSourcePaths(db, row.id);
  const before = sourcePathOf({ rootId: change.rootId, path: change.from }, rules);
  const after = sourcePathOf({ rootId: change.rootId, path: change.to }, rules);
  if (before === null || after === null) return [];
  const codec = (change.probe && filmStreams(change.probe)[0]?.codec) ?? null;
  const common = {
    sourceId: row.id,
    fileId: change.fileId,
    jobId: change.jobId,
    kind: change.kind,
    folder: folderOf(after),
    after: { path: after, size: change.after, codec },
  };
  const items = all.filter((item) => item.sourceId === row.id);
  if (items.length > 0)
    return items.map((item) => ({
      ...common,
      libraryKey: item.libraryKey,
      ref: item.ref,
      before: { path: item.path, size: item.sizeBytes, codec: item.codec, added: item.addedAt?.getTime() ?? null, watched: item.watched },
    }));
  const libraryKey = isFetcher(row.kind) ? null : await libraryOfPath(db, row.id, after);
  // a media server that has no library there would answer 200 and do nothing
  if (!isFetcher(row.kind) && libraryKey === null) return [];
  return [{ ...common, libraryKey, ref: null, before: { path: before, size: change.before, codec: null, added: null, watched: null } }];
}

async function libraryOfPath(db: Database, sourceId: number, path: string): Promise<string | null> {
  let best: { key: string; length: number } | null = null;
  for (const library of await listSourceLibraries(db, sourceId))
    for (const folder of library.goneAt ? [] : library.folders)
      if (isBelowFolder(path, folder) && folder.length > (best?.length ?? -1)) best = { key: library.key, length: folder.length };
  return best?.key ?? null;
}

/** In a source's own view, where a Windows path has no case. */
export function isBelowFolder(path: string, folder: string): boolean {
  const isWindows = /^[a-z]:|^\\\\/i.test(folder);
  const plain = (text: string): string => {
    const slashed = isWindows ? text.replaceAll('\\', '/').toLowerCase() : text;
    return slashed.replace(/\/+$/, '');
  };
  const [a, b] = [plain(path), plain(folder)];
  return a === b || a.startsWith(`${b}/`);
}

/** The folder of a file, with the separators that it has. */
export function folderOf(path: string): string {
  const at = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  return at <= 0 ? path.slice(0, 1) : path.slice(0, at);
}
