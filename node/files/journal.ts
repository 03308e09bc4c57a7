import { randomUUID } from 'node:crypto';
import { readFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fingerprint } from '../core/media.ts';
import type { Reason } from '../core/reasons.ts';
import { codeOf, PlainError } from '../errors.ts';
import { lstatIfThere, makeDirectoryDurably, removeIfThere, syncDirectory, writeDurably, type Fault } from './durable.ts';
import { OURS } from './marker.ts';
import type { Root } from './roots.ts';

/**
 * How far a swap or a restore has come: what is *done* when the step is on the disk. exchange.ts draws them.
 * `done` and `undone` are ends; they stay until the coordinator has acknowledged the outcome (`forget`).
 */
export type Step =
  | 'prepared'
  | 'locked'
  | 'fetched'
  | 'checked'
  | 'dressed'
  | 'kept'
  | 'appeared'
  | 'left'
  | 'replaced'
  | 'unlocked'
  | 'done'
  | 'undone';

export interface Journal {
  version: 1;
  kind: 'swap' | 'restore';
  step: Step;
  root: string;
  node: string;
  job: number;
  attempt: number;
  term: number;
  since: string;
  /** where the outgoing file stands before; all paths below the root, '/' separators */
  path: string;
  /** where the incoming file shall stand; the same directory, often the same name */
  target: string;
  tmpPath: string;
  lockPath: string;
  /** what must stand under `path`; null when nothing does (restoring over a loss) */
  outgoing: Fingerprint | null;
  /** the file that comes: the output of a swap, the original of a restore */
  incoming: Fingerprint;
  /** of the whole incoming file, when it is an output */
  sha256: string | null;
  /** where the outgoing file goes; null until the place is chosen */
  trashPath: string | null;
  /** how it goes there: a second name first, or a plain rename where links are refused */
  method: 'link' | 'rename' | null;
  /** a restore fetches its file from here */
  fetchFrom: string | null;
  refuseHardLinked: boolean;
  /** a restore whose outgoing file is not proved to be ours: it stays in the trash like an original */
  keepOutgoing?: boolean;
  /** what could not be carried over */
  notes: string[];
  result: SwapResult | null;
  reason: Reason | null;
}

export interface SwapResult {
  /** where the incoming file stands now */
  path: string;
  /** what stood there before and where it waits; null when a restore found nothing */
  original: { path: string; trashPath: string; fingerprint: Fingerprint } | null;
  /** of the file that stands under the name now */
  fingerprint: Fingerprint;
  /** things that could not be carried over: 'owner-not-kept', 'group-not-kept', 'mode-not-kept', 'original-gone' */
  notes: string[];
}

export function journalDirectory(root: Pick<Root, 'path'>): string {
  return join(root.path, OURS, 'journal');
}

/** @throws PlainError `swap-unclear` when the file is damaged */
export async function readJournal(root: Pick<Root, 'path'>, attempt: number): Promise<Journal | null> {
  const path = journalPath(root, attempt);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
  const journal = parse(text);
  if (journal?.attempt === attempt) return journal;
  throw new PlainError(`The journal ${path} can't be read. Nothing it speaks of is touched; please look at it.`, {
    reason: { code: 'swap-unclear', params: { message: `journal of attempt ${attempt} is damaged` } },
  });
}

/** One step further, on the disk when it resolves. */
export async function advance(root: Pick<Root, 'path'>, journal: Journal, change: Partial<Journal>, fault?: Fault): Promise<Journal> {
  const next = { ...journal, ...change };
  await makeDirectoryDurably(journalDirectory(root));
  await writeDurably(journalPath(root, journal.attempt), `${JSON.stringify(next, null, 1)}\n`);
  await fault?.(`${next.kind}:${next.step}`);
  return next;
}

/** Attempts that have a journal, ascending. */
export async function listJournals(root: Pick<Root, 'path'>): Promise<number[]> {
  return await attemptsIn(root, /^(\d{1,15})\.json$/);
}

/** The outcome has reached the coordinator: the journal has done its duty. An unfinished one stays. */
export async function forget(root: Pick<Root, 'path'>, attempt: number): Promise<boolean> {
  const journal = await readJournal(root, attempt);
  if (!journal || !isFinished(journal)) return false;
  await removeIfThere(journalPath(root, attempt));
  await syncDirectory(journalDirectory(root));
  return true;
}

