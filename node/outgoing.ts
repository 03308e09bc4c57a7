/**
 * Requests to addresses that a person typed or a server told: bounded in time and size, never redirected, and never to
 * where no media server can be (research on SSRF: a LAN address is what people mean, so private ranges are allowed).
 *
 *   url ─▶ http/https, no user in it ─▶ resolve once ─▶ address allowed? ─▶ connect to exactly that address ─▶ bounded body
 *
 * Refused: link-local (169.254/16, fe80::/10), multicast, 0.0.0.0/8, and on loopback the ports that this program and its
 * database listen on (`ownPorts`). IPv4 in IPv6 clothes is judged as IPv4.
 */
export interface Outgoing {
  /** @throws PlainError reason `source-away` (no answer in time, refused, broken) or `address-forbidden`; never shows a header */
  fetch(url: string | URL, init: OutgoingRequest): Promise<OutgoingAnswer>;
  /**
   * A WebSocket that only listens: every text message, until `signal` ends it (resolves) or the line breaks (rejects).
   * Messages are bounded by `maxBytes`; after `timeoutMs` without a sign of life the line counts as broken.
   */
  listen(url: string | URL, init: OutgoingRequest, onText: (text: string) => void): Promise<void>;
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
  /** where on loopback this program and its database listen */
  ownPorts(): number[];
  /** stands in for DNS in tests: every address of a name */
  resolve?(host: string): Promise<string[]>;
}

export function createOutgoing(_parts: OutgoingParts): Outgoing {
  throw new Error('not yet');
}
