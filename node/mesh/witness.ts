import type { Sighting } from '../core/standing.ts';
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
  /** one that is no member came here, or was found where somebody else was looked for */
  stranger(node: string, address: string, direction: 'inbound' | 'outbound'): void;
  list(): Sighting[];
}

export function createWitness({ sightings, book }: { sightings: Sightings; book: AddressBook }): Witness {
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
    stranger(node, address, direction) {
      const by = direction === 'inbound' ? 'inbound' : 'peer';
      sightings.saw(node, { by, trouble: { state: 'not-approved', how: direction }, addresses: [address] });
    },
    // often told of by a third machine first, heard by oneself later
    list: () => sightings.list().map((one) => ({ ...one, by: book.source(one.node) ?? one.by })),
  };
}
