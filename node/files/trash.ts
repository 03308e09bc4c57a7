import type { BigIntStats } from 'node:fs';
import { opendir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Fingerprint } from '../core/media.ts';
import { codeOf, PlainError } from '../errors.ts';
import { lstatIfThere, makeDirectoryDurably, removeEmptyDirectory, removeIfThere, syncDirectory, writeDurably } from './durable.ts';
import { fingerprint, sameContent } from './fingerprint.ts';
import { isFinished, readJournal, type Journal } from './journal.ts';
import { isInside, OURS, relativeTo, requireMounted, resolveInRoot, type Root } from './roots.ts';

/** Beside each trashed file: a person who lost our books still learns where it belongs. */
export interface TrashNote {
  version: 1;
  name: string;
  /** below the root */
  path: string;
  attempt: number;
  kind: 'original' | 'output';
  since: string;
  fingerprint: Fingerprint;
}

const NOTE = 'where.json';

/**
 * Where a file of this attempt may wait, best place first, below the root. A trash must be on the file's own file system
 * (nothing is ever copied into it), so a disk mounted inside the root gets its own, and the file's directory is the last
 * resort: bind mounts refuse links and renames although both sides are one disk.
 */
export async function trashPlaces(root: Root, path: string, attempt: number, since: string): Promise<string[]> {
  const file = await resolveInRoot(root, path);
  const own = dirname(file);
  const top = await topOfFileSystem(root, own);
  const device = (await stat(own, { bigint: true })).dev;
  const bases = [...((await stat(root.path, { bigint: true })).dev === device ? [root.path] : []), top, own];
  const places: string[] = [];
  for (const base of new Set(bases)) {
    places.push(await freePlace(root, join(base, OURS, 'trash', since.slice(0, 10)), String(attempt), basename(file)));
  }
  return places;
}

/** Makes the directory of a place and leaves the note in it. */
export async function prepareTrash(root: Root, journal: Journal, trashPath: string): Promise<string> {
  const trashed = await inTrash(root, trashPath, { make: true });
  if (journal.outgoing) {
    const note: TrashNote = {
      version: 1,
      name: basename(trashed),
      path: journal.path,
      attempt: journal.attempt,
      kind: journal.kind === 'swap' ? 'original' : 'output',
      since: journal.since,
      fingerprint: journal.outgoing,
    };
    await writeDurably(join(dirname(trashed), NOTE), `${JSON.stringify(note, null, 1)}\n`);
  }
  return trashed;
}

/** Removes the note and the directory of a place that holds nothing any more. */
export async function leaveTrash(trashed: string): Promise<void> {
  if (await lstatIfThere(trashed)) return;
  await removeIfThere(join(dirname(trashed), NOTE));
  await removeIfThere(join(dirname(trashed), `${NOTE}.new`)); // a process died while it wrote the note
  if (await removeEmptyDirectory(dirname(trashed))) await removeEmptyDirectory(dirname(dirname(trashed)));
}

/**
 * Ends the waiting of one original: deletes it. Only the file that the fingerprint proves goes: same size, same time, same
 * bytes at both ends. The inode may differ, because some file systems renumber at every mount.
 * @returns false when it was gone already
 * @throws PlainError `swap-unclear` (something else stands there), `outside-root`, `root-not-mounted`
 */
export async function expire(wish: { root: Root; trashPath: string; fingerprint: Fingerprint; signal?: AbortSignal }): Promise<boolean> {
  await requireMounted(wish.root);
  const trashed = await inTrash(wish.root, wish.trashPath).catch((error: unknown) => {
    if (error instanceof PlainError && error.reason?.code === 'missing') return null;
    throw error;
  });
  if (trashed === null || !(await lstatIfThere(trashed))) return false;
  await refuseWhileSwapping(wish.root, wish.trashPath);
  const found = await fingerprint(trashed, wish.signal);
  if (!sameContent(found, wish.fingerprint) || found.mtimeMs !== wish.fingerprint.mtimeMs) {
    throw new PlainError(`${trashed} is not the original that was put there, so it was not deleted.`, {
      reason: { code: 'swap-unclear', params: { message: `${wish.trashPath} is not the file that was put there` } },
    });
  }
  await removeIfThere(trashed);
  await syncDirectory(dirname(trashed));
  await leaveTrash(trashed);
  return true;
}

/**
 * Is this original still where it was put? `gone` only when the trash itself is there and the file is not: a disk mounted
 * inside the root that is away now shows neither.
 * @throws PlainError `root-not-mounted`
 */
