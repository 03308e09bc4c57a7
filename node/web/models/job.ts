import type { AttemptState, JobState, Priority } from '../../core/job.ts';
import { sentence, type Reason } from '../../core/reasons.ts';
import type { Progress } from '../../events.ts';
import { day, duration, time } from '../format.ts';

/** What a job is told from in words; the page, the queue and the API read the same facts. */
export interface JobFacts {
  state: JobState;
  outcome: 'replaced' | 'kept' | 'restored' | null;
  paused: boolean;
  cancelRequested: boolean;
  retryAt: Date | null;
  failures: number;
  maxFailures: number;
  priority: Priority;
  reason: Reason | null;
  nodeName: string | null;
  /** of the current or last attempt */
  attemptState: AttemptState | null;
  /** until when the original waits in the trash; null when it is not there */
  trashUntil: Date | null;
  /** it should be in the trash, and is not there */
  trashGone?: boolean;
  /** what made the new file is not trusted any more, so the original stays: the new file is looked at again, or was found bad */
  doubt?: { bad: boolean; why: Reason | null } | null;
  queuePaused: boolean;
  /** its library is switched off, or only looked at so far */
  libraryRests?: 'off' | 'looking' | null;
  /** what its node said last: a film is fetched and may wait there before it is encoded */
  phase?: Progress['phase'] | null;
  /** pieces of the film are tried until its setting is found */
  searching?: boolean;
  /** its machine holds it back, as it said last: on battery, too hot, outside its hours */
  heldBack?: Reason | null;
}

export interface StateWords {
  /** one or two words of the house's list: Waiting, Running, Checking, Finished, Kept original, Failed, Paused … */
  word: string;
  tone: 'quiet' | 'busy' | 'good' | 'warn' | 'bad';
  /** what happens next, in one or two sentences */
  next: string;
}

/** The state of a job in words and what happens next. */
export function stateWords(job: JobFacts, now: Date): StateWords {
  switch (job.state) {
    case 'available':
      return waiting(job, now);
    case 'running':
      return running(job);
    case 'completed':
      return completed(job, now);
    case 'failed':
      return {
        word: 'Failed',
        tone: 'bad',
        next: `${why(job, 'It failed without saying why.')} ${tried(job)} The original is untouched. “Try again” looks at the file anew.`,
      };
    case 'held':
      return { word: 'Held', tone: 'warn', next: `${why(job, 'It needs a person.')} Nothing happens until you decide.` };
    case 'cancelled':
      return { word: 'Cancelled', tone: 'quiet', next: `${why(job, 'A person stopped it.')} The original is untouched.` };
  }
}

function waiting(job: JobFacts, now: Date): StateWords {
  if (job.libraryRests === 'looking') return { word: 'Only looked at', tone: 'quiet', next: sentence({ code: 'library-looking' }) };
  if (job.libraryRests === 'off') return { word: 'Library off', tone: 'quiet', next: sentence({ code: 'library-disabled' }) };
  if (job.paused) return { word: 'Paused', tone: 'quiet', next: 'It keeps its place and starts after you resume it.' };
  if (job.retryAt && job.retryAt > now) {
    const before = why(job, 'The last try failed.');
    return { word: 'Waiting', tone: 'warn', next: `${before} ${tried(job)} It is tried again at ${soon(job.retryAt, now)}.` };
  }
  if (job.queuePaused) return { word: 'Waiting', tone: 'quiet', next: 'Everything is paused. It starts after you resume.' };
  return { word: 'Waiting', tone: 'quiet', next: 'It starts as soon as it is first in the queue and a machine has a free place.' };
}

/** Why a film that is ready is not exchanged yet. */
const inUse: ReadonlySet<string> = new Set(['playing', 'use-unknown', 'watched-lately', 'in-use']);

function running(job: JobFacts): StateWords {
  const where = job.nodeName ? ` on ${job.nodeName}` : '';
  if (job.cancelRequested)
    return { word: 'Stopping', tone: 'warn', next: `The encode${where} is being stopped. The original is untouched.` };
  if (job.paused) return { word: 'Paused', tone: 'quiet', next: `Stopped in place${where}. It goes on where it was when you resume it.` };
  if (job.heldBack && (job.attemptState === null || job.attemptState === 'running'))
    return { word: 'Paused', tone: 'quiet', next: `${sentence(job.heldBack)} What is encoded so far is kept${where}.` };
  switch (job.attemptState) {
    case 'delivering':
      return {
        word: 'Running',
        tone: 'busy',
        next: `The new file is on its way${where ? ` from${where.slice(3)}` : ''}. Then it is checked.`,
      };
    case 'verifying':
      // checked completely; only its user is waited for
      if (job.reason && inUse.has(job.reason.code))
        return {
          word: 'Waits to replace',
          tone: 'quiet',
          next: `The new file passed every check. ${sentence(job.reason)} Nothing has to be done.`,
        };
      return {
        word: 'Checking',
        tone: 'busy',
        next: 'The whole new file is decoded and compared with the original. Only then is anything replaced.',
      };
    case 'replacing':
      return {
        word: 'Replacing',
        tone: 'busy',
        next: 'The new file passed every check and takes the place of the original, which goes to the trash.',
      };
    default:
      if (job.phase === 'fetching')
        return {
          word: 'Fetching',
          tone: 'busy',
          next: `${job.nodeName ?? 'A machine'} fetches the film over the network, then encodes it. The original stays untouched.`,
        };
      if (job.phase === 'waiting')
        return {
          word: 'Fetched',
          tone: 'quiet',
          next: `The film is on ${job.nodeName ?? 'its machine'} already and waits there for a free slot.`,
        };
      if (job.searching)
        return {
          word: 'Measuring',
          tone: 'busy',
          next: `Short pieces of the film are tried${where} until the setting is found that reaches the goal. Then the whole film is encoded.`,
        };
      return { word: 'Running', tone: 'busy', next: `Encoding${where}. The original stays untouched until the new file has been checked.` };
  }
}

