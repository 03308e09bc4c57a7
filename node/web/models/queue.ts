import { sentence, type Reason } from '../../core/reasons.ts';
import { priorities, type JobState, type Priority } from '../../core/job.ts';
import { url } from '../routes.ts';
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
  menu: MenuItem[];
}

/** One entry of a row's menu: a button that posts to `href`, or a link. */
export interface MenuItem {
  label: string;
  icon: string;
  href: string;
  post: boolean;
  /** asked before, or '' */
  confirm: string;
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
    tone: codecTone(sourceCodec(job)),
    format: formatWords({ ...job, codec: sourceCodec(job) }),
    sizeBytes: job.inputBytes,
    newBytes: job.outputBytes ?? (job.state === 'available' || job.state === 'running' || job.state === 'held' ? job.expectedBytes : null),
    measured,
    priority: job.state === 'available' ? job.priority : null,
    state,
    why: rowSentence(job, state, now),
    running: job.state === 'running',
    at: job.finishedAt,
    menu: [...jobActions(job, now).flatMap((action) => jobMenu(action, job)), aboutFile(job.fileId)],
  };
}

/** The row says the exception where there is one, and otherwise why the file is in the queue at all. */
function rowSentence(job: JobRowFacts, state: StateWords, now: Date): string {
  if (job.state === 'available' && (job.libraryRests || job.paused || (job.retryAt && job.retryAt > now))) return state.next;
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
    menu: [
      ...(file.jobId !== null && (failed || file.status === 'kept')
        ? [post('Try again', 'rotate-ccw', url.jobAction(file.jobId, 'retry'))]
        : []),
      file.excludedBy === null
        ? post('Leave alone', 'ban', `${url.file(file.id)}/exclude`)
        : post('Allow again', 'check', `${url.file(file.id)}/include`),
      aboutFile(file.id),
    ],
  };
}

function jobMenu(action: JobAction, job: JobRowFacts): MenuItem[] {
  const href = url.jobAction(job.id, action);
  switch (action) {
    case 'top':
      return [post('To the top', 'arrow-up', href)];
    case 'end':
      return [
        post('To the end', 'arrow-down', href),
        ...priorities
          .filter((p) => p !== job.priority)
          .map((p) => post(`${p[0]!.toUpperCase()}${p.slice(1)} priority`, 'flag', `${url.job(job.id)}/priority/${p}`)),
      ];
    case 'pause':
      return [post('Pause', 'pause', href)];
    case 'resume':
      return [post('Resume', 'play', href)];
    case 'retry':
      return [post('Try again', 'rotate-ccw', href)];
    case 'cancel':
      return job.state === 'running'
        ? [post('Stop', 'x', href, `Stop encoding “${job.title}”? What is done so far is lost; the original is untouched.`)]
        : [post('Cancel', 'x', href, `Take “${job.title}” out of the queue? The file stays as it is.`)];
    case 'accept':
      return [];
    case 'restore':
      return [{ label: 'Undo…', icon: 'undo-2', href: url.job(job.id), post: false, confirm: '' }];
  }
}

function post(label: string, icon: string, href: string, confirm = ''): MenuItem {
  return { label, icon, href, post: true, confirm };
}

function aboutFile(fileId: number): MenuItem {
  return { label: 'About this file', icon: 'info', href: url.file(fileId), post: false, confirm: '' };
}

/** What the file was before: after a replacement its own row describes the new file, and the plan's reason still names the old codec. */
export function sourceCodec(job: { codec: string | null; outcome: string | null; planReason: Reason | null }): string | null {
  const planned = job.planReason?.params?.['codec'];
  return typeof planned === 'string' && planned ? planned : job.codec;
}

/** "1080p H.264": the size of the picture as people say it, and the codec. */
export function formatWords(file: { codec: string | null; width: number | null; height: number | null }): string {
  return [resolution(file.width, file.height), file.codec ? codecWord(file.codec) : ''].filter(Boolean).join(' ') || 'Unknown';
}

/** What the filter says, in words, for the confirm dialog: "all 311 waiting files in Films that match “metro”". */
export function filterWords(filter: {
  search: string | null;
  library: string | null;
  codec: string | null;
  priority: string | null;
}): string {
  const parts: string[] = [];
  if (filter.library) parts.push(`in ${filter.library}`);
  if (filter.codec) parts.push(`in ${codecWord(filter.codec)}`);
  if (filter.priority) parts.push(`with priority ${filter.priority}`);
  if (filter.search) parts.push(`that match “${filter.search}”`);
  return parts.join(', ');
}