export async function lookInTrash(root: Root, trashPath: string): Promise<'there' | 'gone' | 'unclear'> {
  await requireMounted(root);
  const parts = trashPath.split('/');
  const at = parts.lastIndexOf(OURS);
  try {
    const trashed = await inTrash(root, trashPath).catch((error: unknown) => {
      if (error instanceof PlainError && error.reason?.code === 'missing') return null;
      throw error;
    });
    if (trashed !== null && (await lstatIfThere(trashed))) return 'there';
    // it is on its way back, or came back and that is not in the books yet
    if (await readJournal(root, attemptOf(trashPath))) return 'unclear';
    const ours = await resolveInRoot(root, parts.slice(0, at + 1).join('/'));
    const isHere = (await lstatIfThere(ours))?.isDirectory() === true;
    await requireMounted(root);
    return isHere ? 'gone' : 'unclear';
  } catch (error) {
    if (error instanceof PlainError && (error.reason?.code === 'root-not-mounted' || error.reason?.code === 'root-is-another')) throw error;
    return 'unclear';
  }
}

/** Everything that waits in the trash of a root itself (not of disks mounted inside), from the notes beside the files. */
export async function* listTrash(root: Root, signal?: AbortSignal): AsyncGenerator<TrashNote & { trashPath: string }> {
  const top = join(root.path, OURS, 'trash');
  for await (const day of entriesOf(top)) {
    for await (const attempt of entriesOf(join(top, day))) {
      signal?.throwIfAborted();
      const directory = join(top, day, attempt);
      const note = await readNote(directory);
      if (note && (await lstatIfThere(join(directory, note.name))))
        yield { ...note, trashPath: relativeTo(root, join(directory, note.name)) };
    }
  }
}

/** The absolute path of a trashed file. @throws PlainError `outside-root` for a path that no trash of ours has */
export async function inTrash(root: Root, trashPath: string, options: { make?: boolean } = {}): Promise<string> {
  const parts = trashPath.split('/');
  const at = parts.lastIndexOf(OURS);
  // …/.codecshift/trash/<date>/<attempt>/<name>
  if (at < 0 || parts[at + 1] !== 'trash' || parts.length !== at + 5 || parts.includes('..') || parts.includes('')) {
    throw new PlainError(`${JSON.stringify(trashPath.slice(0, 300))} is not a place in a trash of CodecShift.`, {
      reason: { code: 'outside-root' },
    });
  }
  if (options.make) {
    // the directory that holds `.codecshift` must exist and be inside before anything is made in it
    const base = dirname(await resolveInRoot(root, parts.slice(0, at + 1).join('/')));
    await makeDirectoryDurably(join(base, ...parts.slice(at, -1)));
  }
  return await resolveInRoot(root, trashPath);
}

/** The topmost directory, at or above this one and below the root, that is still on the same file system. */
async function topOfFileSystem(root: Root, directory: string): Promise<string> {
  const device = (await stat(directory, { bigint: true })).dev;
  let top = directory;
  while (top !== root.path && isInside(root.path, dirname(top))) {
    const above: BigIntStats = await stat(dirname(top), { bigint: true });
    if (above.dev !== device) break;
    top = dirname(top);
  }
  return top;
}

/** Another cluster may have used the same attempt number on the same day. */
async function freePlace(root: Root, day: string, attempt: string, name: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = join(day, n === 1 ? attempt : `${attempt}-${n}`, name);
    if (!(await lstatIfThere(dirname(path)))) return relativeTo(root, path);
  }
}

async function refuseWhileSwapping(root: Root, trashPath: string): Promise<void> {
  const attempt = attemptOf(trashPath);
  if (!Number.isSafeInteger(attempt)) return;
  const journal = await readJournal(root, attempt);
  if (!journal || isFinished(journal)) return;
  throw new PlainError(`The replacement that put ${trashPath} into the trash is not finished, so it stays there.`, {
    reason: { code: 'swap-unclear', params: { message: 'the replacement is not finished' } },
    retry: true,
  });
}

/** NaN when the place names none. */
function attemptOf(trashPath: string): number {
  return Number(/\/(\d{1,15})(?:-\d+)?\/[^/]+$/.exec(trashPath)?.[1] ?? Number.NaN);
}

async function readNote(directory: string): Promise<TrashNote | null> {
  try {
    const note = JSON.parse(await readFile(join(directory, NOTE), 'utf8')) as TrashNote | null;
    return note?.version === 1 && typeof note.name === 'string' && !note.name.includes('/') ? note : null;
  } catch {
    return null;
  }
}

async function* entriesOf(directory: string): AsyncGenerator<string> {
  try {
    for await (const entry of await opendir(directory)) if (entry.isDirectory()) yield entry.name;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
