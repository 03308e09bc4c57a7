import { sentence, type Reason } from '../../core/reasons.ts';
import type { JobState, Priority } from '../../core/job.ts';
import { jobActions, stateWords, type JobAction, type JobFacts, type StateWords } from './job.ts';
import { codec as codecWord, codecTone, resolution, type Tone } from '../format.ts';

/**
 * The queue is one list seen through seven tabs. Five show jobs; Failed and Skipped show files, because a file that
 * could not even be read never had a job, and a failure that was tried again is no longer one.
 */
export const tabs = [
  { state: 'waiting', label: 'Waiting', of: 'jobs' },
  { state: 'running', label: 'Running', of: 'jobs' },
  { state: 'held', label: 'Held', of: 'jobs' },
  { state: 'failed', label: 'Failed', of: 'files' },
  { state: 'skipped', label: 'Skipped', of: 'files' },
  { state: 'finished', label: 'Finished', of: 'jobs' },
  { state: 'cancelled', label: 'Cancelled', of: 'jobs' },
] as const;
export type Tab = (typeof tabs)[number]['state'];
export const tabStates = tabs.map((tab) => tab.state);

export interface TabLink {
  label: string;
  state: Tab;
  count: number;
  current: boolean;
}

/** The tabs with their numbers from the counters. */
export function tabLinks(current: string, jobs: Record<JobState, number>, files: Record<string, number>): TabLink[] {
  const counts: Record<Tab, number> = {
    waiting: jobs.available,
    running: jobs.running,
    held: jobs.held,
    failed: files['failed'] ?? 0,
    skipped: (files['skipped'] ?? 0) + (files['kept'] ?? 0),
    finished: jobs.completed,
    cancelled: jobs.cancelled,
  };
  return tabs.map((tab) => ({ label: tab.label, state: tab.state, count: Math.max(0, counts[tab.state]), current: tab.state === current }));
}

export interface QueueRow {
  /** null for a file that has no job */
  jobId: number | null;
  fileId: number;
  title: string;
  detail: string;
  path: string;
  library: string;
  tone: Tone;
  format: string;
  sizeBytes: number;
  /** what it became or is expected to become; null when nothing is known */
  newBytes: number | null;
  /** the new size is measured, not guessed */
  measured: boolean;
  priority: Priority | null;
  state: StateWords;
  /** one sentence: why it waits, was skipped, failed or is there at all */
  why: string;
  running: boolean;
  at: Date | null;
  actions: (JobAction | 'exclude' | 'include')[];
}

export interface JobRowFacts extends JobFacts {
  id: number;
  fileId: number;
  title: string;
  detail: string;
  path: string;
  libraryName: string;
  codec: string | null;
  width: number | null;
  height: number | null;
  inputBytes: number;
  expectedBytes: number;
  outputBytes: number | null;
  finishedAt: Date | null;
  planReason: Reason | null;
}

export function jobRow(job: JobRowFacts, now: Date): QueueRow {
  const state = stateWords(job, now);
  const measured = job.outputBytes !== null;
  return {
    jobId: job.id,
    fileId: job.fileId,
    title: job.title || 'Untitled',
    detail: job.detail,
    path: job.path,
    library: job.libraryName,
    tone: codecTone(job.codec),
    format: formatWords(job),
    sizeBytes: job.inputBytes,
    newBytes: job.outputBytes ?? (job.state === 'available' || job.state === 'running' || job.state === 'held' ? job.expectedBytes : null),
    measured,
    priority: job.state === 'available' ? job.priority : null,
    state,
    why: rowSentence(job, state, now),
    running: job.state === 'running',
    at: job.finishedAt,
    actions: jobActions(job, now),
  };
}

/** The row says the exception where there is one, and otherwise why the file is in the queue at all. */
function rowSentence(job: JobRowFacts, state: StateWords, now: Date): string {
  if (job.state === 'available' && (job.paused || (job.retryAt && job.retryAt > now))) return state.next;
  if (job.state === 'available' && job.planReason) return sentence(job.planReason);
  return state.next;
}

export interface FileRowFacts {
  id: number;
  title: string;
  detail: string;
  path: string;
  libraryName: string;
  codec: string | null;
  width: number | null;
  height: number | null;
  sizeBytes: number;
  status: string;
  reason: Reason | null;
  excludedBy: string | null;
  updatedAt: Date;
  /** its last job, when it ever had one: what "Try again" tries */
  jobId: number | null;
}

export function fileRow(file: FileRowFacts): QueueRow {
  const failed = file.status === 'failed';
  return {
    jobId: file.jobId,
    fileId: file.id,
    title: file.title || 'Untitled',
    detail: file.detail,
    path: file.path,
    library: file.libraryName,
    tone: codecTone(file.codec),
    format: formatWords(file),
    sizeBytes: file.sizeBytes,
    newBytes: null,
    measured: false,
    priority: null,
    state: failed
      ? { word: 'Failed', tone: 'bad', next: '' }
      : { word: file.status === 'kept' ? 'Kept original' : 'Skipped', tone: 'quiet', next: '' },
    why: file.reason ? sentence(file.reason) : 'No reason was noted.',
    running: false,
    at: file.updatedAt,
    actions: [...(file.jobId !== null && (failed || file.status === 'kept') ? (['retry'] as const) : []), file.excludedBy === null ? 'exclude' : 'include'],
  };
}

/** "1080p H.264": the size of the picture as people say it, and the codec. */
export function formatWords(file: { codec: string | null; width: number | null; height: number | null }): string {
  return [resolution(file.width, file.height), file.codec ? codecWord(file.codec) : ''].filter(Boolean).join(' ') || 'Unknown';
}

/** What the filter says, in words, for the confirm dialog: "all 311 waiting files in Films that match “metro”". */
export function filterWords(filter: { search: string | null; library: string | null; codec: string | null; priority: string | null }): string {
  const parts: string[] = [];
  if (filter.library) parts.push(`in ${filter.library}`);
  if (filter.codec) parts.push(`in ${codecWord(filter.codec)}`);
  if (filter.priority) parts.push(`with priority ${filter.priority}`);
  if (filter.search) parts.push(`that match “${filter.search}”`);
  return parts.join(', ');
}
