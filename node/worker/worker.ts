import type { EncoderRef, EncoderReport } from '../core/encoder-choice.ts';
import type { Ticket } from '../core/cluster.ts';
import { isLong } from '../core/manners.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import type { Log } from '../log.ts';
import type { Welcome } from '../mesh/greeter.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import type { Outbox } from '../mesh/outbox.ts';
import { createAllowance } from './allowance.ts';
import { runAttempt } from './attempt.ts';
import { createClaims } from './claims.ts';
import { createDevices } from './devices.ts';
import { excuse } from './disturbance.ts';
import type { Household } from './household.ts';
import { createLending, type Lent } from './lending.ts';
import { createPulse } from './pulse.ts';
import { createRoom } from './room.ts';
import { applyPauses, createRun, giveBack, giveSlots, type Running } from './slots.ts';
import type { Sources } from './source.ts';
import { outputFor, type Spaces } from './spaces.ts';

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
  /** for the data plane: `outputFor` of spaces.ts */
  outputFor(ticket: Ticket): Promise<{ file: string; sizeBytes: number }>;
  /** encoders that work on films now */
  inUse(): EncoderRef[];
  /** a slot for something short beside the queue; null while all are taken, or nothing may begin here */
  lend(): Lent | null;
  /** looks for work now: an offer came, the encoders were tested */
  wake(): void;
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
  workspace: Spaces;
  log: Log;
  claimEveryMs?: number;
  /** a keeper that sends nothing for so long is away */
  patienceMs?: number;
}

export function createWorker(parts: WorkerParts): Worker {
  const { mesh, log } = parts;
  const running = new Map<number, Running>();
  const devices = createDevices(parts.encoders);
  const allowance = createAllowance(parts.household);
  const room = createRoom({
    runs: () => running.values(),
    freeBytes: () => parts.workspace.freeBytes(),
    minFreeBytes: allowance.minFreeBytes,
  });
  const claims = createClaims({ mesh, coordinator: parts.coordinator, wish: whatFits, begin, log });
  const pulse = createPulse({ mesh, runs: () => running.values(), log });
  const lending = createLending({
    devices,
    allowance,
    onReturn() {
      stillOrOn();
      wake();
    },
  });
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;

  mesh.handle('control', (wish) => obey(wish));
  parts.household?.onChange(behave);
  mesh.subscribe('offers', (offer) => {
    if (offer.classes.length === 0 || offer.classes.some((c) => devices.classes().includes(c))) wake();
  });

  return {
    async start() {
      for (const left of await parts.workspace.list()) if (!left.complete) await parts.workspace.remove(left.attempt);
      await parts.household?.start();
      timer = setInterval(wake, parts.claimEveryMs ?? 5000).unref();
      pulse.start();
      wake();
    },
    async stop(how) {
      stopping = true;
      for (const run of running.values())
        if (how === 'cancel' || !run.seated) giveBack(run, 'The program was stopped.', { code: 'shut-down' });
      lending.end(new PlainError('The program was stopped.', { reason: { code: 'shut-down' } }));
      await Promise.all([...running.values()].map((run) => run.ended));
      clearInterval(timer);
      pulse.stop();
      parts.household?.stop();
    },
    welcome(welcome) {
      allowance.hear(welcome);
      for (const attempt of welcome.drop) void drop(attempt);
      behave();
    },
    async attempts() {
      return [...new Set([...running.keys(), ...(await parts.workspace.list()).map((w) => w.attempt), ...parts.outbox.waiting()])].slice(
        0,
        200,
      );
    },
    classes: devices.classes,
    slots: allowance.slots,
    busy: () => seated().length + lending.count(),
    mbps: allowance.mbps,
    outputFor: (ticket) => outputFor(parts.workspace, ticket, (attempt) => running.has(attempt)),
    inUse: devices.inUse,
    lend,
    wake,
  };

  function lend(): Lent | null {
    const isFree = !stopping && allowance.mayTakeOn() && seated().length < slotsNow();
    return isFree ? lending.lend() : null;
  }

  /** What a person wishes and how the machine is, applied to everything that is here. */
  function behave(): void {
    stillOrOn();
    // nothing new begins here for long, and other nodes may be free
    if (allowance.draining() || isLong(allowance.conduct()))
      for (const run of running.values()) if (!run.seated) giveBack(run, 'This machine begins nothing new.', { code: 'waiting-for-node' });
    wake();
  }

  function stillOrOn(): void {
    applyPauses(running.values(), { conduct: allowance.conduct(), machinePaused: allowance.paused() });
    const lent = lending.controls();
    for (const control of lent)
      if (allowance.mayGoOn()) control.resume();
      else control.pause();
    parts.household?.encoding([...seated().map(({ control }) => control), ...lent].some(({ paused }) => !paused));
  }

  /** What is lent is not there for the queue. */
  function slotsNow(): number {
    return Math.max(0, allowance.atOnce() - lending.count());
  }

  /** Free slots go to those that wait for one. */
  function fillSlots(): void {
    if (stopping || !allowance.mayBegin()) return;
    giveSlots(running.values(), slotsNow());
    stillOrOn();
  }

  function seated(): Running[] {
    return [...running.values()].filter((run) => run.seated);
  }

  function wake(): void {
    fillSlots();
    if (!stopping) claims.wake();
  }

  /** What could be done here now; null while nothing may begin. */
  async function whatFits(): Promise<ProtocolRequest<'claim'> | null> {
    if (stopping || !allowance.mayTakeOn() || parts.encoders().length === 0) return null;
    const free = await room.free();
    const freeSlots = Math.max(0, slotsNow() - seated().length);
    const ahead = freeSlots === 0;
    if (ahead && !room.takesOneMore(slotsNow(), free)) return null;
    return { node: mesh.self, session: parts.session, classes: devices.classes(), freeSlots, freeBytes: Math.max(0, free), ahead };
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
        manners: allowance.manners,
        makeRoom: () => room.make(run),
        slot: () => isReady(run),
        stallMs: allowance.stallMs,
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
    if (report.event === 'failed' && report.reason.code === 'no-space') room.wasTooSmall();
    // without the mark it only has to be encoded again after a restart
    if (report.event === 'encoded')
      await parts.workspace.complete(run.grant.attempt).catch(quiet('an output could not be marked as whole'));
    await parts.outbox.post(report);
    if (report.event !== 'encoded') await parts.workspace.remove(run.grant.attempt).catch(quiet('a workspace could not be removed'));

    function quiet(what: string): (error: unknown) => void {
      return (error) => log.warn({ attempt: run.grant.attempt, why: messageOf(error) }, what);
    }
  }

  function isReady(run: Running): Promise<void> {
    run.ready = true;
    run.toFetch = 0;
    wake(); // a slot may be free, and the line is
    return run.slot;
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
}
