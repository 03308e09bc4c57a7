import type { Stream } from '@libp2p/interface';
import { lpStream } from '@libp2p/utils';

/** A text of at most `limit` bytes on a stream, its length before it. */
export interface Frames {
  /** @throws when the other side is too slow, sends too much, or goes away */
  read(signal: AbortSignal): Promise<string>;
  write(text: string, signal: AbortSignal): Promise<void>;
}

export function frames(stream: Stream, limit: number): Frames {
  const lp = lpStream(stream, { maxDataLength: limit, maxBufferSize: limit + 64 * 1024, lengthDecoder });
  return {
    read: async (signal) => new TextDecoder('utf-8', { fatal: true }).decode((await lp.read({ signal })).subarray()),
    write: (text, signal) => lp.write(new TextEncoder().encode(text), { signal }),
  };
}

/** The one of the library reads a length that never ends byte by byte, over and over: 64 KiB of 0xff cost it seconds. */
function lengthDecoder(bytes: { subarray(): Uint8Array }): number {
  const seen = bytes.subarray();
  if (seen.length > 4) throw new Error('a message without a length');
  if (seen.at(-1)! >= 0x80) throw new RangeError('not complete yet');
  return seen.reduce((sum, byte, i) => sum + (byte & 0x7f) * 2 ** (7 * i), 0);
}
