import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Visitor } from '../security.ts';
import { plainAddress, readNetworks, type Networks } from './networks.ts';

/**
 * Who is at the other end. What the socket says is true; what a header says is true only when the socket's own end is a proxy
 * that a person named. The front writes down both, the application judges them by the cluster's settings (`judgeVisitor`).
 *
 *   socket ─ peer ──────────────── in `web.proxies`? ── no ─▶ address = peer, secure = the socket's own TLS
 *                                                └─ yes ─▶ address = the last of X-Forwarded-For that is no such proxy
 */
export function visitorOf(incoming: IncomingMessage): Visitor {
  const peer = plainAddress(incoming.socket.remoteAddress ?? 'unknown');
  return {
    asks: 'page',
    address: peer,
    peer,
    tunnelled: false,
    secure: (incoming.socket as Partial<TLSSocket>).encrypted === true,
    forwardedFor: headerOf(incoming, 'x-forwarded-for'),
    forwardedProto: headerOf(incoming, 'x-forwarded-proto'),
  };
}

const MAX_HEADER = 500;
/** More hops than any house has. */
const MAX_HOPS = 10;

/** Two headers of one name arrive as one, joined by commas; of several values the last was added by the nearest. */
function headerOf(incoming: IncomingMessage, name: string): string | null {
  const value = incoming.headers[name];
  const text = Array.isArray(value) ? value.join(',') : value;
  return text === undefined ? null : text.slice(-MAX_HEADER);
}

/** The visitor with the address and scheme that can be believed. `proxies`: the setting `web.proxies`. */
export function judgeVisitor(visitor: Visitor, proxies: unknown): Visitor {
  const trusted = networksOr(proxies);
  if (!trusted.has(visitor.peer)) return visitor;
  const proto = last(visitor.forwardedProto);
  return {
    ...visitor,
    address: originOf(visitor, trusted),
    secure: proto === 'https' ? true : proto === 'http' ? false : visitor.secure,
  };
}

/** From the right: each proxy adds whom it heard from, and what stands further left anybody may have written. */
function originOf(visitor: Visitor, trusted: Networks): string {
  const hops = (visitor.forwardedFor ?? '').split(',').slice(-MAX_HOPS).map(addressIn);
  let address = visitor.peer;
  for (const hop of hops.toReversed()) {
    if (hop === null) return address;
    address = hop;
    if (!trusted.has(hop)) return address;
  }
  return address;
}

/** `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`, `"[2001:db8::1]"`. */
function addressIn(text: string): string | null {
  const bare = text.trim().replace(/^"|"$/g, '');
  const match = /^\[([^\]]+)\](?::\d+)?$/.exec(bare) ?? /^(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/.exec(bare);
  const address = plainAddress(match?.[1] ?? bare);
  return isIP(address) === 0 ? null : address;
}

function last(text: string | null): string | null {
  return text?.split(',').at(-1)?.trim().toLowerCase() ?? null;
}

/** A setting that was stored before it was checked believes nobody. */
function networksOr(text: unknown): Networks {
  try {
    return readNetworks(text);
  } catch {
    return readNetworks('');
  }
}
