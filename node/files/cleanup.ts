import { lstat, opendir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Evidence } from '../core/leftover.ts';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import { isDelivered } from './deliver.ts';
import { lstatIfThere, removeIfThere, syncDirectory } from './durable.ts';
import { mtimeOf } from './fingerprint.ts';
import { isFinished, listJournals, readDelivery, readJournal, removeDelivery } from './journal.ts';
import { readLock } from './lock.ts';
import { hasMarker, OURS } from './marker.ts';
import { attemptOfTmp, looksLikeLeftover } from './names.ts';
import { requireMounted, resolveInRoot, type Root } from './roots.ts';

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
  /** the node that made it, as its lock or its delivery's note says */
  node: string | null;
  /** what the file itself proves */
  evidence: Evidence;
  standing: 'live' | 'dead' | 'ask';
  /** a sentence */
  why: string;
}

/** What identifies a listed file when it is deleted: another one under the same name stays. */
export type ListedLeftover = Pick<Leftover, 'path' | 'sizeBytes' | 'mtimeMs' | 'inode' | 'attempt'>;

/**
 * Every leftover below a folder, folder by folder. Bounded: one directory's stream per level; nothing is changed. A folder
 * that is a root of its own is left to that root.
 * @throws PlainError `root-not-mounted`, also when the disk went away in the middle; AbortError
 */
export async function* listLeftovers(root: Root, folder: string, options: CleanupFacts): AsyncGenerator<Leftover> {
  await requireMounted(root);
  const known = await knownFiles(root, options);
  yield* below(root, await resolveInRoot(root, folder), folder, { ...options, known });
  // a disk that went away looks like folders without anything in them
  await requireMounted(root);
}

/**
 * Deletes exactly the files of a list, each only if it is still what was listed. `asked` are those of standing `ask` that a
 * person has agreed to by name; without it they stay.
 * @returns what was deleted, what was not there any more, and what stayed with the reason
 * @throws PlainError `root-not-mounted`: what was not reached yet is as it was
 */
export async function deleteLeftovers(
  root: Root,
  chosen: readonly ListedLeftover[],
  options: CleanupFacts & { asked: boolean },
): Promise<{ deleted: string[]; gone: string[]; kept: { path: string; why: string }[] }> {
  await requireMounted(root);
  const known = await knownFiles(root, options);
  const result: { deleted: string[]; gone: string[]; kept: { path: string; why: string }[] } = { deleted: [], gone: [], kept: [] };
  for (const leftover of chosen) {
    options.signal?.throwIfAborted();
    const outcome = await deleteOne(root, leftover, { ...options, known }).catch((error: unknown) =>
      error instanceof PlainError ? messageOf(error) : `It can't be deleted (${codeOf(error) ?? 'error'}).`,
    );
    // nothing is there either when the disk has gone
    if (outcome !== 'deleted') await requireMounted(root);
    if (outcome === 'deleted' || outcome === 'gone') result[outcome].push(leftover.path);
    else result.kept.push({ path: leftover.path, why: outcome });
  }
  return result;
}

export interface CleanupFacts {
  /** attempts that the database knows to be alive */
  live: ReadonlySet<number>;
  /** this cluster's nodes: a lock of any other is another cluster's affair. Left out: every lock of CodecShift counts as ours */
  nodes?: ReadonlySet<string>;
  /** called for every name that was looked at */
  onLook?: () => void;
  signal?: AbortSignal;
}

interface Known {
  live: ReadonlySet<number>;
  nodes: ReadonlySet<string> | null;
  /** paths that an unfinished journal speaks of */
  swapping: Map<string, number>;
  /** attempts whose journal cannot be read: nothing of theirs is touched */
  unclear: Set<number>;
}

async function knownFiles(root: Root, facts: CleanupFacts): Promise<Known> {
  const swapping = new Map<string, number>();
  const unclear = new Set<number>();
  for (const attempt of await listJournals(root)) {
    const journal = await readJournal(root, attempt).catch(() => 'unclear' as const);
    if (journal === 'unclear') unclear.add(attempt);
    else if (journal && !isFinished(journal)) for (const path of [journal.tmpPath, journal.lockPath]) swapping.set(path, attempt);
  }
  return { live: facts.live, nodes: facts.nodes ?? null, swapping, unclear };
}

