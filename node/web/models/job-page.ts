import { sentence, reasonEntry } from '../../core/reasons.ts';
import type { Check } from '../../core/check.ts';
import type { Probe } from '../../core/media.ts';
import { priorities } from '../../core/job.ts';
import type { Activity } from '../../db/activity.ts';
import type { Attempt } from '../../db/attempts.ts';
import type { JobDetail } from '../../db/job-lists.ts';
import type { Original } from '../../db/originals.ts';
import type { PicturesOfJob } from '../../db/pictures.ts';
import type { SourceMessage } from '../../db/source-messages.ts';
import type { Progress } from '../../events.ts';
import { day, savingPercent, size, sizeParts } from '../format.ts';
import { url } from '../routes.ts';
import { activityLine, type ActivityLine } from './activity.ts';
import { jobActions, stateWords, timeline, type JobAction, type JobFacts, type StateWords, type TimelineStep } from './job.ts';
import { attemptLine, commandOf, lastLines, type AttemptLine } from './job-attempts.ts';
import { factsOfJob, type Fact } from './job-facts.ts';
import type { WhereLine } from './job-where.ts';
import { liveNumbers, type LiveNumbers } from './queue-page.ts';
import { messageLine, type MessageLine } from './source-messages.ts';
import { framesView, type FramesView } from './frames.ts';
import { streamRows, type StreamRow } from './streams.ts';

export interface ActionView {
  name: JobAction;
  label: string;
  icon: string;
  strong: boolean;
  confirm: string | null;
  /** the original to put back */
  original: number | null;
}

export interface JobPage {
  id: number;
  fileId: number;
  libraryId: number;
  title: string;
  detail: string;
  library: string;
  now: Date;
  state: StateWords;
  /** the one large number: what was or will be won */
  figure: { value: string; unit: string; label: string };
  running: boolean;
  progress: LiveNumbers | null;
  actions: ActionView[];
  steps: TimelineStep[];
  facts: Fact[];
  whyTitle: string;
  why: string;
  whyLink: { href: string; label: string } | null;
  streams: StreamRow[];
  streamNote: string;
  planned: boolean;
  finished: boolean;
  frames: FramesView | null;
  checks: CheckLine[];
  checkNote: string;
  attempt: { command: string | null; stderr: string | null } | null;
  attempts: AttemptLine[];
  activity: ActivityLine[];
  /** what media servers were told of its new file */
  messages: MessageLine[];
  where: WhereLine[];
}

export interface CheckLine extends Omit<Check, 'name'> {
  name: string;
}
export interface ChecksView {
  checks: CheckLine[];
}
export interface StreamsView {
  streams: StreamRow[];
  planned: boolean;
  finished: boolean;
}

export interface JobPageFacts {
  job: JobDetail;
  original: Original | null;
  activity: readonly Activity[];
  messages: readonly SourceMessage[];
  progress: Progress | null;
  nodeNames: ReadonlyMap<string, string>;
  queuePaused: boolean;
  where: WhereLine[];
  /** of its last attempt that has any */
  pictures: PicturesOfJob | null;
  /** address of the film's colours */
  strip: string | null;
  now: Date;
}

export function jobPage(facts: JobPageFacts): JobPage {
  const { job, now, original } = facts;
  const last = job.attempts[0] ?? null;
  const trashUntil = original?.state === 'kept' ? original.expiresAt : null;
  const words = {
    ...job,
    priority: priorities[job.priority] ?? 'normal',
    trashUntil,
    trashGone: original?.state === 'gone',
    doubt: doubtOf(original),
    queuePaused: facts.queuePaused,
    phase: facts.progress?.phase ?? null,
    searching: facts.progress?.searching === true,
    heldBack: facts.progress?.paused ? (facts.progress.why ?? null) : null,
  } as const;
  const verdictOf = job.attempts.find((a) => a.verdict !== null)?.verdict ?? null;
  const after = job.attempts.find((a) => a.outputProbe !== null)?.outputProbe ?? null;
  // after the swap the file's own probe is that of the new file; the original's was kept with the attempt
  const before = job.outcome === 'replaced' || job.outcome === 'restored' ? originalProbe(job.attempts) : job.file.probe;
  return {
    id: job.id,
    fileId: job.fileId,
    libraryId: job.libraryId,
    title: job.title || 'Untitled',
    detail: job.detail,
    library: job.libraryName,
    now,
    state: stateWords(words, now),
    figure: figureOf(job),
    running: job.state === 'running',
    progress: facts.progress && job.state === 'running' ? liveNumbers(facts.progress, facts.strip) : null,
    actions: jobActions(words, now).map((name) => actionView(name, job, original)),
    steps: timeline({
      foundAt: job.file.createdAt,
      queuedAt: job.createdAt,
      startedAt: last?.startedAt ?? job.startedAt,
      encodedAt: last?.encodedAt ?? null,
      endedAt: job.finishedAt,
      state: job.state,
      outcome: job.outcome,
      attemptState: last?.state ?? null,
    }),
    facts: factsOfJob(job, last, original, facts.nodeNames, now),
    whyTitle: whyTitle(job),
    ...whyOf(job),
    streams: before ? streamRows(before, Array.isArray(job.plan.streams) ? job.plan : null, after) : streamRows(after, null, null),
    streamNote: !before && after ? 'of the new file' : after ? 'and what became of it' : 'and what will become of it',
    frames: framesView({
      jobId: job.id,
      pictures: facts.pictures,
      nodeName: facts.pictures?.nodeId ? (facts.nodeNames.get(facts.pictures.nodeId) ?? null) : null,
      strip: facts.strip,
      probe: before,
      replaced: job.outcome === 'replaced' || job.outcome === 'restored',
    }),
    planned: before !== null,
    finished: before !== null && after !== null,
    checks: (verdictOf?.checks ?? []).map((check) => ({ ...check, name: checkWords[check.name] ?? check.name })),
    checkNote:
      verdictOf === null ? '' : verdictOf.accepted ? 'all held' : `${verdictOf.checks.filter((c) => !c.passed).length} did not hold`,
    attempt: last && { command: commandOf(last), stderr: last.stderrTail?.trim() ? lastLines(last.stderrTail, 200) : null },
    attempts: job.attempts.map((a) => attemptLine(a, job.attempts, facts.nodeNames)),
    activity: facts.activity.map((event) => activityLine(event, false)),
    messages: facts.messages.map((m) => messageLine(m, now)),
    where: facts.where,
  };
}

