import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterSettings } from '../config/schema.ts';
import { chooseEncoder } from '../core/encoder-choice.ts';
import { classKey, classOfFile } from '../core/film-class.ts';
import { classesToMeasure, planPieces, wholeFilm, wishKey } from '../core/film-sample.ts';
import { whatOf } from '../core/library-forecast.ts';
import { needsOf } from '../core/job.ts';
import { wholeProfile } from '../core/profile-fields.ts';
import type { Profile } from '../core/profile.ts';
import type { Reason } from '../core/reasons.ts';
import { nodeRefusal, type SchedulingNode } from '../core/refusals.ts';
import type { Database } from '../db/connect.ts';
import { classCounts, filmsToMeasure, listSamples } from '../db/forecast.ts';
import { readJob, type JobDetail } from '../db/job-lists.ts';
import { readLibrary, type Library } from '../db/libraries.ts';
import { endAbandonedMeasures, endMeasure, progressMeasure, saveSample, startMeasure, type Measure } from '../db/measures.ts';
import { seedSpeed } from '../db/node-speeds.ts';
import { keepersOf } from '../db/roots.ts';
import { schedulingNodes } from '../db/schedule-facts.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolResponse } from '../mesh/messages.ts';
import type { Roster } from './roster.ts';
import type { Tickets } from './tickets.ts';

/**
 * Measures a library because a person asked: a few films of each large class, by short pieces, on the machines that would
 * convert them (core/film-sample.ts says how few). What comes of it makes the forecast narrow, and tells the speed of a
 * machine that has encoded nothing yet.
 *
 *   films chosen ─▶ a machine with a free slot? ─▶ begin · ask · ask … ─▶ done: sample saved
 *                        │ none: the next slot that becomes free is for this      └─ failed: the next film
 *                        └─ none could ever: failed, with the reason
 */
export interface Measurer {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** resolves when it began. @throws PlainError when there is nothing to measure, or it is measured now */
  measure(libraryId: number, by: string): Promise<void>;
  cancel(libraryId: number): void;
  /** its next free slot is wanted for measuring: it gets no job meanwhile */
  wants(node: string): boolean;
}

export interface MeasurerParts {
  mesh: Mesh;
  db: Database;
  term: number;
  settings: () => ClusterSettings;
  events: Events;
  roster: Pick<Roster, 'present'>;
  tickets: Pick<Tickets, 'source'>;
  reaches?: (node: string) => boolean;
  /** a slot is free for jobs again */
  offer: () => void;
  log: Log;
  /** between two questions */
  askMs?: number;
}

type Done = Extract<ProtocolResponse<'sample'>, { state: 'done' }>;

interface Film {
  /** a number of its own that no attempt has, and that fits the name of a workspace */
  sample: number;
  jobId: number;
}

const ASK_MS = 2000;
/** One film with its pieces and the way there; longer, and the next one is tried. */
const LONGEST_MS = 30 * 60_000;
/** A slot may become free only when a long film is done. */
const PATIENCE_MS = 12 * 3600_000;
const SAMPLES_FROM = 5e14;
const MOST_SILENT = 15;

