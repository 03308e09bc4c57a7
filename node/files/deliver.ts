import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, open, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Fingerprint } from '../core/media.ts';
import { reason } from '../core/reasons.ts';
import { codeOf, PlainError } from '../errors.ts';
import { diskFull, isDiskFull, requireSpace } from './disk.ts';
import { linksRefused, lstatIfThere, removeIfThere, syncDirectory, syncFile, type Fault } from './durable.ts';
import { fingerprint, sha256File } from './fingerprint.ts';
import { isFinished, readDelivery, readJournal, removeDelivery, writeDelivery, type Delivery } from './journal.ts';
import { tmpName } from './names.ts';
import { inRenamedFolder, isFolderGone } from './renamed-folder.ts';
import { relativeTo, requireMounted, resolveInRoot, type Root } from './roots.ts';

export interface DeliverWish {
  root: Root;
  node: string;
  attempt: number;
  /** where the finished file shall stand in the end, below the root: the output waits in the same directory */
  target: string;
  /** the finished output in the workspace, absolute */
  from: string;
  sizeBytes: number;
  sha256: string;
  signal?: AbortSignal;
  onProgress?: (bytes: number) => void;
  fault?: Fault;
}

export interface Delivered {
  /** below the root */
  tmpPath: string;
  absolutePath: string;
  fingerprint: Fingerprint;
}

/**
 * Puts an output beside its original as `.tmp_<attempt>_<name>`, whole, synced and with the promised SHA-256, or leaves
 * nothing. A hard link where the workspace is on the same file system, else a copy that shares blocks, else a copy.
 * After a link both names are one file: the one in the workspace may be removed, but never written to again.
 * Doing it again for a delivered attempt only checks it.
 * @throws PlainError `no-space`, `disk-full`, `hash-mismatch`, `foreign-file`, `read-only`, `root-not-mounted`; AbortError
 */
export async function deliver(wish: DeliverWish): Promise<Delivered> {
  const key = `${wish.root.id}:${wish.attempt}`;
  if (delivering.has(key))
    throw new PlainError(`Attempt ${wish.attempt} is being delivered already.`, { reason: { code: 'in-use' }, retry: true });
  delivering.add(key);
  try {
    return await perform(wish);
  } finally {
    delivering.delete(key);
  }
}

const delivering = new Set<string>();

/** Attempts that this process is delivering right now: recovery leaves them alone. */
export function isDelivering(root: Pick<Root, 'id'>, attempt: number): boolean {
  return delivering.has(`${root.id}:${attempt}`);
}

async function perform(wish: DeliverWish): Promise<Delivered> {
  await requireMounted(wish.root);
  const beside = await resolveInRoot(wish.root, wish.target);
  const absolutePath = join(dirname(beside), tmpName(wish.attempt, basename(beside)));
  const tmpPath = relativeTo(wish.root, absolutePath);
  const there = await alreadyThere(wish, absolutePath, tmpPath);
  if (there) return there;
  try {
    await bring(wish, absolutePath, tmpPath);
    const found = await fingerprint(absolutePath, wish.signal);
    await writeDelivery(wish.root, { ...note(wish, tmpPath), state: 'delivered', inode: found.inode, fingerprint: found });
    await wish.fault?.('deliver:delivered');
    return { tmpPath, absolutePath, fingerprint: found };
  } catch (error) {
    await discard(wish.root, wish.attempt).catch(() => false);
    throw plain(error, wish);
  }
}

/**
 * Removes what an attempt delivered. Only the file that the delivery's note proves to be ours goes; nothing else does.
 * @returns false when there was nothing, or nothing provable
 * @throws PlainError `interrupted` while a swap of this attempt is unfinished
 */
