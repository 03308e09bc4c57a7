import { chooseEncoder, type EncoderRef, type EncoderReport } from '../core/encoder-choice.ts';
import { encodeClasses, jobClasses, needsOf, type EncodeNeeds } from '../core/job.ts';
import type { Fingerprint } from '../core/media.ts';
import type { Ticket } from '../core/cluster.ts';
import { defaultManners, mannersOf, type Manners } from '../core/manner-wishes.ts';
import { isLong, unrestrained, type Conduct } from '../core/manners.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { createControl, type TranscodeControl } from '../ffmpeg/transcode.ts';
import type { Log } from '../log.ts';
import type { Welcome } from '../mesh/greeter.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import type { Outbox } from '../mesh/outbox.ts';
import { runAttempt } from './attempt.ts';
import { createDevices, type Devices } from './devices.ts';
import { excuse } from './disturbance.ts';
import type { Household } from './household.ts';
import { applyPauses, createRun, giveBack, giveSlots, requireRoom, roomForOneMore, stillToWrite, type Running } from './slots.ts';
import { isTold } from './painting.ts';
import type { Sources } from './source.ts';

/**
 * The encoding role. It never talks to PostgreSQL and never writes into a library: it asks the coordinator for work
 * when a slot is free, encodes into its own workspace, and reports. A worker that dies loses one attempt; a worker
 * whose coordinator dies goes on, keeps the result in its outbox and hands it to the next one.
 *
 *   slot free ──claim──▶ granted ──▶ fetching ─▶ encoding ──▶ 'encoded' into the outbox ─▶ slot free
 *                          │ control: pause/resume (SIGSTOP), cancel        │
 *                          └──────────▶ 'failed' · 'cancelled' · 'released' ┘
 *   all busy ──claim ahead──▶ granted ──▶ fetching ─▶ waiting ─▶ takes the slot that becomes free
 *
 * A film comes from this node's own mount, else from its keeper over the data plane. The output stays in the workspace,
 * where its keeper fetches it, until the coordinator says 'forget'.
 */
export interface Worker {
  /** removes what an earlier, killed process left half done */
  start(): Promise<void>;
  /** 'cancel' gives running encodes back; 'finish' lets them end first. A later 'cancel' cuts a 'finish' short. */
  stop(how: 'cancel' | 'finish'): Promise<void>;
  welcome(welcome: Welcome): void;
  /** attempts this node runs or holds an output of */
  attempts(): Promise<number[]>;
  classes(): number[];
  slots(): number;
  busy(): number;
  /** most megabits a second that the coordinator wishes this node to move; 0 is no limit */
  mbps(): number;
  /**
   * The finished output that a ticket speaks of, for the data plane.
   * @throws PlainError when it is not here (`delivery-failed`), or not yet (then it may be asked for again)
   */
  outputFor(ticket: Ticket): Promise<{ file: string; sizeBytes: number }>;
  /** encoders that work on films now */
  inUse(): EncoderRef[];
  /** a slot for something short beside the queue; null while all are taken, or nothing may begin here */
  lend(): Lent | null;
  /** looks for work now: an offer came, the encoders were tested */
  wake(): void;
}

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

export interface WorkerParts {
  mesh: Mesh;
  session: string;
  coordinator: () => string | null;
  outbox: Outbox;
  tools: Tools;
  encoders: () => EncoderReport[];
  detectAgain: () => void;
  source: Sources;
  /** how considerate it has to be; without one it always works */
  household?: Household;
  workspace: {
    /** the attempt's own directory, empty */
    create: (attempt: number) => Promise<void>;
    outputPath: (attempt: number, extension: string) => string;
    /** where a fetched source goes; `name` is its path in the library */
    sourcePath: (attempt: number, name: string) => string;
    isCopyOf: (file: string, film: Pick<Fingerprint, 'sizeBytes' | 'hash'>, signal?: AbortSignal) => Promise<boolean>;
    removeSource: (attempt: number, name: string) => Promise<void>;
    /** the output is whole: it may be kept over a restart */
    complete: (attempt: number) => Promise<void>;
    /** the output, once it is whole */
    completed: (attempt: number, extension: string) => Promise<{ file: string; sizeBytes: number } | null>;
    remove: (attempt: number) => Promise<void>;
    list: () => Promise<{ attempt: number; complete: boolean }[]>;
    freeBytes: () => Promise<number>;
  };
  log: Log;
  claimEveryMs?: number;
  /** a keeper that sends nothing for so long is away */
  patienceMs?: number;
}

