import { holdLeases } from '../db/claims.ts';
import type { Database } from '../db/connect.ts';
import { noteProgram } from '../db/nodes.ts';
import { messageOf } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Network } from './roster.ts';

const EVERY_MS = 2000;
const HOLD_MS = 60 * 60_000;

/**
 * Members whose programs are too far from this one's (core/compatibility.ts) meet and say no more, not even hello. What
 * they run is written down while they are connected, so that the page can say which machine has to be upgraded. Their runs
 * go on meanwhile, and for an hour nobody else is given the same: whoever upgrades one machine after the other finds what
 * was finished taken.
 */
export function noteMisfits(parts: { db: Database; network: Network; events: Events; leaseSeconds: () => number; log: Log }): {
  stop(): void;
} {
  const since = new Map<string, number>();
  let looking: Promise<void> | null = null;
  // one look at a time: on a database that is slow they would queue up behind each other
  const next = (): void => void (looking ??= look().finally(() => (looking = null)));
  const timer = setInterval(next, EVERY_MS);
  timer.unref();
  next();
  return { stop: () => clearInterval(timer) };

  async function look(): Promise<void> {
    for (const { node, program } of parts.network.apart?.() ?? []) {
      try {
        if (await noteProgram(parts.db, node, program)) parts.events.emit('node.changed', { nodeId: node });
        const met = since.get(node) ?? performance.now();
        since.set(node, met);
        if (performance.now() - met < HOLD_MS) await holdLeases(parts.db, node, parts.leaseSeconds());
      } catch (error) {
        parts.log.debug({ node, why: messageOf(error) }, 'what a machine runs could not be written down');
      }
    }
  }
}
