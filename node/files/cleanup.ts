import { lstat, opendir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, PlainError } from '../errors.ts';
import { isDelivered } from './deliver.ts';
import { lstatIfThere, removeIfThere, syncDirectory } from './durable.ts';
import { mtimeOf } from './fingerprint.ts';
import {
  isFinished,
  listDeliveries,
  listJournals,
  readDelivery,
  readJournal,
  removeDelivery,
  type Delivery,
  type Journal,
} from './journal.ts';
import { readLock } from './lock.ts';
import { looksLikeLeftover } from './names.ts';
import { OURS, requireMounted, resolveInRoot, type Root } from './roots.ts';

/**
 * A `.lock` or `.tmp_…` file that lies in a library.
 *
 *   live    its attempt is alive, or its swap unfinished: it is in use
 *   dead    provably ours (a delivery's note, a lock's content) and its attempt is over: may be deleted
 *   ask     not provably ours: older tools leave the same names, so a person decides
 */
export interface Leftover {
  /** below the root */
  path: string;
  sizeBytes: number;
  mtimeMs: number;
  inode: string;
  attempt: number | null;
  standing: 'live' | 'dead' | 'ask';
  /** a sentence */
  why: string;
}

/**
 * Every leftover below a folder. Bounded: one directory's stream per level; nothing is changed.
 * @throws PlainError `root-not-mounted`; AbortError
 */
export async function* listLeftovers(root: Root, folder: string, options: CleanupFacts): AsyncGenerator<Leftover> {
  await requireMounted(root);
  const known = await knownFiles(root, options);
  yield* below(root, await resolveInRoot(root, folder), folder, { ...options, known });
}

/**
 * Deletes exactly the files of a list, each only if it is still what was listed. `asked` are those of standing `ask` that a
 * person has agreed to by name; without it they stay.
 * @returns what was deleted, and what stayed with the reason
 */
export async function deleteLeftovers(
  root: Root,
  chosen: readonly Leftover[],
  options: CleanupFacts & { asked: boolean },
): Promise<{ deleted: string[]; kept: { path: string; why: string }[] }> {
  await requireMounted(root);
  const known = await knownFiles(root, options);
  const deleted: string[] = [];
  const kept: { path: string; why: string }[] = [];
  for (const leftover of chosen) {
    options.signal?.throwIfAborted();
    const why = await deleteOne(root, leftover, { ...options, known }).catch(
      (error: unknown) => `It can't be deleted (${codeOf(error) ?? 'error'}).`,
    );
    if (why === null) deleted.push(leftover.path);
    else kept.push({ path: leftover.path, why });
  }
  return { deleted, kept };
}

export interface CleanupFacts {
  /** attempts that the database knows to be alive */
  live: ReadonlySet<number>;
  /** this cluster's nodes: a lock of any other is another cluster's affair. Left out: every lock of CodecShift counts as ours */
  nodes?: ReadonlySet<string>;
  signal?: AbortSignal;
}

interface Known {
  live: ReadonlySet<number>;
  nodes: ReadonlySet<string> | null;
  byPath: Map<string, Delivery>;
  /** paths that an unfinished journal speaks of */
  swapping: Map<string, number>;
}

async function knownFiles(root: Root, facts: CleanupFacts): Promise<Known> {
  const byPath = new Map<string, Delivery>();
  for (const attempt of await listDeliveries(root)) {
    const delivery = await readDelivery(root, attempt);
    if (delivery) byPath.set(delivery.tmpPath, delivery);
  }
  const swapping = new Map<string, number>();
  for (const attempt of await listJournals(root)) {
    const journal: Journal | null = await readJournal(root, attempt).catch(() => null);
    if (!journal || isFinished(journal)) continue;
    for (const path of [journal.tmpPath, journal.lockPath]) swapping.set(path, attempt);
  }
  return { live: facts.live, nodes: facts.nodes ?? null, byPath, swapping };
}

