import path from 'node:path';
import type { Actor } from '../core/commands.ts';
import type { Fingerprint, Probe } from '../core/media.ts';
import type { Reason } from '../core/reasons.ts';
import { sentence } from '../core/reasons.ts';
import { addActivity } from '../db/activity.ts';
import type { Database } from '../db/connect.ts';
import { jobsOfFile } from '../db/job-lists.ts';
import { readFile } from '../db/media-files.ts';
import { isDue, markExpired, originalOfAttempt, readOriginal, type Original } from '../db/originals.ts';
import { completeRestored } from '../db/results.ts';
import { keepersOf } from '../db/roots.ts';
import type { NewSourceMessage } from '../db/source-messages.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import type { FileChange } from './source-tidings.ts';

type Report = Extract<ProtocolRequest<'report'>, { event: 'restored' | 'not-restored' | 'expired' }>;

/**
 * Originals after their replacement: put back when a person asks, deleted by their keeper when their time is over.
 *
 *   kept ──restore (a person)──▶ restored        kept ──retention ends──▶ expired
 */
export interface Trash {
  restore(originalId: number, by: Actor): Promise<void>;
  expire(due: Original[]): Promise<void>;
  report(report: Report): Promise<ProtocolResponse<'report'>>;
}

export function createTrash(parts: {
  mesh: Mesh;
  db: Database;
  term: number;
  events: Events;
  reaches?: (node: string) => boolean;
  /** something is not as the books say: compare them with the disk */
  lookInTrash?: (rootId: string) => Promise<void>;
  /** does anybody use this file? Null: it may be exchanged now */
  whyNotNow?: (file: { rootId: string; path: string }) => Promise<Reason | null>;
  /** who has to be told that a file changed, as of before it did */
  tidings?: (change: FileChange) => Promise<NewSourceMessage[]>;
  /** an original is back and the books say so */
  replaced?: () => void;
  log: Log;
}): Trash {
  const { mesh, db, events, log } = parts;
  const asked = new Map<number, { by: Actor; done: PromiseWithResolvers<void> }>();
  const restoring = new Map<number, Promise<void>>();

  return {
    restore(originalId, by) {
      // a second press waits for the first one's outcome, however far that is
      const begun = restoring.get(originalId) ?? putBack(originalId, by).finally(() => restoring.delete(originalId));
      restoring.set(originalId, begun);
      return begun;
    },

    async expire(due) {
      for (const original of due) {
        try {
          if (!(await isDue(db, original.id))) continue;
          await mesh.request(await keeperOf(original), 'grant', {
            op: 'expire',
            ...ids(original),
            root: original.rootId,
            trashPath: original.trashPath,
            fingerprint: original.fingerprint,
          });
        } catch (error) {
          log.debug({ original: original.id, why: messageOf(error) }, 'an original could not be deleted from the trash yet');
        }
      }
    },

    async report(r) {
      const original = await originalOfAttempt(db, r.attempt);
      if (!original) return { accepted: false, why: 'no original is known of this attempt' };
      if (r.event === 'expired') return expired(original);
      if (r.event === 'not-restored') return notRestored(original, r.reason as Reason);
      return restored(original, r);
    },
  };

  async function putBack(originalId: number, by: Actor): Promise<void> {
    const original = await readOriginal(db, originalId);
    if (original?.state === 'gone')
      throw new PlainError('This original is not in the trash any more, although nobody here deleted it. It cannot be put back.');
    if (!original || original.state !== 'kept') throw new PlainError('This original is not in the trash any more.');
    const file = original.fileId === null ? null : await readFile(db, original.fileId);
    if (file && (await jobsOfFile(db, file.id)).some((job) => job.state === 'running'))
      throw new PlainError('This file is being worked on. Cancel that first.');
    const places = placesOf(original, file);
    const why = await parts.whyNotNow?.({ rootId: original.rootId, path: places.current });
    if (why) throw new PlainError(`The original cannot be put back at this moment. ${sentence(why)}`, { reason: why, retry: true });
    const keeper = await keeperOf(original);
    const waiting = { by, done: Promise.withResolvers<void>() };
    // a refusal may be here before the keeper's answer, when nobody listens yet
    waiting.done.promise.catch(() => {});
    asked.set(original.attemptId, waiting);
    try {
      await mesh.request(keeper, 'grant', {
        op: original.found ? 'put-back' : 'restore',
        ...ids(original),
        ...places,
        fingerprint: original.fingerprint,
      });
      await Promise.race([waiting.done.promise, patience(60_000)]);
    } finally {
      asked.delete(original.attemptId);
    }
  }

  async function keeperOf(original: Original): Promise<string> {
    const keepers = await keepersOf(db, original.rootId);
    const keeper = keepers.find(({ nodeId }) => parts.reaches?.(nodeId) ?? true) ?? keepers[0];
    if (!keeper)
      throw new PlainError('The disk with this original is not mounted on any machine now.', {
        reason: { code: 'root-not-mounted' },
        retry: true,
      });
    return keeper.nodeId;
  }

  function ids(original: Original): { term: number; job: number; attempt: number } {
    return { term: parts.term, job: original.jobId, attempt: original.attemptId };
  }

  async function expired(original: Original): Promise<ProtocolResponse<'report'>> {
    const done = await markExpired(db, original.id);
    return { accepted: done, why: done ? null : 'it had left the trash already' };
  }

  async function restored(original: Original, r: Extract<Report, { event: 'restored' }>): Promise<ProtocolResponse<'report'>> {
    const by = asked.get(original.attemptId)?.by.name ?? 'a person';
    const done = await completeRestored(db, original.id, {
      tell: await tell(original, r),
      path: r.path,
      fingerprint: r.fingerprint as Fingerprint,
      probe: r.probe as unknown as Probe | null,
      reason: { code: 'restored', params: { by } },
      by,
      activity: { kind: 'restored', params: { title: original.title } },
    });
    if (done) parts.replaced?.();
    asked.get(original.attemptId)?.done.resolve();
    await acknowledge(original, r.path);
    // what stood in its place may wait there now, if it was not what we had put there
    void parts.lookInTrash?.(original.rootId);
    events.emit('job.changed', { jobId: original.jobId, fileId: original.fileId, libraryId: null });
    return { accepted: done, why: done ? null : 'it had left the trash already' };
  }

  async function tell(original: Original, r: Extract<Report, { event: 'restored' }>): Promise<NewSourceMessage[]> {
    const file = original.fileId === null ? null : await readFile(db, original.fileId);
    if (!file || !parts.tidings) return [];
    return parts.tidings({
      kind: 'restored',
      fileId: file.id,
      jobId: original.found ? null : original.jobId,
      rootId: original.rootId,
      from: file.path,
      to: r.path,
      before: file.sizeBytes,
      after: (r.fingerprint as Fingerprint).sizeBytes,
      probe: r.probe as unknown as Probe | null,
    });
  }

  /** The journal has done its duty, and the HEVC file that left its place is not needed any more. */
  async function acknowledge(original: Original, path_: string): Promise<void> {
    try {
      await mesh.request(await keeperOf(original), 'grant', { op: 'discard', ...ids(original), root: original.rootId, path: path_ });
    } catch (error) {
      log.debug({ why: messageOf(error) }, 'a keeper could not be told that a restore is in the books');
    }
  }

  async function notRestored(original: Original, reason: Reason): Promise<ProtocolResponse<'report'>> {
    await addActivity(db, {
      kind: 'not-restored',
      severity: 1,
      jobId: original.found ? null : original.jobId,
      fileId: original.fileId,
      params: { title: original.title, reason: reason.code },
    });
    events.emit('activity.added', { kind: 'not-restored', severity: 1 });
    asked.get(original.attemptId)?.done.reject(new PlainError(sentence(reason), { reason }));
    void parts.lookInTrash?.(original.rootId);
    return { accepted: true, why: null };
  }
}

/** Where the film stands now and where its original shall stand: beside it, under the name it had, also after a move. */
function placesOf(
  original: Original,
  file: { path: string; status: string } | null,
): { root: string; path: string; trashPath: string; current: string } {
  const current = file && file.status !== 'missing' ? file.path : (original.found?.replacedBy ?? original.path);
  const directory = path.posix.dirname(current);
  const name = path.posix.basename(original.path);
  return { root: original.rootId, path: directory === '.' ? name : `${directory}/${name}`, trashPath: original.trashPath, current };
}

/** The restore goes on after this; only the person's page stops waiting. */
function patience(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