function doubtOf(original: Original | null): Exclude<JobFacts['doubt'], undefined> {
  if (original?.state !== 'kept' || original.recheck === null || original.recheck === 'good') return null;
  return { bad: original.recheck === 'bad', why: original.recheckNote };
}

function originalProbe(attempts: readonly Attempt[]): Probe | null {
  const kept = attempts.find((a) => a.stats?.['originalProbe'])?.stats['originalProbe'] as Probe | undefined;
  return kept && Array.isArray(kept.streams) ? kept : null;
}

function figureOf(job: JobDetail): JobPage['figure'] {
  if (job.outputBytes !== null && job.outcome === 'replaced') {
    const won = job.inputBytes - job.outputBytes;
    return {
      ...signed(won),
      label: `${savingPercent(job.inputBytes, job.outputBytes)}, from ${size(job.inputBytes)} to ${size(job.outputBytes)}`,
    };
  }
  if (job.state === 'available' || job.state === 'running' || job.state === 'held') {
    return {
      ...signed(job.inputBytes - job.expectedBytes),
      label: `expected: ${size(job.inputBytes)} to about ${size(job.expectedBytes)}`,
    };
  }
  return { ...sizeParts(job.inputBytes), label: 'unchanged' };
}

function signed(won: number): { value: string; unit: string } {
  const parts = sizeParts(Math.abs(won));
  return { value: `${won >= 0 ? '−' : '+'}${parts.value}`, unit: parts.unit };
}

function actionView(name: JobAction, job: JobDetail, original: Original | null): ActionView {
  const running = job.state === 'running';
  const views: Record<JobAction, Omit<ActionView, 'name' | 'original'>> = {
    pause: { label: 'Pause', icon: 'pause', strong: false, confirm: null },
    resume: { label: 'Resume', icon: 'play', strong: true, confirm: null },
    top: { label: 'To the top', icon: 'arrow-up', strong: false, confirm: null },
    end: { label: 'To the end', icon: 'arrow-down', strong: false, confirm: null },
    cancel: {
      label: running ? 'Stop' : 'Take out of the queue',
      icon: 'x',
      strong: false,
      confirm: running
        ? 'Stop this encode? What is done so far is lost; the original is untouched.'
        : 'Take this file out of the queue? It stays as it is.',
    },
    retry: { label: 'Try again', icon: 'rotate-ccw', strong: true, confirm: null },
    restore: {
      label: doubtOf(original) ? 'Put the original back' : `Undo (until ${original ? day(original.expiresAt) : ''})`,
      icon: 'undo-2',
      strong: doubtOf(original)?.bad === true,
      confirm: 'Put the original back? The new file goes to the trash in its place.',
    },
    accept: {
      label: 'Keep the new file',
      icon: 'check',
      strong: false,
      confirm: 'Keep the new file although it was found bad? Its original is deleted when its time in the trash is over.',
    },
  };
  return { name, ...views[name], original: name === 'restore' || name === 'accept' ? (original?.id ?? null) : null };
}

function whyTitle(job: JobDetail): string {
  if (job.outcome === 'kept') return 'Why was the original kept?';
  if (job.state === 'completed') return 'Why was this converted?';
  return job.finishedAt ? 'Why was this in the queue?' : 'Why is this in the queue?';
}

/** Why the file was chosen, with the wish that decides it as a link. */
function whyOf(job: JobDetail): Pick<JobPage, 'why' | 'whyLink'> {
  const reason = job.outcome === 'kept' && job.reason ? job.reason : job.planReason;
  if (!reason) return { why: 'No reason was noted.', whyLink: null };
  const entry = reasonEntry(reason.code);
  const link = entry.profile
    ? { href: `${url.library(job.libraryId)}/rules#f-${entry.profile}`, label: `Rules of ${job.libraryName}` }
    : entry.setting
      ? { href: url.settings(entry.setting), label: 'The setting that decides this' }
      : null;
  return { why: sentence(reason), whyLink: link };
}

const checkWords: Record<string, string> = {
  container: 'Container',
  video: 'Video',
  audio: 'Audio',
  subtitles: 'Subtitles',
  attachments: 'Attachments',
  chapters: 'Chapters',
  tags: 'Tags',
  duration: 'Length',
  frames: 'Frames',
  decode: 'Plays without errors',
  pictures: 'The same pictures',
  'second-look': 'Second look',
  size: 'Smaller by enough',
  colour: 'Colour and HDR',
  start: 'Start times',
  geometry: 'Picture size and rotation',
};
