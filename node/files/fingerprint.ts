import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Fingerprint } from '../core/media.ts';
import { codeOf, PlainError } from '../errors.ts';

const EDGE = 64 * 1024;
const BLOCK = 1024 * 1024;

/**
 * Takes a file's fingerprint: cheap on a 60 GB film, and the same after a rename or a move.
 * @throws PlainError `missing`, `not-a-file` (directory, symlink, pipe), `no-permission`, `unreadable`,
 * `file-changed` (while we looked)
 */
export async function fingerprint(path: string, signal?: AbortSignal): Promise<Fingerprint> {
  const file = await openFile(path);
  try {
    const before = await regular(file, path);
    signal?.throwIfAborted();
    const hash = await edgesHash(file, Number(before.size));
    const after = await file.stat({ bigint: true });
    if (before.size !== after.size || before.mtimeNs !== after.mtimeNs) throw changed(path);
    return fromStat(after, hash);
  } catch (error) {
    throw plain(error, path);
  } finally {
    await file.close();
  }
}

/** The same bytes, as far as size and both ends tell; the name, the time and the inode may differ. */
export function sameContent(a: Pick<Fingerprint, 'sizeBytes' | 'hash'>, b: Pick<Fingerprint, 'sizeBytes' | 'hash'>): boolean {
  return a.sizeBytes === b.sizeBytes && a.hash === b.hash;
}

/** The very same file, untouched. The number of links may differ: our own hard link into the trash changes it. */
export function unchanged(a: Fingerprint, b: Fingerprint): boolean {
  return sameContent(a, b) && a.mtimeMs === b.mtimeMs && a.inode === b.inode;
}

/**
 * SHA-256 of a whole file, in hex.
 * @throws PlainError as `fingerprint` does; AbortError
 */
export async function sha256File(
  path: string,
  options: { signal?: AbortSignal; onProgress?: (bytes: number) => void } = {},
): Promise<string> {
  const file = await openFile(path);
  try {
    const before = await regular(file, path);
    const hash = createHash('sha256');
    const block = Buffer.allocUnsafe(BLOCK);
    let done = 0;
    for (;;) {
      options.signal?.throwIfAborted();
      const { bytesRead } = await file.read(block, 0, BLOCK, done);
      if (bytesRead === 0) break;
      hash.update(block.subarray(0, bytesRead));
      done += bytesRead;
      options.onProgress?.(done);
    }
    const after = await file.stat({ bigint: true });
    if (before.size !== after.size || BigInt(done) !== after.size || before.mtimeNs !== after.mtimeNs) throw changed(path);
    return hash.digest('hex');
  } catch (error) {
    throw plain(error, path);
  } finally {
    await file.close();
  }
}

/** Whole milliseconds, because that is what the books keep: a fraction would make every file look changed. */
export function mtimeOf(stat: BigIntStats): number {
  return Number(stat.mtimeNs / 1_000_000n);
}

function fromStat(stat: BigIntStats, hash: string): Fingerprint {
  return { sizeBytes: Number(stat.size), mtimeMs: mtimeOf(stat), inode: String(stat.ino), links: Number(stat.nlink), hash };
}

/** O_NOFOLLOW: a file swapped for a symlink is refused. O_NONBLOCK: a pipe under a film's name must not hang us. */
async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw plain(error, path);
  }
}

async function regular(file: FileHandle, path: string): Promise<BigIntStats> {
  const stat = await file.stat({ bigint: true });
  if (!stat.isFile()) throw new PlainError(`${path} is not a regular file.`, { reason: { code: 'not-a-file', params: { path } } });
  return stat;
}

async function edgesHash(file: FileHandle, size: number): Promise<string> {
  const edge = Math.min(EDGE, size);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(size));
  const hash = createHash('sha256').update(length);
  hash.update(await readAt(file, 0, edge));
  hash.update(await readAt(file, size - edge, edge));
  return hash.digest('hex');
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break; // it became shorter: the second stat tells
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function changed(path: string): PlainError {
  return new PlainError(`${path} is being written to right now.`, { reason: { code: 'file-changed', params: { path } }, retry: true });
}

function plain(error: unknown, path: string): unknown {
  const code = codeOf(error);
  const params = { path };
  if (error instanceof PlainError || code === null || code === 'ABORT_ERR') return error;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new PlainError(`${path} is not there any more.`, { cause: error, reason: { code: 'missing', params } });
  }
  if (code === 'ELOOP' || code === 'EMLINK' || code === 'EISDIR' || code === 'ENXIO') {
    return new PlainError(`${path} is not a regular file (a symbolic link, perhaps).`, {
      cause: error,
      reason: { code: 'not-a-file', params },
    });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new PlainError(`CodecShift may not read ${path}.`, {
      cause: error,
      reason: { code: 'no-permission', params: { message: code } },
    });
  }
  return new PlainError(`${path} can't be read (${code}).`, {
    cause: error,
    reason: { code: 'unreadable', params: { message: code } },
    retry: true,
  });
}
