import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reason } from '../core/reasons.ts';
import { codeOf, PlainError } from '../errors.ts';
import { createInPlace, lstatIfThere, removeIfThere, syncDirectory, type Fault } from './durable.ts';

/** What a `<name>.lock` beside an original says. It is for people and for other nodes: the journal is the proof. */
export interface LockNote {
  who: 'codecshift';
  node: string;
  job: number;
  attempt: number;
  term: number;
  since: string;
}

/**
 * Takes the lock beside an original. Only one process can have it; the lock of the same node and attempt is ours already.
 * @param path absolute
 * @param options.isOver has that attempt of this node come to its end on this disk? Then its lock was left behind, and gives way
 * @throws PlainError `locked-by-another`
 */
export async function takeLock(path: string, note: LockNote, options: LockOptions = {}): Promise<void> {
  const made = (): Promise<boolean> => createInPlace(path, `${JSON.stringify(note)}\n`, () => options.fault?.('lock named'));
  if (await made()) return;
  const holder = await readLock(path);
  if (holder !== 'missing' && isOurs(holder, note, options.emptyIsOurs ?? false)) return;
  const isOwn = typeof holder === 'object' && holder.node === note.node;
  if (isOwn && (await options.isOver?.(holder.attempt)) && (await releaseLock(path, holder)) && (await made())) return;
  throw lockedByAnother(path, holder);
}

interface LockOptions {
  emptyIsOurs?: boolean;
  isOver?: (attempt: number) => Promise<boolean>;
  fault?: Fault;
}

/** Removes the lock when it is the one of this node and attempt; anybody else's stays. */
export async function releaseLock(
  path: string,
  note: Pick<LockNote, 'node' | 'attempt'>,
  options: { emptyIsOurs?: boolean } = {},
): Promise<boolean> {
  const holder = await readLock(path);
  if (holder === 'missing' || !isOurs(holder, note, options.emptyIsOurs ?? false)) return false;
  const removed = await removeIfThere(path);
  if (removed) await syncDirectory(dirname(path));
  return removed;
}

/** `foreign` when it is not one of ours, `empty` when nothing is in it. */
export async function readLock(path: string): Promise<LockNote | 'foreign' | 'empty' | 'missing'> {
  const stat = await lstatIfThere(path);
  if (!stat) return 'missing';
  if (!stat.isFile() || stat.size > 4096n) return 'foreign';
  try {
    const text = await readFile(path, 'utf8');
    if (text.trim() === '') return 'empty';
    const note = JSON.parse(text) as LockNote | null;
    return note?.who === 'codecshift' && Number.isSafeInteger(note.attempt) && typeof note.node === 'string' ? note : 'foreign';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'missing';
    return 'foreign';
  }
}

/**
 * A lock is made in two steps (make, write), and a process that died between them leaves an empty one. Only a journal
 * that stands exactly there may call that its own.
 */
function isOurs(holder: LockNote | 'foreign' | 'empty', note: Pick<LockNote, 'node' | 'attempt'>, emptyIsOurs: boolean): boolean {
  if (holder === 'empty') return emptyIsOurs;
  return holder !== 'foreign' && holder.attempt === note.attempt && holder.node === note.node;
}

function lockedByAnother(path: string, holder: LockNote | 'foreign' | 'empty' | 'missing'): PlainError {
  const known = typeof holder === 'object' ? holder : null;
  const owner = known ? `node ${known.node.slice(0, 60)}, attempt ${known.attempt}` : 'not CodecShift';
  return new PlainError(`${path} says that somebody else (${owner}) is working on the file. It was left alone.`, {
    reason: reason('locked-by-another', { owner, since: known ? String(known.since).slice(0, 40) : null }),
    retry: true,
  });
}