export async function discard(root: Root, attempt: number): Promise<boolean> {
  const journal = await readJournal(root, attempt);
  if (journal && !isFinished(journal)) {
    throw new PlainError(`The output of attempt ${attempt} is taking its place right now.`, {
      reason: { code: 'interrupted' },
      retry: true,
    });
  }
  const delivery = await readDelivery(root, attempt);
  if (!delivery) return false;
  const path = await whereItWaits(root, delivery);
  const removed = path !== null && (await isDelivered(delivery, path)) && (await removeIfThere(path));
  if (removed) await syncDirectory(dirname(path));
  await removeDelivery(root, attempt);
  return removed;
}

/** Where a delivered output is by now, absolute: in its folder, or where that went; null when neither can be told. */
export async function whereItWaits(root: Root, delivery: Delivery): Promise<string | null> {
  if (!(await isFolderGone(root, delivery.tmpPath))) return await resolveInRoot(root, delivery.tmpPath);
  return await inRenamedFolder(root, delivery.tmpPath, (path) => isDelivered(delivery, path));
}

/** Is the file under this name the one that the note speaks of? */
export async function isDelivered(delivery: Delivery, path: string): Promise<boolean> {
  const found = await lstatIfThere(path);
  if (!found?.isFile() || basename(path) !== basename(delivery.tmpPath)) return false;
  if (delivery.state === 'copying') return delivery.inode === null ? found.size === 0n : delivery.inode === String(found.ino);
  // the inode is no proof: a file system hands out the number of a deleted file again
  return Number(found.size) === delivery.sizeBytes && (await fingerprint(path)).hash === delivery.fingerprint?.hash;
}

async function alreadyThere(wish: DeliverWish, path: string, tmpPath: string): Promise<Delivered | null> {
  const found = await lstatIfThere(path);
  const delivery = await readDelivery(wish.root, wish.attempt);
  if (!found) {
    if (delivery) await discard(wish.root, wish.attempt); // it stood under another name, or is gone
    return null;
  }
  if (delivery?.tmpPath !== tmpPath || !(await isDelivered(delivery, path))) {
    throw new PlainError(`${path} is in the way and CodecShift did not make it. It was left alone.`, {
      reason: reason('foreign-file', { name: basename(path) }),
    });
  }
  if (delivery.state === 'delivered' && delivery.sha256 === wish.sha256) {
    const hash = await sha256File(path, wish.signal ? { signal: wish.signal } : {});
    if (hash === wish.sha256) return { tmpPath, absolutePath: path, fingerprint: await fingerprint(path) };
  }
  await discard(wish.root, wish.attempt); // half of an earlier try
  return null;
}

async function bring(wish: DeliverWish, to: string, tmpPath: string): Promise<void> {
  const source = await stat(wish.from);
  if (!source.isFile() || source.size !== wish.sizeBytes) throw mismatch(wish);
  await writeDelivery(wish.root, note(wish, tmpPath));
  await wish.fault?.('deliver:noted');
  if (!(await linked(wish, to)) && !(await cloned(wish, to))) await copied(wish, to, tmpPath);
  await wish.fault?.('deliver:brought');
  await syncDirectory(dirname(to));
}

async function linked(wish: DeliverWish, to: string): Promise<boolean> {
  const hash = async (): Promise<string> => await sha256File(wish.from, optionsOf(wish));
  const before = await stat(wish.from, { bigint: true });
  if (before.dev !== (await stat(dirname(to), { bigint: true })).dev) return false;
  if ((await hash()) !== wish.sha256) throw mismatch(wish);
  await writeDelivery(wish.root, { ...note(wish, relativeTo(wish.root, to)), inode: String(before.ino) });
  try {
    await link(wish.from, to);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw taken(to, error);
    if (linksRefused(error) || codeOf(error) === 'EXDEV') return false;
    throw error;
  }
  await syncFile(to);
  return true;
}

