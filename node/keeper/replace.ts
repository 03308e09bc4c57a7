import type { Fingerprint } from '../core/media.ts';
import { reason, sentence } from '../core/reasons.ts';
import { messageOf, PlainError } from '../errors.ts';
import { discard } from '../files/deliver.ts';
import type { Fault } from '../files/durable.ts';
import { forget, isFinished, listDeliveries, readDelivery, readJournal, type SwapResult } from '../files/journal.ts';
import { recover, type RecoveredOutcome } from '../files/recover.ts';
import { isExchanging, restore, swap } from '../files/swap.ts';
import { expire } from '../files/trash.ts';
import { lookAtTrashed } from '../files/trash-found.ts';
import type { Root } from '../files/roots.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';
import type { Report } from '../mesh/outbox.ts';
import { rootTrouble, type KeeperRoots } from './roots.ts';
import { failureOf } from './verify.ts';

type Grant<O extends ProtocolRequest<'grant'>['op']> = Extract<ProtocolRequest<'grant'>, { op: O }>;

export interface ReplaceParts {
  node: string;
  roots: KeeperRoots;
  /** for crash tests: called at every journalled step */
  fault?: Fault;
}

const never = new AbortController().signal;

/**
 * The swap of one attempt, on a grant of the coordinator's term, of an output that this keeper itself delivered and
 * judged. A grant for anything else finds no delivery and is refused.
 */
export async function replace(parts: ReplaceParts, grant: Grant<'replace'>): Promise<Report> {
  const ids = { job: grant.job, attempt: grant.attempt };
  try {
    const root = await parts.roots.open(grant.root);
    const delivery = await readDelivery(root, grant.attempt);
    const done = await readJournal(root, grant.attempt);
    if (!delivery && !done)
      throw new PlainError('The output is not here any more; the file is encoded again.', {
        reason: { code: 'delivery-failed' },
        retry: true,
      });
    if (delivery && delivery.sha256 !== grant.sha256)
      throw new PlainError('The delivered output is not the one that was granted.', { reason: { code: 'hash-mismatch' }, retry: true });
    const result = await swap({
      root,
      node: parts.node,
      ...ids,
      term: grant.term,
      path: grant.path,
      target: grant.target,
      tmpPath: delivery?.tmpPath ?? done!.tmpPath,
      fingerprint: grant.fingerprint as Fingerprint,
      sha256: grant.sha256,
      ...(delivery?.fingerprint ? { verified: delivery.fingerprint } : {}),
      refuseHardLinked: grant.hardLinked === 'skip',
      ...(parts.fault ? { fault: parts.fault } : {}),
    });
    return replacedReport(ids, result);
  } catch (error) {
    const trouble = await rootTrouble(parts.roots, grant.root, error);
    if (trouble !== error) return { event: 'not-replaced', ...ids, ...failureOf(trouble, never, 'swap-failed') };
    const end = await endOfOpen(parts, grant);
    if (isStillOpen(end)) return { event: 'not-replaced', ...ids, reason: unfinished(end.open ?? error), retry: true };
    return end ?? { event: 'not-replaced', ...ids, ...failureOf(error, never, 'swap-failed') };
  }
}

/**
 * While its journal is open there is neither a yes nor a no: an earlier run is unfinished, or the film has its new name and only
 * the last steps failed. To call that a failure would end the attempt in the books, and the swap that recovery finishes a moment
 * later would be nobody's: an original in the trash that no restore finds. Recovery brings it to an end, and that end is the
 * report; `open` when the disk does not let it, with what the disk said.
 */
async function endOfOpen(parts: ReplaceParts, grant: { root: string; attempt: number }): Promise<Report | StillOpen | null> {
  const root = await parts.roots.open(grant.root);
  if (!(await isOpen(root, grant.attempt))) return null;
  const { reports, open } = await recoverRoot(parts, root);
  const end = reports.find((report) => report.attempt === grant.attempt);
  if (end) return end;
  const why = open.find((outcome) => outcome.attempt === grant.attempt)?.reason;
  return (await isOpen(root, grant.attempt)) ? { open: why ? new PlainError(sentence(why), { reason: why }) : null } : null;
}

interface StillOpen {
  /** null: it is not known */
  open: PlainError | null;
}

function isStillOpen(end: Report | StillOpen | null): end is StillOpen {
  return end !== null && 'open' in end;
}

/** A journal that cannot be read is a person's. */
async function isOpen(root: Root, attempt: number): Promise<boolean> {
  const journal = await readJournal(root, attempt).catch(() => null);
  return journal !== null && !isFinished(journal);
}

function unfinished(error: unknown): ReturnType<typeof failureOf>['reason'] {
  return failureOf(new PlainError('', { reason: reason('swap-unfinished', { message: messageOf(error) }) }), never, 'swap-failed').reason;
}

/**
 * What stands in the place of the original goes only if the note beside the original proves that it is what replaced it. Anything
 * else a person put there since, a better copy or the same film with another subtitle in it, and it waits in the trash in turn.
 */
