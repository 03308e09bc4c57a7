import { lstat, readdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, PlainError } from '../errors.ts';
import { requireSpace } from './disk.ts';
import { lstatIfThere, makeDirectoryDurably, removeEmptyDirectory, removeIfThere } from './durable.ts';
import { OURS } from './marker.ts';
import { isInside, requireMounted, type Root } from './roots.ts';

/**
 * Where outputs arrive that other machines made: `<root>/.codecshift/incoming/<node>/<attempt><extension>`, on the root's
 * own file system, so that the delivery gives them a second name instead of copying. Each keeper has its own directory:
 * two keepers of one root may be asked for the same output, and one must never write into what the other has delivered.
 * Everything in here is a copy of what a worker keeps until the attempt is over: removing it costs a transfer, never a film.
 */
export interface Incoming {
  root: Root;
  /** this keeper */
  node: string;
}

/** Nobody asked for it for so long: the attempt is fetched anew if it should still be wanted. */
const STALE_MS = 24 * 3600_000;

/**
 * Makes room for an output that arrives, and says where it goes. What an earlier try left is kept, to go on from there.
 * @throws PlainError `no-space` unless what is missing fits; `read-only`, `root-not-mounted`
 */
export async function prepareIncoming(place: Incoming, attempt: number, extension: string, sizeBytes: number): Promise<string> {
  await requireMounted(place.root);
  const directory = directoryOf(place);
  try {
    await makeDirectoryDurably(directory, 0o700);
  } catch (error) {
    throw new PlainError(`CodecShift may not write into ${place.root.path}.`, { cause: error, reason: { code: 'read-only' }, retry: true });
  }
  // whoever may write into the library might have put a link here that leads elsewhere
  if (!isInside(place.root.path, await realpath(directory)))
    throw new PlainError(`${directory} leads out of the library.`, { reason: { code: 'outside-root', params: { path: directory } } });
  const file = incomingPath(place, attempt, extension);
  const there = await lstatIfThere(file);
  // with a second name it was delivered already, and may be a film of the library by now: never written to again
  const usable = there?.isFile() === true && there.nlink === 1n && there.size <= BigInt(sizeBytes);
  if (there && !usable) await rm(file, { recursive: true });
  await requireSpace(directory, sizeBytes - (usable ? Number(there.size) : 0), `the output of attempt ${attempt}`);
  return file;
}

/** Where an output arrives, whether or not it is there. */
export function incomingPath(place: Incoming, attempt: number, extension: string): string {
  return join(directoryOf(place), nameOf(attempt, extension));
}

/** Attempts of which something has arrived for this keeper, ascending. */
export async function listIncoming(place: Incoming): Promise<number[]> {
  const attempts = (await namesIn(place)).flatMap((name) => attemptOf(name) ?? []);
  return [...new Set(attempts)].sort((a, b) => a - b);
}

/** Removes what arrived of an attempt, whole or half. */
export async function removeIncoming(place: Incoming, attempt: number): Promise<void> {
  const directory = directoryOf(place);
  const names = (await namesIn(place)).filter((name) => attemptOf(name) === attempt);
  for (const name of names) await removeIfThere(join(directory, name));
  if (names.length > 0) await removeEmptyDirectory(directory);
}

/** Removes what nobody has asked for since a day. @returns the attempts */
export async function removeStaleIncoming(place: Incoming, working: (attempt: number) => boolean, now = Date.now()): Promise<number[]> {
  const removed: number[] = [];
  for (const name of await namesIn(place)) {
    const attempt = attemptOf(name);
    if (attempt === null || working(attempt)) continue;
    const path = join(directoryOf(place), name);
    const found = await lstat(path).catch(() => null);
    if (!found || now - found.mtimeMs < STALE_MS) continue;
    if (await removeIfThere(path)) removed.push(attempt);
  }
  return [...new Set(removed)];
}

function directoryOf({ root, node }: Incoming): string {
  if (!/^[\w-][\w.-]{0,127}$/.test(node)) throw new TypeError(`not a node: ${JSON.stringify(node.slice(0, 140))}`);
  return join(root.path, OURS, 'incoming', node);
}

async function namesIn(place: Incoming): Promise<string[]> {
  try {
    return await readdir(directoryOf(place));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** A transfer may keep notes beside its file: whatever begins with the attempt's number and a dot belongs to it. */
function attemptOf(name: string): number | null {
  const found = /^(\d{1,15})\./.exec(name);
  return found ? Number(found[1]) : null;
}

function nameOf(attempt: number, extension: string): string {
  if (!Number.isSafeInteger(attempt) || attempt < 0 || attempt >= 1e15) throw new TypeError(`not an attempt: ${String(attempt)}`);
  if (!/^\.[A-Za-z0-9]{1,8}$/.test(extension)) throw new TypeError(`not an extension: ${JSON.stringify(extension.slice(0, 40))}`);
  return `${attempt}${extension}`;
}