export function createMeasurer(parts: MeasurerParts): Measurer {
  const { db, events, log, mesh } = parts;
  const running = new Map<number, { abort: AbortController; ended: Promise<void> }>();
  /** machines that were asked and had no free slot, until they get one */
  const wanted = new Set<string>();
  let stopped = false;

  return {
    async start() {
      await endAbandonedMeasures(db, { code: 'interrupted' });
    },
    async stop() {
      stopped = true;
      for (const run of running.values()) run.abort.abort();
      await Promise.all([...running.values()].map((run) => run.ended));
    },
    async measure(libraryId, by) {
      const library = await readLibrary(db, libraryId);
      if (!library) throw new PlainError('This library does not exist any more.');
      const films = await chooseFilms(library);
      if (films.length === 0)
        throw new PlainError('There is nothing more to measure: no film waits to be converted, or all large groups were measured.');
      const row = stopped || running.has(libraryId) ? null : await startMeasure(db, libraryId, by);
      if (!row) throw new PlainError('This library is measured already at this moment.');
      const abort = new AbortController();
      const ended = carryOut(library, row, films, abort.signal)
        .catch((error: unknown) => log.debug({ library: library.name, why: messageOf(error) }, 'measuring ended with the term'))
        .finally(() => void running.delete(libraryId));
      running.set(libraryId, { abort, ended });
    },
    cancel: (libraryId) =>
      running.get(libraryId)?.abort.abort(new PlainError('Stopped on the page.', { reason: { code: 'cancelled-by-person' } })),
    wants: (node) => wanted.has(node),
  };

  async function chooseFilms(library: Library): Promise<number[]> {
    const wish = wishKey(wholeProfile(library.profile));
    const [counts, samples] = await Promise.all([classCounts(db, library.id), listSamples(db, library.id, wish)]);
    const measured = new Map<string, Set<number>>();
    for (const { class: key, fileId } of samples) measured.set(key, (measured.get(key) ?? new Set()).add(fileId));
    const classes = counts.filter((one) => whatOf(one.status, one.reason) === 'convert').map((one) => ({ ...one, key: classKey(one) }));
    const films: number[] = [];
    for (const one of classesToMeasure(classes, new Map([...measured].map(([key, ids]) => [key, ids.size]))))
      films.push(...(await filmsToMeasure(db, library.id, one, wish, one.films)).map((film) => film.jobId));
    return [...new Set(films)];
  }

  async function carryOut(library: Library, row: Measure, jobs: number[], signal: AbortSignal): Promise<void> {
    const so = { films: jobs.length, tried: 0, failed: 0, reason: null as Reason | null };
    const tell = async (): Promise<void> => {
      await progressMeasure(db, row.id, so);
      events.emit('library.changed', { libraryId: library.id });
    };
    try {
      await tell();
      const queue = jobs.map((jobId, i): Film => ({ sample: SAMPLES_FROM + row.id * 1000 + i, jobId }));
      await workThrough(library, queue, signal, async (problem) => {
        if (problem) Object.assign(so, { failed: so.failed + 1, reason: problem });
        else so.tried++;
        await tell();
      });
      await endMeasure(db, row.id, so.tried === 0 ? 'failed' : 'completed', null);
    } catch (error) {
      if (stopped) throw error;
      const reason = (error instanceof PlainError ? error.reason : null) ?? {
        code: 'goal-not-measured',
        params: { message: messageOf(error) },
      };
      await endMeasure(db, row.id, signal.aborted ? 'cancelled' : 'failed', signal.aborted ? null : reason);
    }
    events.emit('library.changed', { libraryId: library.id });
  }

  /** One film at a time on each machine; the machines beside each other. */
  async function workThrough(
    library: Library,
    queue: Film[],
    signal: AbortSignal,
    onEnd: (problem: Reason | null) => Promise<void>,
  ): Promise<void> {
    const busy = new Map<string, Promise<void>>();
    const began = performance.now();
    const here = new Set<string>();
    try {
      while (queue.length > 0 || busy.size > 0) {
        signal.throwIfAborted();
        const nodes = queue.length > 0 ? await nodesFor(library) : [];
        if (queue.length > 0 && nodes.length === 0 && busy.size === 0) throw nobodyCan();
        if (performance.now() - began > PATIENCE_MS) throw nobodyCan();
        for (const node of nodes.filter((one) => !busy.has(one.id))) {
          const film = queue[0];
          if (!film) break;
          const begun = await begin(library, node, film, signal);
          if (begun === 'busy') {
            wanted.add(node.id);
            here.add(node.id);
            continue;
          }
          wanted.delete(node.id);
          queue.shift();
          const ended = (
            begun === 'gone' ? onEnd({ code: 'file-changed' }) : follow(library, node, film, begun, signal).then(onEnd)
          ).finally(() => busy.delete(node.id));
          ended.catch(() => {});
          busy.set(node.id, ended);
        }
        await Promise.race([...busy.values(), pause(parts.askMs ?? ASK_MS, undefined, { signal })]);
      }
    } finally {
      for (const node of here) wanted.delete(node);
      parts.offer();
      await Promise.allSettled(busy.values());
    }
  }

  async function nodesFor(library: Library): Promise<SchedulingNode[]> {
    const settings = parts.settings();
    const limits = { slots: settings['jobs.atOnce'], mbps: settings['network.mbps'], minFreeBytes: settings['jobs.minFreeGb'] * 1e9 };
    const nodes = await schedulingNodes(db, limits, { now: Date.now(), present: parts.roster.present(), open: [] });
    const able = nodes.filter((node) => nodeRefusal(node) === null && node.encoders.some((report) => report.works));
    // those that read the film in place first
    return able.toSorted((a, b) => Number(b.local.includes(library.rootId)) - Number(a.local.includes(library.rootId)));
  }

  /** 'busy': no slot there now, or no encoder for it; 'gone': the film waits no more. */
  async function begin(library: Library, node: SchedulingNode, film: Film, signal: AbortSignal): Promise<'busy' | 'gone' | JobDetail> {
    const job = await readJob(db, film.jobId);
    const { file } = job ?? {};
    const pieces = file ? planPieces(file.durationMs ?? 0) : null;
    if (!job || job.state !== 'available' || !file?.probe || !file.hash || !pieces) return 'gone';
    if (!canEncode(node, job)) return 'busy';
    const keepers = await keepersOf(db, library.rootId);
    const keeper = (keepers.find(({ nodeId }) => parts.reaches?.(nodeId) ?? true) ?? keepers[0])?.nodeId;
    if (!keeper) throw new PlainError('The library is not mounted.', { reason: { code: 'root-not-mounted' } });
    const fingerprint = { sizeBytes: file.sizeBytes, mtimeMs: file.mtimeMs, inode: file.inode, links: file.links, hash: file.hash };
    const about = { job: 0, attempt: film.sample, holder: keeper, reader: node.id, root: library.rootId, path: file.path, fingerprint };
    const answer = await mesh
      .request(
        node.id,
        'sample',
        {
          ...{ op: 'begin', term: parts.term, sample: film.sample, keeper, ticket: parts.tickets.source(about) },
          ...{ root: library.rootId, path: file.path, fingerprint, ...pieces },
          probe: file.probe as unknown as Record<string, unknown>,
          plan: job.plan as unknown as Record<string, unknown>,
          profile: profileOf(library) as unknown as Record<string, unknown>,
          ...(node.benched?.length ? { benched: [...node.benched] } : {}),
        },
        { signal },
      )
      .catch((error: unknown) => {
        signal.throwIfAborted();
        // away, or of a version that knows nothing of this
        log.debug({ node: node.name, why: messageOf(error) }, 'a machine could not be asked to measure');
        return { state: 'busy' } as const;
      });
    return answer.state === 'busy' ? 'busy' : job;
  }

  /** Asks until it is done. Resolves with why it could not be measured; null when it was. */
  async function follow(library: Library, node: SchedulingNode, film: Film, job: JobDetail, signal: AbortSignal): Promise<Reason | null> {
    const ids = { term: parts.term, sample: film.sample };
    const until = performance.now() + LONGEST_MS;
    try {
      for (let silent = 0; silent < MOST_SILENT && performance.now() < until;) {
        await pause(parts.askMs ?? ASK_MS, undefined, { signal });
        const said = await mesh.request(node.id, 'sample', { op: 'ask', ...ids }, { signal }).catch(() => null);
        signal.throwIfAborted();
        if (said?.state === 'done') return await keep(library, node, job, said);
        if (said?.state === 'failed') return said.reason as Reason;
        if (said?.state === 'unknown') return { code: 'node-away', params: { node: node.name } };
        silent = said ? 0 : silent + 1;
      }
      return { code: 'node-away', params: { node: node.name } };
    } finally {
      await mesh.request(node.id, 'sample', { op: 'cancel', ...ids }, { signal: AbortSignal.timeout(5000) }).catch(() => {});
    }
  }

  async function keep(library: Library, node: SchedulingNode, job: JobDetail, said: Done): Promise<null> {
    const { file } = job;
    const profile = profileOf(library);
    const whole = wholeFilm(file.probe!, { ...profile, quality: said.quality }, said);
    const { guessedBytes } = wholeFilm(file.probe!, profile, { sourceBytes: 0, outputBytes: 0 });
    await saveSample(db, {
      libraryId: library.id,
      fileId: file.id,
      class: classOfFile(file),
      wish: wishKey(profile),
      nodeId: node.id,
      ...{ encoder: said.encoder, device: said.device, quality: said.quality, pieces: said.pieces },
      ...{ sourceBytes: said.sourceBytes, outputBytes: said.outputBytes, filmMs: said.filmMs, pixelsPerSecond: said.pixelsPerSecond },
      ...{ fileBytes: file.sizeBytes, guessedBytes, measuredBytes: whole.measuredBytes },
    });
    await seedSpeed(db, node.id, said.encoder, said.pixelsPerSecond);
    return null;
  }
}

function profileOf(library: Library): Profile {
  return wholeProfile(library.profile);
}

function canEncode(node: SchedulingNode, job: JobDetail): boolean {
  const needs = needsOf(job.class);
  if (!needs) return false;
  return chooseEncoder(node.encoders, { ...job.profile, codec: needs.codec }, needs.bitDepth, { hdr10: needs.hdr10 }).choice !== null;
}

function nobodyCan(): PlainError {
  return new PlainError('No machine that is here could measure it.', { reason: { code: 'waiting-for-node' } });
}