async function* below(
  root: Root,
  directory: string,
  folder: string,
  options: { known: Known; onLook?: () => void; signal?: AbortSignal },
): AsyncGenerator<Leftover> {
  options.signal?.throwIfAborted();
  const folders: string[] = [];
  try {
    for await (const entry of await opendir(directory)) {
      options.signal?.throwIfAborted();
      options.onLook?.();
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !entry.name.startsWith('.')) folders.push(entry.name);
      else if (entry.isFile() && looksLikeLeftover(entry.name)) {
        const found = await judge(root, path, options.known);
        if (found) yield found;
      }
    }
  } catch (error) {
    if (!unreadable.has(codeOf(error) ?? '')) throw error;
  }
  for (const name of folders.sort())
    if (!(await hasMarker(join(directory, name))))
      yield* below(root, join(directory, name), folder === '' ? name : `${folder}/${name}`, options);
}

/** A folder that cannot be looked into has no leftovers that could be deleted. */
const unreadable: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);

async function judge(root: Root, path: string, known: Known): Promise<Leftover | null> {
  const absolute = await resolveInRoot(root, path).catch((error: unknown) => {
    // its folder went away since
    if (error instanceof PlainError && error.reason?.code === 'missing') return null;
    throw error;
  });
  const stat = absolute === null ? null : await lstatIfThere(absolute);
  if (absolute === null || !stat?.isFile()) return null;
  const facts = { path, sizeBytes: Number(stat.size), mtimeMs: mtimeOf(stat), inode: String(stat.ino) };
  const busy = known.swapping.get(path);
  if (busy !== undefined) return { ...facts, ...unfinished(busy) };
  return { ...facts, ...(path.endsWith('.lock') ? await judgeLock(absolute, known) : await judgeTmp(root, absolute, path, known)) };
}

type Judged = Pick<Leftover, 'attempt' | 'node' | 'evidence' | 'standing' | 'why'>;

async function judgeLock(absolute: string, known: Known): Promise<Judged> {
  const note = await readLock(absolute);
  // what is in it goes over the network: what no lock of ours can say makes it a stranger's
  if (typeof note === 'string' || note.attempt < 0 || !/^[\w.-]{1,128}$/.test(note.node))
    return stranger('strange-lock', 'It is a lock, but not one that CodecShift made.');
  return ofAttempt(note, known, 'lock');
}

async function judgeTmp(root: Root, absolute: string, path: string, known: Known): Promise<Judged> {
  const attempt = attemptOfTmp(basename(path));
  const delivery = attempt === null ? null : await readDelivery(root, attempt);
  if (delivery?.tmpPath === path && typeof delivery.node === 'string' && (await isDelivered(delivery, absolute)))
    return ofAttempt(delivery, known, 'output');
  return stranger('strange-tmp', 'It has the name of a temporary file, but nothing proves that CodecShift made it.');
}

function stranger(evidence: Evidence, why: string): Judged {
  return { attempt: null, node: null, evidence, standing: 'ask', why };
}

function unfinished(attempt: number): Judged {
  return { attempt, node: null, evidence: 'swap', standing: 'live', why: `A replacement of attempt ${attempt} is not finished.` };
}

function ofAttempt({ attempt, node }: { attempt: number; node: string }, known: Known, evidence: 'lock' | 'output'): Judged {
  if (known.unclear.has(attempt)) return unfinished(attempt);
  const found = { attempt, node, evidence };
  if (known.live.has(attempt)) return { ...found, standing: 'live', why: `Attempt ${attempt} is still at work.` };
  if (known.nodes?.has(node) === false)
    return { ...found, standing: 'ask', why: `It is the ${evidence} of a node that does not belong to this cluster.` };
  return { ...found, standing: 'dead', why: `It is the ${evidence} of attempt ${attempt}, which is over.` };
}

async function deleteOne(
  root: Root,
  leftover: ListedLeftover,
  options: { known: Known; asked: boolean },
): Promise<'deleted' | 'gone' | (string & {})> {
  if (!looksLikeLeftover(basename(leftover.path)) || leftover.path.split('/').includes(OURS)) {
    throw new PlainError('It is no leftover.', { reason: { code: 'outside-root' } });
  }
  const now = await judge(root, leftover.path, options.known);
  if (now === null) return 'gone';
  if (now.standing === 'live' || (now.standing === 'ask' && !options.asked)) return now.why;
  const absolute = await resolveInRoot(root, leftover.path);
  const stat = await lstat(absolute, { bigint: true });
  const same = String(stat.ino) === leftover.inode && Number(stat.size) === leftover.sizeBytes && mtimeOf(stat) === leftover.mtimeMs;
  if (!same || now.attempt !== leftover.attempt) return 'It changed since it was listed.';
  await removeIfThere(absolute);
  await syncDirectory(dirname(absolute));
  if (now.evidence === 'output' && now.attempt !== null) await removeDelivery(root, now.attempt);
  return 'deleted';
}
