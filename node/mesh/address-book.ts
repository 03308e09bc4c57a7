import { distance, formatAddress, parseAddress, type Target } from './addresses.ts';

/** How an address was learned: the order is how much it is believed when there are too many. */
export type Source = 'mdns' | 'peer' | 'told' | 'remembered' | 'inbound';

interface Entry {
  target: Target;
  by: Source;
  seen: number;
  failures: number;
}

/**
 * Every address that is known for a node, bounded, the best first. An address is a claim of whoever told it: dialling it
 * proves the node's key, so a lie costs one failed attempt and nothing else.
 */
export interface AddressBook {
  /** True when something new was learned. Addresses that are no plain TCP addresses are dropped. */
  learn(node: string, addresses: readonly string[], by: Source): boolean;
  /** best first */
  of(node: string): Target[];
  source(node: string): Source | null;
  failed(node: string, target: Target): void;
  worked(node: string, target: Target): void;
  forget(node: string): void;
}

const MAX_NODES = 600;
const MAX_ADDRESSES = 12;

/** @param keep nodes that are never pushed out by strangers */
export function createAddressBook(keep: (node: string) => boolean): AddressBook {
  const nodes = new Map<string, Map<string, Entry>>();
  return {
    learn(node, addresses, by) {
      let fresh = false;
      for (const text of addresses.slice(0, 30)) {
        const target = parseAddress(text, 0);
        if (target && (target.node === null || target.node === node)) fresh = put(node, { ...target, node }, by) || fresh;
      }
      return fresh;
    },
    of: (node) => sorted(node).map(({ target }) => target),
    source: (node) => sorted(node)[0]?.by ?? null,
    failed(node, target) {
      const entry = nodes.get(node)?.get(formatAddress(target));
      if (entry) entry.failures++;
    },
    worked(node, target) {
      put(node, { ...target, node }, 'told');
      const entry = nodes.get(node)?.get(formatAddress(target));
      if (entry) entry.failures = 0;
    },
    forget: (node) => void nodes.delete(node),
  };

  function put(node: string, target: Target, by: Source): boolean {
    const entries = nodes.get(node) ?? room(node);
    const key = formatAddress(target);
    const known = entries.get(key);
    if (known) {
      // What multicast says now is true now: a node that came back is worth a new attempt.
      if (by === 'mdns') Object.assign(known, { by, failures: 0 });
      known.seen = performance.now();
      return false;
    }
    entries.set(key, { target, by, seen: performance.now(), failures: 0 });
    if (entries.size > MAX_ADDRESSES) entries.delete(formatAddress(sorted(node).at(-1)!.target));
    return entries.has(key);
  }

  function room(node: string): Map<string, Entry> {
    if (nodes.size >= MAX_NODES) {
      const stranger = [...nodes.keys()].find((other) => !keep(other));
      if (stranger === undefined) return new Map();
      nodes.delete(stranger);
    }
    const entries = new Map<string, Entry>();
    nodes.set(node, entries);
    return entries;
  }

  function sorted(node: string): Entry[] {
    const rank = (entry: Entry): number => distance(entry.target.host) + Math.min(entry.failures, 3) * 4;
    return [...(nodes.get(node)?.values() ?? [])]
      .map((entry) => ({ entry, rank: rank(entry) }))
      .sort((a, b) => a.rank - b.rank || b.entry.seen - a.entry.seen)
      .map(({ entry }) => entry);
  }
}
