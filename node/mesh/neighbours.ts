/**
 * The lobbies around, by what they said of themselves: in answer to a look of ours, or in a look of theirs. Both carry
 * the same statement, so that one direction is enough for two machines to know of each other. At most a hundred; what
 * is not heard again within half a minute is gone.
 */
export interface Neighbours {
  /**
   * `node` is authenticated, the rest is its word. A statement that was overtaken by a newer one changes nothing.
   * @param tells our claim to found, if it had heard of it when it said this
   */
  heard(statement: Statement, how: Heard): void;
  list(): Seen[];
  get(node: string): Seen | null;
  /** our own claim begins or ends: nobody knows of it yet */
  forgetTold(): void;
}

export interface Neighbour {
  node: string;
  name: string;
  version: string;
  addresses: string[];
  /** null: it belongs to no cluster yet */
  cluster: { id: string; name: string; publicKey: string; established: boolean; nodes: number } | null;
  /** milliseconds since this node began to look for a cluster; null when it belongs to one */
  lookingMs: number | null;
  /** milliseconds since 1970 */
  seenMs: number;
}

export interface Statement extends Omit<Neighbour, 'seenMs'> {
  /** it claims the founding of a cluster (core/founding.ts) */
  founding: boolean;
  /** one start of that program; `tick` grows within it */
  session: string;
  tick: number;
}

export interface Heard {
  /** where it answered; null when it came to us */
  address: string | null;
  /** the address given by a person that led there */
  peer: string | null;
  /** it knows of our claim */
  told: boolean;
}

export interface Seen extends Neighbour {
  founding: boolean;
  /** for how long its claim is known here */
  foundingMs: number | null;
  /** it knows that this node claims the founding */
  told: boolean;
  /** addresses given by a person at which it answered */
  peers: string[];
  /** since it was last heard, by a clock that is never set */
  silentMs: number;
}

export const FORGET_MS = 30_000;
const MAX_NEIGHBOURS = 100;
const MAX_ADDRESSES = 10;

interface Entry {
  statement: Statement;
  answered: boolean;
  address: string | null;
  peers: Set<string>;
  told: boolean;
  at: number;
  foundingAt: number | null;
}

/** @param now monotonic milliseconds */
export function createNeighbours(self: string, now: () => number = () => performance.now()): Neighbours {
  const entries = new Map<string, Entry>();

  return {
    heard(statement, how) {
      const known = current(statement.node);
      if (statement.node === self) return;
      const overtaken = known !== null && known.statement.session === statement.session && known.statement.tick >= statement.tick;
      if (overtaken) {
        note(known, how);
        return;
      }
      if (!known && !makeRoom(how)) return;
      const foundingAt = statement.founding ? (known?.foundingAt ?? now()) : null;
      const entry: Entry = known ?? { statement, answered: false, address: null, peers: new Set(), told: false, at: 0, foundingAt };
      Object.assign(entry, { statement, at: now(), foundingAt });
      note(entry, how);
      entries.set(statement.node, entry);
    },
    list() {
      for (const node of entries.keys()) current(node);
      return [...entries.values()].map(seen);
    },
    get(node) {
      const entry = current(node);
      return entry && seen(entry);
    },
    forgetTold() {
      for (const entry of entries.values()) entry.told = false;
    },
  };

  function current(node: string): Entry | null {
    const entry = entries.get(node);
    if (entry && now() - entry.at < FORGET_MS) return entry;
    entries.delete(node);
    return null;
  }

  function note(entry: Entry, how: Heard): void {
    entry.told ||= how.told;
    entry.answered ||= how.address !== null;
    entry.address = how.address ?? entry.address;
    if (how.peer) entry.peers.add(how.peer);
  }

  /** Who only came to us makes room for who answers, and who answers for one that a person named. */
  function makeRoom(how: Heard): boolean {
    if (entries.size < MAX_NEIGHBOURS) return true;
    for (const node of entries.keys()) current(node);
    if (entries.size < MAX_NEIGHBOURS) return true;
    const rank = how.peer ? 2 : how.address ? 1 : 0;
    const weakest = [...entries.values()].toSorted((a, b) => rankOf(a) - rankOf(b) || a.at - b.at)[0]!;
    if (rankOf(weakest) >= rank) return false;
    entries.delete(weakest.statement.node);
    return true;
  }

  function seen({ statement, address, peers, told, at, foundingAt }: Entry): Seen {
    const { session: _, tick: __, ...rest } = statement;
    const silentMs = now() - at;
    return {
      ...rest,
      addresses: [...new Set([...(address ? [address] : []), ...statement.addresses])].slice(0, MAX_ADDRESSES),
      seenMs: Math.round(Date.now() - silentMs),
      foundingMs: foundingAt === null ? null : now() - foundingAt,
      told,
      peers: [...peers],
      silentMs,
    };
  }
}

function rankOf(entry: Entry): number {
  return entry.peers.size > 0 ? 2 : entry.answered ? 1 : 0;
}
