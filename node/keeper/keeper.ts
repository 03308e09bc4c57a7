import type { WorkPlan } from '../core/plan.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Fault } from '../files/durable.ts';
import { listIncoming, removeIncoming } from '../files/incoming.ts';
import type { Pictures } from '../files/pictures.ts';
import type { Root } from '../files/roots.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import type { Outbox, Report } from '../mesh/outbox.ts';
import { createInspector } from './inspect.ts';
import { deliveriesOf, dropDelivery, letExpire, putBack, replace, throwAway, type ReplaceParts } from './replace.ts';
import { arrive, arrivedAt, type FetchOutput } from './arrive.ts';
import { createLanes, createLines, type Lane } from './lanes.ts';
import { tellProgress, type Told } from './progress.ts';
import { recheck } from './recheck.ts';
import { answerPictures, takePictures } from './pictures.ts';
import { rootTrouble, type KeeperRoots } from './roots.ts';
import { createSettling } from './settle.ts';
import { failureOf, limitTime, verify, type VerifyGrant } from './verify.ts';

/**
 * The only role that touches originals: lists and probes files, takes outputs to their side, judges them, swaps, keeps
 * the trash, restores. It acts on grants of the current term and on nothing else, and only in roots of its own.
 *
 *   inspect ─▶ answers at once
 *   grant   ─▶ accepted at once, worked on in the background, one check at a time, and one swap on each disk
 *                (an output of another node is fetched first, while others are checked; one at a time from each node)
 *                verify ─▶ 'verified' | 'not-verified'      replace ─▶ 'replaced' | 'not-replaced'
 *                restore, put-back ─▶ 'restored' | 'not-restored'   expire ─▶ 'expired'      discard ─▶ (nothing to tell)
 *                recheck ─▶ 'rechecked' | 'not-rechecked': anything else asked for the same attempt ends it
 *
 * A grant that comes twice joins the work that runs already. At the start every root is recovered before anything else.
 */
export interface Keeper {
  /** recovers every mounted root */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** attempts whose output waits beside its original, or arrives, on a disk of this node */
  attempts(): Promise<number[]>;
  /** the coordinator knows these to be over: their waiting outputs go */
  drop(attempts: number[]): Promise<void>;
  /** the roots of the cluster: those that this node does not have are looked for on its disks */
  seek(wanted: readonly string[]): Promise<void>;
}

export interface KeeperParts {
  mesh: Mesh;
  roots: KeeperRoots;
  tools: Tools;
  outbox: Outbox;
  /** absolute path of an output that this node made itself */
  outputOf: (node: string, attempt: number, extension: string) => Promise<string>;
  /** brings an output here that another node made */
  fetch: FetchOutput;
  /** a worker that sends nothing for so long is away */
  patienceMs?: number;
  onAdopted: () => Promise<void>;
  /** where frames to compare are kept; without it none are taken */
  pictures?: Pictures;
  log: Log;
  fault?: Fault;
}

type Grant = ProtocolRequest<'grant'>;

interface Work extends Told {
  abort: AbortController;
  ended: Promise<void>;
}

/** how much of a delivery's bar is the way through the network */
const FETCH_SHARE = 0.9;

