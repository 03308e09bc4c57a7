import { chooseEncoder, type EncoderReport } from '../core/encoder-choice.ts';
import { jobClasses } from '../core/job.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Progress } from '../events.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { createControl, type TranscodeControl } from '../ffmpeg/transcode.ts';
import type { Log } from '../log.ts';
import type { Welcome } from '../mesh/greeter.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import type { Outbox } from '../mesh/outbox.ts';
import { runAttempt } from './attempt.ts';

/**
 * The encoding role. It never talks to PostgreSQL and never writes into a library: it asks the coordinator for work
 * when a slot is free, encodes into its own workspace, and reports. A worker that dies loses one attempt; a worker
 * whose coordinator dies goes on, keeps the result in its outbox and hands it to the next one.
 *
 *   slot free ──claim──▶ granted ──▶ fetching ─▶ encoding ──▶ 'encoded' into the outbox ─▶ slot free
 *                          │ control: pause/resume (SIGSTOP), cancel        │
 *                          └──────────▶ 'failed' · 'cancelled' · 'released' ┘
 *   the output stays in the workspace until the coordinator says 'forget'
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
  findSource: (grant: GrantedJob, signal: AbortSignal) => Promise<string>;
  workspace: {
    outputPath: (attempt: number, extension: string) => Promise<string>;
    /** the output is whole: it may be kept over a restart */
    complete: (attempt: number) => Promise<void>;
    remove: (attempt: number) => Promise<void>;
    list: () => Promise<{ attempt: number; complete: boolean }[]>;
    freeBytes: () => Promise<number>;
  };
  log: Log;
  claimEveryMs?: number;
}

interface Running {
  grant: GrantedJob;
  control: TranscodeControl;
  abort: AbortController;
  latest: Omit<Progress, 'jobId' | 'attemptId' | 'nodeId'>;
  encoder: string | null;
  ended: Promise<void>;
}

const idle: Running['latest'] = {
  phase: 'fetching',
  percent: 0,
  fps: null,
  speed: null,
  leftMs: null,
  outputBytes: null,
  expectedBytes: null,
  paused: false,
};