/** After the room was too small for one film, so long none is claimed ahead. */
const NO_ROOM_MS = 60_000;
/** Beats come every second: after such a gap the machine, or all of this program, stood still. */
const SLEPT_MS = 15_000;

export function createWorker(parts: WorkerParts): Worker {
  const { mesh, log } = parts;
  const running = new Map<number, Running>();
  const lent = new Set<Lent & { abort: AbortController }>();
  const devices = createDevices(parts.encoders);
  let limits: Welcome | null = null;
  let stopping = false;
  let claiming = false;
  let wokenMeanwhile = false;
  let noRoomUntil = 0;
  let beatAt = Date.now();
  let timers: NodeJS.Timeout[] = [];

  mesh.handle('control', (wish) => obey(wish));
  parts.household?.onChange(behave);
  mesh.subscribe('offers', (offer) => {
    if (offer.classes.length === 0 || offer.classes.some((c) => classes().includes(c))) wake();
  });

  return {
    async start() {
      for (const left of await parts.workspace.list()) if (!left.complete) await parts.workspace.remove(left.attempt);
      await parts.household?.start();
      beatAt = Date.now();
      timers = [setInterval(wake, parts.claimEveryMs ?? 5000), setInterval(beat, 1000)];
      timers.forEach((t) => t.unref());
      wake();
    },
    async stop(how) {
      stopping = true;
      for (const run of running.values())
        if (how === 'cancel' || !run.seated) giveBack(run, 'The program was stopped.', { code: 'shut-down' });
      for (const one of lent) one.abort.abort(new PlainError('The program was stopped.', { reason: { code: 'shut-down' } }));
      await Promise.all([...running.values()].map((run) => run.ended));
      timers.forEach((t) => clearInterval(t));
      parts.household?.stop();
    },
    welcome(welcome) {
      limits = welcome;
      parts.household?.wish(mannersOf(welcome.wishes.manners), welcome.wishes.schedule);
      for (const attempt of welcome.drop) void drop(attempt);
      behave();
    },
    async attempts() {
      return [...new Set([...running.keys(), ...(await parts.workspace.list()).map((w) => w.attempt), ...parts.outbox.waiting()])].slice(
        0,
        200,
      );
    },
    classes,
    slots,
    busy: () => seated().length + lent.size,
    mbps: () => limits?.wishes.mbps ?? 0,
    outputFor,
    inUse: devices.inUse,
    lend,
    wake,
  };

  function lend(): Lent | null {
    if (!mayBegin() || !limits || limits.wishes.draining || seated().length >= slotsNow()) return null;
    const abort = new AbortController();
    const one = {
      abort,
      signal: abort.signal,
      control: createControl(),
      devices,
      manners: () => parts.household?.manners() ?? defaultManners,
      stallMs: () => (limits?.stallSeconds ?? 600) * 1000,
      minFreeBytes: limits.minFreeBytes,
      giveBack() {
        lent.delete(one);
        stillOrOn();
        wake();
      },
    };
    lent.add(one);
    return one;
  }

  function classes(): number[] {
    const able = ({ codec, bitDepth, hdr10 }: EncodeNeeds): boolean =>
      chooseEncoder(parts.encoders(), { encoder: 'auto', codec }, bitDepth, { hdr10 }).choice !== null;
    return [jobClasses.remux, ...encodeClasses.filter((one) => able(needsOf(one)!))];
  }

  function slots(): number {
    return limits ? (limits.wishes.slots ?? limits.slots) : 1;
  }

  function conduct(): Conduct {
    return parts.household?.conduct() ?? unrestrained;
  }

  /** What a person wishes and how the machine is, applied to everything that is here. */
  function behave(): void {
    stillOrOn();
    // nothing new begins here for long, and other nodes may be free
    if (limits?.wishes.draining || isLong(conduct()))
      for (const run of running.values()) if (!run.seated) giveBack(run, 'This machine begins nothing new.', { code: 'waiting-for-node' });
    wake();
  }

  function stillOrOn(): void {
    applyPauses(running.values(), { conduct: conduct(), machinePaused: limits?.wishes.paused ?? false });
    for (const { control } of lent)
      if (mayGoOn()) control.resume();
      else control.pause();
    parts.household?.encoding([...seated(), ...lent].some((run) => !run.control.paused));
  }

  function mayBegin(): boolean {
    return !stopping && !limits?.wishes.paused && conduct().does === 'run';
  }

  function mayGoOn(): boolean {
    return !limits?.wishes.paused && conduct().does !== 'pause';
  }

  /** What is lent is not there for the queue. */
  function slotsNow(): number {
    return Math.max(0, Math.min(slots(), conduct().atOnce ?? Infinity) - lent.size);
  }

  /** Free slots go to those that wait for one. */
  function fillSlots(): void {
    if (!mayBegin()) return;
    giveSlots(running.values(), slotsNow());
    stillOrOn();
  }

  function seated(): Running[] {
    return [...running.values()].filter((run) => run.seated);
  }

  function wake(): void {
    fillSlots();
    wokenMeanwhile = claiming;
    if (claiming || stopping) return;
    claiming = true;
    void claimWhileFree()
      .catch((error: unknown) => log.debug({ why: messageOf(error) }, 'no claim could be made'))
      .finally(() => {
        claiming = false;
        // what woke us came after the last question was asked
        if (wokenMeanwhile) wake();
      });
  }

  async function claimWhileFree(): Promise<void> {
    while (limits && mayBegin() && !limits.wishes.draining && parts.encoders().length > 0) {
      wokenMeanwhile = false;
      const to = parts.coordinator();
      const free = await parts.workspace.freeBytes();
      const freeSlots = Math.max(0, slotsNow() - seated().length);
      const ahead = freeSlots === 0;
      if (!to || (ahead && !mayFetchAhead(free))) return;
      const freeBytes = Math.max(0, free - stillToWrite(running.values()));
      const wish = { node: mesh.self, session: parts.session, classes: classes(), freeSlots, freeBytes, ahead };
      const answer = await mesh.request(to, 'claim', wish, { signal: AbortSignal.timeout(15_000) });
      if (!answer.granted) return;
      begin(answer.granted);
    }
  }

  /** One film at a time travels ahead, so that none waits on the line behind another that is needed later. */
  function mayFetchAhead(freeBytes: number): boolean {
    const runs = [...running.values()];
    const ahead = runs.filter((run) => !run.seated).length;
    if (ahead >= slotsNow() || runs.some((run) => !run.ready) || performance.now() < noRoomUntil) return false;
    return roomForOneMore(runs, freeBytes, limits?.minFreeBytes ?? 0);
  }

  function begin(grant: GrantedJob): void {
    // the answer came twice; what is finished and only not acknowledged yet would be overwritten by another run of it
    if (running.has(grant.attempt) || parts.outbox.waiting().includes(grant.attempt)) return;
    const run = createRun(grant);
    running.set(grant.attempt, run);
    stillOrOn();
    fillSlots();
    log.info({ job: grant.job, attempt: grant.attempt, file: grant.path, ahead: !run.seated }, 'a job begins');
    run.ended = carryOut(run).finally(() => {
      running.delete(grant.attempt);
      stillOrOn();
      wake();
    });
    if (stopping) giveBack(run, 'The program was stopped.', { code: 'shut-down' });
  }

  async function carryOut(run: Running): Promise<void> {
    const ended = await runAttempt(
      {
        node: mesh.self,
        tools: parts.tools,
        devices,
        sources: parts.source,
        workspace: parts.workspace,
        patienceMs: parts.patienceMs,
        manners: () => parts.household?.manners() ?? defaultManners,
        makeRoom: () => makeRoom(run),
        slot: () => isReady(run),
        stallMs: () => (limits?.stallSeconds ?? 600) * 1000,
        onProgress: (progress) => (run.latest = progress),
        onFetched: (bytes) => (run.toFetch = Math.max(0, run.grant.fingerprint.sizeBytes - bytes)),
        onEncoder: (encoder) => (run.encoder = encoder),
        onColours: (strip) => (run.colours = { strip, beats: 0 }),
      },
      run.grant,
      run.control,
      run.abort.signal,
    );
    const hardware = parts.encoders().some((encoder) => encoder.name === run.encoder && encoder.hardware);
    const report = excuse(ended, { disturbed: run.disturbed, percent: run.latest.percent, hardware });
    log.info({ job: run.grant.job, attempt: run.grant.attempt, event: report.event }, 'a job ended');
    // a broken one shall not be given the next film
    if (report.event === 'failed' && report.reason.code === 'encoder-failed') parts.detectAgain();
    if (report.event === 'failed' && report.reason.code === 'no-space') noRoomUntil = performance.now() + NO_ROOM_MS;
    // without the mark it only has to be encoded again after a restart
    if (report.event === 'encoded')
      await parts.workspace.complete(run.grant.attempt).catch(quiet('an output could not be marked as whole'));
    await parts.outbox.post(report);
    if (report.event !== 'encoded') await parts.workspace.remove(run.grant.attempt).catch(quiet('a workspace could not be removed'));

    function quiet(what: string): (error: unknown) => void {
      return (error) => log.warn({ attempt: run.grant.attempt, why: messageOf(error) }, what);
    }
  }

  async function makeRoom(run: Running): Promise<void> {
    run.toFetch = run.grant.fingerprint.sizeBytes;
    requireRoom(running.values(), await parts.workspace.freeBytes(), limits?.minFreeBytes ?? 0);
  }

  function isReady(run: Running): Promise<void> {
    run.ready = true;
    run.toFetch = 0;
    wake(); // a slot may be free, and the line is
    return run.slot;
  }

  /** Once a second: the numbers for the page, and the sign of life that renews the lease, also while paused or waiting. */
  function beat(): void {
    noticeSleep();
    for (const { grant, latest, control, encoder, heldBack: why, colours } of running.values()) {
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
    for (const run of running.values()) run.disturbed = { percent: run.latest.percent, slept: true };
  }

  async function obey(wish: ProtocolRequest<'control'>): Promise<ProtocolResponse<'control'>> {
    if (wish.want === 'detect') {
      parts.detectAgain();
      return { accepted: true };
    }
    const run = running.get(wish.attempt);
    if (wish.want === 'forget' && !run) await parts.workspace.remove(wish.attempt);
    if (!run) return { accepted: wish.want === 'forget' };
    if (wish.want === 'cancel') giveBack(run, 'Cancelled on the page.', { code: 'cancelled-by-person' });
    if (wish.want === 'forget') await drop(wish.attempt);
    if (wish.want === 'pause' || wish.want === 'resume') {
      run.pausedByPerson = wish.want === 'pause';
      stillOrOn();
      wake();
    }
    return { accepted: true };
  }

  /** The coordinator knows this attempt to be over: whatever we hold of it is of no use. */
  async function drop(attempt: number): Promise<void> {
    const run = running.get(attempt);
    if (run) giveBack(run, 'The coordinator gave this attempt up.', { code: 'lease-lost' });
    await run?.ended;
    await parts.workspace
      .remove(attempt)
      .catch((error: unknown) => log.warn({ attempt, why: messageOf(error) }, 'a workspace could not be removed'));
  }

  async function outputFor(ticket: Ticket): Promise<{ file: string; sizeBytes: number }> {
    if (ticket.what !== 'output') throw new PlainError('This ticket is not for an output.', { reason: { code: 'delivery-failed' } });
    const found = await parts.workspace.completed(ticket.attempt, ticket.extension);
    if (found?.sizeBytes === ticket.sizeBytes) return found;
    throw new PlainError(`The output of attempt ${ticket.attempt} is not on this machine.`, {
      reason: { code: 'delivery-failed', params: { message: 'its worker does not have it any more' } },
      retry: !found && running.has(ticket.attempt),
    });
  }
}
