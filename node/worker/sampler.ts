import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import { filmStreams } from '../core/media.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { cutSamples, encodePiece, type Sample, type SampleSource } from '../ffmpeg/samples.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { calibrate } from './calibrate.ts';
import type { Lent } from './lending.ts';
import { bringSource, type Sources } from './source.ts';
import type { Spaces } from './spaces.ts';

/**
 * Tries what one film would become: short pieces of it are encoded with the very arguments of its encode, beside the queue,
 * in a directory of their own. Nothing is delivered and nothing is kept but numbers.
 *
 *   begin ─▶ a slot is free? ─no─▶ busy
 *              │yes
 *              ▼
 *            film (own mount, else fetched) ─▶ pieces ─▶ encoded ─▶ done      asked again and again meanwhile: running
 *              └─ cancelled, nobody asks any more, the program stops ─▶ everything of it is removed
 */
export interface Sampler {
  /** removes what an earlier, killed process left */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface SamplerParts {
  mesh: Mesh;
  tools: Tools;
  sources: Sources;
  lend: () => Lent | null;
  workspace: Pick<Spaces, 'create' | 'outputPath' | 'sourcePath' | 'isCopyOf' | 'removeSource' | 'remove' | 'list' | 'freeBytes'>;
  log: Log;
  /** a coordinator that does not ask for so long is gone, or has forgotten */
  unaskedMs?: number;
}

type Wish = Extract<ProtocolRequest<'sample'>, { op: 'begin' }>;
type State = ProtocolResponse<'sample'>;

interface Run {
  state: State;
  abort: AbortController;
  unasked: NodeJS.Timeout;
  ended: Promise<void>;
}

const UNASKED_MS = 60_000;
/** One film, with the way it may have to travel. */
const LONGEST_MS = 30 * 60_000;
const MOST_KEPT = 50;

export function createSampler(parts: SamplerParts): Sampler {
  const { log } = parts;
  const runs = new Map<number, Run>();
  let stopped = false;

  parts.mesh.handle('sample', async (wish) => {
    const run = runs.get(wish.sample);
    if (wish.op === 'begin') return run?.state ?? begin(wish);
    if (!run) return { state: 'unknown' };
    run.unasked.refresh();
    if (wish.op === 'cancel') {
      run.abort.abort(new PlainError('Measuring was stopped.', { reason: { code: 'cancelled-by-person' } }));
      await run.ended;
      runs.delete(wish.sample);
    }
    return run.state;
  });

  return {
    async start() {
      for (const left of await parts.workspace.list()) await parts.workspace.remove(left.attempt);
    },
    async stop() {
      stopped = true;
      for (const run of runs.values()) run.abort.abort(new PlainError('The program was stopped.', { reason: { code: 'shut-down' } }));
      await Promise.all([...runs.values()].map((run) => run.ended));
    },
  };

  function begin(wish: Wish): State {
    const lent = stopped ? null : parts.lend();
    if (!lent) return { state: 'busy' };
    const abort = new AbortController();
    const unasked = setTimeout(() => abort.abort(new PlainError('Nobody asks for this any more.')), parts.unaskedMs ?? UNASKED_MS).unref();
    const run: Run = { state: { state: 'running', phase: 'fetching', percent: 0 }, abort, unasked, ended: Promise.resolve() };
    forgetOld();
    runs.set(wish.sample, run);
    const signal = AbortSignal.any([abort.signal, lent.signal, AbortSignal.timeout(LONGEST_MS)]);
    run.ended = carryOut(wish, lent, run, signal)
      .then(
        (done) => void (run.state = done),
        (error: unknown) => void (run.state = { state: 'failed', reason: reasonOf(error) }),
      )
      .then(() => parts.workspace.remove(wish.sample))
      .catch((error: unknown) => log.warn({ sample: wish.sample, why: messageOf(error) }, 'pieces of a film could not be removed'))
      .finally(() => {
        clearTimeout(unasked);
        lent.giveBack();
      });
    return run.state;
  }

  async function carryOut(wish: Wish, lent: Lent, run: Run, signal: AbortSignal): Promise<State> {
    const grant = grantOf(wish);
    lent.devices.check(grant);
    await parts.workspace.create(wish.sample);
    const { file } = await bringSource(
      {
        sources: parts.sources,
        workspace: parts.workspace,
        control: lent.control,
        makeRoom: () => requireRoom(wish, lent),
        onBytes: (bytes) => void (run.state = running('fetching', bytes / Math.max(1, wish.fingerprint.sizeBytes))),
      },
      grant,
      signal,
    );
    const taken = await lent.devices.take(grant, signal);
    if (!taken) throw new PlainError('Nothing of this film would be encoded.');
    try {
      const source: SampleSource = {
        tools: parts.tools,
        input: file,
        probe: wish.probe as unknown as Probe,
        plan: wish.plan as unknown as WorkPlan,
        encoder: taken.encoder,
        folder: path.dirname(parts.workspace.outputPath(wish.sample, '.mkv')),
        stallMs: lent.stallMs(),
        manners: lent.manners(),
        signal,
        control: lent.control,
      };
      return await measure(source, wish, (share) => void (run.state = running('measuring', share)));
    } finally {
      taken.release();
    }
  }

  async function measure(source: SampleSource, wish: Wish, onShare: (share: number) => void): Promise<State> {
    const profile = wish.profile as unknown as Profile;
    // a goal is looked for as it would be for the whole film
    const found = await calibrate({ ...source, profile, findings: [], onProgress: (percent) => onShare(percent / 200) });
    const quality = found?.quality ?? profile.quality;
    const pieces = await cutSamples(source, wish);
    if (pieces.length === 0) throw new PlainError('No piece of it shows a picture.', { reason: { code: 'goal-too-short' } });
    const sum = { sourceBytes: 0, outputBytes: 0, filmMs: 0, encodeMs: 0, frames: 0 };
    for (const [i, piece] of pieces.entries()) {
      onShare(0.5 + i / pieces.length / 2);
      await addPiece(source, piece, { ...profile, quality }, sum);
    }
    const film = filmStreams(source.probe)[0]!;
    return {
      state: 'done',
      encoder: source.encoder.name,
      device: source.encoder.device,
      quality,
      pieces: pieces.length,
      sourceBytes: sum.sourceBytes,
      outputBytes: sum.outputBytes,
      filmMs: Math.max(1, sum.filmMs),
      pixelsPerSecond: Math.min(1e12, Math.max(1, (film.width * film.height * sum.frames) / (Math.max(1, sum.encodeMs) / 1000))),
    };
  }

  async function requireRoom(wish: Wish, lent: Lent): Promise<void> {
    const [free, needed] = [await parts.workspace.freeBytes(), wish.fingerprint.sizeBytes + lent.minFreeBytes];
    if (needed > free)
      throw new PlainError('There is no room on this machine to fetch the film.', {
        reason: { code: 'no-space', params: { where: 'the workspace', needed, free } },
      });
  }

  /** Answers that were given, the oldest first; what still runs is never forgotten. */
  function forgetOld(): void {
    for (const [id, run] of runs) if (runs.size >= MOST_KEPT && run.state.state !== 'running') runs.delete(id);
  }
}

async function addPiece(
  source: SampleSource,
  piece: Sample,
  profile: Profile,
  sum: { sourceBytes: number; outputBytes: number; filmMs: number; encodeMs: number; frames: number },
): Promise<void> {
  const { encodeMs, bytes } = await encodePiece(source, piece, profile, async (_output, made) => made);
  sum.sourceBytes += (await stat(piece.file)).size;
  sum.outputBytes += bytes;
  sum.filmMs += piece.lengthMs;
  sum.encodeMs += encodeMs;
  sum.frames += piece.frames;
}

function running(phase: 'fetching' | 'measuring', share: number): State {
  return { state: 'running', phase, percent: Math.round(Math.min(1, Math.max(0, share)) * 100) };
}

/** Films are found, fetched and given an encoder as those of jobs are. */
function grantOf({ term, sample, keeper, ticket, root, path: file, fingerprint, probe, plan, profile, benched }: Wish): GrantedJob {
  const job = {
    term,
    job: 0,
    attempt: sample,
    leaseSeconds: 0,
    keeper,
    ticket,
    root,
    path: file,
    title: '',
    fingerprint,
    probe,
    plan,
    profile,
  };
  return benched ? { ...job, benched } : job;
}

function reasonOf(error: unknown): { code: string; params?: Record<string, string | number> } {
  const known = error instanceof PlainError ? error.reason : null;
  if (!known) return { code: 'goal-not-measured', params: { message: messageOf(error).slice(0, 500) } };
  const params = Object.entries(known.params ?? {}).map(([key, value]) => [key, typeof value === 'string' ? value.slice(0, 500) : value]);
  return { code: known.code, params: Object.fromEntries(params) as Record<string, string | number> };
}
