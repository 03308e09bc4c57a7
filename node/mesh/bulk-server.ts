import { constants, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import { openOffered, type OpenFile } from './bulk-file.ts';
import { tlsSettings } from './bulk-tls.ts';
import { createRate } from './rate.ts';

/**
 * The data plane: HTTPS with TLS 1.3 and a pre-shared key for exactly one offer and one reader. Who does not know a key
 * does not get past the handshake. Keys travel only over the authenticated mesh (`bulk`), live minutes, and die with
 * what they were made for.
 *
 *   offered ── request ──▶ in use ── the last response ends ──▶ idle ──┐
 *      │                     ▲                                   │     │
 *      │                     └─────────────── request ───────────┘     │
 *      └── nobody came ──▶ gone ◀── `seconds` without use, `stop`, revoke, a day of age
 *
 * There is no certificate, so a handshake without a key we know cannot succeed. Which key a connection has is what
 * `pskCallback` noted for its socket; a connection about which nothing was noted (a resumed session) is destroyed.
 */
export interface BulkServer {
  /** resolves with the port */
  start(): Promise<number>;
  stop(): Promise<void>;
  port(): number;
  /** one file, by ranges, each block with its SHA-256; `stop` ends it at once, also in the middle of a block */
  offerFile(offer: { file: string; sizeBytes: number; reader: string; seconds: number; stop?: AbortSignal }): OfferedKey;
  /** every request of one reader goes to the handler: the dashboard of the coordinator at another node */
  offerHttp(offer: { handler: (request: IncomingMessage, response: ServerResponse) => void; reader: string; seconds: number }): OfferedKey;
  revoke(identity: string): void;
  /** ends, in the middle of a byte, every offer whose reader may not read any more: use alone would keep it alive for a day */
  keepOnly(mayRead: (reader: string) => boolean): void;
}

export interface OfferedKey {
  identity: string;
  /** base64url of 32 random bytes */
  key: string;
  seconds: number;
}

export interface BulkServerParts {
  port: number;
  /** most megabits a second that this node sends of files; 0 is no limit; read anew all the time */
  mbps: () => number;
  log: Log;
}

interface Offer {
  reader: string;
  psk: Buffer;
  file: OpenFile | null;
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  sockets: Set<TLSSocket>;
  /** responses under way */
  active: number;
  /** monotonic milliseconds */
  lastUse: number;
  made: number;
  seconds: number;
  timer: NodeJS.Timeout;
  forget: () => void;
}

const MAX_OFFERS = 512;
const MAX_SOCKETS = 400;
/** connections that have not shown a key yet; the oldest makes room */
const MAX_STRANGERS = 64;
const SOCKETS_OF_A_FILE = 4;
const SOCKETS_OF_HTTP = 32;
/** two blocks of memory each */
const MAX_SENDING = 64;
const HANDSHAKE_MS = 10_000;
/** a reader of a file that takes no byte for so long is given up */
const STUCK_MS = 60_000;
const MAX_AGE_MS = 24 * 3600_000;

export function createBulkServer({ port: wanted, mbps, log }: BulkServerParts): BulkServer {
  const offers = new Map<string, Offer>();
  const shown = new WeakMap<object, string>();
  const strangers = new Map<string, Socket>();
  const rate = createRate(mbps);
  let sending = 0;

  const server = createServer(
    {
      ...tlsSettings,
      // a ticket would let a reader come back without its key after that was revoked
      secureOptions: constants.SSL_OP_NO_TICKET,
      handshakeTimeout: HANDSHAKE_MS,
      maxHeaderSize: 16 * 1024,
      headersTimeout: 15_000,
      requestTimeout: 0,
      keepAliveTimeout: 30_000,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      // the first argument is the socket that the request will carry; the key proves itself after this (the binder)
      pskCallback(socket: TLSSocket, identity: string) {
        const offer = offers.get(identity);
        if (!offer) return null;
        shown.set(socket, identity);
        return offer.psk;
      },
    },
    (request, response) => answer(request, response),
  );
  server.maxConnections = MAX_SOCKETS;
  server.on('connection', watchStranger);
  server.on('secureConnection', admit);
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('error', (error) => log.error({ err: error }, 'the data plane failed'));

  return {
    start: () => listen(wanted),
    port: () => portOf(),
    async stop() {
      for (const identity of [...offers.keys()]) revoke(identity);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of strangers.values()) socket.destroy();
      server.closeAllConnections();
      await closed;
    },
    offerFile({ file, sizeBytes, reader, seconds, stop }) {
      const failed = (error: unknown): void => log.warn({ err: error, reader }, 'a file could not be sent to its end');
      const source = openOffered({ file, sizeBytes, rate, failed });
      return offer({ reader, file: source, seconds, stop, answer: (request, response) => void sendFile(source, request, response) });
    },
    offerHttp: ({ handler, reader, seconds }) => offer({ reader, file: null, seconds, answer: handler }),
    revoke,
    keepOnly(mayRead) {
      for (const [identity, { reader }] of [...offers]) if (!mayRead(reader)) revoke(identity);
    },
  };

  async function listen(port: number): Promise<number> {
    try {
      await new Promise<void>((resolve, reject) => {
        const failed = (error: Error): void => reject(error);
        server.once('error', failed);
        server.listen({ port }, () => {
          server.off('error', failed);
          resolve();
        });
      });
    } catch (error) {
      if (port === 0) throw new PlainError(`No port can be opened for sending files: ${messageOf(error)}.`, { cause: error });
      log.warn({ port, code: codeOf(error) }, 'the port for sending files is taken, so another one is used');
      return listen(0);
    }
    return portOf();
  }

  function portOf(): number {
    return (server.address() as AddressInfo | null)?.port ?? 0;
  }

  function offer(parts: Pick<Offer, 'reader' | 'file' | 'answer' | 'seconds'> & { stop?: AbortSignal | undefined }): OfferedKey {
    if (offers.size >= MAX_OFFERS) {
      parts.file?.close();
      throw new PlainError('This node offers too many files at once; it is asked again later.', { retry: true });
    }
    const [identity, psk] = [randomBytes(18).toString('base64url'), randomBytes(32)];
    const end = (): void => revoke(identity);
    parts.stop?.addEventListener('abort', end, { once: true });
    const now = performance.now();
    offers.set(identity, {
      ...parts,
      psk,
      sockets: new Set(),
      active: 0,
      lastUse: now,
      made: now,
      timer: setTimeout(() => expire(identity), parts.seconds * 1000).unref(),
      forget: () => parts.stop?.removeEventListener('abort', end),
    });
    if (parts.stop?.aborted) revoke(identity);
    return { identity, key: psk.toString('base64url'), seconds: parts.seconds };
  }

  /** Each use renews an offer, up to a day; then its reader asks for a new one. */
  function expire(identity: string): void {
    const offer = offers.get(identity);
    if (!offer) return;
    const now = performance.now();
    const left = (offer.active > 0 ? now : offer.lastUse) + offer.seconds * 1000 - now;
    if (left <= 0 || now - offer.made > MAX_AGE_MS) revoke(identity);
    else offer.timer = setTimeout(() => expire(identity), left).unref();
  }

  function revoke(identity: string): void {
    const offer = offers.get(identity);
    if (!offer) return;
    offers.delete(identity);
    clearTimeout(offer.timer);
    offer.forget();
    offer.file?.close();
    for (const socket of offer.sockets) socket.destroy();
  }

  function watchStranger(socket: Socket): void {
    const name = nameOf(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => strangers.delete(name));
    strangers.set(name, socket);
    const oldest = strangers.values().next().value;
    if (strangers.size > MAX_STRANGERS) oldest?.destroy();
  }

  /** The handshake is over: its key was right. Runs before a byte of the first request is looked at. */
  function admit(socket: TLSSocket): void {
    strangers.delete(nameOf(socket));
    const offer = liveOffer(socket);
    if (!offer) return void socket.destroy();
    const bound = offer.file ? SOCKETS_OF_A_FILE : SOCKETS_OF_HTTP;
    if (offer.sockets.size >= bound) {
      // a reader of files that lost its connections does not wait until we notice it too
      const oldest = offer.sockets.values().next().value;
      (offer.file ? oldest : socket)?.destroy();
      if (!offer.file) return;
    }
    offer.sockets.add(socket);
    socket.once('close', () => offer.sockets.delete(socket));
    socket.on('error', () => undefined);
  }

  function liveOffer(socket: object): Offer | undefined {
    return offers.get(shown.get(socket) ?? '');
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const offer = liveOffer(request.socket);
    if (!offer) return void request.socket.destroy();
    offer.active += 1;
    // for every request anew: Node.js resets it between the requests of a connection. It destroys the socket by itself.
    if (offer.file) request.socket.setTimeout(STUCK_MS);
    response.on('error', () => undefined);
    response.once('close', () => {
      offer.active -= 1;
      offer.lastUse = performance.now();
    });
    try {
      offer.answer(request, response);
    } catch (error) {
      log.error({ err: error }, 'a request over the data plane failed');
      if (response.headersSent) request.socket.destroy();
      else response.writeHead(500, { 'content-length': 0 }).end();
    }
  }

  async function sendFile(source: OpenFile, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (sending >= MAX_SENDING) return void response.writeHead(503, { 'content-length': 0 }).end();
    sending += 1;
    await source.answer(request, response);
    sending -= 1;
  }
}

function nameOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''} ${socket.remotePort ?? ''}`;
}
