import { renameSync } from 'node:fs';
import { link } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { reason } from '../core/reasons.ts';
import { codeOf, PlainError } from '../errors.ts';
import { linksRefused, lstatIfThere, removeIfThere, sameFile, syncDirectory } from './durable.ts';
import type { Act, Change } from './exchange.ts';
import { changed, gone, holds, isStill, statIfThereSync, targetExists, unclear } from './facts.ts';
import { advance, type Journal } from './journal.ts';
import { resolveInRoot, type Root } from './roots.ts';
import { inTrash, leaveTrash, prepareTrash, trashPlaces } from './trash.ts';

/** The acts in which the incoming file takes over: exchange.ts draws them. Look and act are adjacent system calls here. */

/** Same name, first half: the original gets its name in the trash while it keeps its own. */
export async function keep({ root, journal, fault }: Act): Promise<Change> {
  const path = await resolveInRoot(root, journal.path);
  let now = journal;
  for (const trashPath of await placesFor(root, journal)) {
    now = await advance(root, now, { trashPath, method: 'link' }, fault);
    const trashed = await prepareTrash(root, now, trashPath);
    await fault?.('trash ready');
    const how = await secondName(path, trashed);
    // the original waits there since before a crash, and somebody put another file under its name
    if (how === 'taken' && (await holds(trashed, journal.outgoing))) throw changed(journal.path);
    if (how === 'refused') return { journal: now, step: 'kept', method: 'rename' };
    if (how === 'linked') {
      await fault?.('original linked');
      if (!(await sameFile(path, trashed)) || !isStill(await lstatIfThere(trashed), journal.outgoing)) throw changed(journal.path);
      await syncDirectory(dirname(trashed));
      return { journal: now, step: 'kept' };
    }
    await leaveTrash(trashed);
  }
  throw noTrash(journal.path);
}

/** Same name, second half: the output is renamed over the name. */
export async function replace({ root, journal, fault }: Act): Promise<Change> {
  const path = await resolveInRoot(root, journal.path);
  const tmp = await resolveInRoot(root, journal.tmpPath);
  let now = journal;
  if (await lstatIfThere(tmp)) {
    if (journal.method === 'link') overLinked(path, await trashOf(root, journal), tmp, journal);
    else now = await overRenamed({ root, journal, ...(fault ? { fault } : {}) }, path, tmp);
    await fault?.('output renamed');
  }
  if (!(await holds(path, journal.incoming))) throw unclear(journal, 'the new file is not under the name');
  await syncDirectory(dirname(path));
  return { journal: now, step: 'replaced' };
}

/** Other name, first half: the new name appears beside the old one, over nobody. */
export async function appear({ root, journal, fault }: Act): Promise<Change> {
  const target = await resolveInRoot(root, journal.target);
  const tmp = await resolveInRoot(root, journal.tmpPath);
  const there = await lstatIfThere(target);
  if (there) {
    const ours = (await sameFile(tmp, target)) || (!(await lstatIfThere(tmp)) && (await holds(target, journal.incoming)));
    if (!ours) throw targetExists(basename(target));
  } else {
    await nameExclusively(tmp, target);
    await fault?.('new name made');
  }
  await syncDirectory(dirname(target));
  return { step: 'appeared' };
}

/** Other name, second half: the old name goes to the trash. */
export async function leave({ root, journal, fault }: Act): Promise<Change> {
  if (journal.outgoing === null) return { step: 'left' };
  const path = await resolveInRoot(root, journal.path);
  if (!(await holds(await resolveInRoot(root, journal.target), journal.incoming)))
    throw unclear(journal, 'the new file is not under its name');
  if (await lstatIfThere(path)) {
    const { now } = await moveToTrash({ root, journal, ...(fault ? { fault } : {}) }, path);
    await fault?.('original renamed away');
    return { journal: await synced(root, now), step: 'left' };
  }
  if (journal.trashPath !== null && (await holds(await trashOf(root, journal), journal.outgoing))) {
    return { journal: await synced(root, journal), step: 'left' };
  }
  // somebody deleted the original meanwhile; our output is all there is, so it stays
  return { step: 'left', trashPath: null, notes: [...journal.notes, 'original-gone'] };
}

/** The output has its name: the one it waited under goes, if it is the same file. */
export async function removeTmp({ root, journal, fault }: Act): Promise<Change> {
  const target = await resolveInRoot(root, journal.target);
  const tmp = await resolveInRoot(root, journal.tmpPath);
  if (await sameFile(tmp, target)) await removeIfThere(tmp);
  await fault?.('waiting name removed');
  await syncDirectory(dirname(target));
  return { step: 'replaced' };
}

