import type { Events } from '../../events.ts';

/** How much is free on the disks of libraries, as the machines that have them said last. Whoever said nothing lately says nothing. */
export interface Disks {
  /** null: not heard of lately */
  freeOf(rootId: string): number | null;
  stop(): void;
}

/** Machines say hello every fifteen seconds. */
const BELIEVED_MS = 2 * 60_000;

export function createDisks(events: Events, clock: () => number = () => performance.now()): Disks {
  const said = new Map<string, { freeBytes: number; at: number }>();
  const off = events.on('root.measured', ({ rootId, freeBytes }) => void said.set(rootId, { freeBytes, at: clock() }));
  return {
    freeOf(rootId) {
      const last = said.get(rootId);
      return last && clock() - last.at < BELIEVED_MS ? last.freeBytes : null;
    },
    stop: off,
  };
}
