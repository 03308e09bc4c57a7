/**
 * The body of a file on the data plane. Nothing in it has to be believed before it was checked:
 *
 *   frame   = length (u32, big endian) · SHA-256 (32 bytes) · block (length bytes, at most 1 MiB)
 *   body    = frame … frame · end
 *   end     = length 0 · the last SHA-256 again: it is whole, and the file did not change meanwhile
 *   broken  = length 0xffffffff · a reason code, padded with zeros; then the connection ends
 *
 * The SHA-256 is that of everything in this body up to and with this block. It proves the block as well as one of its own
 * would, and the last one of a body that began at 0 is that of the whole file: each byte is hashed once, not twice.
 *
 * Blocks are cut at the multiples of 1 MiB of the file, whatever range was asked for. `/hashes` answers with the same
 * frames without their blocks: so a reader learns which part of an earlier try is still good.
 */
export const BLOCK_BYTES = 1024 * 1024;
export const HEADER_BYTES = 4 + 32;
const BROKEN = 0xff_ff_ff_ff;

export type Frame =
  | { kind: 'block'; length: number; hash: Buffer; block: Buffer | null }
  | { kind: 'end'; hash: Buffer }
  | { kind: 'broken'; code: string };

/** Writes a header into the first bytes of a buffer. */
export function putHeader(target: Buffer, length: number, hash: Uint8Array): void {
  target.writeUInt32BE(length, 0);
  target.set(hash, 4);
}

export function endFrame(hash: Uint8Array): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES);
  putHeader(frame, 0, hash);
  return frame;
}

export function brokenFrame(code: string): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES);
  frame.writeUInt32BE(BROKEN, 0);
  frame.write(code.slice(0, 32), 4, 'latin1');
  return frame;
}

export interface Range {
  from: number;
  /** the byte after the last one */
  end: number;
  /** false: the hashes alone */
  withBlocks: boolean;
}

/** Length of the block that begins at `at`, when the last wanted byte is before `end`. */
export function blockLength(at: number, end: number): number {
  return Math.min(BLOCK_BYTES - (at % BLOCK_BYTES), end - at);
}

/** What a whole body for the bytes from `from` up to and without `end` weighs. */
export function bodyBytes({ from, end, withBlocks }: Range): number {
  const blocks = from >= end ? 0 : Math.ceil(end / BLOCK_BYTES) - Math.floor(from / BLOCK_BYTES);
  return (blocks + 1) * HEADER_BYTES + (withBlocks ? end - from : 0);
}

/** Cuts a stream into frames. Whoever pushes takes every frame out before pushing again. */
export interface FrameReader {
  push(chunk: Buffer): void;
  /**
   * The next frame, or null when more bytes are needed. Its block is good until the next but one is taken: two buffers
   * take turns, so that one can be written while the other fills.
   * @throws Error when a length is not the one that must come
   */
  next(): Frame | null;
}

export function createFrameReader({ from, end, withBlocks }: Range): FrameReader {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  const buffers = withBlocks ? [0, 1].map(() => Buffer.allocUnsafe(Math.min(BLOCK_BYTES, end - from))) : [];
  let [at, turn, inHeader, inBlock] = [from, 0, 0, 0];
  let rest: Buffer = Buffer.alloc(0);

  const fill = (target: Buffer, filled: number): number => {
    const copied = rest.copy(target, filled);
    rest = rest.subarray(copied);
    return filled + copied;
  };
  return {
    push(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    },
    next() {
      inHeader = fill(header, inHeader);
      if (inHeader < HEADER_BYTES) return null;
      const [length, hash] = [header.readUInt32BE(0), Buffer.from(header.subarray(4))];
      if (length === 0) return { kind: 'end', hash };
      if (length === BROKEN) return { kind: 'broken', code: codeIn(hash) };
      if (at >= end || length !== blockLength(at, end)) throw new Error(`a block of ${length} bytes came at ${at}`);
      const block = withBlocks ? buffers[turn]!.subarray(0, length) : null;
      if (block) inBlock = fill(block, inBlock);
      if (block && inBlock < length) return null;
      [at, turn, inHeader, inBlock] = [at + length, 1 - turn, 0, 0];
      return { kind: 'block', length, hash, block };
    },
  };
}

function codeIn(bytes: Buffer): string {
  const code = bytes.toString('latin1').replaceAll('\0', '');
  return /^[a-z][a-z0-9-]{0,31}$/.test(code) ? code : 'unknown';
}
