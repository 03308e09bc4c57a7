import { messageOf, PlainError } from '../errors.ts';
import type { Outgoing, OutgoingAnswer } from '../outgoing.ts';
import type { SourceIdentity } from './source.ts';
import { another, away, odd, refuses } from './trouble.ts';

/**
 * How every adapter asks its server: first who is there, without the credential, then the question with it.
 *
 *   call ─▶ proved within the last minute? ─ no ─▶ who are you (no credential) ─┬─ the pinned one ─▶ ask with the credential
 *               └──────────────────────────── yes ──────────────────────────────┼───────▶ ask with the credential
 *                                                                               └─ somebody else ─▶ source-is-another
 *
 * Any failure forgets the proof: a server that went away may come back as another.
 */
export interface Asker {
  /** without the credential; for asking who is there */
  openly(path: string, signal: AbortSignal): Promise<unknown>;
  json(path: string, signal: AbortSignal, ask?: Ask): Promise<unknown>;
  /** the whole answer for callers who tell statuses apart: 2xx and those in `allow` */
  answer(path: string, signal: AbortSignal, ask?: Ask): Promise<OutgoingAnswer>;
  prove(signal: AbortSignal): Promise<void>;
  /** the address of a path, for live lines */
  address(path: string): URL;
  credentials(): Record<string, string>;
}

export interface Ask {
  method?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: unknown;
  timeoutMs?: number;
  maxBytes?: number;
  /** statuses beside 2xx that are an answer */
  allow?: number[];
}

export interface AskerParts {
  name: string;
  url: string;
  outgoing: Outgoing;
  /** who must answer; null while a new server is tried */
  identity: string | null;
  identify(signal: AbortSignal): Promise<SourceIdentity>;
  /** headers without anything secret */
  headers: Record<string, string>;
  /** the header that carries the credential */
  credentials: Record<string, string>;
  now: () => number;
}

const PROOF_MS = 60_000;

export function createAsker(parts: AskerParts): Asker {
  const { name } = parts;
  let provedAt = -Infinity;

  const asker: Asker = {
    openly: async (path, signal) => parse(await send(path, signal, {}, parts.headers)),
    json: async (path, signal, ask = {}) => parse(await asker.answer(path, signal, ask)),
    async answer(path, signal, ask = {}) {
      await asker.prove(signal);
      return await send(path, signal, ask, { ...parts.headers, ...parts.credentials });
    },
    async prove(signal) {
      if (parts.identity === null || parts.now() - provedAt < PROOF_MS) return;
      if ((await parts.identify(signal)).id !== parts.identity) throw another(name);
      provedAt = parts.now();
    },
    address,
    credentials: () => ({ ...parts.headers, ...parts.credentials }),
  };
  return asker;

  function address(path: string, query: Record<string, string> = {}): URL {
    const base = new URL(parts.url);
    const url = new URL(`${base.origin}${base.pathname.replace(/\/+$/, '')}${path}`);
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    // "+" is a blank only where somebody reads it as a form; %20 is one everywhere
    url.search = url.search.replaceAll('+', '%20');
    return url;
  }

  async function send(path: string, signal: AbortSignal, ask: Ask, headers: Record<string, string>): Promise<OutgoingAnswer> {
    const { query, body, method, timeoutMs, maxBytes, allow = [] } = ask;
    try {
      const answer = await parts.outgoing.fetch(address(path, query), {
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }), ...ask.headers },
        signal,
        ...(method !== undefined && { method }),
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(maxBytes !== undefined && { maxBytes }),
      });
      return judged(answer, allow);
    } catch (error) {
      provedAt = -Infinity;
      throw inItsName(error);
    }
  }

  function judged(answer: OutgoingAnswer, allow: number[]): OutgoingAnswer {
    const { status } = answer;
    if ((status >= 200 && status < 300) || allow.includes(status)) return answer;
    if (status === 401 || status === 403) throw refuses(name);
    if (status === 408 || status === 429 || status >= 500) throw away(name, `it says it can’t now (${status})`);
    if (status >= 300 && status < 400) throw odd(name, `it points elsewhere (${status}), and nobody goes there`);
    throw odd(name, `status ${status}`);
  }

  function parse({ body }: OutgoingAnswer): unknown {
    try {
      return JSON.parse(Buffer.from(body).toString('utf8'));
    } catch {
      // the parser's message quotes what it read
      throw odd(name, 'it is no JSON');
    }
  }

  /** A request speaks of "nas:32400"; a person knows the server by its name. */
  function inItsName(error: unknown): unknown {
    if (!(error instanceof PlainError) || error.reason?.code !== 'source-away' || error.reason.params?.['source'] === name) return error;
    return away(name, String(error.reason.params?.['message'] ?? messageOf(error)), error);
  }
}
