import type { Database } from '../db/connect.ts';
import { noteProgram } from '../db/nodes.ts';
import { messageOf } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Network } from './roster.ts';

const EVERY_MS = 5000;

/**
 * Members whose programs are too far from this one's (core/compatibility.ts) meet and say no more, not even hello. What
 * they run is written down while they are connected, so that the page can say which machine has to be upgraded.
 */
export function noteMisfits(parts: { db: Database; network: Network; events: Events; log: Log }): { stop(): void } {
  const timer = setInterval(() => void look(), EVERY_MS);
  timer.unref();
  void look();
  return { stop: () => clearInterval(timer) };

  async function look(): Promise<void> {
    for (const { node, program } of parts.network.apart?.() ?? []) {
      try {
        if (await noteProgram(parts.db, node, program)) parts.events.emit('node.changed', { nodeId: node });
      } catch (error) {
        parts.log.debug({ node, why: messageOf(error) }, 'what a machine runs could not be written down');
      }
    }
  }
}
