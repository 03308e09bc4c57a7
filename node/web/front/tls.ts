import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { messageOf, PlainError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { isUpload } from '../security.ts';
import { closeServer } from './listen.ts';
import { ownCertificate, readPair, type CertificatePair } from './own-certificate.ts';

/** How the dashboard speaks: openly, with a certificate that it made itself, or with one from files. */
export type TlsWish = { kind: 'off' } | { kind: 'own'; dataDir: string } | { kind: 'files'; cert: string; key: string };

/**
 * The listener of the front. With a certificate it speaks HTTP/2, and HTTP/1.1 with whoever asks for that (ALPN); both get the
 * same requests. Files are looked at again and again: what renews a certificate need not restart this program.
 */
export interface FrontListener {
  server: Server | Http2SecureServer;
  secure: boolean;
  /** PEM of what it shows; null without TLS */
  certificate(): string | null;
  /** requests under way are finished, for at most five seconds */
  close(): Promise<void>;
}

type Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

const LOOK_MS = 10_000;
/** a new address is there for hours before anybody uses it */
const OWN_LOOK_MS = 60_000;
const CLOSE_MS = 5000;
const REQUEST_MS = 60_000;

/** @throws PlainError when the files cannot be read or do not belong together */
export async function openListener(
  wish: TlsWish,
  handler: Handler,
  parts: { log: Log; onRenewed?: () => void; lookMs?: number; requestMs?: number; names?: () => MachineNames },
): Promise<FrontListener> {
  const heard = whole(handler, parts.requestMs ?? REQUEST_MS);
  if (wish.kind === 'off') {
    const server = createServer(heard);
    setTimeouts(server);
    return { server, secure: false, certificate: () => null, close: () => closeServer(server) };
  }
  const names = parts.names ?? namesOfThisMachine;
  let pair = await load(wish, names());
  // the compatible request and answer of HTTP/2 do what the ones of HTTP/1.1 do, as far as the front uses them
  const server = createSecureServer({ allowHTTP1: true, minVersion: 'TLSv1.2', ...pair, ...limits }, heard as never);
  setTimeouts(server as unknown as Server);
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  const everyMs = parts.lookMs ?? (wish.kind === 'own' ? OWN_LOOK_MS : LOOK_MS);
  const stopLooking = follow(pair, () => (wish.kind === 'own' ? load(wish, names()) : readPair(wish.cert, wish.key)), renew, everyMs);
  return {
    server,
    secure: true,
    certificate: () => pair.cert,
    async close() {
      stopLooking();
      await closeSecure(server, sessions);
    },
  };

  function renew(next: CertificatePair | Error): void {
    try {
      if (next instanceof Error) throw next;
      if (next.cert === pair.cert && next.key === pair.key) return;
      requirePair(next);
      server.setSecureContext({ ...next, minVersion: 'TLSv1.2' });
      pair = next;
      parts.log.info({ until: new X509Certificate(next.cert).validTo }, 'the certificate of the dashboard was renewed');
      parts.onRenewed?.();
    } catch (error) {
      parts.log.warn({ why: messageOf(error) }, 'the new certificate cannot be used; the one before stays');
    }
  }
}

/** One session of HTTP/2 carries what would be six connections; a live page holds one stream of it. */
const limits = { settings: { maxConcurrentStreams: 100 }, maxSessionMemory: 32 } as const;

function setTimeouts(server: Server): void {
  server.headersTimeout = 20_000;
  // it knows no exception: see `whole`
  server.requestTimeout = 0;
  server.keepAliveTimeout = 5_000;
}

/**
 * A request that trickles in must not hold its connection for ever: it is there as a whole in time, or it ends. A backup
 * (pages/backup-upload.ts) takes as long as the line to here is slow: it ends only when nothing comes any more. HTTP/2 has its
 * own bounds, and no connection that one request could hold.
 */
function whole(handler: Handler, requestMs: number): Handler {
  return (incoming, outgoing) => {
    if (incoming.httpVersionMajor < 2 && !incoming.complete) {
      if (isUpload((incoming.url ?? '').split('?', 1)[0]!)) incoming.socket.setTimeout(REQUEST_MS);
      else giveUpIn(requestMs, incoming, outgoing);
    }
    handler(incoming, outgoing);
  };
}

function giveUpIn(ms: number, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const timer = setTimeout(() => {
    if (incoming.complete) return;
    const { socket } = incoming;
    if (outgoing.headersSent) socket.destroy();
    else socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n', () => socket.destroy());
  }, ms).unref();
  outgoing.once('close', () => clearTimeout(timer));
}

async function load(wish: Exclude<TlsWish, { kind: 'off' }>, { all, called }: MachineNames): Promise<CertificatePair> {
  if (wish.kind === 'own') return ownCertificate(wish.dataDir, all, new Date(), called);
  try {
    const pair = await readPair(wish.cert, wish.key);
    requirePair(pair);
    return pair;
  } catch (error) {
    throw new PlainError(`The certificate in ${wish.cert} with the key in ${wish.key} cannot be used: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

function requirePair({ cert, key }: CertificatePair): void {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('certificate and key do not belong together');
}

/** What this machine is called, and which of it people really use. */
export interface MachineNames {
  all: string[];
  /** a certificate without these is made anew */
  called: string[];
}

/**
 * Bridges of containers and virtual machines come and go, and nobody opens the dashboard by them. In a container with a
 * network of its own, which has a number for a name, nothing that can be seen from inside is what people call it.
 */
function namesOfThisMachine(): MachineNames {
  const name = hostname().toLowerCase();
  const short = name.split('.')[0]!;
  const cards = Object.entries(networkInterfaces()).flatMap(([card, all]) => (all ?? []).map(({ address }) => ({ card, address })));
  const lawful = (texts: string[]): string[] => [...new Set(texts)].filter((text) => /^[\w.:%-]+$/.test(text));
  const own = [name, short, `${short}.local`, 'localhost'];
  const real = cards.filter(({ card, address }) => isIP(address) === 4 && !bridges.test(card));
  return {
    all: lawful([...own, ...cards.map(({ address }) => address)]),
    called: /^[0-9a-f]{12}$/.test(name) ? [] : lawful([...own, ...real.map(({ address }) => address)]),
  };
}

const bridges = /^(?:docker|br-|veth|virbr|podman|cni|lxdbr|lxcbr|vmnet|vboxnet)/;

/**
 * Asked by the clock: folders of containers and secrets change in ways that no watcher hears of. What is read is compared, not
 * when the files changed: a renewal between two looks at that would be missed until the next one, months later. One look at a
 * time: two at once, on a slow disk, would make two certificates of one need.
 */
function follow(
  first: CertificatePair,
  read: () => Promise<CertificatePair>,
  then: (next: CertificatePair | Error) => void,
  everyMs: number,
): () => void {
  let seen = first.cert + first.key;
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => (looking = false));
  }, everyMs).unref();
  return () => clearInterval(timer);

  async function look(): Promise<void> {
    const next = await read().catch((error: unknown) => error as Error);
    const text = next instanceof Error ? messageOf(next) : next.cert + next.key;
    if (text === seen) return;
    seen = text;
    then(next);
  }
}

async function closeSecure(server: Http2SecureServer, sessions: Set<ServerHttp2Session>): Promise<void> {
  const idle = server as unknown as Partial<Pick<Server, 'closeIdleConnections' | 'closeAllConnections'>>;
  const sweep = setInterval(() => idle.closeIdleConnections?.(), 50);
  const sockets = setTimeout(() => {
    for (const session of sessions) session.destroy();
    idle.closeAllConnections?.();
  }, CLOSE_MS);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    for (const session of sessions) session.close();
  });
  clearInterval(sweep);
  clearTimeout(sockets);
}
