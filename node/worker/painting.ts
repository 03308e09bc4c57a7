import path from 'node:path';
import type { Probe } from '../core/media.ts';
import { filmColours } from '../ffmpeg/barcode.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import type { TranscodeControl } from '../ffmpeg/transcode.ts';

/** Few seconds on an ordinary disk; a slow one gives a coarser strip in that time. */
const BUDGET_MS = 25_000;

export interface Painting {
  /** gives it up if it has not ended; resolves when nothing of it is left */
  end(): Promise<void>;
}

/**
 * Sees the colours of a film while its encode begins, for the bar that shows how far it is. A courtesy: it may come to
 * nothing, and a pause ends it, because whoever pauses wants the machine to be quiet.
 */
export function paintMeanwhile(
  job: { tools: Tools; file: string; probe: Probe; output: string; control: TranscodeControl },
  onColours: (base64: string) => void,
  signal: AbortSignal,
): Painting {
  const stop = new AbortController();
  const unlisten = job.control.onChange((paused) => paused && stop.abort());
  const directory = path.join(path.dirname(job.output), 'colours');
  const { tools, file, probe } = job;
  const both = AbortSignal.any([signal, stop.signal]);
  const done = filmColours({ tools, file, probe, directory, budgetMs: BUDGET_MS, signal: both })
    .then((colours) => colours && !both.aborted && onColours(colours.toString('base64')))
    .catch(() => undefined);
  return {
    async end() {
      stop.abort();
      unlisten();
      await done;
    },
  };
}

/** When the colours are said: a few times at once, because any message may get lost, then now and then. */
export function isTold(times: number): boolean {
  return times < 3 || times % 20 === 0;
}
