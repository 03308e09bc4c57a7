import { lookup } from 'node:dns/promises';
import { request as httpRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as connectSocket, isIP, type LookupFunction, type Socket } from 'node:net';
import { codeOf, PlainError } from './errors.ts';
import { forbidden, judgeAddress, parseAddress, placeOfUrl, portOf } from './outgoing-address.ts';
import { listenOnSocket } from './outgoing-socket.ts';

/**
 * Requests to addresses that a person typed or a server told: bounded in time and size, never redirected, and never to
 * where no media server can be (research on SSRF: a LAN address is what people mean, so private ranges are allowed).
 *
 *   url ─▶ http/https, no user in it ─▶ resolve once ─▶ address allowed? ─▶ connect to exactly that address ─▶ bounded body
 *
 * Refused: link-local (169.254/16, fe80::/10), multicast, 0.0.0.0/8, and on this machine the ports that this program and
 * its database listen on (`ownPorts`). IPv4 in IPv6 clothes is judged as IPv4. A name whose answer changes between the
 * look and the connection gains nothing: the connection never asks again.
 *
 * A redirect comes back as what it is, an answer of 3xx; nobody here goes where it points.
 */
export interface Outgoing {
  /** @throws PlainError reason `source-away` (no answer in time, refused, broken) or `address-forbidden`; never shows a header */
  fetch(url: string | URL, init: OutgoingRequest): Promise<OutgoingAnswer>;
  /**
   * A WebSocket that only listens: every text message, until `signal` ends it (resolves) or the line breaks (rejects).
   * Messages are bounded by `maxBytes`; after `timeoutMs` (default 90 s) without a sign of life the line counts as broken.
   */
  listen(url: string | URL, init: OutgoingRequest, onText: (text: string) => void): Promise<void>;
  /**
   * A bare connection for another protocol than HTTP (letters), to an address that is judged by the same rules. It belongs to the
   * caller from then on. @throws as `fetch`
   */
  connect(host: string, port: number, init?: Pick<OutgoingRequest, 'signal'>): Promise<Socket>;
}

export interface OutgoingRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
  /** default 15 s for everything, 5 s of it for the connection */
  timeoutMs?: number;
  /** default 8 MB */
  maxBytes?: number;
  /** the status is what counts: what of the body is too long, too slow or broken off is left away, and the answer is one */
  cutBody?: boolean;
  /** for a server whose certificate is of a private authority: PEM of it */
  ca?: string;
}

export interface OutgoingAnswer {
  status: number;
  /** lower-case names */
  headers: Record<string, string>;
  body: Uint8Array;
}

export interface OutgoingParts {
  /** where on this machine this program and its database listen */
  ownPorts(): number[];
  /** stands in for DNS in tests: every address of a name */
  resolve?(host: string): Promise<string[]>;
}

const CONNECT_MS = 5000;
const TOTAL_MS = 15_000;
const SILENCE_MS = 90_000;
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;

export function createOutgoing({ ownPorts, resolve = resolveName }: OutgoingParts): Outgoing {
  return {
    async fetch(text, init) {
      const url = parseAddress(text);
      return await within(url, init.timeoutMs ?? TOTAL_MS, init.signal, async (signal) => {
        const request = open(url, await allowed(url, signal), init, signal);
        request.end(init.body);
        const response = await answered(request);
        const body = await bodyOf(response, init.maxBytes ?? MAX_BYTES, init.cutBody ?? false);
        init.signal?.throwIfAborted();
        return { status: response.statusCode ?? 0, headers: flat(response), body };
      });
    },
    async listen(text, init, onText) {
      const url = parseAddress(String(text).replace(/^ws/, 'http'));
      const limits = { maxBytes: init.maxBytes ?? MAX_BYTES, silenceMs: init.timeoutMs ?? SILENCE_MS };
      const upgrade = (headers: Record<string, string>): Promise<ClientRequest> =>
        within(url, CONNECT_MS, init.signal, async (signal) =>
          // only the opening is under its clock; from then on silence is what ends it
          open(url, await allowed(url, signal), { ...init, headers: { ...init.headers, ...headers } }, init.signal),
        );
      try {
        await listenOnSocket(upgrade, limits, init.signal, onText);
      } catch (error) {
        if (init.signal?.aborted) return;
        throw inWords(url, error);
      }
    },
    async connect(host, port, init = {}) {
      const url = parseAddress(`http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`);
      return await within(url, CONNECT_MS, init.signal, async (signal) =>
        whenConnected(connectSocket({ host, port, lookup: lookupOf(await allowed(url, signal)), signal })),
      );
    },
  };

  /** Asked once; whatever of the answer is allowed is all that the connection gets to know. */
  async function allowed(url: URL, signal: AbortSignal): Promise<string[]> {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const addresses = isIP(host) ? [host] : await orAborted(resolve(host), signal);
    const good = addresses.filter((address) => isAllowed(address, portOf(url), ownPorts()));
    if (good.length > 0) return good;
    for (const address of addresses) judgeAddress(address, portOf(url), ownPorts());
    throw forbidden(placeOfUrl(url));
  }
}

