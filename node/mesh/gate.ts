import type { Connection, ConnectionGater, MultiaddrConnection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { formatAddress } from './addresses.ts';

/**
 * Who gets past Noise, and which of two connections to one node stays. Both are decided after the other side has proved
 * its key and before the muxer exists: a stranger never reaches identify, gossip or a handler, and a connection that is
 * one too many never carries a stream (gossipsub does not survive the loss of one of two connections to a peer).
 *
 *   nobody connected ──▶ allowed
 *   a connection just made ──▶ the one that the smaller id dialled stays, on both sides alike
 *   an older connection ──▶ asked whether it is alive; if it is, the new one is refused, else replaced
 */
export interface GateParts {
  self: string;
  isMember: (node: string) => boolean;
  /** connections to a node that are open now */
  open: (node: string) => Connection[];
  /** does anybody answer at the other end? */
  alive: (connection: Connection) => Promise<boolean>;
  onStranger: (node: string, host: string, direction: 'inbound' | 'outbound') => void;
  /** whose address this is, as dialled */
  onProved: (node: string, address: string) => void;
}

const YOUNG_MS = 5000;
/** Handshakes of one host at once: enough for every node behind one address, too few to fill all places. */
const MAX_PENDING_PER_HOST = 16;

export function createGate(parts: GateParts): ConnectionGater {
  const pending = new Map<string, number>();
  const counted = new WeakMap<MultiaddrConnection, () => void>();
  return {
    denyDialPeer: (peer) => !parts.isMember(peer.toString()),
    denyInboundConnection: (raw) => !enter(raw),
    async denyInboundEncryptedConnection(peer, raw) {
      counted.get(raw)?.();
      return !(await admits(peer.toString(), raw, 'inbound'));
    },
    async denyOutboundEncryptedConnection(peer, raw) {
      parts.onProved(peer.toString(), formatAddress({ host: hostOf(raw.remoteAddr), port: portOf(raw.remoteAddr) }));
      return !(await admits(peer.toString(), raw, 'outbound'));
    },
  };

  /** A slow handshake holds one of few places; this keeps one host from holding them all. */
  function enter(raw: MultiaddrConnection): boolean {
    const host = hostOf(raw.remoteAddr);
    const now = pending.get(host) ?? 0;
    if (now >= MAX_PENDING_PER_HOST) return false;
    pending.set(host, now + 1);
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      const rest = (pending.get(host) ?? 1) - 1;
      if (rest <= 0) pending.delete(host);
      else pending.set(host, rest);
    };
    counted.set(raw, leave);
    raw.addEventListener('close', leave);
    return true;
  }

  async function admits(node: string, raw: MultiaddrConnection, direction: 'inbound' | 'outbound'): Promise<boolean> {
    if (!parts.isMember(node)) {
      parts.onStranger(node, hostOf(raw.remoteAddr), direction);
      return false;
    }
    const others = parts.open(node);
    if (others.length === 0) return true;
    const preferred = parts.self < node ? 'outbound' : 'inbound';
    if (others.some((other) => Date.now() - other.timeline.open < YOUNG_MS)) {
      if (direction !== preferred || others.some((other) => other.direction === preferred)) return false;
    } else if (direction === 'outbound' || (await parts.alive(others[0]!))) return false;
    for (const other of others) other.abort(new Error('replaced by another connection of the same node'));
    return parts.isMember(node);
  }
}

/** The host part of an address: an IP or a name. */
export function hostOf(address: Multiaddr): string {
  return address.getComponents()[0]?.value ?? '';
}

/** The port of a TCP address; 0 when it has none. */
export function portOf(address: Multiaddr): number {
  return Number(address.getComponents().find(({ name }) => name === 'tcp')?.value ?? 0);
}