export async function putBack(parts: ReplaceParts, grant: Grant<'restore' | 'put-back'>): Promise<Report> {
  const ids = { job: grant.job, attempt: grant.attempt };
  try {
    const root = await parts.roots.open(grant.root);
    await forgetFinished(root, grant.attempt);
    const { path, trashPath, current, term } = grant;
    const fault = parts.fault ? { fault: parts.fault } : {};
    const result = await restore({
      root,
      node: parts.node,
      ...ids,
      term,
      path,
      trashPath,
      current,
      fingerprint: grant.fingerprint as Fingerprint,
      provedBy: await replacerOf(root, trashPath),
      ...fault,
    });
    return { event: 'restored', ...ids, path: result.path, fingerprint: result.fingerprint, probe: null };
  } catch (error) {
    const end = await endOfOpen(parts, grant);
    if (isStillOpen(end)) return { event: 'not-restored', ...ids, reason: unfinished(end.open ?? error) };
    return end ?? { event: 'not-restored', ...ids, reason: failureOf(error, never, 'restore-failed').reason };
  }
}

async function replacerOf(root: Root, trashPath: string): Promise<{ sizeBytes: number; hash: string } | 'nothing'> {
  return (await lookAtTrashed(root, trashPath))?.note?.replacedBy ?? 'nothing';
}

/** Deletes one original from the trash; true when it is gone. */
export async function letExpire(parts: ReplaceParts, grant: Grant<'expire'>): Promise<Report> {
  const root = await parts.roots.open(grant.root);
  await expire({ root, trashPath: grant.trashPath, fingerprint: grant.fingerprint as Fingerprint });
  return { event: 'expired', job: grant.job, attempt: grant.attempt };
}

/**
 * The coordinator has the outcome in its books: what is left of the attempt here goes. After a restore that includes the
 * HEVC file which left its place: it is ours, proved by the journal, and superseded.
 */
export async function throwAway(parts: ReplaceParts, grant: Grant<'discard'>): Promise<void> {
  const root = await parts.roots.open(grant.root);
  if (isExchanging(root, grant.attempt)) throw new PlainError('This attempt is being swapped at this moment.', { retry: true });
  await discard(root, grant.attempt);
  await forgetFinished(root, grant.attempt);
}

async function forgetFinished(root: Root, attempt: number): Promise<void> {
  const journal = await readJournal(root, attempt);
  if (!journal) return;
  const left = journal.kind === 'restore' && journal.step === 'done' && !journal.keepOutgoing ? journal.result?.original : null;
  if (left) await expire({ root, trashPath: left.trashPath, fingerprint: left.fingerprint });
  await forget(root, attempt);
}

/**
 * Finishes or undoes what an earlier process left half done on a root; what became of it is reported like a fresh result. `open`:
 * those that the disk did not let end.
 */
export async function recoverRoot(parts: ReplaceParts, root: Root): Promise<{ reports: Report[]; open: RecoveredOutcome[] }> {
  const outcomes = await recover(root, { node: parts.node, ...(parts.fault ? { fault: parts.fault } : {}) });
  const open = outcomes.filter(({ outcome }) => outcome === 'open');
  return { reports: outcomes.flatMap((outcome) => reportOf(outcome) ?? []), open };
}

function reportOf(outcome: RecoveredOutcome): Report | null {
  if (outcome.outcome === 'open') return null;
  const ids = { job: outcome.job, attempt: outcome.attempt };
  const why = outcome.reason ?? { code: 'interrupted' as const };
  const bounded = failureOf(new PlainError('', { reason: why }), never, 'swap-failed').reason;
  if (outcome.outcome === 'done' && outcome.result) {
    if (outcome.kind === 'swap') return replacedReport(ids, outcome.result);
    return { event: 'restored', ...ids, path: outcome.result.path, fingerprint: outcome.result.fingerprint, probe: null };
  }
  if (outcome.kind === 'restore') return { event: 'not-restored', ...ids, reason: bounded };
  // undone: everything is as it was and the output still waits; the coordinator's next grant finds it. Unclear: a person.
  return outcome.outcome === 'unclear' ? { event: 'not-replaced', ...ids, reason: bounded, retry: false } : null;
}

function replacedReport(ids: { job: number; attempt: number }, result: SwapResult): Report {
  if (!result.original) throw new PlainError('The swap ended without an original in the trash.', { reason: { code: 'swap-unclear' } });
  const { path, trashPath, fingerprint } = result.original;
  return {
    event: 'replaced',
    ...ids,
    path: result.path,
    // ours and new: its second name, in the workspace, goes with the acknowledgement
    fingerprint: { ...result.fingerprint, links: 1 },
    probe: null,
    original: { path, trashPath, fingerprint },
  };
}

/** This node's outputs that wait beside their originals on a root. */
export async function deliveriesOf(parts: ReplaceParts, root: Root): Promise<number[]> {
  const notes = await Promise.all((await listDeliveries(root)).map((attempt) => readDelivery(root, attempt)));
  return notes.filter((note) => note?.node === parts.node).map((note) => note!.attempt);
}

/** An output whose attempt ended while its disk was away: nobody will ask for it any more. One in a swap is left to recovery. */
export async function dropDelivery(parts: ReplaceParts, root: Root, attempt: number): Promise<void> {
  const note = await readDelivery(root, attempt);
  if (note?.node !== parts.node || isExchanging(root, attempt)) return;
  const journal = await readJournal(root, attempt);
  if (journal && !isFinished(journal)) return;
  await discard(root, attempt);
}
