import { createHash, randomBytes } from 'node:crypto';
import type { ClientRequest } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * The listening half of a WebSocket (RFC 6455), and no more: text messages in, pongs out. Node's own WebSocket can neither
 * be held to an address that was judged nor bounded, and media servers only ever talk to us on theirs, so that a hundred
 * lines do what is needed.
 *
 *   upgrade ─▶ 101 and the right answer to our key ─▶ frames ─┬─ text, whole ─▶ onText
 *                                                              ├─ ping ─▶ pong
 *                                                              └─ close, masked, oversized, odd, silent ─▶ rejects
 */
export async function listenOnSocket(
  upgrade: (headers: Record<string, string>) => Promise<ClientRequest>,
  limits: { maxBytes: number; silenceMs: number },
  signal: AbortSignal | undefined,
  onText: (text: string) => void,
): Promise<void> {
  const key = randomBytes(16).toString('base64');
  const request = await upgrade({ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key });
  const { socket, head } = await upgraded(request, key);
  await new Promise<void>((resolve, reject) => {
    const end = (error?: Error): void => {
      clearInterval(pulse);
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    let heard = true;
    // half the silence: ask; still nothing by the next time: broken
    const pulse = setInterval(() => {
      if (!heard) return end(new Error('the line is silent'));
      heard = false;
      socket.write(clientFrame(PING, Buffer.alloc(0)));
    }, limits.silenceMs / 2);
    const reader = createFrameReader(limits.maxBytes, {
      text: onText,
      ping: (data) => {
        if (socket.writableLength < 65_536) socket.write(clientFrame(PONG, data));
      },
      close: () => end(new Error('the server ended the line')),
    });
    const take = (chunk: Buffer): void => {
      heard = true;
      try {
        reader(chunk);
      } catch (error) {
        end(error as Error);
      }
    };
    socket.on('data', take);
    socket.once('error', end);
    socket.once('close', () => end(new Error('the line broke')));
    signal?.addEventListener('abort', () => end(), { once: true });
    if (signal?.aborted) end();
    else if (head.length > 0) take(head);
  });
}

const HANDSHAKE_MS = 15_000;
const CONTINUED = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Fails on the first byte that a decent server would not send. @throws Error with what was wrong */
export function createFrameReader(
  maxBytes: number,
  on: { text(text: string): void; ping(data: Buffer): void; close(): void },
): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let message: { opcode: number; parts: Buffer[]; size: number } | null = null;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let frame = firstFrame(rest, maxBytes); frame !== null; frame = firstFrame(rest, maxBytes)) {
      rest = rest.subarray(frame.end);
      if (frame.opcode >= CLOSE) control(frame);
      else data(frame);
    }
  };

  function control({ opcode, final, data }: Frame): void {
    if (!final || data.length > 125) throw new Error('a control frame in pieces');
    if (opcode === CLOSE) on.close();
    else if (opcode === PING) on.ping(data);
    else if (opcode !== PONG) throw new Error('an unknown kind of frame');
  }

  function data({ opcode, final, data }: Frame): void {
    if (opcode > BINARY || (opcode === CONTINUED) !== (message !== null)) throw new Error('frames out of order');
    message ??= { opcode, parts: [], size: 0 };
    message.size += data.length;
    if (message.size > maxBytes || message.parts.length > 10_000) throw new Error('a message that is too long');
    message.parts.push(data);
    if (!final) return;
    const { opcode: kind, parts } = message;
    message = null;
    if (kind === TEXT) on.text(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts)));
  }
}

interface Frame {
  opcode: number;
  final: boolean;
  data: Buffer;
  /** where the next frame begins */
  end: number;
}

/** null: not all there yet. The length is judged before anything of it is waited for. */
function firstFrame(bytes: Buffer, maxBytes: number): Frame | null {
  if (bytes.length < 2) return null;
  const [first, second] = [bytes[0]!, bytes[1]!];
  if ((first & 0x70) !== 0) throw new Error('a frame with an extension that was not agreed');
  if ((second & 0x80) !== 0) throw new Error('a masked frame from a server');
  const short = second & 0x7f;
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < start) return null;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (length > maxBytes) throw new Error('a message that is too long');
  if (bytes.length < start + length) return null;
  return { opcode: first & 0x0f, final: (first & 0x80) !== 0, data: bytes.subarray(start, start + length), end: start + length };
}

function clientFrame(opcode: number, data: Buffer): Buffer {
  const mask = randomBytes(4);
  const masked = Buffer.from(data.map((byte, at) => byte ^ mask[at % 4]!));
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | data.length]), mask, masked]);
}

function upgraded(request: ClientRequest, key: string): Promise<{ socket: Duplex; head: Buffer }> {
  const expected = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return new Promise((resolve, reject) => {
    request.once('upgrade', (response, socket, head) => {
      if (response.headers['sec-websocket-accept'] === expected) return resolve({ socket, head });
      socket.destroy();
      reject(new Error('not a WebSocket'));
    });
    request.once('response', (response) => {
      response.destroy();
      reject(Object.assign(new Error('no WebSocket there'), { status: response.statusCode }));
    });
    request.once('error', reject);
    const timer = setTimeout(() => request.destroy(new Error('no answer to the upgrade')), HANDSHAKE_MS);
    request.once('close', () => clearTimeout(timer)).once('upgrade', () => clearTimeout(timer));
    request.end();
  });
}
