import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { Fingerprint } from '../core/media.ts';
import { codeOf, messageOf } from '../errors.ts';
import { lstatIfThere } from './durable.ts';
import { fingerprint, mtimeOf, sameContent } from './fingerprint.ts';
import { isFinished, readJournal } from './journal.ts';
import { hasMarker, OURS } from './marker.ts';
import { isMediaName } from './names.ts';
import { relativeTo, requireMounted, resolveInRoot, type Root } from './roots.ts';
import { attemptOf, inTrash, isNote, readNote, type TrashNote } from './trash.ts';

/**
 * What lies in a trash that the books may not know, because they were put back from an older time or begun anew.
 *
 *   note beside it, and it is the very file of the note ─▶ it can be put back
 *   anything else ─▶ a stranger: it is shown, with the reason, and never touched
 *
 * A disk can be carried here by anyone, so a note is believed only where the file bears it out: a regular file of that
 * size, time and content, and a film's name inside the library to go back to.
 */
export interface Trashed {
  trashPath: string;
  sizeBytes: number;
  mtimeMs: number;
  note: FoundNote | null;
  /** why there is no note to go by; '' when there is one */
  why: string;
}

export interface FoundNote extends Pick<TrashNote, 'path' | 'attempt' | 'kind' | 'since'> {
  fingerprint: Fingerprint;
  replacedBy: NonNullable<TrashNote['replacedBy']> | null;
  node: string | null;
  /** a film stands where this one was, under its name or the one of what replaced it */
  inPlace: boolean;
}

/** Every file in the trashes of a root: in its own, and in those of disks that are mounted a folder or two below it. */
export async function* listTrashed(root: Root, signal?: AbortSignal): AsyncGenerator<{ trashPath: string }> {
  await requireMounted(root);
  for await (const top of trashes(root, signal)) yield* filesBelow(root, top, 2, signal);
  await requireMounted(root);
}

/**
 * One of them, looked at closely; null when it is gone, or a swap that has not come to its end speaks of it.
 * @throws PlainError `outside-root`, `root-not-mounted`; AbortError
 */
export async function lookAtTrashed(root: Root, trashPath: string, signal?: AbortSignal): Promise<Trashed | null> {
  const path = await resolveInRoot(root, trashPath);
  const stat = await lstatIfThere(path);
  if (!stat?.isFile() || (await isAtWork(root, trashPath))) return null;
  const facts = { trashPath, sizeBytes: Number(stat.size), mtimeMs: mtimeOf(stat) };
  const stranger = (why: string): Trashed => ({ ...facts, note: null, why });
  const place = await inTrash(root, trashPath).catch(() => null);
  const note = place === null ? null : await readNote(dirname(place));
  if (place === null || note?.name !== basename(place)) return stranger('Nothing beside it says where it belongs.');
  if (!leadsBack(note)) return stranger('The note beside it names no place for a film in this library.');
  const found = await fingerprint(place, signal).catch((error: unknown) => messageOf(error));
  if (typeof found === 'string') return stranger(found.slice(0, 500));
  if (!sameContent(found, note.fingerprint) || found.mtimeMs !== note.fingerprint.mtimeMs)
    return stranger('It is not the file that the note beside it speaks of.');
  const { attempt, kind, since } = note;
  const replacedBy = note.replacedBy ?? null;
  const inPlace = await standsInPlace(root, [note.path, ...(replacedBy ? [replacedBy.path] : [])]);
  return {
    ...facts,
    note: { path: note.path, attempt, kind, since, fingerprint: found, replacedBy, node: note.node ?? null, inPlace },
    why: '',
  };
}

/** Its swap or restore has not ended, or has and the books will hear of it: nobody else decides about it meanwhile. */
async function isAtWork(root: Root, trashPath: string): Promise<boolean> {
  const attempt = attemptOf(trashPath);
  if (!Number.isSafeInteger(attempt)) return false;
  const journal = await readJournal(root, attempt).catch(() => 'damaged' as const);
  if (journal === null) return false;
  if (journal === 'damaged' || !isFinished(journal)) return true;
  return journal.kind === 'restore' && journal.trashPath === trashPath;
}

/** A film's own name in a folder of the library, and of the same name as the file that waits. */
function leadsBack(note: TrashNote): boolean {
  const parts = note.path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part === OURS || part.includes('\0'))) return false;
  return parts.at(-1) === note.name && isMediaName(note.name);
}

async function standsInPlace(root: Root, places: readonly string[]): Promise<boolean> {
  for (const place of places) {
    const path = await resolveInRoot(root, place).catch(() => null);
    if (path !== null && (await lstatIfThere(path))?.isFile()) return true;
  }
  // an older note does not name what replaced it: the same film with another extension stands for it
  const first = await resolveInRoot(root, places[0]!).catch(() => null);
  if (first === null) return false;
  const stem = basename(first, extname(first));
  for await (const entry of entriesOf(dirname(first)))
    if (entry.isFile() && isMediaName(entry.name) && basename(entry.name, extname(entry.name)) === stem) return true;
  return false;
}

async function* trashes(root: Root, signal?: AbortSignal): AsyncGenerator<string> {
  yield join(root.path, OURS, 'trash');
  for await (const first of foldersOf(root.path, signal)) {
    yield join(first, OURS, 'trash');
    for await (const second of foldersOf(first, signal)) yield join(second, OURS, 'trash');
  }
}

/** A folder that is a root of its own is left to that root. */
async function* foldersOf(directory: string, signal?: AbortSignal): AsyncGenerator<string> {
  for await (const entry of entriesOf(directory)) {
    signal?.throwIfAborted();
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !entry.name.startsWith('.') && !(await hasMarker(path))) yield path;
  }
}

/** `.codecshift/trash/<date>/<attempt>/<file>`; what a person laid somewhere else in it is found as well. */
async function* filesBelow(root: Root, directory: string, levels: number, signal?: AbortSignal): AsyncGenerator<{ trashPath: string }> {
  if (!(await lstatIfThere(directory))?.isDirectory()) return;
  for await (const entry of entriesOf(directory)) {
    signal?.throwIfAborted();
    const path = join(directory, entry.name);
    if (entry.isDirectory() && levels > 0) yield* filesBelow(root, path, levels - 1, signal);
    else if (entry.isFile() && !isNote(entry.name)) yield { trashPath: relativeTo(root, path) };
  }
}

async function* entriesOf(directory: string): AsyncGenerator<Dirent> {
  try {
    for await (const entry of await opendir(directory)) yield entry;
  } catch (error) {
    // a folder that cannot be looked into shows nothing
    if (!['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) throw error;
  }
}