async function* below(
  root: Root,
  directory: string,
  folder: string,
  options: { known: Known; signal?: AbortSignal },
): AsyncGenerator<Leftover> {
  options.signal?.throwIfAborted();
  const folders: string[] = [];
  try {
    for await (const entry of await opendir(directory)) {
      options.signal?.throwIfAborted();
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !entry.name.startsWith('.')) folders.push(entry.name);
      else if (entry.isFile() && looksLikeLeftover(entry.name)) {
        const found = await judge(root, path, options.known);
        if (found) yield found;
      }
    }
  } catch (error) {
    if (!['EACCES', 'EPERM', 'ENOENT'].includes(codeOf(error) ?? '')) throw error;
  }
  for (const name of folders.sort()) yield* below(root, join(directory, name), folder === '' ? name : `${folder}/${name}`, options);
}

async function judge(root: Root, path: string, known: Known): Promise<Leftover | null> {
  const absolute = await resolveInRoot(root, path);
  const stat = await lstatIfThere(absolute);
  if (!stat?.isFile()) return null;
  const facts = { path, sizeBytes: Number(stat.size), mtimeMs: mtimeOf(stat), inode: String(stat.ino) };
  const busy = known.swapping.get(path);
  if (busy !== undefined) return { ...facts, attempt: busy, standing: 'live', why: `A replacement of attempt ${busy} is not finished.` };
  return { ...facts, ...(path.endsWith('.lock') ? await judgeLock(absolute, known) : await judgeTmp(absolute, path, known)) };
}

type Judged = Pick<Leftover, 'attempt' | 'standing' | 'why'>;

async function judgeLock(absolute: string, known: Known): Promise<Judged> {
  const note = await readLock(absolute);
  if (typeof note === 'string') return { attempt: null, standing: 'ask', why: 'It is a lock, but not one that CodecShift made.' };
  if (known.nodes?.has(note.node) === false)
    return { attempt: null, standing: 'ask', why: 'It is the lock of a node that does not belong to this cluster.' };
  return ofAttempt(note.attempt, known, 'lock');
}

async function judgeTmp(absolute: string, path: string, known: Known): Promise<Judged> {
  const delivery = known.byPath.get(path);
  if (delivery && (await isDelivered(delivery, absolute))) return ofAttempt(delivery.attempt, known, 'output');
  return { attempt: null, standing: 'ask', why: 'It has the name of a temporary file, but nothing proves that CodecShift made it.' };
}

function ofAttempt(attempt: number, known: Known, what: string): Judged {
  if (known.live.has(attempt)) return { attempt, standing: 'live', why: `Attempt ${attempt} is still at work.` };
  return { attempt, standing: 'dead', why: `It is the ${what} of attempt ${attempt}, which is over.` };
}

/** @returns why it stayed, or null when it is gone */
async function deleteOne(root: Root, leftover: Leftover, options: { known: Known; asked: boolean }): Promise<string | null> {
  if (!looksLikeLeftover(basename(leftover.path)) || leftover.path.split('/').includes(OURS)) {
    throw new PlainError(`${leftover.path} is not a leftover.`, { reason: { code: 'outside-root' } });
  }
  const now = await judge(root, leftover.path, options.known);
  if (now === null) return null;
  if (now.standing === 'live') return now.why;
  if (now.standing === 'ask' && !options.asked) return now.why;
  const absolute = await resolveInRoot(root, leftover.path);
  const stat = await lstat(absolute, { bigint: true });
  if (String(stat.ino) !== leftover.inode || Number(stat.size) !== leftover.sizeBytes || mtimeOf(stat) !== leftover.mtimeMs) {
    return 'It changed since it was listed.';
  }
  await removeIfThere(absolute);
  await syncDirectory(dirname(absolute));
  const delivery = options.known.byPath.get(leftover.path);
  if (delivery) await removeDelivery(root, delivery.attempt);
  return null;
}
