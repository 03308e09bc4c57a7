import type { Manners } from '../core/manner-wishes.ts';
import { createControl, type TranscodeControl } from '../ffmpeg/transcode.ts';
import type { Allowance } from './allowance.ts';
import type { Devices } from './devices.ts';

/** A slot of this node for something that is no job, until it is given back. */
export interface Lent {
  /** aborted when the program ends */
  signal: AbortSignal;
  /** stands still while the machine does */
  control: TranscodeControl;
  devices: Devices;
  manners: () => Pick<Manners, 'niceness' | 'coresFree'>;
  stallMs: () => number;
  /** of its disk, kept free for others */
  minFreeBytes: number;
  giveBack(): void;
}

/** Slots that are lent: as long as they are, the queue has so many less. */
export interface Lending {
  lend(): Lent;
  count(): number;
  controls(): TranscodeControl[];
  /** aborts whatever is done with them */
  end(why: Error): void;
}

export function createLending(parts: { devices: Devices; allowance: Allowance; onReturn: () => void }): Lending {
  const { devices, allowance } = parts;
  const lent = new Map<Lent, AbortController>();

  return {
    lend() {
      const abort = new AbortController();
      const one: Lent = {
        signal: abort.signal,
        control: createControl(),
        devices,
        manners: allowance.manners,
        stallMs: allowance.stallMs,
        minFreeBytes: allowance.minFreeBytes(),
        giveBack() {
          lent.delete(one);
          parts.onReturn();
        },
      };
      lent.set(one, abort);
      return one;
    },
    count: () => lent.size,
    controls: () => [...lent.keys()].map(({ control }) => control),
    end(why) {
      for (const abort of lent.values()) abort.abort(why);
    },
  };
}
