/**
 * Lobbies that multicast spoke of. Anybody on the network can send such a packet, for any id and any address: it is
 * bounded, ages, and is only ever a place to look at, where Noise proves who answers.
 */
export interface Announced {
  /** `keep`: answers already, so it does not make room for a new name. False when nothing was learned */
  heard(node: string, addresses: readonly string[], keep: (node: string) => boolean): boolean;
  nodes(): string[];
  of(node: string): string[];
}

const MAX_NODES = 100;
const MAX_ADDRESSES = 8;
/** multicast asks every ten seconds and is answered, or the machine is gone */
const AGE_MS = 60_000;

/** @param now monotonic milliseconds */
export function createAnnounced(now: () => number = () => performance.now()): Announced {
  const entries = new Map<string, { addresses: string[]; at: number }>();

  return {
    heard(node, addresses, keep) {
      const numeric = addresses.filter((address) => /^\/ip[46]\/[\da-f.:]+\/tcp\/\d+(\/|$)/.test(address)).slice(0, MAX_ADDRESSES);
      if (numeric.length === 0) return false;
      const isNew = !entries.has(node);
      if (isNew && !makeRoom(keep)) return false;
      entries.delete(node); // so that the order is by time
      entries.set(node, { addresses: numeric, at: now() });
      return isNew;
    },
    nodes() {
      forgetOld();
      return [...entries.keys()];
    },
    of: (node) => entries.get(node)?.addresses ?? [],
  };

  function forgetOld(): void {
    for (const [node, { at }] of entries) if (now() - at > AGE_MS) entries.delete(node);
  }

  function makeRoom(keep: (node: string) => boolean): boolean {
    forgetOld();
    if (entries.size < MAX_NODES) return true;
    const weakest = entries.keys().find((node) => !keep(node));
    return weakest !== undefined && entries.delete(weakest);
  }
}
