import type { QueueFilter } from '../core/commands.ts';
import { priorities } from '../core/job.ts';
import type { Queryable } from '../db/connect.ts';
import { listCancelled, listFailed, listFinished, listHeld, listHistory, listWaiting, runningJobs, type JobRow } from '../db/job-lists.ts';
import type { Page, PageWish } from '../db/page.ts';

/** The lists of jobs by the names that the pages and the API have for them. */
export const jobListNames = [
  'waiting',
  'running',
  'held',
  'failed',
  'finished',
  'replaced',
  'kept',
  'restored',
  'cancelled',
  'history',
] as const;
export type JobListName = (typeof jobListNames)[number];

export async function listJobs(q: Queryable, name: JobListName, filter: QueueFilter, wish: PageWish): Promise<Page<JobRow>> {
  switch (name) {
    case 'waiting':
      return listWaiting(q, filter, wish);
    case 'running':
      return { rows: (await runningJobs(q)).filter((job) => fits(job, filter)), before: null, after: null };
    case 'held':
      return listHeld(q, filter, wish);
    case 'failed':
      return listFailed(q, filter, wish);
    case 'finished':
      return listFinished(q, filter, wish);
    case 'replaced':
    case 'kept':
    case 'restored':
      return listFinished(q, filter, wish, name);
    case 'cancelled':
      return listCancelled(q, filter, wish);
    case 'history':
      return listHistory(q, filter, wish);
  }
}

/** What runs is few and read whole, so its filter is here. */
function fits(job: JobRow, filter: QueueFilter): boolean {
  if (filter.libraryId !== null && job.libraryId !== filter.libraryId) return false;
  if (filter.codec !== null && job.codec !== filter.codec) return false;
  if (filter.priority !== null && priorities[job.priority] !== filter.priority) return false;
  const words = filter.search?.toLowerCase().split(/\s+/) ?? [];
  const text = `${job.title} ${job.detail} ${job.path}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
