import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reason } from '../core/reasons.ts';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import { BLOCK_BYTES, blockLength } from './bulk-frame.ts';

/**
 * A file that is being brought here, whole blocks from its beginning on. What an earlier try left is kept up to its last
 * whole block. Every error of it is a PlainError: trying the network again would not help.
 */
export interface Target {
  /** bytes that are here, all of them from the beginning on */
  have(): number;
  /**
   * Starts writing; waits only for the write before, so that `block` may not be changed until the next call resolved.
   * `running`: SHA-256 over everything up to and with this block, where somebody has it already.
   */
  append(block: Buffer, running: Hash | null): Promise<void>;
  /** Everything that was appended is written. */
  flush(): Promise<void>;
  /** for each block that is here: SHA-256 of everything up to and with it */
  runningHashes(signal: AbortSignal): AsyncGenerator<Buffer>;
  /** SHA-256 of all that is here, hexadecimal */
  sha256(signal: AbortSignal): Promise<string>;
  cutTo(bytes: number): Promise<void>;
  /** written through to the disk */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** @throws PlainError `no-space`, `disk-full`, `input-output-error` */
export async function openTarget(path: string, sizeBytes: number): Promise<Target> {
  const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  const handle = await told(open(path, flags, 0o600));
  let have = 0;
  let [sha, hashed]: [Hash, number] = [createHash('sha256'), 0];
  let writing: Promise<void> = Promise.resolve();

  const target: Target = {
    have: () => have,
    async append(block, running) {
      if (have + block.length > sizeBytes) throw new Error('more bytes than the file has');
      await writing;
      writing = told(writeAll(handle, block, have));
      // whoever appends or flushes next is told
      writing.catch(() => undefined);
      if (running) sha = running;
      else if (hashed === have) sha.update(block);
      if (running || hashed === have) hashed = have + block.length;
      have += block.length;
    },
    flush: () => writing,
    async *runningHashes(signal) {
      await writing;
      const running = createHash('sha256');
      for await (const block of blocksOf(handle, 0, have, signal)) yield running.update(block).copy().digest();
      [sha, hashed] = [running, have];
    },
    async sha256(signal) {
      await writing;
      for await (const block of blocksOf(handle, hashed, have, signal)) {
        sha.update(block);
        hashed += block.length;
      }
      return sha.copy().digest('hex');
    },
    async cutTo(bytes) {
      await writing;
      await told(handle.truncate(bytes));
      have = bytes;
      if (hashed > bytes) [sha, hashed] = [createHash('sha256'), 0];
    },
    sync: async () => {
      await writing;
      await told(handle.datasync());
    },
    close: async () => {
      await writing.catch(() => undefined);
      await handle.close();
    },
  };
  try {
    have = await keptBytes(handle, sizeBytes);
    await target.cutTo(have);
    await requireSpace(path, sizeBytes - have);
    return target;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function keptBytes(handle: FileHandle, sizeBytes: number): Promise<number> {
  const facts = await told(handle.stat());
  if (!facts.isFile()) throw new PlainError('A file can’t be fetched to a place that is not an ordinary file.');
  return facts.size >= sizeBytes ? sizeBytes : facts.size - (facts.size % BLOCK_BYTES);
}

/** Disks that report no size at all (some FUSE mounts) are believed to have room: the write itself will tell. */
async function requireSpace(path: string, needed: number): Promise<void> {
  const disk = await told(statfs(dirname(path), { bigint: true }));
  const free = Number(disk.bavail * disk.bsize);
  if (disk.blocks === 0n || free >= needed) return;
  throw new PlainError('The disk has no room for a file that is fetched for work; it is tried again later.', {
    retry: true,
    reason: reason('no-space', { where: 'the work directory', needed, free }),
  });
}

async function* blocksOf(handle: FileHandle, from: number, end: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, end - from));
  for (let at = from; at < end;) {
    signal.throwIfAborted();
    const block = buffer.subarray(0, blockLength(at, end));
    await told(readAll(handle, block, at));
    yield block;
    at += block.length;
  }
}

/** A read may stop early; half a block would give another hash. */
async function readAll(handle: FileHandle, block: Buffer, at: number): Promise<void> {
  for (let read = 0; read < block.length;) {
    const { bytesRead } = await handle.read(block, read, block.length - read, at + read);
    if (bytesRead === 0) throw new Error('somebody else cut it off');
    read += bytesRead;
  }
}

async function writeAll(handle: FileHandle, block: Buffer, at: number): Promise<void> {
  for (let written = 0; written < block.length;) {
    const { bytesWritten } = await handle.write(block, written, block.length - written, at + written);
    written += bytesWritten;
  }
}

/** Turns what the disk says into words. */
async function told<T>(doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    if (error instanceof PlainError) throw error;
    const full = ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');
    throw new PlainError(
      full ? 'The disk ran full while a file was fetched; it is tried again later.' : `A fetched file can’t be written (${codeOf(error)}).`,
      {
        cause: error,
        retry: true,
        reason: full ? reason('disk-full', { where: 'the work directory' }) : reason('input-output-error', { message: messageOf(error) }),
      },
    );
  }
}
