import { createHash, hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest, type Agent } from 'node:https';
import { bodyBytes, readFrames, type Frame } from './bulk-frame.ts';
import type { Target } from './bulk-target.ts';
import type { Rate } from './rate.ts';

/** One connection to one offer, and how patient we are with it. */
export interface Reading {
  agent: Agent;
  rate: Rate;
  stallMs: number;
  signal: AbortSignal;
}

/** The holder says that the file is not, or no longer, what was promised. */
export class HolderChanged extends Error {}

/** A block arrived with another hash than was said. */
export class BadBlock extends Error {
  readonly at: number;
  constructor(at: number) {
    super(`the block at ${at} arrived damaged`);
    this.at = at;
  }
}

/**
 * Appends everything from what the target has up to the end of the file. Resolves only when the holder said at the end
 * that the file stayed the same all the time.
 * @throws HolderChanged, BadBlock, PlainError of the target; any other error: the connection broke
 */
export async function receiveInto(target: Target, sizeBytes: number, reading: Reading, onBlock: () => void): Promise<void> {
  const from = target.have();
  for await (const frame of framesOf('/', from, sizeBytes, reading)) {
    const digest = hash('sha256', frame.block!, 'buffer');
    if (!digest.equals(frame.hash)) throw new BadBlock(target.have());
    await target.append(frame.block!);
    onBlock();
  }
  await target.flush();
}

/**
 * Compares what the target has with the hashes of the holder; cuts it off before the first block that differs.
 * @throws as `receiveInto`
 */
export async function cutWhatDiffers(target: Target, reading: Reading): Promise<void> {
  const own = target.blockHashes(reading.signal);
  let good = 0;
  for await (const frame of framesOf('/hashes', 0, target.have(), reading)) {
    const { value } = await own.next();
    if (!frame.hash.equals(value as Buffer)) break;
    good += frame.length;
  }
  await own.return(undefined);
  if (good < target.have()) await target.cutTo(good);
}

type Block = Extract<Frame, { kind: 'block' }>;

/** The blocks of a range. @throws when they do not all come, or the last frame does not vouch for them */
async function* framesOf(path: '/' | '/hashes', from: number, end: number, reading: Reading): AsyncGenerator<Block> {
  const range = { from, end, withBlocks: path === '/' };
  const seen = createHash('sha256');
  let at = from;
  for await (const frame of readFrames(bytesOf(path, range, reading), range)) {
    if (frame.kind === 'broken') {
      if (frame.code === 'file-changed') throw new HolderChanged();
      throw new Error(`the other node broke it off: ${frame.code}`);
    }
    if (frame.kind === 'end') {
      if (at === end && seen.digest().equals(frame.hash)) return;
      throw new Error('the other node ended it too early');
    }
    seen.update(frame.hash);
    yield frame;
    at += frame.length;
  }
  throw new Error('the connection ended too early');
}

/**
 * The body of one answer. Only while we wait for a byte the clock runs: neither our own disk nor our own cap is a fault of
 * the other node.
 */
async function* bytesOf(
  path: string,
  { from, end, withBlocks }: { from: number; end: number; withBlocks: boolean },
  { agent, rate, stallMs, signal }: Reading,
): AsyncGenerator<Buffer> {
  const request = httpsRequest({ agent, path, headers: { range: `bytes=${from}-${end - 1}` }, signal });
  let waitingSince: number | null = performance.now();
  const stalled = (): void => {
    if (waitingSince !== null && performance.now() - waitingSince > stallMs) request.destroy(new Error('no byte came for too long'));
  };
  const watch = setInterval(stalled, Math.max(20, stallMs / 8));
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      // stays: an error after the response has begun comes here too
      request.on('error', reject);
      request.end();
    });
    requireBody(response, bodyBytes(from, end, withBlocks));
    for await (const chunk of response) {
      waitingSince = null;
      if (!rate.unlimited()) await rate.take((chunk as Buffer).length, signal);
      yield chunk as Buffer;
      waitingSince = performance.now();
    }
  } finally {
    clearInterval(watch);
    request.destroy();
  }
}

function requireBody(response: IncomingMessage, bytes: number): void {
  const { statusCode, headers } = response;
  if (statusCode === 409 && headers['x-reason'] === 'file-changed') throw new HolderChanged();
  if (statusCode !== 200 && statusCode !== 206) throw new Error(`the other node answered ${statusCode}`);
  if (headers['content-length'] !== String(bytes)) throw new Error('the other node announced another length');
}