export function createKeeper(parts: KeeperParts): Keeper {
  const { mesh, log, roots, tools } = parts;
  const swaps: ReplaceParts = { node: mesh.self, roots, ...(parts.fault ? { fault: parts.fault } : {}) };
  const inspector = createInspector({ roots, tools, onAdopted: parts.onAdopted, busy: () => new Set(working.keys()) });
  const working = new Map<number, Work>();
  const lanes = createLanes();
  const inLine = createLines();
  const patience = parts.patienceMs === undefined ? {} : { patienceMs: parts.patienceMs };
  const ending = new AbortController();
  const settling = createSettling({ swaps, outbox: parts.outbox, isWorking: (attempt) => working.has(attempt), log });
  let arrivals: NodeJS.Timeout | undefined;
  let highestTerm = 0;
  let stopped = false;
  let beat: NodeJS.Timeout | undefined;

  mesh.handle('inspect', (ask) => inspector.answer(ask));
  mesh.handle('grant', (grant) => take(grant));
  const { pictures } = parts;
  if (pictures) mesh.handle('pictures', (ask) => answerPictures(pictures, ask));

  return {
    async start() {
      await settling.now();
      arrivals = setInterval(() => void settling.now(), 20_000);
      arrivals.unref();
      beat = setInterval(() => tellProgress(mesh, working.values()), 1000);
      beat.unref();
    },
    async stop() {
      stopped = true;
      clearInterval(beat);
      clearInterval(arrivals);
      ending.abort();
      inspector.stop();
      for (const work of working.values())
        work.abort.abort(new PlainError('The program was stopped.', { reason: { code: 'shut-down' }, retry: true }));
      await Promise.all([...working.values()].map((work) => work.ended));
      await lanes.idle();
    },
    async attempts() {
      const found = await Promise.all(
        (await settling.mounted()).flatMap((root) => [deliveriesOf(swaps, root), listIncoming({ root, node: mesh.self })]),
      );
      return [...new Set([...working.keys(), ...found.flat()])];
    },
    async drop(attempts) {
      for (const root of await settling.mounted())
        for (const attempt of attempts) {
          if (working.has(attempt)) continue;
          await dropDelivery(swaps, root, attempt);
          await removeIncoming({ root, node: mesh.self }, attempt);
        }
    },
    async seek(wanted) {
      const found = await roots.seek(wanted, ending.signal);
      if (found.length === 0 || stopped) return;
      await settling.now();
      await parts.onAdopted();
    },
  };

  async function take(grant: Grant): Promise<ProtocolResponse<'grant'>> {
    const refused = refusal(grant);
    if (refused) return refused;
    highestTerm = grant.term;
    await settling.of(grant.root);
    if (grant.op === 'discard') return refusal(grant) ?? giveUp(grant);
    const looking = working.get(grant.attempt);
    if (looking?.grant.op === 'recheck' && grant.op !== 'recheck') await stopLooking(looking);
    // while it waited this node may have begun to stop, or heard of a newer coordinator
    const late = refusal(grant);
    if (late) return late;
    const running = working.get(grant.attempt);
    if (running)
      return { accepted: running.grant.op === grant.op, why: running.grant.op === grant.op ? null : `busy with ${running.grant.op}` };
    begin(grant);
    return { accepted: true, why: null };
  }

  function refusal({ term }: Grant): ProtocolResponse<'grant'> | null {
    if (stopped) return { accepted: false, why: 'this node is stopping' };
    if (term < highestTerm) return { accepted: false, why: `term ${term} is over, ${highestTerm} is known here` };
    return null;
  }

  async function giveUp(grant: Extract<Grant, { op: 'discard' }>): Promise<ProtocolResponse<'grant'>> {
    const running = working.get(grant.attempt);
    if (running?.grant.op === 'recheck') await stopLooking(running);
    else if (running && running.grant.op !== 'verify') return { accepted: false, why: `busy with ${running.grant.op}` };
    running?.abort.abort(new PlainError('The attempt was given up.', { reason: { code: 'cancelled-by-person' } }));
    await running?.ended;
    await throwAway(swaps, grant);
    await removeIncoming({ root: await roots.open(grant.root), node: mesh.self }, grant.attempt);
    return { accepted: true, why: null };
  }

  /** A second look changes nothing, so it stands in nobody's way. */
  async function stopLooking(work: Work): Promise<void> {
    work.abort.abort(new PlainError('Something else is done with this film.', { reason: { code: 'superseded' }, retry: true }));
    await work.ended;
  }

  function begin(grant: Exclude<Grant, { op: 'discard' }>): void {
    const phase = grant.op === 'verify' ? 'delivering' : grant.op === 'recheck' ? 'verifying' : 'replacing';
    const work: Work = { grant, abort: new AbortController(), numbers: { phase, percent: 0 }, ended: Promise.resolve() };
    working.set(grant.attempt, work);
    const lane = laneOf(grant);
    const enqueue = (): Promise<void> =>
      // a swap knows no way back in the middle, so nothing calls it off
      lanes.enqueue(lane, () => carryOut(work, () => perform(work, grant)), lane.startsWith('swap ') ? undefined : work.abort.signal);
    const remote = elsewhere(grant);
    const fetched = remote && inLine(remote.output.node, work.abort.signal, () => fetchNow(work, remote));
    const done = fetched ? fetched.then((here) => (here ? enqueue() : undefined)) : enqueue();
    work.ended = done.finally(() => working.get(grant.attempt) === work && working.delete(grant.attempt));
  }

  /** The grant, when its output has to come from another node. */
  function elsewhere(grant: Grant): VerifyGrant | null {
    return grant.op === 'verify' && grant.output.node !== mesh.self ? grant : null;
  }

  /** Resolves with true once the output is on this node; with false when it could not come, and that is told. Never rejects. */
  async function fetchNow(work: Work, grant: VerifyGrant): Promise<boolean> {
    const { signal } = work.abort;
    // the rest of the way is its delivery
    const onProgress = (percent: number): void => void (work.numbers = { phase: 'delivering', percent: percent * FETCH_SHARE });
    try {
      signal.throwIfAborted();
      await arrive({ node: mesh.self, roots, fetch: parts.fetch, onProgress, ...patience }, grant, signal);
      return true;
    } catch (error) {
      const trouble = await rootTrouble(roots, grant.root, error);
      const ids = { job: grant.job, attempt: grant.attempt };
      await carryOut(work, async () => ({ event: 'not-verified', ...ids, ...failureOf(trouble, signal, 'delivery-failed') }));
      return false;
    }
  }

  async function carryOut({ grant }: Work, perform: () => Promise<Report>): Promise<void> {
    try {
      const report = await perform();
      // before the report goes out: its answer may be the next grant for this attempt
      working.delete(grant.attempt);
      const why = 'reason' in report ? report.reason.code : null;
      // the report says that it goes on by itself, and for a restore nobody asks a second time
      if (why === 'swap-unfinished') settling.again(grant.root);
      if (why !== 'shut-down') await parts.outbox.post(report);
      log.info({ attempt: grant.attempt, asked: grant.op, became: report.event }, 'a grant was carried out');
    } catch (error) {
      log.warn(
        { attempt: grant.attempt, asked: grant.op, why: messageOf(error) },
        'a grant could not be carried out; the coordinator asks again',
      );
    }
  }

  function perform(work: Work, grant: Exclude<Grant, { op: 'discard' }>): Promise<Report> {
    switch (grant.op) {
      case 'verify':
        return verifyWithin(work, grant);
      case 'replace':
        return replace(swaps, grant);
      case 'restore':
      case 'put-back':
        return putBack(swaps, grant);
      case 'expire':
        return letExpire(swaps, grant);
      case 'recheck': {
        const onProgress = (percent: number): void => void (work.numbers = { phase: 'verifying', percent });
        return recheck({ roots, tools, onProgress }, grant, work.abort);
      }
    }
  }

  async function verifyWithin(work: Work, grant: VerifyGrant): Promise<Report> {
    const unlimit = limitTime(work.abort, grant.timeoutSeconds);
    try {
      const remote = elsewhere(grant) !== null;
      const before = remote ? FETCH_SHARE * 100 : 0;
      const onProgress = (phase: 'delivering' | 'verifying', percent: number): void =>
        void (work.numbers = { phase, percent: phase === 'delivering' ? before + (percent * (100 - before)) / 100 : percent });
      const outputOf = (): Promise<string> =>
        remote
          ? arrivedAt(roots, mesh.self, grant)
          : parts.outputOf(grant.output.node, grant.attempt, (grant.plan as unknown as WorkPlan).extension);
      const onDelivered = async (root: Root): Promise<void> => {
        if (remote) await removeIncoming({ root, node: mesh.self }, grant.attempt);
      };
      const courtesy = pictures &&
        grant.pictures !== false && {
          takePictures(pair: Parameters<typeof takePictures>[1], signal: AbortSignal): Promise<number[]> {
            // everything is measured: whatever this takes must not count against the output
            unlimit();
            return takePictures({ tools, pictures, log }, pair, signal);
          },
        };
      return await verify({ node: mesh.self, roots, tools, outputOf, onDelivered, onProgress, ...courtesy }, grant, work.abort.signal);
    } finally {
      unlimit();
    }
  }
}

function laneOf(grant: Grant): Lane {
  if (grant.op === 'recheck') return grant.low ? 'low' : 'verify';
  return grant.op === 'verify' ? 'verify' : `swap ${grant.root}`;
}
