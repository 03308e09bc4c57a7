import multicastDNS, { type MulticastDNS, type QueryPacket, type ResponsePacket } from 'multicast-dns';
import { codeOf, messageOf } from '../errors.ts';
import type { Surroundings } from '../core/standing.ts';
import type { Log } from '../log.ts';
import { ownInterfaces } from './addresses.ts';
import { createBuckets } from './bucket.ts';

/**
 * Multicast DNS on every network interface of its own. The usual implementation sends on one interface only, chosen by
 * the default route: it is silent without one (an isolated network, a direct cable, a container), and two machines that
 * share only their second card never find each other. The packets are those of @libp2p/mdns, so both find each other.
 *
 * One socket per IPv4 address; looked at again every few seconds, because cards come and go. A socket whose own
 * questions no longer come back to it is made anew: its membership was lost when the card was away.
 */
export interface LanMdns {
  start(): void;
  stop(): void;
  /** asks everybody now */
  ask(): void;
  interfaces(): Surroundings['interfaces'];
}

export interface LanMdnsParts {
  /** the service, for example `_codecshift._udp.local` */
  tag: string;
  /** this node's id */
  id: string;
  /** multiaddrs of this node that end with its id */
  addresses: () => string[];
  /** what this node says of itself comes back to it too */
  onFound: (node: string, addresses: string[], heardOn: string) => void;
  log: Log;
  intervalMs?: number;
}

interface Card {
  name: string;
  address: string;
  socket: MulticastDNS;
  problem: string | null;
  /** when it was opened or its own question last came back, by the monotonic clock */
  echoed: number;
  answered: number;
}

const RESCAN_MS = 5000;
const DEAF = 'What is sent here does not come back: a firewall may block multicast (UDP 5353).';
/** a TXT string holds 255 bytes */
const MAX_TXT = 255;

