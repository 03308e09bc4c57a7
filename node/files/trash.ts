import type { BigIntStats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Fingerprint } from '../core/media.ts';
import { PlainError } from '../errors.ts';
import { lstatIfThere, makeDirectoryDurably, removeEmptyDirectory, removeIfThere, syncDirectory, writeDurably } from './durable.ts';
import { fingerprint, sameContent } from './fingerprint.ts';
import { isFinished, readJournal, type Journal } from './journal.ts';
import { OURS } from './marker.ts';
import { isInside, relativeTo, requireMounted, resolveInRoot, type Root } from './roots.ts';

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
  /** what took its place; older notes do not say it */
  replacedBy?: { path: string; sizeBytes: number; hash: string };
  /** whose keeper put it there; as above */
  node?: string;
}

const NOTE = 'where.json';
/** A note of ours is far shorter. */
const MOST_NOTE_BYTES = 65_536;

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
      replacedBy: { path: journal.target, sizeBytes: journal.incoming.sizeBytes, hash: journal.incoming.hash },
      node: journal.node,
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
export function attemptOf(trashPath: string): number {
  return Number(/\/(\d{1,15})(?:-\d+)?\/[^/]+$/.exec(trashPath)?.[1] ?? Number.NaN);
}

export function isNote(name: string): boolean {
  return name === NOTE || name === `${NOTE}.new`;
}

/** What is written beside a trashed file, in our form; null when nothing is, or something else. Whether it is true the file has to show. */
export async function readNote(directory: string): Promise<TrashNote | null> {
  try {
    const path = join(directory, NOTE);
    const stat = await lstatIfThere(path);
    // anything but a small file could hold us up for ever
    if (!stat?.isFile() || stat.size > MOST_NOTE_BYTES) return null;
    const note: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isTrashNote(note) ? note : null;
  } catch {
    return null;
  }
}

function isTrashNote(value: unknown): value is TrashNote {
  const note = value as TrashNote | null;
  if (note?.version !== 1 || !isText(note.name, 255) || note.name.includes('/') || !isText(note.path, 8192)) return false;
  if (!['original', 'output'].includes(note.kind) || !Number.isSafeInteger(note.attempt) || note.attempt < 0) return false;
  if (!isText(note.since, 40) || Number.isNaN(Date.parse(note.since)) || !isContent(note.fingerprint)) return false;
  if (typeof note.fingerprint.mtimeMs !== 'number' || (note.node !== undefined && !/^[\w.-]{1,128}$/.test(note.node))) return false;
  return note.replacedBy === undefined || (isContent(note.replacedBy) && isText(note.replacedBy.path, 8192));
}

function isContent(value: { sizeBytes: number; hash: string } | null | undefined): boolean {
  return Number.isSafeInteger(value?.sizeBytes) && value!.sizeBytes >= 0 && /^[0-9a-f]{64}$/.test(value!.hash);
}

function isText(value: unknown, most: number): value is string {
  return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= most;
}