export function createWorker(parts: WorkerParts): Worker {
  const { mesh, log } = parts;
  const running = new Map<number, Running>();
  let limits: Welcome | null = null;
  let stopping = false;
  let claiming = false;
  let timers: NodeJS.Timeout[] = [];

  mesh.handle('control', (wish) => obey(wish));
  mesh.subscribe('offers', () => wake());

  return {
    async start() {
      for (const left of await parts.workspace.list()) if (!left.complete) await parts.workspace.remove(left.attempt);
      timers = [setInterval(wake, parts.claimEveryMs ?? 5000), setInterval(beat, 1000)];
      timers.forEach((t) => t.unref());
      wake();
    },
    async stop(how) {
      stopping = true;
      if (how === 'cancel')
        for (const run of running.values()) run.abort.abort(new PlainError('The program was stopped.', { reason: { code: 'shut-down' } }));
      await Promise.all([...running.values()].map((run) => run.ended));
      timers.forEach((t) => clearInterval(t));
    },
    welcome(welcome) {
      limits = welcome;
      for (const attempt of welcome.drop) void drop(attempt);
      wake();
    },
    async attempts() {
      return [...new Set([...running.keys(), ...(await parts.workspace.list()).map((w) => w.attempt), ...parts.outbox.waiting()])].slice(
        0,
        200,
      );
    },
    classes,
    slots: () => limits?.slots ?? 1,
    busy: () => running.size,
    wake,
  };

  function classes(): number[] {
    const able = (bits: 8 | 10): boolean => chooseEncoder(parts.encoders(), { encoder: 'auto' }, bits).choice !== null;
    return [jobClasses.remux, ...(able(8) ? [jobClasses.encode8] : []), ...(able(10) ? [jobClasses.encode10] : [])];
  }

  function wake(): void {
    if (claiming || stopping) return;
    claiming = true;
    void claimWhileFree()
      .catch((error: unknown) => log.debug({ why: messageOf(error) }, 'no claim could be made'))
      .finally(() => (claiming = false));
  }

  async function claimWhileFree(): Promise<void> {
    while (!stopping && limits && running.size < limits.slots && parts.encoders().length > 0) {
      const to = parts.coordinator();
      if (!to) return;
      const freeBytes = await parts.workspace.freeBytes();
      const freeSlots = limits.slots - running.size;
      const answer = await mesh.request(
        to,
        'claim',
        { node: mesh.self, session: parts.session, classes: classes(), freeSlots, freeBytes, ahead: false },
        { signal: AbortSignal.timeout(15_000) },
      );
      if (!answer.granted) return;
      begin(answer.granted);
    }
  }

  function begin(grant: GrantedJob): void {
    if (running.has(grant.attempt)) return;
    const run: Running = {
      grant,
      control: createControl(),
      abort: new AbortController(),
      latest: idle,
      encoder: null,
      ended: Promise.resolve(),
    };
    running.set(grant.attempt, run);
    log.info({ job: grant.job, attempt: grant.attempt, file: grant.path }, 'encoding begins');
    run.ended = carryOut(run).finally(() => {
      running.delete(grant.attempt);
      wake();
    });
    if (stopping) run.abort.abort(new PlainError('The program was stopped.', { reason: { code: 'shut-down' } }));
  }

  async function carryOut(run: Running): Promise<void> {
    const report = await runAttempt(
      {
        tools: parts.tools,
        encoders: parts.encoders(),
        findSource: parts.findSource,
        outputPath: parts.workspace.outputPath,
        stallMs: (limits?.stallSeconds ?? 600) * 1000,
        onProgress: (progress) => (run.latest = progress),
        onEncoder: (encoder) => (run.encoder = encoder),
      },
      run.grant,
      run.control,
      run.abort.signal,
    );
    if (report.event === 'encoded') report.output.node = mesh.self;
    log.info({ job: run.grant.job, attempt: run.grant.attempt, event: report.event }, 'encoding ended');
    // without the mark it only has to be encoded again after a restart
    if (report.event === 'encoded')
      await parts.workspace.complete(run.grant.attempt).catch(quiet('an output could not be marked as whole'));
    await parts.outbox.post(report);
    if (report.event !== 'encoded') await parts.workspace.remove(run.grant.attempt).catch(quiet('a workspace could not be removed'));

    function quiet(what: string): (error: unknown) => void {
      return (error) => log.warn({ attempt: run.grant.attempt, why: messageOf(error) }, what);
    }
  }

  /** Once a second: the numbers for the page, and the sign of life that renews the lease, also while paused. */
  function beat(): void {
    for (const { grant, latest, control, encoder } of running.values()) {
      mesh.publish('progress', { node: mesh.self, job: grant.job, attempt: grant.attempt, ...latest, encoder, paused: control.paused });
    }
  }

  async function obey(wish: ProtocolRequest<'control'>): Promise<ProtocolResponse<'control'>> {
    if (wish.want === 'detect') {
      parts.detectAgain();
      return { accepted: true };
    }
    const run = running.get(wish.attempt);
    if (wish.want === 'forget' && !run) await parts.workspace.remove(wish.attempt);
    if (!run) return { accepted: wish.want === 'forget' };
    if (wish.want === 'pause') run.control.pause();
    if (wish.want === 'resume') run.control.resume();
    if (wish.want === 'cancel') run.abort.abort(new PlainError('Cancelled on the page.', { reason: { code: 'cancelled-by-person' } }));
    if (wish.want === 'forget') await drop(wish.attempt);
    return { accepted: true };
  }

  /** The coordinator knows this attempt to be over: whatever we hold of it is of no use. */
  async function drop(attempt: number): Promise<void> {
    const run = running.get(attempt);
    run?.abort.abort(new PlainError('The coordinator gave this attempt up.', { reason: { code: 'lease-lost' } }));
    await run?.ended;
    await parts.workspace
      .remove(attempt)
      .catch((error: unknown) => log.warn({ attempt, why: messageOf(error) }, 'a workspace could not be removed'));
  }
}
