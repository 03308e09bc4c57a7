import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf } from '../errors.ts';
import { BLOCK_BYTES, blockLength, bodyBytes, brokenFrame, endFrame, HEADER_BYTES, putHeader, type Range } from './bulk-frame.ts';
import { PIECE_BYTES, type Rate } from './rate.ts';

/** One file that is open for readers (framing: bulk-frame.ts). Opened once; what is read is what was open then. */
export interface OpenFile {
  /** Answers one request: `/` with the bytes, `/hashes` with the hashes alone, both by range. Never throws. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Ends what is being sent, closes the file once no read is under way. */
  close(): void;
}

/** The file is not, or no longer, the one that was offered. */
class Changed extends Error {}

export function openOffered(offer: { file: string; sizeBytes: number; rate: Rate; failed: (error: unknown) => void }): OpenFile {
  const closing = new AbortController();
  const opened = openOnce(offer.file, offer.sizeBytes);
  // looked at by every answer; nobody may have asked yet when it fails
  opened.catch(() => undefined);
  return {
    async answer(request, response) {
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      const signal = AbortSignal.any([closing.signal, gone.signal]);
      try {
        const wanted = wantedOf(request, offer.sizeBytes);
        if (typeof wanted === 'number') return void response.writeHead(wanted, { 'content-length': 0 }).end();
        await send({ ...wanted, ...offer, ...(await opened), response, signal });
      } catch (error) {
        breakOff(response, error);
        if (!signal.aborted) offer.failed(error);
      }
    },
    close() {
      closing.abort();
      opened.then(({ handle }) => handle.close()).catch(() => undefined);
    },
  };
}

/** What is asked for, or the HTTP status with which it is refused. */
function wantedOf(request: IncomingMessage, sizeBytes: number): Range | number {
  if (request.method !== 'GET') return 405;
  if (request.url !== '/' && request.url !== '/hashes') return 404;
  const withBlocks = request.url === '/';
  if (request.headers.range === undefined) return { from: 0, end: sizeBytes, withBlocks };
  const match = /^bytes=(\d{1,16})-(\d{1,16})?$/.exec(request.headers.range);
  if (!match) return 416;
  const [from, last] = [Number(match[1]), match[2] === undefined ? sizeBytes - 1 : Number(match[2])];
  return from > last || from >= sizeBytes ? 416 : { from, end: Math.min(last + 1, sizeBytes), withBlocks };
}

interface Opened {
  handle: FileHandle;
  facts: BigIntStats;
}

async function openOnce(file: string, sizeBytes: number): Promise<Opened> {
  // neither a link that leads elsewhere nor a pipe whose opening would wait for ever; 0 where the platform has no such flag
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  const handle = await open(file, flags);
  try {
    const facts = await handle.stat({ bigint: true });
    if (!facts.isFile()) throw new Changed('it is not an ordinary file');
    if (facts.size !== BigInt(sizeBytes)) throw new Changed(`it has ${facts.size} bytes instead of ${sizeBytes}`);
    return { handle, facts };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

type Sending = Range & Opened & { file: string; sizeBytes: number; rate: Rate; response: ServerResponse; signal: AbortSignal };

/** Two buffers take turns: one is read and hashed while the other one leaves. Never more than these is read ahead. */
async function send(sending: Sending): Promise<void> {
  const { from, end, withBlocks, response, signal, handle } = sending;
  const whole = from === 0 && end === sending.sizeBytes;
  response.writeHead(whole ? 200 : 206, {
    'content-type': 'application/octet-stream',
    'content-length': bodyBytes(sending),
    ...(whole ? {} : { 'content-range': `bytes ${from}-${end - 1}/${sending.sizeBytes}` }),
  });
  response.flushHeaders();
  const running = createHash('sha256');
  const buffers = [0, 1].map(() => Buffer.allocUnsafe(HEADER_BYTES + Math.min(BLOCK_BYTES, end - from)));
  let leaving: Promise<void> = Promise.resolve();
  for (let [at, turn] = [from, 0]; at < end; turn = 1 - turn) {
    const length = blockLength(at, end);
    const frame = buffers[turn]!.subarray(0, HEADER_BYTES + length);
    await fill(handle, frame.subarray(HEADER_BYTES), at, signal);
    running.update(frame.subarray(HEADER_BYTES));
    putHeader(frame, length, running.copy().digest());
    await leaving;
    leaving = write(sending, withBlocks ? frame : frame.subarray(0, HEADER_BYTES));
    leaving.catch(() => undefined);
    at += length;
  }
  await leaving;
  await requireUnchanged(sending);
  response.end(endFrame(running.digest()));
}

async function fill(handle: FileHandle, target: Buffer, at: number, signal: AbortSignal): Promise<void> {
  for (let filled = 0; filled < target.length;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(target, filled, target.length - filled, at + filled);
    if (bytesRead === 0) throw new Changed('it became shorter');
    filled += bytesRead;
  }
}

/** Resolves once the kernel has taken all of it, so that the buffer may be filled again. */
async function write({ response, rate, signal }: Sending, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, rate.unlimited() ? bytes.length : at + PIECE_BYTES);
    if (!rate.unlimited()) await rate.take(piece.length, signal);
    await taken(response, piece, signal);
    at += piece.length;
  }
}

function taken(response: ServerResponse, piece: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // the callback of a write may never come when its socket is destroyed: the signal does
    const gone = (): void => reject(new Error('the reader is gone'));
    if (signal.aborted) return gone();
    signal.addEventListener('abort', gone, { once: true });
    response.write(piece, (error) => {
      signal.removeEventListener('abort', gone);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** @throws Changed when the open file, or what its name leads to, is another one than at the beginning */
async function requireUnchanged({ handle, facts, file }: Sending): Promise<void> {
  for (const now of [await handle.stat({ bigint: true }), await lstat(file, { bigint: true })]) {
    const same = now.dev === facts.dev && now.ino === facts.ino && now.size === facts.size && now.mtimeNs === facts.mtimeNs;
    if (!same) throw new Changed('it changed while it was sent');
  }
}

/** The body stays shorter than its announced length, so that nobody takes it for whole. */
function breakOff(response: ServerResponse, error: unknown): void {
  const code = reasonOf(error);
  if (!response.headersSent) {
    response.writeHead(code === 'file-changed' ? 409 : 500, { 'content-length': 0, 'x-reason': code }).end();
    return;
  }
  const socket = response.socket;
  if (!socket || socket.destroyed || response.writableLength > 0) return void socket?.destroy();
  response.write(brokenFrame(code), () => socket.destroySoon());
}

function reasonOf(error: unknown): string {
  if (error instanceof Changed || ['ENOENT', 'ESTALE', 'ELOOP', 'ENOTDIR'].includes(codeOf(error) ?? '')) return 'file-changed';
  return 'input-output-error';
}
