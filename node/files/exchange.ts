import { chmod, chown, link, lstat, rename, utimes } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import { linksRefused, lstatIfThere, removeIfThere, sameFile, syncDirectory, syncFile, type Fault } from './durable.ts';
import { changed, gone, holds, inTheWay, outputGone, unclear } from './facts.ts';
import { fingerprint, unchanged } from './fingerprint.ts';
import { advance, isFinished, readJournal, removeDelivery, type Journal, type Step } from './journal.ts';
import { releaseLock, takeLock } from './lock.ts';
import { resolveInRoot, type Root } from './roots.ts';
import { appear, keep, leave, removeTmp, replace } from './takeover.ts';
import { inTrash, leaveTrash } from './trash.ts';

/**
 * One file takes the place of another: the *incoming* (an output, or an original that comes back) and the *outgoing*.
 * Each arrow is one act; the step at its head is on the disk before the next act begins.
 *
 *   prepared ─lock─▶ locked ─fetch─▶ fetched ─check─▶ checked ─dress─▶ dressed
 *
 *   same name      dressed ─link into trash─▶ kept ─rename over the name─▶ replaced
 *   other name     dressed ─new name appears─▶ appeared ─old name to trash─▶ left ─`.tmp_` goes─▶ replaced
 *
 *   replaced ─trash name of a restored file goes, lock goes─▶ unlocked ─result─▶ done
 *   any step before the incoming file has taken over ─undo.ts─▶ undone
 *
 * Each act looks at the disk first and does only what is still missing, so recovery simply goes on from the journal's
 * step. Owner, mode and time are set on the `.tmp_` file *before* it gets the name: no media server ever meets a film it
 * may not read. Node.js has no call for extended attributes and ACLs; they are not carried over.
 *
 * Where links are refused (exFAT, SMB, FUSE, protected_hardlinks) `kept` means "will be renamed", and the name is free
 * between two adjacent system calls. A process that dies exactly there is finished by recovery.
 * Node.js has no renameat2 either: with links, between the last look at the old file and the rename over it lies one
 * system call in which a stranger's new file under the same name would be lost. The other ways close even that gap.
 */
export async function exchange(root: Root, journal: Journal, options: ExchangeOptions = {}): Promise<Journal> {
  let now = journal;
  while (!isFinished(now)) {
    if (mayStop.has(now.step)) options.signal?.throwIfAborted();
    const { journal: latest, ...change } = await acts[now.step]({ root, journal: now, ...options });
    now = await advance(root, latest ?? now, change, options.fault);
  }
  return now;
}

export interface ExchangeOptions {
  signal?: AbortSignal;
  fault?: Fault;
  /** going on after a crash: an empty lock may be our own half-made one */
  recovering?: boolean;
}

export interface Act extends ExchangeOptions {
  root: Root;
  journal: Journal;
}

/** What an act changes in the journal; `journal` when it wrote an intermediate state itself. */
export type Change = Partial<Journal> & { step: Step; journal?: Journal };

/** A person may cancel until the outgoing file is touched. */
const mayStop = new Set<Step>(['prepared', 'locked', 'fetched', 'checked', 'dressed']);

const finished = (): never => {
  throw new TypeError('a finished journal has no next act');
};

const acts: Record<Step, (act: Act) => Promise<Change>> = {
  prepared: lock,
  locked: fetch,
  fetched: check,
  checked: dress,
  dressed: (act) => (act.journal.path === act.journal.target && act.journal.outgoing ? keep(act) : appear(act)),
  kept: replace,
  appeared: leave,
  left: removeTmp,
  replaced: unlock,
  unlocked: conclude,
  done: finished,
  undone: finished,
};

async function lock({ root, journal, fault, recovering }: Act): Promise<Change> {
  const { node, job, attempt, term, since } = journal;
  const path = await resolveInRoot(root, journal.lockPath);
  await takeLock(
    path,
    { who: 'codecshift', node, job, attempt, term, since },
    { emptyIsOurs: recovering ?? false, isOver: (other) => isOver(root, other), ...(fault ? { fault } : {}) },
  );
  await fault?.('lock made');
  return { step: 'locked' };
}

/** An exchange has its journal before its lock and loses it after. One that cannot be read is a person's. */
async function isOver(root: Root, attempt: number): Promise<boolean> {
  const journal = await readJournal(root, attempt).catch(() => undefined);
  return journal === null || (journal !== undefined && isFinished(journal));
}