function open(url: URL, addresses: string[], init: OutgoingRequest, signal: AbortSignal | undefined): ClientRequest {
  const options: RequestOptions & { ca?: string; rejectUnauthorized?: boolean } = {
    method: init.method ?? 'GET',
    headers: { 'accept-encoding': 'identity', ...init.headers },
    agent: false,
    lookup: lookupOf(addresses),
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
    ...(signal && { signal }),
  };
  // said aloud, because an environment variable can switch it off
  if (url.protocol === 'https:') Object.assign(options, { rejectUnauthorized: true }, init.ca !== undefined && { ca: init.ca });
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options);
  const timer = setTimeout(() => request.destroy(new Silence(CONNECT_MS)), CONNECT_MS);
  const connected = (): void => clearTimeout(timer);
  request.once('socket', (socket) => socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', connected));
  return request.once('close', connected);
}

/** Its later errors are its owner's; until he listens, nobody dies of one. */
function whenConnected(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject).once('connect', () => resolve(socket));
  });
}

/** The connection tries these addresses and never a name. */
function lookupOf(addresses: string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, options, done) => {
    if (options.all) done(null, all);
    else done(null, all[0]!.address, all[0]!.family);
  };
}

function answered(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Broken('it changed the protocol'));
    });
    request.once('error', reject);
    request.once('close', () => reject(new Broken('it ended without an answer')));
  });
}

async function bodyOf(response: IncomingMessage, maxBytes: number, isCut: boolean): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw new Broken(`its answer is longer than ${Math.ceil(maxBytes / 1024)} KB`);
      chunks.push(chunk);
    }
  } catch (error) {
    response.destroy();
    if (!isCut) throw error;
  }
  return Buffer.concat(chunks);
}

function flat(response: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)]));
}

async function resolveName(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function isAllowed(address: string, port: number, ownPorts: number[]): boolean {
  try {
    judgeAddress(address, port, ownPorts);
    return true;
  } catch {
    return false;
  }
}

/** Runs under a clock and the caller's signal; every failure becomes one sentence without anything secret. */
async function within<T>(url: URL, ms: number, by: AbortSignal | undefined, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  by?.throwIfAborted();
  const clock = new AbortController();
  const timer = setTimeout(() => clock.abort(new Silence(ms)), ms);
  const signal = by ? AbortSignal.any([by, clock.signal]) : clock.signal;
  try {
    return await run(signal);
  } catch (error) {
    if (by?.aborted) throw by.reason;
    throw inWords(url, clock.signal.aborted ? clock.signal.reason : error);
  } finally {
    clearTimeout(timer);
  }
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Something that this side noticed, with its words. */
class Broken extends Error {}

class Silence extends Broken {
  constructor(ms: number) {
    super(`no answer within ${Math.round(ms / 1000)} s`);
  }
}

const words: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'its name is not known here',
  EAI_AGAIN: 'names cannot be looked up at the moment',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
  ETIMEDOUT: 'it does not answer in time',
  ECONNRESET: 'it broke off',
  EPIPE: 'it broke off',
  EPROTO: 'it does not speak https there',
  HPE_HEADER_OVERFLOW: 'its answer has too many headers',
};

/** The cause is made anew: parsers put what they read, tokens and all, into their errors. */
function inWords(url: URL, error: unknown): PlainError {
  if (error instanceof PlainError) return error;
  const code = error instanceof AggregateError ? codeOf(error.errors[0]) : codeOf(error);
  const said = error instanceof Broken ? error.message : (words[code ?? ''] ?? about(code));
  const place = placeOfUrl(url);
  return new PlainError(`${place} does not answer: ${said}.`, {
    cause: new Error(code ?? 'no code'),
    reason: { code: 'source-away', params: { source: place, message: said } },
    retry: true,
  });
}

function about(code: string | null): string {
  if (code?.startsWith('HPE_')) return 'it does not speak HTTP there';
  if (code !== null && /CERT|TLS|SSL|SIGNATURE/.test(code)) return `its certificate is not good for that address (${code})`;
  return code === null ? 'the connection broke' : `the connection broke (${code})`;
}
