import type { Sighting } from '../core/standing.ts';
import type { Log } from '../log.ts';
import type { AddressBook } from './address-book.ts';
import { formatAddress, parseAddress, type Target } from './addresses.ts';
import type { Sightings } from './sightings.ts';

/** What happened around this node, put down as a sighting: who it was, what is wrong, and how it is known of. */
export interface Witness {
  /** a member at none of whose addresses anybody answered */
  unreachable(node: string, tried: { address: string; why: string }[]): void;
  /** an address given by a person, at which nobody answered */
  peerUnreachable(target: Target, why: string): void;
  /** the connection to a member ended */
  lost(node: string): void;
  /** it was a member until now */
  removed(node: string): void;
  /** multicast told of one that is no member; `addresses` are its word */
  announced(node: string, addresses: string[]): void;
  /** multicast told of this very node: at an address that is not its own a machine runs with a copy of its data */
  ourselves(addresses: string[], own: readonly string[]): void;
  /** one that is no member came here, or was found where somebody else was looked for */
  stranger(node: string, address: string, direction: 'inbound' | 'outbound'): void;
  list(): Sighting[];
}

/** What we said from an address that we lost a moment ago may come back to us, but not for so long. */
const OWN_ECHO_MS = 5000;
const SAY_AGAIN_MS = 3600_000;

export function createWitness(parts: { self: string; sightings: Sightings; book: AddressBook; log: Log }): Witness {
  const { self, sightings, book } = parts;
  const foreign = new Map<string, number>();
  let said = -Infinity;
  return {
    unreachable: (node, tried) =>
      sightings.saw(node, {
        by: book.source(node) ?? 'remembered',
        trouble: { state: 'unreachable', tried },
        addresses: book.of(node).map(formatAddress),
      }),
    peerUnreachable(target, why) {
      const address = formatAddress(target);
      sightings.saw(address, { by: 'peer', trouble: { state: 'unreachable', tried: [{ address, why }] }, addresses: [address] });
    },
    lost: (node) => sightings.saw(node, { by: book.source(node) ?? 'told', trouble: { state: 'connecting' } }),
    removed: (node) => sightings.saw(node, { by: 'told', trouble: { state: 'not-approved', how: 'outbound' }, addresses: [] }),
    announced(node, addresses) {
      const texts = addresses.map((text) => parseAddress(text, 0)).filter((one) => one !== null);
      sightings.saw(node, { by: 'mdns', trouble: { state: 'not-approved', how: 'mdns' }, addresses: texts.map(formatAddress) });
    },
    ourselves(addresses, own) {
      const heard = addresses.map((text) => parseAddress(text, 0)).filter((one) => one !== null);
      const others = heard.map(formatAddress).filter((address) => !own.includes(address));
      const twin = others.filter((address) => performance.now() - firstHeard(address) > OWN_ECHO_MS);
      if (twin.length === 0) return;
      sightings.saw(self, { by: 'mdns', trouble: { state: 'twin' }, addresses: twin });
      if (performance.now() - said < SAY_AGAIN_MS) return;
      said = performance.now();
      parts.log.warn({ addresses: twin }, 'another machine runs with the identity of this one: its data folder was copied there');
    },
    stranger(node, address, direction) {
      const by = direction === 'inbound' ? 'inbound' : 'peer';
      sightings.saw(node, { by, trouble: { state: 'not-approved', how: direction }, addresses: [address] });
    },
    // often told of by a third machine first, heard by oneself later
    list: () => sightings.list().map((one) => ({ ...one, by: book.source(one.node) ?? one.by })),
  };

  function firstHeard(address: string): number {
    const now = performance.now();
    // anybody on the network may say that he is us
    if (!foreign.has(address) && foreign.size >= 100) foreign.clear();
    const first = foreign.get(address) ?? now;
    foreign.set(address, first);
    return first;
  }
}
