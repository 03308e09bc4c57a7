import type { Conduct } from '../core/manners.ts';
import type { Reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import { createControl, type TranscodeControl } from '../ffmpeg/transcode.ts';
import type { GrantedJob } from '../mesh/messages.ts';
import { nothingYet, type Numbers } from './attempt.ts';
import type { Disturbance } from './disturbance.ts';

/**
 * A granted job on this node. It may be here ahead of its time: its film is fetched while every slot is busy, and it has
 * no slot until one becomes free.
 */
export interface Running {
  grant: GrantedJob;
  control: TranscodeControl;
  abort: AbortController;
  latest: Numbers;
  encoder: string | null;
  /** of its film, base64, and how often they were due to be said */
  colours: { strip: string; beats: number } | null;
  /** it has a slot: it may encode, now or as soon as its source is here */
  seated: boolean;
  /** its source is here */
  ready: boolean;
  /** a person paused this one job; it stays paused when the node goes on */
  pausedByPerson: boolean;
  /** why it stands still when no person paused it or its machine */
  heldBack: Reason | null;
  /** since it last went on after a pause, or its machine woke up */
  disturbed: Disturbance | null;
  /** bytes of the source that are still on their way; 0 when nothing is fetched */
  toFetch: number;
  /** resolves once it is seated; rejects when the run is given up */
  slot: Promise<void>;
  sit(): void;
  ended: Promise<void>;
}

export function createRun(grant: GrantedJob): Running {
  const abort = new AbortController();
  const slot = Promise.withResolvers<void>();
  slot.promise.catch(() => {}); // given up before it waited for one
  abort.signal.addEventListener('abort', () => slot.reject(abort.signal.reason as Error), { once: true });
  const run: Running = {
    grant,
    control: createControl(),
    abort,
    latest: nothingYet,
    encoder: null,
    colours: null,
    seated: false,
    ready: false,
    pausedByPerson: false,
    heldBack: null,
    disturbed: null,
    toFetch: 0,
    slot: slot.promise,
    sit() {
      run.seated = true;
      slot.resolve();
    },
    ended: Promise.resolve(),
  };
  return run;
}

/** The run ends at once; its report tells the reason. */
export function giveBack(run: Running, why: string, reason: Reason): void {
  run.abort.abort(new PlainError(why, { reason }));
}

/** Free slots go to those whose source is here, then to those who came first; a paused one does not sit on a slot it can't use. */
export function giveSlots(runs: Iterable<Running>, slots: number): void {
  const all = [...runs];
  const waiting = all.filter((run) => !run.seated && !run.control.paused && !run.abort.signal.aborted);
  const next = [...waiting.filter((run) => run.ready), ...waiting.filter((run) => !run.ready)];
  const free = Math.max(0, slots - all.filter((run) => run.seated).length);
  for (const run of next.slice(0, free)) run.sit();
}

/** Stands still or goes on, as a person and the manners of the machine have it. */
export function applyPauses(runs: Iterable<Running>, { conduct, machinePaused }: { conduct: Conduct; machinePaused: boolean }): void {
  const all = [...runs];
  // with one at once it is the one that began first and that no person paused
  const goesOn = all.find((run) => run.seated && !run.pausedByPerson);
  for (const run of all) {
    const one = conduct.atOnce === 1 && run.seated && run !== goesOn;
    run.heldBack = conduct.does === 'pause' ? conduct.reason : one ? { code: 'one-at-once', params: conduct.reason?.params ?? {} } : null;
    if (run.pausedByPerson || machinePaused || run.heldBack) run.control.pause();
    else goOn(run);
    if (run.pausedByPerson || machinePaused) run.heldBack = null;
  }
}

function goOn(run: Running): void {
  if (!run.control.paused) return;
  run.disturbed = { percent: run.latest.percent, slept: run.disturbed?.slept ?? false };
  run.control.resume();
}
