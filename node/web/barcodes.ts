import type { Queryable } from '../db/connect.ts';
import { paintedAttempts } from '../db/pictures.ts';
import type { Events } from '../events.ts';
import { url } from './routes.ts';

/**
 * Which running jobs have their film's colours, so that the bars which are drawn anew every second need not ask. A job that
 * is tried again keeps the strip of the try before: it is the same film.
 */
export interface Barcodes {
  /** learns of jobs that a page is about to show */
  learn(jobs: readonly { id: number; attemptId: number | null }[]): Promise<void>;
  /** the address of the strip; null: none is known */
  of(jobId: number): string | null;
  stop(): void;
}

const MAX_KNOWN = 2000;

export function createBarcodes(db: Queryable, events: Events): Barcodes {
  const known = new Map<number, number>();
  const off = events.on('job.coloured', ({ jobId, attemptId }) => note(jobId, attemptId));
  return {
    async learn(jobs) {
      const asked = jobs.filter(({ id, attemptId }) => attemptId !== null && known.get(id) !== attemptId);
      if (asked.length === 0) return;
      const painted = new Set(
        await paintedAttempts(
          db,
          asked.map(({ attemptId }) => attemptId!),
        ),
      );
      for (const { id, attemptId } of asked) if (painted.has(attemptId!)) note(id, attemptId!);
    },
    of(jobId) {
      const attemptId = known.get(jobId);
      return attemptId === undefined ? null : url.barcode(jobId, attemptId);
    },
    stop: off,
  };

  function note(jobId: number, attemptId: number): void {
    known.delete(jobId);
    known.set(jobId, attemptId);
    const oldest = known.keys().next().value;
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
  }
}
