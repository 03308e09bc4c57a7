import { reason, type Reason } from '../core/reasons.ts';
import { messageOf, PlainError } from '../errors.ts';
import { discard, isDelivered, isDelivering, whereItWaits } from './deliver.ts';
import type { Fault } from './durable.ts';
import { exchange } from './exchange.ts';
import { isPassing, swapError, unclear } from './facts.ts';
import { sha256File } from './fingerprint.ts';
import {
  isFinished,
  listDeliveries,
  listJournals,
  readDelivery,
  readJournal,
  removeAbandoned,
  removeDelivery,
  type Journal,
  type SwapResult,
} from './journal.ts';
import { releaseLock } from './lock.ts';
import { requireMounted, resolveInRoot, type Root } from './roots.ts';
import { isExchanging } from './swap.ts';
import { undo } from './undo.ts';

/** What became of one swap or restore; told to the coordinator again and again until it acknowledges, then `forget`. */
export interface RecoveredOutcome {
  attempt: number;
  job: number;
  term: number;
  kind: 'swap' | 'restore';
  path: string;
  /**
   * unclear: neither going on nor going back could be proved right; nothing was deleted, the journal stays. open: the disk did not
   * let it be finished or undone (it is full, or failing); no outcome yet, the next recovery tries again
   */
  outcome: 'done' | 'undone' | 'unclear' | 'open';
  result: SwapResult | null;
  reason: Reason | null;
}

/**
 * Reads every journal of this node on a root and brings each to an end: goes on where the output and the original are
 * provably the right ones, takes back everything otherwise. Call it whenever a root becomes available, before the first
 * swap on it. Half-made deliveries go; finished ones stay for the verdict. Journals of other nodes are left to them.
 * @param node this node's id; a journal of any other node is never touched, because that node may be in the middle of it
 * @throws PlainError `root-not-mounted`; AbortError between two journals
 */
export function recover(root: Root, options: RecoverOptions): Promise<RecoveredOutcome[]> {
  // one after the other on a root: two that go on from the same step would pull the files away from under each other
  const mine = (underWay.get(root.id) ?? Promise.resolve()).then(() => recoverAll(root, options));
  const over = mine
    .catch(() => {})
    .then(() => {
      if (underWay.get(root.id) === over) underWay.delete(root.id);
    });
  underWay.set(root.id, over);
  return mine;
}

const underWay = new Map<string, Promise<void>>();

async function recoverAll(root: Root, options: RecoverOptions): Promise<RecoveredOutcome[]> {
  await requireMounted(root);
  const outcomes: RecoveredOutcome[] = [];
  for (const attempt of await listJournals(root)) {
    options.signal?.throwIfAborted();
    if (isExchanging(root, attempt)) continue;
    const outcome = await recoverOne(root, attempt, options);
    if (outcome) outcomes.push(outcome);
  }
  for (const attempt of await listDeliveries(root)) {
    options.signal?.throwIfAborted();
    if (!isDelivering(root, attempt) && !isExchanging(root, attempt)) await settleDelivery(root, attempt, options.node);
  }
  await removeAbandoned(root);
  return outcomes;
}

export interface RecoverOptions {
  node: string;
  signal?: AbortSignal;
  fault?: Fault;
}

