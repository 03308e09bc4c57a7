import { createHash } from 'node:crypto';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest, type Agent } from 'node:https';
import { bodyBytes, createFrameReader, type Frame, type FrameReader, type Range } from './bulk-frame.ts';
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
  const range = { from: target.have(), end: sizeBytes, withBlocks: true };
  let running = createHash('sha256');
  for await (const { block, hash } of blocksOf(range, reading)) {
    const next = running.copy().update(block!);
    if (!next.copy().digest().equals(hash)) throw new BadBlock(target.have());
    await target.append(block!, range.from === 0 ? next : null);
    running = next;
    onBlock();
  }
  await target.flush();
}

/**
 * Compares what the target has with the hashes of the holder; cuts it off before the first block that differs.
 * @throws as `receiveInto`
 */
export async function cutWhatDiffers(target: Target, reading: Reading): Promise<void> {
  const own = target.runningHashes(reading.signal);
  let good = 0;
  for await (const { hash, length } of blocksOf({ from: 0, end: target.have(), withBlocks: false }, reading)) {
    const { value } = await own.next();
    if (!value?.equals(hash)) break;
    good += length;
  }
  if (good < target.have()) await target.cutTo(good);
  // to its end, where the target keeps the hash of it all
  else await own.next();
}

type Block = Extract<Frame, { kind: 'block' }>;

/** The blocks of a range. @throws when they do not all come, or the last frame does not vouch for them */
async function* blocksOf(range: Range, reading: Reading): AsyncGenerator<Block> {
  let at = range.from;
  let last: Buffer | null = null;
  for await (const frame of framesOf(range, reading)) {
    if (frame.kind === 'block') {
      [at, last] = [at + frame.length, frame.hash];
      yield frame;
    } else if (frame.kind === 'broken') {
      if (frame.code === 'file-changed') throw new HolderChanged();
      throw new Error(`the other node broke it off: ${frame.code}`);
    } else if (at === range.end && last?.equals(frame.hash)) return;
    else throw new Error('the other node ended it too early');
  }
}

/**
 * The frames of one answer; the connection rests while one of them is worked on. Only while we wait for a byte the clock
 * runs: neither our own disk nor our own cap is a fault of the other node.
 */
async function* framesOf(range: Range, { agent, rate, stallMs, signal }: Reading): AsyncGenerator<Frame> {
  const headers = { range: `bytes=${range.from}-${range.end - 1}` };
  const request = httpsRequest({ agent, path: range.withBlocks ? '/' : '/hashes', headers, signal });
  const patience = watchPatience(stallMs, () => request.destroy(new Error('no byte came for too long')));
  try {
    const response = await answerOf(request);
    requireBody(response, bodyBytes(range));
    const arrival = arrivalOf(response, createFrameReader(range), rate, patience);
    for (;;) {
      const unpaid = arrival.unpaid();
      if (unpaid > 0 && !rate.unlimited()) await rate.take(unpaid, signal);
      const frame = arrival.frame();
      if (frame) yield frame;
      else await arrival.more();
    }
  } finally {
    patience.end();
    request.destroy();
  }
}

interface Patience {
  /** a byte came, or from now on one is waited for */
  fresh(): void;
  /** nothing is waited for */
  rest(): void;
  end(): void;
}

/** Begins waiting at once. */
function watchPatience(stallMs: number, over: () => void): Patience {
  let since: number | null = performance.now();
  const look = (): void => {
    if (since !== null && performance.now() - since > stallMs) over();
  };
  const timer = setInterval(look, Math.max(20, stallMs / 8));
  return { fresh: () => void (since = performance.now()), rest: () => void (since = null), end: () => clearInterval(timer) };
}

interface Arrival {
  /** a frame that is complete, taken out */
  frame(): Frame | null;
  /** Lets bytes come until a frame is complete or the cap has to be asked. @throws when no more can come */
  more(): Promise<void>;
  /** bytes that came since this was asked last */
  unpaid(): number;
}

/** By events: a loop over the stream, 16 KiB a turn, would cost more than all hashing does. */
function arrivalOf(response: IncomingMessage, reader: FrameReader, rate: Rate, patience: Patience): Arrival {
  let frame: Frame | null = null;
  let failure: Error | null = null;
  let unpaid = 0;
  let wake = (): void => undefined;
  const stop = (): void => {
    patience.rest();
    response.pause();
    wake();
  };
  const look = (): void => {
    try {
      frame ??= reader.next();
    } catch (error) {
      failure = error as Error;
    }
  };
  response.pause();
  response.on('data', (chunk: Buffer) => {
    patience.fresh();
    unpaid += chunk.length;
    reader.push(chunk);
    look();
    if (frame || failure || !rate.unlimited()) stop();
  });
  const ended = (error?: Error): void => {
    failure ??= error ?? new Error('the connection ended too early');
    stop();
  };
  response.once('error', ended).once('end', ended).once('close', ended);
  return {
    frame() {
      look();
      const taken = frame;
      frame = null;
      return taken;
    },
    async more() {
      if (failure) throw failure;
      patience.fresh();
      await new Promise<void>((resolve) => {
        wake = resolve;
        response.resume();
      });
    },
    unpaid() {
      const bytes = unpaid;
      unpaid = 0;
      return bytes;
    },
  };
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    // stays: an error after the answer has begun comes here too, and is told by the answer's own `close`
    request.on('error', reject);
    request.end();
  });
}
function requireBody(response: IncomingMessage, bytes: number): void {
  const { statusCode, headers } = response;
  if (statusCode === 409 && headers['x-reason'] === 'file-changed') throw new HolderChanged();
  if (statusCode !== 200 && statusCode !== 206) throw new Error(`the other node answered ${statusCode}`);
  if (headers['content-length'] !== String(bytes)) throw new Error('the other node announced another length');
}