export function createLanMdns(parts: LanMdnsParts): LanMdns {
  const interval = parts.intervalMs ?? 10_000;
  const cards = new Map<string, Card>();
  const refused = new Map<string, { name: string; problem: string }>();
  const heard = createBuckets(100, 200);
  let timers: NodeJS.Timeout[] = [];

  return {
    start() {
      rescan();
      timers = [setInterval(rescan, RESCAN_MS), setInterval(ask, interval)].map((timer) => timer.unref());
    },
    stop() {
      for (const timer of timers) clearInterval(timer);
      for (const card of cards.values()) close(card);
    },
    ask,
    interfaces() {
      const bad = [...refused].map(([address, { name, problem }]) => ({ name, address, multicast: 'failed' as const, problem }));
      return [...[...cards.values()].map(status), ...bad.filter(({ address }) => !cards.has(address))];
    },
  };

  function rescan(): void {
    try {
      const now = new Map(ownInterfaces('IPv4').map((one) => [one.address, one]));
      for (const card of cards.values()) if (!now.has(card.address) || deaf(card)) close(card, deaf(card) ? DEAF : null);
      for (const address of refused.keys()) if (!now.has(address)) refused.delete(address);
      for (const { name, address } of now.values()) if (!cards.has(address) && cards.size < 32) open(name, address);
    } catch (error) {
      parts.log.warn({ err: error }, 'the network interfaces cannot be listed');
    }
  }

  function open(name: string, address: string): void {
    let socket: MulticastDNS;
    try {
      // `bind`: multicast arrives on the group's address, not on the card's; the option is missing in the types
      socket = multicastDNS({ interface: address, bind: '0.0.0.0', reuseAddr: true } as multicastDNS.Options);
    } catch (error) {
      return void refused.set(address, { name, problem: explain(error) });
    }
    const card: Card = { name, address, socket, problem: null, echoed: performance.now(), answered: -Infinity };
    cards.set(address, card);
    socket.on('error', (error) => {
      close(card, explain(error)); // tried again at the next rescan
    });
    socket.on('warning', (error) => {
      // Anybody's malformed packet ends here too; only what the system says is about this card.
      if (codeOf(error) !== null) card.problem = explain(error);
    });
    socket.on('query', (query, from) => guarded(() => onQuery(card, query, from.address)));
    socket.on('response', (response) => guarded(() => onResponse(card, response)));
    socket.on('ready', () => {
      question(card);
      answer(card);
    });
  }

  function close(card: Card, problem: string | null = null): void {
    cards.delete(card.address);
    if (problem) refused.set(card.address, { name: card.name, problem });
    guarded(() => card.socket.destroy());
  }

  function ask(): void {
    for (const card of cards.values()) question(card);
  }

  function question(card: Card): void {
    // The platform's types lack the callback, which is the only place where a send that fails can be seen.
    const send = card.socket.query.bind(card.socket) as unknown as (packet: object, done: (error?: Error | null) => void) => void;
    guarded(() => send({ questions: [{ name: parts.tag, type: 'PTR' }] }, (error) => sent(card, error ?? null)));
  }

  function sent(card: Card, error: Error | null): void {
    card.problem = error ? explain(error) : null;
  }

  function onQuery(card: Card, query: QueryPacket, from: string): void {
    if (query.questions?.[0]?.name !== parts.tag) return;
    const own = cards.get(from);
    if (own) {
      own.echoed = performance.now();
      refused.delete(from);
    }
    if (!heard.take(card.address) || performance.now() - card.answered < 200) return;
    answer(card);
  }

  function answer(card: Card): void {
    card.answered = performance.now();
    const name = `${parts.id}.${parts.tag}`;
    const texts = parts
      .addresses()
      .map((address) => `dnsaddr=${address}`)
      .filter((text) => text.length <= MAX_TXT && !text.includes('/127.') && !text.includes('/::1/'))
      .slice(0, 20)
      .map((data) => ({ name, type: 'TXT' as const, class: 'IN' as const, ttl: 120, data }));
    if (texts.length === 0) return;
    guarded(() => card.socket.respond([{ name: parts.tag, type: 'PTR', class: 'IN', ttl: 120, data: name }, ...texts]));
  }

  function onResponse(card: Card, response: ResponsePacket): void {
    if (!heard.take(card.address)) return;
    const found = readResponse(response, parts.tag);
    if (found) parts.onFound(found.node, found.addresses, card.name);
  }

  function status(card: Card): Surroundings['interfaces'][number] {
    const problem = card.problem ?? (deaf(card) ? DEAF : (refused.get(card.address)?.problem ?? null));
    return { name: card.name, address: card.address, multicast: problem ? 'failed' : 'ok', problem };
  }

  function deaf(card: Card): boolean {
    return performance.now() - card.echoed > 3.5 * interval;
  }

  function guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      parts.log.debug({ why: messageOf(error) }, 'a multicast packet was dropped');
    }
  }
}

/** Who answered, and the multiaddrs it claims; null for the answers of other programs. */
export function readResponse(response: ResponsePacket, tag: string): { node: string; addresses: string[] } | null {
  const texts = [...(response.answers ?? []), ...(response.additionals ?? [])]
    .slice(0, 64)
    .flatMap((record) => (record.type === 'TXT' && record.name.endsWith(tag) ? [record.data].flat() : []))
    .map(String)
    .filter((text) => text.startsWith('dnsaddr=') && text.length <= MAX_TXT)
    .map((text) => text.slice('dnsaddr='.length));
  const node = /\/p2p\/(\w{20,128})$/.exec(texts[0] ?? '')?.[1];
  return node === undefined ? null : { node, addresses: texts.filter((text) => text.endsWith(`/p2p/${node}`)).slice(0, 20) };
}

function explain(error: unknown): string {
  const code = codeOf(error);
  if (code === 'EADDRINUSE') return 'Another program holds UDP port 5353 and does not share it.';
  if (code === 'EACCES' || code === 'EPERM') return 'The system does not allow multicast here (UDP 5353).';
  if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH') return 'There is no route for multicast on this interface.';
  if (code === 'ENODEV' || code === 'ENOPROTOOPT') return 'This interface cannot do multicast.';
  return `Multicast failed: ${messageOf(error)}.`;
}