async function recoverOne(root: Root, attempt: number, options: RecoverOptions): Promise<RecoveredOutcome | null> {
  let journal: Journal | null;
  try {
    journal = await readJournal(root, attempt);
  } catch (error) {
    const why = error instanceof PlainError ? error.reason : null;
    return {
      attempt,
      job: 0,
      term: 0,
      kind: 'swap',
      path: '',
      outcome: 'unclear',
      result: null,
      reason: why ?? reason('swap-unclear', { message: messageOf(error) }),
    };
  }
  if (!journal || journal.node !== options.node || journal.root !== root.id) return null;
  if (isFinished(journal)) {
    // its folder may have another name by now: that must not keep the others on this disk from being brought to an end
    const ended = journal;
    await resolveInRoot(root, ended.lockPath)
      .then((path) => releaseLock(path, ended))
      .catch(() => false);
    return outcomeOf(journal);
  }
  try {
    return outcomeOf(await finishOrUndo(root, journal, options));
  } catch (error) {
    const plain = swapError(error, journal);
    const why = plain instanceof PlainError ? plain.reason : null;
    const outcome = isPassing(error) || !(await isMounted(root)) ? 'open' : 'unclear';
    return { ...outcomeOf(journal), outcome, reason: why ?? reason('swap-unclear', { message: messageOf(error) }) };
  }
}

/** What was there a moment ago may have gone with its whole disk. */
function isMounted(root: Root): Promise<boolean> {
  return requireMounted(root).then(
    () => true,
    () => false,
  );
}

async function finishOrUndo(root: Root, journal: Journal, options: RecoverOptions): Promise<Journal> {
  const fault = options.fault ? { fault: options.fault } : {};
  try {
    await proveOutput(root, journal, options.signal);
    return await exchange(root, journal, { recovering: true, ...fault });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    const latest = (await readJournal(root, journal.attempt)) ?? journal;
    const plain = swapError(error, journal);
    const why = plain instanceof PlainError ? plain.reason : reason('interrupted');
    const undone = await undo(root, latest, why, { keepOutput: keepsOutput(why), recovering: true, ...fault });
    if (undone) return undone;
    throw error instanceof PlainError || isPassing(error) ? error : unclear(latest, messageOf(error));
  }
}

/** The output stays for another try of the same attempt, unless its original is another file by now or it is damaged itself. */
function keepsOutput(why: Reason | null): boolean {
  return why === null || !['file-changed', 'original-gone', 'hash-mismatch', 'delivery-failed'].includes(why.code);
}

/** Before an output takes over after a crash it is read as a whole once more: the machine may have lost power, not just the process. */
async function proveOutput(root: Root, journal: Journal, signal: AbortSignal | undefined): Promise<void> {
  if (journal.sha256 === null || !['prepared', 'locked', 'fetched', 'checked', 'dressed', 'kept'].includes(journal.step)) return;
  const tmp = await resolveInRoot(root, journal.tmpPath);
  const hash = await sha256File(tmp, signal ? { signal } : {}).catch((error: unknown) => {
    // it may have its final name already: the next act looks
    if (error instanceof PlainError && error.reason?.code === 'missing') return journal.sha256;
    throw error;
  });
  if (hash !== journal.sha256) throw new PlainError(`${journal.tmpPath} is damaged.`, { reason: { code: 'hash-mismatch' }, retry: true });
}

function outcomeOf(journal: Journal): RecoveredOutcome {
  const { attempt, job, term, kind, path, result } = journal;
  const known = { attempt, job, term, kind, path, result };
  if (kind === 'swap' && journal.step === 'done' && !result?.original) {
    return {
      ...known,
      outcome: 'unclear',
      reason: reason('swap-unclear', { message: 'somebody deleted the original meanwhile; the new file stays' }),
    };
  }
  return { ...known, outcome: journal.step === 'done' ? 'done' : 'undone', reason: journal.reason };
}

/** A copy that a dead process left half-made is worthless and provably ours. */
async function settleDelivery(root: Root, attempt: number, node: string): Promise<void> {
  const delivery = await readDelivery(root, attempt);
  if (!delivery || delivery.node !== node) return;
  const journal = await readJournal(root, attempt).catch(() => 'damaged' as const);
  if (journal !== null && (journal === 'damaged' || !isFinished(journal))) return;
  if (delivery.state === 'copying') return void (await discard(root, attempt));
  const path = await whereItWaits(root, delivery).catch(() => null);
  if (path === null || !(await isDelivered(delivery, path))) await removeDelivery(root, attempt);
}