/** On btrfs, XFS, APFS and ReFS a copy can share its blocks: no time, no space. */
async function cloned(wish: DeliverWish, to: string): Promise<boolean> {
  try {
    await copyFile(wish.from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw taken(to, error);
    // some kernels make the empty file before they refuse
    const left = await lstatIfThere(to);
    if (left?.isFile() && left.size === 0n) await removeIfThere(to);
    return false;
  }
  await noteInode(wish, to);
  if ((await sha256File(to, optionsOf(wish))) !== wish.sha256) throw mismatch(wish);
  await syncFile(to);
  return true;
}

async function copied(wish: DeliverWish, to: string, tmpPath: string): Promise<void> {
  await requireSpace(dirname(to), wish.sizeBytes, tmpPath);
  await writeDelivery(wish.root, note(wish, tmpPath));
  const output = await open(to, 'wx', 0o600).catch((error: unknown) => {
    throw codeOf(error) === 'EEXIST' ? taken(to, error) : error;
  });
  try {
    await noteInode(wish, to);
    await wish.fault?.('deliver:made');
    const input = await open(wish.from, 'r');
    try {
      if ((await copyBytes(input, output, wish)) !== wish.sha256) throw mismatch(wish);
    } finally {
      await input.close();
    }
    await output.sync();
  } finally {
    await output.close();
  }
}

async function copyBytes(input: FileHandle, output: FileHandle, wish: DeliverWish): Promise<string> {
  const hash = createHash('sha256');
  const block = Buffer.allocUnsafe(1024 * 1024);
  for (let done = 0; ;) {
    wish.signal?.throwIfAborted();
    const { bytesRead } = await input.read(block, 0, block.length, done);
    if (bytesRead === 0) return hash.digest('hex');
    const piece = block.subarray(0, bytesRead);
    hash.update(piece);
    for (let written = 0; written < bytesRead;) {
      written += (await output.write(piece, written, bytesRead - written, done + written)).bytesWritten;
    }
    done += bytesRead;
    if (done > wish.sizeBytes) throw mismatch(wish);
    wish.onProgress?.(done);
  }
}

async function noteInode(wish: DeliverWish, to: string): Promise<void> {
  const made = await stat(to, { bigint: true });
  await writeDelivery(wish.root, { ...note(wish, relativeTo(wish.root, to)), inode: String(made.ino) });
}

function note(wish: DeliverWish, tmpPath: string): Delivery {
  return {
    version: 1,
    state: 'copying',
    node: wish.node,
    attempt: wish.attempt,
    since: new Date().toISOString(),
    path: wish.target,
    tmpPath,
    inode: null,
    sizeBytes: wish.sizeBytes,
    sha256: wish.sha256,
    fingerprint: null,
  };
}

function optionsOf(wish: DeliverWish): { signal?: AbortSignal; onProgress?: (bytes: number) => void } {
  return { ...(wish.signal ? { signal: wish.signal } : {}), ...(wish.onProgress ? { onProgress: wish.onProgress } : {}) };
}

function mismatch(wish: DeliverWish): PlainError {
  return new PlainError(
    `The output of attempt ${wish.attempt} is not the one that was announced, so it was not delivered. The original is untouched.`,
    {
      reason: { code: 'hash-mismatch' },
      retry: true,
    },
  );
}

function taken(path: string, cause: unknown): PlainError {
  return new PlainError(`${path} appeared at this moment and CodecShift did not make it. It was left alone.`, {
    cause,
    reason: reason('foreign-file', { name: basename(path) }),
  });
}

function plain(error: unknown, wish: DeliverWish): unknown {
  if (error instanceof PlainError || codeOf(error) === null || codeOf(error) === 'ABORT_ERR') return error;
  if (isDiskFull(error)) return diskFull(wish.target, { needed: wish.sizeBytes }, error);
  const code = codeOf(error) ?? '';
  if (['EROFS', 'EACCES', 'EPERM'].includes(code)) {
    return new PlainError(`CodecShift may not write beside ${wish.target} (${code}). The original is untouched.`, {
      cause: error,
      reason: { code: 'read-only' },
    });
  }
  return new PlainError(`The output for ${wish.target} could not be delivered (${code}). The original is untouched.`, {
    cause: error,
    retry: true,
    reason: reason('input-output-error', { message: code }),
  });
}