function overLinked(path: string, trashed: string, tmp: string, journal: Journal): void {
  const stands = statIfThereSync(path);
  const kept = statIfThereSync(trashed);
  if (!stands || !kept || stands.ino !== kept.ino || stands.dev !== kept.dev) throw changed(journal.path);
  renameSync(tmp, path);
}

async function overRenamed(act: Act, path: string, tmp: string): Promise<Journal> {
  const { root, journal, fault } = act;
  if (!(await lstatIfThere(path))) {
    // a process died between the two renames: the original must be in the trash
    if (!(await holds(await trashOf(root, journal), journal.outgoing))) throw gone(journal.path);
    if (statIfThereSync(path)) throw changed(journal.path);
    renameSync(tmp, path);
    return journal;
  }
  const { now, trashed } = await moveToTrash(act, path, () => !fault && renameSync(tmp, path));
  if (fault) {
    await fault('original renamed away');
    putInPlace(tmp, path, trashed);
  }
  await syncDirectory(dirname(trashed));
  return now;
}

/**
 * Renames the outgoing file into the first trash place that is on its disk. `next` runs right after, with no turn of the
 * event loop between; when it fails the file goes back at once.
 */
async function moveToTrash(act: Act, path: string, next?: () => void): Promise<{ now: Journal; trashed: string }> {
  let now = act.journal;
  for (const trashPath of await placesFor(act.root, act.journal)) {
    now = await advance(act.root, now, { trashPath, method: 'rename' }, act.fault);
    const trashed = await prepareTrash(act.root, now, trashPath);
    await act.fault?.('trash ready');
    if (moved(act.journal, path, trashed, next)) return { now, trashed };
    await leaveTrash(trashed);
  }
  throw noTrash(act.journal.path);
}

function moved(journal: Journal, path: string, trashed: string, next?: () => void): boolean {
  if (statIfThereSync(trashed)) throw unclear(journal, 'its place in the trash is taken');
  if (!isStill(statIfThereSync(path), journal.outgoing)) throw changed(journal.path);
  try {
    renameSync(path, trashed);
  } catch (error) {
    if (codeOf(error) === 'EXDEV') return false;
    throw error;
  }
  try {
    // what moved may be a stranger's file that took the name in the last instant
    if (!isStill(statIfThereSync(trashed), journal.outgoing)) throw changed(journal.path);
    next?.();
  } catch (error) {
    if (!statIfThereSync(path)) renameSync(trashed, path);
    throw error;
  }
  return true;
}

function putInPlace(tmp: string, path: string, trashed: string): void {
  try {
    renameSync(tmp, path);
  } catch (error) {
    if (!statIfThereSync(path)) renameSync(trashed, path);
    throw error;
  }
}

async function secondName(path: string, trashed: string): Promise<'linked' | 'other disk' | 'taken' | 'refused'> {
  if (await sameFile(path, trashed)) return 'linked'; // before the crash
  try {
    await link(path, trashed);
    return 'linked';
  } catch (error) {
    if (codeOf(error) === 'EXDEV') return 'other disk';
    if (codeOf(error) === 'EEXIST') return 'taken';
    if (linksRefused(error)) return 'refused';
    throw error;
  }
}

async function nameExclusively(tmp: string, target: string): Promise<void> {
  try {
    await link(tmp, target);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw targetExists(basename(target));
    if (!linksRefused(error)) throw error;
    if (statIfThereSync(target)) throw targetExists(basename(target));
    renameSync(tmp, target);
  }
}

/** The place that the journal names already comes first: a crash may have left something there. */
async function placesFor(root: Root, journal: Journal): Promise<string[]> {
  const places = await trashPlaces(root, journal.path, journal.attempt, journal.since);
  return journal.trashPath === null ? places : [journal.trashPath, ...places];
}

async function trashOf(root: Root, journal: Journal): Promise<string> {
  return await inTrash(root, journal.trashPath ?? '');
}

async function synced(root: Root, journal: Journal): Promise<Journal> {
  await syncDirectory(dirname(await trashOf(root, journal)));
  await syncDirectory(dirname(await resolveInRoot(root, journal.path)));
  return journal;
}

function noTrash(path: string): PlainError {
  return new PlainError(`No trash could be made on the disk of ${path}, so it was left alone.`, {
    reason: reason('swap-failed', { message: 'no trash on the same disk' }),
  });
}
