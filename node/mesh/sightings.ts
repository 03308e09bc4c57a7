import { CLOCK_LIMIT_MS, describeTrouble, type Trouble } from '../core/sighting.ts';
import type { ClusterName, Sighting } from '../core/standing.ts';
import type { Source } from './address-book.ts';

/**
 * The machines around this one and why they are not spoken to. Bounded, and forgotten ten minutes after the last sign;
 * what strangers do can never push out what is known of members.
 */
export interface Sightings {
  saw(node: string, seen: { by: Source; trouble: Trouble } & Partial<Facts>): void;
  /** forgets what was known of an address without a key */
  clear(node: string): void;
  list(): Sighting[];
}

interface Facts {
  addresses: string[];
  latencyMs: number | null;
  clockMs: number | null;
  version: string | null;
  cluster: ClusterName | null;
}

const MAX_SIGHTINGS = 250;
const FORGET_MS = 10 * 60_000;

export function createSightings(parts: { nameOf: (node: string) => string | null }): Sightings {
  const seen = new Map<string, { sighting: Sighting; at: number }>();
  return {
    saw(node, { by, trouble, ...facts }) {
      const before = seen.get(node)?.sighting;
      if (!before && seen.size >= MAX_SIGHTINGS && !makeRoom()) return;
      const name = parts.nameOf(node);
      const addresses = [...new Set([...(facts.addresses ?? []), ...(before?.addresses ?? [])])].slice(0, 8);
      const sighting: Sighting = {
        node: node.includes(':') ? '' : node,
        name,
        addresses,
        by: before && by === 'inbound' ? before.by : by,
        state: trouble.state,
        says: describeTrouble(name ?? (addresses[0] ? `The machine at ${addresses[0]}` : 'A machine'), trouble),
        latencyMs: facts.latencyMs ?? null,
        clockMs: facts.clockMs ?? null,
        version: facts.version ?? before?.version ?? null,
        cluster: facts.cluster ?? null,
        lastSeenMs: Date.now(),
      };
      seen.set(node, { sighting, at: performance.now() });
    },
    clear: (node) => void seen.delete(node),
    list() {
      for (const [node, { at }] of seen) if (performance.now() - at > FORGET_MS) seen.delete(node);
      return [...seen.values()].map(({ sighting }) => sighting).sort((a, b) => (a.name ?? '~').localeCompare(b.name ?? '~'));
    },
  };

  /** The stranger that was not seen for the longest time goes. */
  function makeRoom(): boolean {
    let oldest: string | null = null;
    for (const [node, { at }] of seen) {
      if (parts.nameOf(node) === null && (oldest === null || at < seen.get(oldest)!.at)) oldest = node;
    }
    return oldest !== null && seen.delete(oldest);
  }
}

/** All is well, or only the clock is wrong. */
export function troubleOfClock(clockMs: number): Trouble {
  return Math.abs(clockMs) > CLOCK_LIMIT_MS ? { state: 'clock', clockMs } : { state: 'connected' };
}
