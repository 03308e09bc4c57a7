import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { isTold } from './painting.ts';
import type { Running } from './slots.ts';

/**
 * The sign of life of every attempt, once a second: the numbers for the page, and what renews its lease, also while it is
 * paused or waits. A beat that comes far too late says that the machine slept.
 */
export interface Pulse {
  start(): void;
  stop(): void;
}

/** After such a gap the machine, or all of this program, stood still. */
const SLEPT_MS = 15_000;

export function createPulse(parts: { mesh: Mesh; runs: () => Iterable<Running>; log: Log }): Pulse {
  const { mesh, log } = parts;
  let beatAt = Date.now();
  let timer: NodeJS.Timeout | undefined;

  return {
    start() {
      beatAt = Date.now();
      timer = setInterval(beat, 1000).unref();
    },
    stop: () => clearInterval(timer),
  };

  function beat(): void {
    noticeSleep();
    for (const { grant, latest, control, encoder, heldBack: why, colours } of parts.runs()) {
      const ids = { node: mesh.self, job: grant.job, attempt: grant.attempt };
      const barcode = colours && isTold(colours.beats++) ? { barcode: colours.strip } : {};
      mesh.publish('progress', { ...ids, ...latest, encoder, paused: control.paused, why, ...barcode });
    }
  }

  /** By the wall clock: the other one stands still while the machine sleeps. */
  function noticeSleep(): void {
    const gap = Date.now() - beatAt;
    beatAt = Date.now();
    if (gap < SLEPT_MS) return;
    log.info({ seconds: Math.round(gap / 1000) }, 'this machine slept, or the program stood still');
    for (const run of parts.runs()) run.disturbed = { percent: run.latest.percent, slept: true };
  }
}
