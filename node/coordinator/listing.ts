import { titleOf } from '../core/title.ts';
import type { Reason } from '../core/reasons.ts';
import type { Database } from '../db/connect.ts';
import type { Library } from '../db/libraries.ts';
import { setStatus } from '../db/file-standing.ts';
import { filesByPath, knownFiles, markMissing, upsertListed, type KnownFile, type ListedFile as FoundFile } from '../db/media-files.ts';
import { PlainError } from '../errors.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { InspectAnswer, ListedFile } from '../mesh/messages.ts';

export interface ListingParts {
  mesh: Mesh;
  db: Database;
  settleSeconds: number;
  /** when the scan began, by the database's clock */
  began: Date;
  onPage: (counts: ListingCounts) => Promise<void>;
}

export interface ListingCounts {
  seen: number;
  added: number;
  changed: number;
  missing: number;
  problems: number;
  settling: number;
  /** the folders in which something is still being written */
  settlingIn: Set<string>;
}

type Page = InspectAnswer<'listed'>;

/**
 * Compares what a keeper sees below a library's folder with what the database knows, page by page, and writes only the
 * difference: an unchanged file costs no write. What was not seen is marked missing only after the keeper said that
 * the listing is complete; a disk that vanished in the middle must never look like deleted files.
 *
 * `below`: only this folder of the library is listed, as a path below the root. When it is gone, so is what was in it.
 */
export async function listLibrary(
  parts: ListingParts,
  library: Library,
  keeper: string,
  scan: string,
  signal: AbortSignal,
  below: string = library.folder,
): Promise<ListingCounts> {
  const counts: ListingCounts = { seen: 0, added: 0, changed: 0, missing: 0, problems: 0, settling: 0, settlingIn: new Set() };
  const seen = new Set<number>();
  for (let page = 0; ; page++) {
    signal.throwIfAborted();
    const listed = await askPage(parts.mesh, keeper, library, { scan, page, below }, signal);
    await takeFiles(parts, library, listed.files, seen, counts);
    await takeProblems(parts, library, listed.problems, seen, counts);
    await parts.onPage(counts);
    if (listed.last) break;
  }
  counts.missing = await markUnseen(parts, library, seen, signal, below);
  return counts;
}

async function askPage(
  mesh: Mesh,
  keeper: string,
  library: Library,
  { scan, page, below }: { scan: string; page: number; below: string },
  signal: AbortSignal,
): Promise<Page> {
  const answer = await mesh.request(keeper, 'inspect', { op: 'list', root: library.rootId, folder: below, scan, page }, { signal });
  if (answer.op === 'listed') return answer;
  const reason: Reason = answer.op === 'refused' ? (answer.reason as Reason) : { code: 'unreadable' };
  // the disk is there (files/walk.ts looked twice) and the folder is not
  if (reason.code === 'missing' && page === 0 && below !== library.folder) return { op: 'listed', files: [], problems: [], last: true };
  throw new PlainError(`The folder of "${library.name}" could not be listed.`, { reason, retry: true });
}

async function takeFiles(
  parts: ListingParts,
  library: Library,
  files: ListedFile[],
  seen: Set<number>,
  counts: ListingCounts,
): Promise<void> {
  const known = await byPath(parts.db, library.id, files);
  const write: FoundFile[] = [];
  const settled: number[] = [];
  for (const file of files) {
    counts.seen++;
    const row = known.get(file.path);
    if (row) seen.add(row.id);
    const settling = file.changedAgoMs < parts.settleSeconds * 1000;
    const same = row && row.sizeBytes === file.sizeBytes && row.mtimeMs === Math.round(file.mtimeMs);
    if (settling && !(same && !isOpen(row))) {
      counts.settling++;
      counts.settlingIn.add(file.path.slice(0, Math.max(0, file.path.lastIndexOf('/'))));
    }
    if (same && !isOpen(row)) continue;
    if (same && row.status === 'settling') {
      if (!settling) settled.push(row.id);
      continue;
    }
    if (same && row.status === 'new') continue;
    write.push(found(file, settling));
    if (!row) counts.added++;
    else counts.changed++;
  }
  await setStatus(parts.db, settled, 'new', null);
  for (const row of await upsertListed(parts.db, library.id, write, { code: 'file-changed' })) seen.add(row.id);
}

/** Not yet decided: may become inspectable without having changed. A missing file that is back is looked at again. */
function isOpen(row: KnownFile): boolean {
  return row.status === 'new' || row.status === 'settling' || row.status === 'missing';
}

function found(file: ListedFile, settling: boolean): FoundFile {
  return {
    ...common(file.path),
    sizeBytes: file.sizeBytes,
    mtimeMs: file.mtimeMs,
    inode: file.inode,
    links: file.links,
    status: settling ? 'settling' : 'new',
    reason: settling ? { code: 'settling' } : null,
  };
}

/** Names that cannot be worked with are shown as skipped, with the reason, under a readable stand-in. */
async function takeProblems(
  parts: ListingParts,
  library: Library,
  problems: Page['problems'],
  seen: Set<number>,
  counts: ListingCounts,
): Promise<void> {
  const known = await byPath(parts.db, library.id, problems);
  const write: FoundFile[] = [];
  for (const problem of problems) {
    counts.problems++;
    const row = known.get(problem.path);
    if (row) seen.add(row.id);
    if (row?.status === 'skipped' && row.sizeBytes === problem.sizeBytes) continue;
    write.push({
      ...common(problem.path),
      sizeBytes: problem.sizeBytes,
      mtimeMs: 0,
      inode: '',
      links: 1,
      status: 'skipped',
      reason: problem.reason as Reason,
    });
  }
  for (const row of await upsertListed(parts.db, library.id, write, { code: 'file-changed' })) seen.add(row.id);
}

function common(name: string): { path: string; title: string; detail: string } {
  const { title, detail } = titleOf(name);
  return { path: name, title: title.slice(0, 500), detail: detail.slice(0, 200) };
}

async function byPath(db: Database, libraryId: number, listed: readonly { path: string }[]): Promise<Map<string, KnownFile>> {
  if (listed.length === 0) return new Map();
  const paths = listed.map(({ path }) => path);
  return new Map((await filesByPath(db, libraryId, paths)).map((row) => [row.path, row]));
}

async function markUnseen(
  { db, began }: ListingParts,
  library: Library,
  seen: Set<number>,
  signal: AbortSignal,
  below: string,
): Promise<number> {
  let missing = 0;
  for (let after: string | null = null; ;) {
    signal.throwIfAborted();
    const page: KnownFile[] = await knownFiles(db, library.id, after, { below: below === library.folder ? null : below });
    const gone = page.filter((row) => row.status !== 'missing' && !seen.has(row.id)).map((row) => row.id);
    if (gone.length) missing += await markMissing(db, gone, { code: 'missing' }, began);
    const last = page.at(-1);
    if (!last) return missing;
    after = last.path;
  }
}