function completed(job: JobFacts, now: Date): StateWords {
  if (job.outcome === 'kept') return { word: 'Kept original', tone: 'quiet', next: why(job, 'The new file was not worth it.') };
  if (job.outcome === 'restored') return { word: 'Restored', tone: 'quiet', next: 'The original was put back in its place.' };
  if (job.doubt) return doubted(job.doubt);
  const trash =
    job.trashUntil && job.trashUntil > now
      ? `The original waits in the trash until ${day(job.trashUntil)} and can be put back until then.`
      : job.trashGone
        ? 'Somebody took the original out of the trash, not CodecShift, so it cannot be put back from here.'
        : 'The original is no longer in the trash.';
  return { word: 'Finished', tone: 'good', next: `Replaced. ${trash}` };
}

function doubted({ bad, why: found }: NonNullable<JobFacts['doubt']>): StateWords {
  if (!bad)
    return {
      word: 'Finished',
      tone: 'good',
      next: 'Replaced. Its encoder made bad files since, so the new file is looked at again; the original stays in the trash until that is done.',
    };
  const what = found ? ` ${sentence(found)}` : '';
  return {
    word: 'New file bad',
    tone: 'bad',
    next: `The new file was looked at again and found bad.${what} The original stays in the trash until you put it back, or keep the new file.`,
  };
}

/** A time today as a time, another day with its day. */
function soon(at: Date, now: Date): string {
  return at.toDateString() === now.toDateString() ? time(at) : `${time(at)} on ${day(at)}`;
}

function why(job: JobFacts, otherwise: string): string {
  return job.reason ? sentence(job.reason) : otherwise;
}

function tried(job: JobFacts): string {
  if (job.failures === 0) return '';
  return `Tried ${job.failures} of ${job.maxFailures} ${job.maxFailures === 1 ? 'time' : 'times'}.`;
}

export type JobAction = 'pause' | 'resume' | 'cancel' | 'retry' | 'top' | 'end' | 'restore' | 'accept';

/** What a person can do with a job now. */
export function jobActions(
  job: Pick<JobFacts, 'state' | 'paused' | 'cancelRequested' | 'outcome' | 'trashUntil' | 'attemptState' | 'doubt' | 'reason'>,
  now: Date,
): JobAction[] {
  switch (job.state) {
    case 'available':
      // a waiting job is not paused: it is moved to the end, or everything is paused
      return job.paused ? ['resume', 'cancel'] : ['top', 'end', 'cancel'];
    case 'running': {
      // once the new file goes into its place the swap is finished or undone, never stopped half-way, as long as there is
      // somebody to do it
      if (job.attemptState === 'replacing') return job.reason?.code === 'swap-removed' ? ['cancel'] : [];
      if (job.cancelRequested) return [];
      const encoding = job.attemptState === 'running' || job.attemptState === null;
      return encoding ? [job.paused ? 'resume' : 'pause', 'cancel'] : ['cancel'];
    }
    case 'held':
      return ['retry', 'cancel'];
    case 'failed':
    case 'cancelled':
      return ['retry'];
    case 'completed':
      if (job.outcome === 'replaced' && job.doubt) return job.doubt.bad ? ['restore', 'accept'] : ['restore'];
      if (job.outcome === 'replaced') return job.trashUntil && job.trashUntil > now ? ['restore'] : [];
      return ['retry'];
  }
}

export interface TimelineStep {
  name: string;
  state: 'done' | 'current' | 'next' | 'stopped';
  at: Date | null;
  /** how long the step took, once it is over */
  took: string | null;
}

export interface TimelineFacts {
  foundAt: Date;
  queuedAt: Date;
  startedAt: Date | null;
  encodedAt: Date | null;
  endedAt: Date | null;
  state: JobState;
  outcome: JobFacts['outcome'];
  attemptState: AttemptState | null;
}

/** Found → Waiting → Encoding → Checking → Replaced, each with its time. */
export function timeline(facts: TimelineFacts): TimelineStep[] {
  const last = facts.outcome === 'kept' ? 'Kept original' : facts.outcome === 'restored' ? 'Restored' : 'Replaced';
  const starts = [facts.foundAt, facts.queuedAt, facts.startedAt, facts.encodedAt, facts.endedAt];
  const names = ['Found', 'Waiting', 'Encoding', 'Checking', last];
  const reached = reachedStep(facts);
  const stopped = ['failed', 'cancelled', 'held'].includes(facts.state);
  return names.map((name, index) => {
    const at = index <= reached || facts.state === 'completed' ? (starts[index] ?? null) : null;
    const next = starts[index + 1] ?? null;
    const state =
      index < reached ? 'done' : index > reached ? 'next' : stopped ? 'stopped' : facts.state === 'completed' ? 'done' : 'current';
    return {
      name,
      state,
      at,
      took:
        state === 'done' && at && next && next.getTime() - at.getTime() >= 1000 && index < 4
          ? duration(next.getTime() - at.getTime())
          : null,
    };
  });
}

function reachedStep(facts: TimelineFacts): number {
  if (facts.state === 'completed') return 4;
  if (facts.state === 'available') return 1;
  if (!facts.startedAt) return 1;
  if (facts.state === 'running') return { running: 2, delivering: 3, verifying: 3, replacing: 4 }[facts.attemptState as string] ?? 2;
  return facts.encodedAt ? 3 : 2;
}

/** The arguments of a command as one line that a shell would read back as the same list; for people to copy, never run by us. */
export function commandLine(program: string, args: readonly string[]): string {
  return [program, ...args].map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`)).join(' ');
}
