import { renameSync } from 'node:fs';
import { link, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import { linksRefused, lstatIfThere, removeIfThere, sameFile, syncDirectory, type Fault } from './durable.ts';
import { holds, statIfThereSync } from './facts.ts';
import { advance, dropUndone, isFinished, removeDelivery, type Journal, type Step } from './journal.ts';
import { readLock, releaseLock } from './lock.ts';
import { inRenamedFolder, isFolderGone } from './renamed-folder.ts';
import { resolveInRoot, type Root } from './roots.ts';
import { inTrash, leaveTrash } from './trash.ts';

/**
 * Takes back what an exchange has done so far, in the opposite order, as long as the outgoing file can have its name.
 * Removes only names: of our own output, and of files that provably have another name.
 * @param keepOutput the delivered `.tmp_` output stays for another try; else it goes too
 * @returns the journal at `undone`, or null when the incoming file has taken over and only going on is right
 */
export async function undo(
  root: Root,
  journal: Journal,
  why: Reason | null,
  options: { keepOutput: boolean; fault?: Fault; recovering?: boolean },
): Promise<Journal | null> {
  if (isFinished(journal)) return null;
  if (mayGiveUp(journal) && (await isFolderGone(root, journal.path))) return await giveUp(root, journal, why, options);
  const places = await locate(root, journal);
  if (await hasTakenOver(journal, places)) return null;
  await giveNameBack(journal, places);
  await options.fault?.('undo: name back');
  await takeTargetBack(journal, places);
  await options.fault?.('undo: new name gone');
  await emptyTrash(places);
  await options.fault?.('undo: trash left');
  if (journal.kind === 'restore') await returnFetched(journal, places);
  else if (!options.keepOutput) await removeOutput(root, journal, places);
  await options.fault?.('undo: output settled');
  await syncDirectory(dirname(places.path));
  if (places.lock) await releaseLock(places.lock, journal, { emptyIsOurs: options.recovering ?? false });
  await options.fault?.('undo: lock removed');
  try {
    return await advance(root, journal, { step: 'undone', reason: why }, options.fault);
  } catch {
    await dropUndone(root, journal.attempt);
    return { ...journal, step: 'undone', reason: why };
  }
}

/** Until then every name of the person's stands where it stood: what is left to take back is ours alone. */
function mayGiveUp({ kind, step }: Journal): boolean {
  return kind === 'swap' && untouched.has(step);
}

const untouched = new Set<Step>(['prepared', 'locked', 'fetched', 'checked', 'dressed']);

/** The folder got another name in the middle, or is gone: our lock went along and would keep the film from us for ever. */
async function giveUp(root: Root, journal: Journal, why: Reason | null, options: { keepOutput: boolean; fault?: Fault }): Promise<Journal> {
  const lock = await inRenamedFolder(root, journal.lockPath, (path) => isLockOf(path, journal));
  if (lock !== null) await releaseLock(lock, journal);
  await leaveSecondName(root, journal);
  if (!options.keepOutput) {
    const tmp = await inRenamedFolder(root, journal.tmpPath, (path) => holds(path, journal.incoming));
    if (tmp !== null) await removeIfThere(tmp);
    await removeDelivery(root, journal.attempt);
  }
  return await advance(root, journal, { step: 'undone', reason: why }, options.fault);
}

async function isLockOf(path: string, journal: Journal): Promise<boolean> {
  const holder = await readLock(path);
  return typeof holder === 'object' && holder.node === journal.node && holder.attempt === journal.attempt;
}

/** The original may have its name in the trash already. That goes once the film itself is seen; else it stays, and is found there. */
async function leaveSecondName(root: Root, journal: Journal): Promise<void> {
  const trashed = journal.trashPath === null ? null : await inTrash(root, journal.trashPath).catch(ifMissing);
  if (trashed === null) return;
  const film = await inRenamedFolder(root, journal.path, (path) => sameFile(path, trashed));
  if (film !== null && (await sameFile(film, trashed))) {
    await removeIfThere(trashed);
    await syncDirectory(dirname(trashed));
  }
  await leaveTrash(trashed);
}

interface Places {
  path: string;
  target: string;
  tmp: string;
  lock: string | null;
  trashed: string | null;
  from: string | null;
}

async function locate(root: Root, journal: Journal): Promise<Places> {
  return {
    path: await resolveInRoot(root, journal.path),
    target: await resolveInRoot(root, journal.target),
    tmp: await resolveInRoot(root, journal.tmpPath),
    lock: await resolveInRoot(root, journal.lockPath),
    trashed: journal.trashPath === null ? null : await inTrash(root, journal.trashPath).catch(ifMissing),
    from: journal.fetchFrom === null ? null : await inTrash(root, journal.fetchFrom, { make: true }),
  };
}

function ifMissing(error: unknown): null {
  if (error instanceof PlainError && error.reason?.code === 'missing') return null;
  throw error;
}

/** The incoming file stands under the name, and the outgoing one does not any more. */
async function hasTakenOver(journal: Journal, { path, target, tmp, trashed }: Places): Promise<boolean> {
  if (!(await holds(target, journal.incoming))) return false;
  if (journal.outgoing === null) return !(await lstatIfThere(tmp)) || (await sameFile(tmp, target));
  if (journal.path === journal.target) return !(await lstatIfThere(tmp)) || !(await holds(tmp, journal.incoming));
  if (await lstatIfThere(path)) return false;
  return (
    trashed === null ||
    !(await holds(trashed, journal.outgoing)) ||
    journal.step === 'left' ||
    journal.step === 'replaced' ||
    journal.step === 'unlocked'
  );
}

/** The original was renamed away and nothing stands under its name: it goes back. */
async function giveNameBack(journal: Journal, { path, trashed }: Places): Promise<void> {
  if (trashed === null || (await lstatIfThere(path)) || !(await holds(trashed, journal.outgoing))) return;
  try {
    await link(trashed, path);
  } catch (error) {
    if (!linksRefused(error)) throw error;
    if (statIfThereSync(path)) return;
    renameSync(trashed, path);
  }
  await syncDirectory(dirname(path));
}

/** The new name beside the old one goes, but only while a file stands under the old one. */
async function takeTargetBack(journal: Journal, { path, target, tmp }: Places): Promise<void> {
  if (journal.path === journal.target || !(await lstatIfThere(path))) return;
  if (await sameFile(target, tmp)) await removeIfThere(target);
  else if (!(await lstatIfThere(tmp)) && wasNamed(journal) && (await holds(target, journal.incoming))) await rename(target, tmp);
  else return;
  await syncDirectory(dirname(target));
}

/** Before this step we never gave the target name to anything: whatever stands there is a stranger's. */
function wasNamed(journal: Journal): boolean {
  return journal.step === 'dressed' || journal.step === 'appeared';
}

async function emptyTrash({ path, trashed }: Places): Promise<void> {
  if (trashed === null) return;
  if (await sameFile(path, trashed)) {
    await removeIfThere(trashed);
    await syncDirectory(dirname(trashed));
  }
  await leaveTrash(trashed);
}

/** The original that was on its way back returns to the trash; its waiting name goes. */
async function returnFetched(journal: Journal, { tmp, from }: Places): Promise<void> {
  if (from === null || !(await holds(tmp, journal.incoming))) return;
  if (await sameFile(tmp, from)) await removeIfThere(tmp);
  else if (!(await lstatIfThere(from))) await rename(tmp, from);
  await syncDirectory(dirname(from));
}

async function removeOutput(root: Root, journal: Journal, { tmp }: Places): Promise<void> {
  if (await holds(tmp, journal.incoming)) await removeIfThere(tmp);
  await removeDelivery(root, journal.attempt);
}
