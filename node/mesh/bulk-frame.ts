/**
 * The body of a file on the data plane. Nothing in it has to be believed before it was checked:
 *
 *   frame   = length (u32, big endian) · SHA-256 of the block (32 bytes) · block (length bytes, at most 1 MiB)
 *   body    = frame … frame · end
 *   end     = length 0 · SHA-256 over the hashes of all frames of this body: it is whole, and the file did not change
 *   broken  = length 0xffffffff · a reason code, padded with zeros; then the connection ends
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

/** Length of the block that begins at `at`, when the last wanted byte is before `end`. */
export function blockLength(at: number, end: number): number {
  return Math.min(BLOCK_BYTES - (at % BLOCK_BYTES), end - at);
}

/** What a whole body for the bytes from `from` up to and without `end` weighs. */
export function bodyBytes(from: number, end: number, withBlocks: boolean): number {
  const blocks = from >= end ? 0 : Math.ceil(end / BLOCK_BYTES) - Math.floor(from / BLOCK_BYTES);
  return (blocks + 1) * HEADER_BYTES + (withBlocks ? end - from : 0);
}

/**
 * Cuts a stream into frames, copying each block once. A yielded block is good until the next but one is asked for: two
 * buffers take turns, so that one can be written while the other fills.
 * @throws Error when a length is not the one that must come
 */
export async function* readFrames(
  chunks: AsyncIterable<Buffer>,
  range: { from: number; end: number; withBlocks: boolean },
): AsyncGenerator<Frame, void, undefined> {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  const buffers = range.withBlocks ? [Buffer.allocUnsafe(BLOCK_BYTES), Buffer.allocUnsafe(BLOCK_BYTES)] : [];
  let [at, turn, inHeader, inBlock] = [range.from, 0, 0, 0];
  for await (const chunk of chunks) {
    for (let read = 0; read < chunk.length;) {
      if (inHeader < HEADER_BYTES) {
        const copied = chunk.copy(header, inHeader, read);
        inHeader += copied;
        read += copied;
        if (inHeader < HEADER_BYTES) break;
        const special = specialFrame(header);
        if (special) {
          yield special;
          return;
        }
        const length = header.readUInt32BE(0);
        if (at >= range.end || length !== blockLength(at, range.end)) throw new Error(`a block of ${length} bytes came at ${at}`);
        inBlock = 0;
        if (range.withBlocks) continue;
        yield { kind: 'block', length, hash: Buffer.from(header.subarray(4)), block: null };
        at += length;
        inHeader = 0;
      } else {
        const length = header.readUInt32BE(0);
        const buffer = buffers[turn]!;
        const copied = chunk.copy(buffer, inBlock, read, Math.min(chunk.length, read + length - inBlock));
        inBlock += copied;
        read += copied;
        if (inBlock < length) continue;
        yield { kind: 'block', length, hash: Buffer.from(header.subarray(4)), block: buffer.subarray(0, length) };
        at += length;
        turn = 1 - turn;
        inHeader = 0;
      }
    }
  }
}

function specialFrame(header: Buffer): Frame | null {
  const length = header.readUInt32BE(0);
  if (length === 0) return { kind: 'end', hash: Buffer.from(header.subarray(4)) };
  if (length !== BROKEN) return null;
  const code = header.subarray(4).toString('latin1').replaceAll('\0', '');
  return { kind: 'broken', code: /^[a-z][a-z0-9-]{0,31}$/.test(code) ? code : 'unknown' };
}