/** Another cluster's books may have used the same attempt number on this disk: its finished journal is set aside, never lost. */
export async function setAside(root: Pick<Root, 'path'>, attempt: number): Promise<void> {
  const aside = join(journalDirectory(root), 'aside');
  await makeDirectoryDurably(aside);
  await rename(journalPath(root, attempt), join(aside, `${attempt}-${randomUUID()}.json`));
  await syncDirectory(aside);
}

/** Last resort when an undone swap can't be written down because the disk is full: no journal says the same. */
export async function dropUndone(root: Pick<Root, 'path'>, attempt: number): Promise<void> {
  await removeIfThere(journalPath(root, attempt));
}

export function isFinished(journal: Journal): boolean {
  return journal.step === 'done' || journal.step === 'undone';
}

/** A delivered output: the proof that the `.tmp_` file of this name is ours. */
export interface Delivery {
  version: 1;
  state: 'copying' | 'delivered';
  node: string;
  attempt: number;
  since: string;
  path: string;
  tmpPath: string;
  /** of the file we made; null in the instant before it is made */
  inode: string | null;
  sizeBytes: number;
  sha256: string;
  fingerprint: Fingerprint | null;
}

export async function readDelivery(root: Pick<Root, 'path'>, attempt: number): Promise<Delivery | null> {
  try {
    const found = JSON.parse(await readFile(deliveryPath(root, attempt), 'utf8')) as Delivery | null;
    return found?.version === 1 && found.attempt === attempt ? found : null;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
}

export async function writeDelivery(root: Pick<Root, 'path'>, delivery: Delivery): Promise<void> {
  await makeDirectoryDurably(journalDirectory(root));
  await writeDurably(deliveryPath(root, delivery.attempt), `${JSON.stringify(delivery, null, 1)}\n`);
}

export async function removeDelivery(root: Pick<Root, 'path'>, attempt: number): Promise<void> {
  if (await removeIfThere(deliveryPath(root, attempt))) await syncDirectory(journalDirectory(root));
}

export async function listDeliveries(root: Pick<Root, 'path'>): Promise<number[]> {
  return await attemptsIn(root, /^(\d{1,15})\.delivery\.json$/);
}

/**
 * What a process left that died in the middle of writing down a step: the step does not count, so nobody believes it. A
 * young one may be of another node on the same disk that is writing just now.
 */
export async function removeAbandoned(root: Pick<Root, 'path'>, olderThanMs = 600_000): Promise<void> {
  for (const attempt of await attemptsIn(root, /^(\d{1,15})(?:\.delivery)?\.json\.new$/)) {
    for (const path of [`${journalPath(root, attempt)}.new`, `${deliveryPath(root, attempt)}.new`]) {
      const found = await lstatIfThere(path);
      if (found && Date.now() - Number(found.mtimeMs) > olderThanMs) await removeIfThere(path);
    }
  }
}

function journalPath(root: Pick<Root, 'path'>, attempt: number): string {
  return join(journalDirectory(root), `${checked(attempt)}.json`);
}

function deliveryPath(root: Pick<Root, 'path'>, attempt: number): string {
  return join(journalDirectory(root), `${checked(attempt)}.delivery.json`);
}

async function attemptsIn(root: Pick<Root, 'path'>, pattern: RegExp): Promise<number[]> {
  let names: string[];
  try {
    names = await readdir(journalDirectory(root));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  return names
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function checked(attempt: number): number {
  if (!Number.isSafeInteger(attempt) || attempt < 0 || attempt >= 1e15) throw new TypeError(`not an attempt: ${String(attempt)}`);
  return attempt;
}

/** A root can be carried to another machine by anyone: a journal is read as carefully as a message. */
function parse(text: string): Journal | null {
  try {
    const found = JSON.parse(text) as Journal | null;
    if (found?.version !== 1 || !['swap', 'restore'].includes(found.kind)) return null;
    const paths = [found.path, found.target, found.tmpPath, found.lockPath];
    const texts = [...paths, found.step, found.node, found.root, found.incoming?.hash];
    return texts.every((value) => typeof value === 'string') ? found : null;
  } catch {
    return null;
  }
}
