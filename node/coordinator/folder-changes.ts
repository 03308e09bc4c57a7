import type { Database } from '../db/connect.ts';
import { listLibraries } from '../db/libraries.ts';
import { listNodeRoots } from '../db/roots.ts';
import { PlainError } from '../errors.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { isWithin } from './changed-folders.ts';
import type { Scanner } from './scanner.ts';

type News = ProtocolRequest<'changed'>;

/**
 * A machine noticed that something changed in folders of a disk: the libraries there that wish it have these folders looked
 * at. It is only a hint, so a machine may tell it of any root that it has.
 * @throws PlainError when it speaks for another, or of a disk that it does not have
 */
export async function heedFolderChanges(
  parts: { db: Database; scanner: Pick<Scanner, 'lookAt'> },
  news: News,
  from: string,
): Promise<ProtocolResponse<'changed'>> {
  if (from !== news.node) throw new PlainError('A machine tells of changes only in its own name.');
  const has = (await listNodeRoots(parts.db, from)).some((root) => root.rootId === news.root && root.problem === null);
  if (!has) throw new PlainError('This machine does not have that disk, as far as is known here.', { retry: true });
  let heard = false;
  for (const library of await listLibraries(parts.db)) {
    if (library.rootId !== news.root || !library.watch || !(library.enabled || library.looking)) continue;
    const folders = news.folders.filter((folder) => isWithin(folder, library.folder) || isWithin(library.folder, folder));
    if (folders.length === 0) continue;
    parts.scanner.lookAt(library.id, folders);
    heard = true;
  }
  return { heard };
}
