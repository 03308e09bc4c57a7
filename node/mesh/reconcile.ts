import { isIP } from 'node:net';
import { codeOf, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { AddressBook } from './address-book.ts';
import { formatAddress, ownInterfaces, type Target } from './addresses.ts';

/**
 * Dials, for ever, every member that is not connected and every address that a person named: libp2p tells about a
 * machine once and gives up after a few attempts.
 *
 * Both sides of a pair would dial at the same moment; the smaller id dials at once, the larger waits a little, so that
 * one connection is made (gate.ts settles what remains). After a failure the pause doubles up to 15 seconds; it ends
 * early when a new address is learned.
 */
export interface Reconciler {
  start(): void;
  stop(): void;
  /** something changed: look now */
  wake(node?: string): void;
  met(node: string): void;
  addPeer(target: Target): void;
  /** Noise proved whose address this is */
  proved(address: string, node: string): void;
}

export interface ReconcileParts {
  self: string;
  members: () => string[];
  isOpen: (node: string) => boolean;
  book: AddressBook;
  port: () => number;
  dial: (target: Target, signal: AbortSignal) => Promise<void>;
  onUnreachable: (node: string, tried: { address: string; why: string }[]) => void;
  onPeerUnreachable: (target: Target, why: string) => void;
  log: Log;
}

interface Wait {
  at: number;
  delay: number;
  busy: boolean;
}

const TICK_MS = 500;
const LARGER_WAITS_MS = 1500;
const FIRST_MS = 1000;
const LONGEST_MS = 15_000;
const DIAL_MS = 4000;
const SELF = 'it is this machine itself';
const STRANGER = 'another machine answers there, which is not a member';

export function createReconciler(parts: ReconcileParts): Reconciler {
  const nodes = new Map<string, Wait>();
  const peers = new Map<string, { target: Target; node: string | null; wait: Wait }>();
  const stopped = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let woken = false;

  return {
    start() {
      timer = setInterval(tick, TICK_MS).unref();
      tick();
    },
    stop() {
      clearInterval(timer);
      stopped.abort(new Error('the mesh stops'));
    },
    wake(node) {
      const wait = node === undefined ? undefined : nodes.get(node);
      if (wait && !wait.busy) Object.assign(wait, { at: Math.min(wait.at, firstAt(node!)), delay: FIRST_MS });
      soon();
    },
    met: (node) => void nodes.delete(node),
    addPeer(target) {
      peers.set(formatAddress(target), { target, node: target.node, wait: { at: 0, delay: FIRST_MS, busy: false } });
      soon();
    },
    proved(address, node) {
      const peer = peers.get(address);
      if (peer) peer.node = node;
    },
  };

  function soon(): void {
    if (woken || timer === undefined) return;
    woken = true;
    setImmediate(() => {
      woken = false;
      tick();
    });
  }

  function tick(): void {
    if (stopped.signal.aborted) return;
    try {
      const members = new Set(parts.members());
      for (const node of members) if (node !== parts.self && !parts.isOpen(node)) reach(node);
      for (const node of nodes.keys()) if (!members.has(node)) nodes.delete(node);
      for (const peer of peers.values()) if (peer.node === null || (peer.node !== parts.self && !parts.isOpen(peer.node))) void knock(peer);
    } catch (error) {
      parts.log.error({ err: error }, 'looking for other machines failed');
    }
  }

  function reach(node: string): void {
    const wait = nodes.get(node) ?? { at: firstAt(node), delay: FIRST_MS, busy: false };
    nodes.set(node, wait);
    if (due(wait)) void attempt(node, wait);
  }

  async function attempt(node: string, wait: Wait): Promise<void> {
    wait.busy = true;
    const tried: { address: string; why: string }[] = [];
    for (const target of parts.book.of(node).filter((one) => !isOwn(one))) {
      if (stopped.signal.aborted || parts.isOpen(node)) break;
      const why = await dial(target);
      if (why === null) parts.book.worked(node, target);
      else if (!parts.isOpen(node)) {
        parts.book.failed(node, target);
        tried.push({ address: formatAddress(target), why });
      }
      if (why === null) break;
    }
    later(wait);
    if (!parts.isOpen(node) && !stopped.signal.aborted) parts.onUnreachable(node, tried);
  }

  async function knock(peer: { target: Target; node: string | null; wait: Wait }): Promise<void> {
    if (!due(peer.wait) || isOwn(peer.target)) return;
    peer.wait.busy = true;
    const why = await dial(peer.target);
    later(peer.wait);
    // One list of addresses for all machines names every machine to itself too.
    if (why === SELF) return void (peer.node = parts.self);
    if (why !== null && why !== STRANGER && !stopped.signal.aborted && !(peer.node && parts.isOpen(peer.node)))
      parts.onPeerUnreachable(peer.target, why);
  }

  /** Null when it is connected, else why not in a few words. */
  async function dial(target: Target): Promise<string | null> {
    try {
      await parts.dial(target, AbortSignal.any([stopped.signal, AbortSignal.timeout(DIAL_MS)]));
      return null;
    } catch (error) {
      return explainDial(error, target);
    }
  }

  function isOwn({ host, port }: Target): boolean {
    if (port !== parts.port() || isIP(host) === 0) return false;
    return host.startsWith('127.') || [...ownInterfaces('IPv4'), ...ownInterfaces('IPv6')].some(({ address }) => address === host);
  }

  function firstAt(node: string): number {
    return performance.now() + (parts.self < node ? 0 : LARGER_WAITS_MS);
  }
}

function due(wait: Wait): boolean {
  return !wait.busy && performance.now() >= wait.at;
}

function later(wait: Wait): void {
  wait.busy = false;
  wait.at = performance.now() + wait.delay * (0.75 + Math.random() / 2);
  wait.delay = Math.min(wait.delay * 2, LONGEST_MS);
}

/** What a failed dial means, in a few words for the middle of a sentence. */
function explainDial(error: unknown, { host }: Target): string {
  const codes = chain(error).map(codeOf);
  const names = chain(error).map((one) => (one as { name?: string } | null)?.name ?? '');
  if (chain(error).some((one) => messageOf(one).includes('dial self'))) return SELF;
  if (codes.includes('ECONNREFUSED')) return 'nothing listens there';
  if (codes.some((code) => code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'EADDRNOTAVAIL')) return 'there is no route to it';
  if (codes.some((code) => code === 'ENOTFOUND' || code === 'EAI_AGAIN')) return `the name ${host} is not known here`;
  if (names.includes('ConnectionInterceptedError') || names.includes('DialDeniedError')) return STRANGER;
  if (names.includes('EncryptionFailedError')) return 'another program or another machine answers there';
  if (codes.includes('ETIMEDOUT') || names.some((name) => name === 'TimeoutError' || name === 'AbortError')) return 'no answer';
  if (codes.includes('ECONNRESET')) return 'it hung up';
  return messageOf(error).split('\n')[0]!.slice(0, 120);
}

function chain(error: unknown, depth = 0): unknown[] {
  if (error === null || typeof error !== 'object' || depth > 4) return [];
  const { cause, errors } = error as { cause?: unknown; errors?: unknown[] };
  return [error, ...chain(cause, depth + 1), ...(Array.isArray(errors) ? errors.flatMap((one) => chain(one, depth + 1)) : [])];
}