/** A restore gives the trashed original a second name beside the place where it belongs. */
async function fetch({ root, journal, fault }: Act): Promise<Change> {
  if (journal.fetchFrom === null) return { step: 'fetched' };
  const from = await inTrash(root, journal.fetchFrom);
  const tmp = await resolveInRoot(root, journal.tmpPath);
  if (!(await holds(tmp, journal.incoming))) {
    if (await lstatIfThere(tmp)) throw inTheWay(basename(tmp));
    if (!(await holds(from, journal.incoming))) throw gone(journal.fetchFrom);
    await link(from, tmp).catch(async (error: unknown) => {
      if (!linksRefused(error)) throw error;
      await rename(from, tmp);
    });
    await fault?.('original fetched');
  }
  await syncDirectory(dirname(tmp));
  return { step: 'fetched' };
}

/** The last look before anything of the person's is touched. */
async function check({ root, journal, signal }: Act): Promise<Change> {
  const path = await resolveInRoot(root, journal.path);
  const tmp = await resolveInRoot(root, journal.tmpPath);
  if (!(await holds(tmp, journal.incoming))) throw outputGone(journal.tmpPath);
  await syncFile(tmp);
  if (journal.outgoing === null) {
    if (await lstatIfThere(path)) throw changed(journal.path);
    return { step: 'checked' };
  }
  const found = await fingerprint(path, signal).catch((error: unknown) => {
    const code = error instanceof PlainError ? error.reason?.code : null;
    throw code === 'missing' ? gone(journal.path, error) : code === 'not-a-file' ? changed(journal.path, error) : error;
  });
  // rename(2) of one name of a file over another name of the same file does nothing at all
  if (!unchanged(found, journal.outgoing) || (await sameFile(path, tmp))) throw changed(journal.path);
  if (journal.refuseHardLinked && found.links > 1) {
    throw new PlainError(`${journal.path} has ${found.links} names (hard links) by now, so it was left alone.`, {
      reason: reason('hard-linked', { links: found.links }),
    });
  }
  return { step: 'checked' };
}

/** A restored original keeps everything it had, its time included. */
async function dress({ root, journal, fault }: Act): Promise<Change> {
  if (journal.kind === 'restore') return { step: 'dressed' };
  const tmp = await resolveInRoot(root, journal.tmpPath);
  const like = await lstat(await resolveInRoot(root, journal.path));
  const notes: string[] = [];
  // only root may give files away; a member may still give them to a group of his
  await chown(tmp, like.uid, like.gid)
    .catch(() => (notes.push('owner-not-kept'), chown(tmp, -1, like.gid)))
    .catch(() => notes.push('group-not-kept'));
  await chmod(tmp, like.mode & 0o777).catch(() => notes.push('mode-not-kept'));
  const now = new Date();
  await utimes(tmp, now, now);
  await syncFile(tmp);
  await fault?.('output dressed');
  return { step: 'dressed', notes };
}

async function unlock({ root, journal, fault, recovering }: Act): Promise<Change> {
  if (journal.fetchFrom !== null) await removeFetched(root, journal);
  await fault?.('old trash left');
  if (journal.kind === 'swap') await removeDelivery(root, journal.attempt);
  const path = await resolveInRoot(root, journal.lockPath).catch(unlessMissing); // the folder may have been moved as a whole
  if (path !== null) await releaseLock(path, journal, { emptyIsOurs: recovering ?? false });
  await fault?.('lock removed');
  return { step: 'unlocked' };
}

/** The restored file's name in the trash goes, once it is proved to be a second name of the file that stands in its place. */
async function removeFetched(root: Root, journal: Journal): Promise<void> {
  const from = await inTrash(root, journal.fetchFrom ?? '').catch(unlessMissing);
  if (from === null) return;
  if (await sameFile(from, await resolveInRoot(root, journal.target))) {
    await removeIfThere(from);
    await syncDirectory(dirname(from));
  }
  await leaveTrash(from);
}

async function conclude({ root, journal }: Act): Promise<Change> {
  const target = await resolveInRoot(root, journal.target).catch(unlessMissing);
  // a person may have moved it already: what we did is true all the same
  const stands = (target === null ? null : await fingerprint(target).catch(unlessMissing)) ?? journal.incoming;
  const { trashPath, outgoing } = journal;
  const original = trashPath === null || outgoing === null ? null : { path: journal.path, trashPath, fingerprint: outgoing };
  if (original && !(await holds(await inTrash(root, original.trashPath), outgoing))) {
    throw unclear(journal, 'the trash does not hold what was put there');
  }
  return { step: 'done', result: { path: journal.target, original, fingerprint: stands, notes: journal.notes } };
}

function unlessMissing(error: unknown): null {
  if (error instanceof PlainError && error.reason?.code === 'missing') return null;
  throw error;
}
