import { basename, dirname } from 'node:path';
import type { Fingerprint } from '../core/media.ts';
import { reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import type { Fault } from './durable.ts';
import { exchange } from './exchange.ts';
import { isPassing, outputGone, swapError, unclear } from './facts.ts';
import { fingerprint, sameContent, sha256File, unchanged } from './fingerprint.ts';
import { advance, isFinished, readJournal, setAside, type Journal, type SwapResult } from './journal.ts';
import { lockName, tmpName } from './names.ts';
import { relativeTo, requireMounted, resolveInRoot, type Root } from './roots.ts';
import { inTrash } from './trash.ts';
import { undo } from './undo.ts';

interface Wish {
  root: Root;
  node: string;
  job: number;
  attempt: number;
  term: number;
  signal?: AbortSignal;
  fault?: Fault;
}

export interface SwapWish extends Wish {
  /** the original, below the root */
  path: string;
  /** the name the output shall have: the same, or another in the same directory */
  target: string;
  /** where `deliver` put the output */
  tmpPath: string;
  /** of the original when the work began */
  fingerprint: Fingerprint;
  /** of the whole output */
  sha256: string;
  /** of the `.tmp_` file when its SHA-256 was last established; spares reading a whole film again */
  verified?: Fingerprint;
  /** refuse when the original has further hard links */
  refuseHardLinked?: boolean;
}

/**
 * Replaces an original by its delivered output, through the journal. Safe to call again: an attempt whose journal is done
 * gives the same result. The outcome stays in the journal until `forget`.
 * @throws PlainError `file-changed`, `original-gone`, `hard-linked`, `target-exists`, `locked-by-another`, `hash-mismatch`,
 *   `read-only`, `disk-full`, `swap-failed`: everything is as it was and the output still waits; `interrupted`: an earlier run
 *   is unfinished, call `recover`; `swap-unclear`: a person must look. AbortError until the original is touched.
 */
export async function swap(wish: SwapWish): Promise<SwapResult> {
  return await once(wish, async () => {
    const tmp = await resolveInRoot(wish.root, wish.tmpPath);
    if (
      dirname(await resolveInRoot(wish.root, wish.target)) !== dirname(tmp) ||
      dirname(await resolveInRoot(wish.root, wish.path)) !== dirname(tmp)
    ) {
      throw new PlainError(`${wish.path} and its output are not in one directory.`, {
        reason: reason('swap-failed', { message: 'not in one directory' }),
      });
    }
    const incoming = await outputFingerprint(wish, tmp);
    return {
      ...blank(wish),
      kind: 'swap',
      path: wish.path,
      target: wish.target,
      tmpPath: wish.tmpPath,
      lockPath: lockBeside(wish.path),
      outgoing: wish.fingerprint,
      incoming,
      sha256: wish.sha256,
      refuseHardLinked: wish.refuseHardLinked ?? false,
    };
  });
}

export interface RestoreWish extends Wish {
  /** the original's name, below the root, under which it comes back */
  path: string;
  /** where it waits */
  trashPath: string;
  /** where the file that replaced it stands now */
  current: string;
  /** of the original */
  fingerprint: Fingerprint;
  /** of the file under `current`, when it is known; else whatever stands there goes to the trash */
  currentFingerprint?: Fingerprint;
  /** only a file of this content under `current` is ours and may go once the original is back; any other waits in the trash */
  provedBy?: Pick<Fingerprint, 'sizeBytes' | 'hash'> | 'nothing';
}

/**
 * Puts an original back, byte for byte and with its own time; the file in its place goes to the trash. The same journal
 * as `swap`, backwards. When nothing stands in its place any more the original simply returns.
 * @throws PlainError as `swap`; `restore-failed` when the trash does not hold the original
 */
export async function restore(wish: RestoreWish): Promise<SwapResult> {
  return await once(wish, async () => {
    const incoming = await trashedOriginal(wish);
    const target = await resolveInRoot(wish.root, wish.path);
    const outgoing = wish.currentFingerprint ?? (await presentFingerprint(wish));
    const path = outgoing ? wish.current : wish.path;
    return {
      ...blank(wish),
      kind: 'restore',
      path,
      target: wish.path,
      lockPath: lockBeside(path),
      tmpPath: relativeTo(wish.root, `${dirname(target)}/${tmpName(wish.attempt, basename(target))}`),
      outgoing,
      incoming,
      fetchFrom: wish.trashPath,
      ...(isStrangers(outgoing, wish.provedBy) ? { keepOutgoing: true } : {}),
    };
  });
}

const running = new Map<string, Promise<SwapResult>>();

/** Attempts that this process is exchanging right now: recovery leaves them alone. */
export function isExchanging(root: Pick<Root, 'id'>, attempt: number): boolean {
  return running.has(`${root.id}:${attempt}`);
}

/** One run per attempt in this process; a second call waits for the first. */
function once(wish: SwapWish | RestoreWish, plan: () => Promise<Journal>): Promise<SwapResult> {
  const key = `${wish.root.id}:${wish.attempt}`;
  const started = running.get(key);
  if (started) return started;
  const run = perform(wish, plan).finally(() => running.delete(key));
  running.set(key, run);
  return run;
}

async function perform(wish: SwapWish | RestoreWish, plan: () => Promise<Journal>): Promise<SwapResult> {
  await requireMounted(wish.root);
  const earlier = await readJournal(wish.root, wish.attempt);
  if (earlier) {
    const same = isSameWish(earlier, wish);
    if (same && earlier.step === 'done') return resultOf(earlier);
    if (!isFinished(earlier)) {
      throw new PlainError(
        `An earlier replacement of ${earlier.path} (attempt ${earlier.attempt}) was interrupted; it is finished or undone first.`,
        {
          reason: { code: 'interrupted' },
          retry: true,
        },
      );
    }
    if (!same || earlier.step === 'done') await setAside(wish.root, wish.attempt);
  }
  wish.signal?.throwIfAborted();
  const planned = await plan().catch((error: unknown) => {
    throw (earlier && storyOf(earlier, error)) ?? error;
  });
  return await run(wish, planned);
}

async function run(wish: Wish, planned: Journal): Promise<SwapResult> {
  const options = { ...(wish.signal ? { signal: wish.signal } : {}), ...(wish.fault ? { fault: wish.fault } : {}) };
  try {
    const journal = await exchange(wish.root, await advance(wish.root, planned, {}, wish.fault), options);
    return resultOf(journal);
  } catch (error) {
    return await takenBack(wish, planned, error);
  }
}

/** A swap whose original was deleted by somebody in the middle has an end, but no original to give back. */
function resultOf(journal: Journal): SwapResult {
  if (!journal.result) throw unclear(journal, 'it ended without a result');
  if (journal.kind === 'swap' && !journal.result.original)
    throw unclear(journal, 'somebody deleted the original meanwhile; the new file stays');
  return journal.result;
}

/**
 * Takes everything back and throws what went wrong. When the new file has its name already, going on is the only way: the
 * remaining steps are tried once more, and if they fail again they are recovery's task. So is taking back on a disk that does not
 * let it: a full one, say, cannot even keep the journal.
 */
async function takenBack(wish: Wish, planned: Journal, error: unknown): Promise<SwapResult> {
  const plain = swapError(error, planned);
  const why = plain instanceof PlainError ? plain.reason : reason('interrupted');
  let latest: Journal | null = null;
  let undone: Journal | null;
  try {
    latest = await readJournal(wish.root, wish.attempt);
    undone = !latest || isFinished(latest) ? latest : await undo(wish.root, latest, why, { keepOutput: true });
  } catch (second) {
    throw new PlainError(`The replacement of ${planned.path} stopped half-way. Both files are kept; recovery looks at it again.`, {
      cause: new AggregateError([error, second]),
      reason: isPassing(second)
        ? { code: 'interrupted' }
        : reason('swap-unclear', { message: second instanceof Error ? second.message : String(second) }),
      retry: true,
    });
  }
  if (undone || !latest) throw plain;
  try {
    return resultOf(await exchange(wish.root, latest, wish.fault ? { fault: wish.fault } : {}));
  } catch (second) {
    throw new PlainError(`${planned.path} has its new file, but the last steps failed; they are done again soon.`, {
      cause: new AggregateError([error, second]),
      reason: { code: 'interrupted' },
      retry: true,
    });
  }
}

/** Recovery took this attempt back and its output went too: what happened then is the better answer. */
function storyOf(earlier: Journal, error: unknown): PlainError | null {
  const missing = error instanceof PlainError && error.reason?.code === 'delivery-failed';
  if (!missing || earlier.step !== 'undone' || !earlier.reason) return null;
  return new PlainError(`The replacement of ${earlier.path} was taken back.`, { cause: error, reason: earlier.reason, retry: true });
}

/** The same attempt number may come from another cluster's books. */
function isSameWish(journal: Journal, wish: SwapWish | RestoreWish): boolean {
  if ('sha256' in wish)
    return journal.kind === 'swap' && journal.path === wish.path && journal.target === wish.target && journal.sha256 === wish.sha256;
  return journal.kind === 'restore' && journal.target === wish.path && journal.fetchFrom === wish.trashPath;
}

function blank(wish: Wish): Omit<Journal, 'kind' | 'path' | 'target' | 'tmpPath' | 'lockPath' | 'outgoing' | 'incoming'> {
  return {
    version: 1,
    step: 'prepared',
    root: wish.root.id,
    node: wish.node,
    job: wish.job,
    attempt: wish.attempt,
    term: wish.term,
    since: new Date().toISOString(),
    sha256: null,
    trashPath: null,
    method: null,
    fetchFrom: null,
    refuseHardLinked: false,
    notes: [],
    result: null,
    reason: null,
  };
}

async function outputFingerprint(wish: SwapWish, tmp: string): Promise<Fingerprint> {
  const found = await fingerprint(tmp, wish.signal).catch((error: unknown) => {
    throw outputGone(wish.tmpPath, error);
  });
  if (wish.verified && unchanged(found, wish.verified)) return found;
  if ((await sha256File(tmp, wish.signal ? { signal: wish.signal } : {})) !== wish.sha256) {
    throw new PlainError(`${tmp} is not the output that was checked, so nothing was replaced.`, {
      reason: { code: 'hash-mismatch' },
      retry: true,
    });
  }
  return await fingerprint(tmp, wish.signal);
}

async function trashedOriginal(wish: RestoreWish): Promise<Fingerprint> {
  const found = await fingerprint(await inTrash(wish.root, wish.trashPath), wish.signal).catch((error: unknown) => {
    throw notInTrash(wish, error);
  });
  if (!sameContent(found, wish.fingerprint)) throw notInTrash(wish);
  return found;
}

function isStrangers(outgoing: Fingerprint | null, provedBy: RestoreWish['provedBy']): boolean {
  if (outgoing === null || provedBy === undefined) return false;
  return provedBy === 'nothing' || !sameContent(outgoing, provedBy);
}

function notInTrash(wish: RestoreWish, cause?: unknown): PlainError {
  return new PlainError(`The trash does not hold the original of ${wish.path} (${wish.trashPath}). Nothing was touched.`, {
    cause,
    reason: reason('restore-failed', { message: 'the trash does not hold the original' }),
  });
}

async function presentFingerprint(wish: RestoreWish): Promise<Fingerprint | null> {
  try {
    return await fingerprint(await resolveInRoot(wish.root, wish.current), wish.signal);
  } catch (error) {
    if (error instanceof PlainError && error.reason?.code === 'missing') return null;
    throw error;
  }
}

function lockBeside(path: string): string {
  const at = path.lastIndexOf('/') + 1;
  return path.slice(0, at) + lockName(path.slice(at));
}
