import type { ClusterSettings } from '../config/schema.ts';
import { claim, releaseAttempt, type ClaimedJob } from '../db/claims.ts';
import type { Database } from '../db/connect.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import type { Roster } from './roster.ts';

/**
 * Hands out jobs. A worker asks when it has a free slot; the database picks the best job
 * for that node in one statement. Offers are only a nudge to ask now.
 */
export interface Dispatcher {
  claim(wish: ProtocolRequest<'claim'>): Promise<ProtocolResponse<'claim'>>;
  /** tells the nodes that there is work; at most once a second */
  offer(): void;
  stop(): void;
}

export interface DispatcherParts {
  mesh: Mesh;
  db: Database;
  term: number;
  settings: () => ClusterSettings;
  events: Events;
  roster: Roster;
  log: Log;
}

export function createDispatcher(parts: DispatcherParts): Dispatcher {
  const { db, mesh, events } = parts;
  let offered: NodeJS.Timeout | null = null;

  return {
    async claim(wish) {
      const settings = parts.settings();
      if (wish.ahead) return { granted: null, why: null };
      if (settings['queue.paused']) return { granted: null, why: { code: 'paused' } };
      if (wish.freeBytes < settings['jobs.minFreeGb'] * 1e9)
        return { granted: null, why: { code: 'no-space', params: { where: 'the workspace', free: wish.freeBytes } } };
      const leaseSeconds = settings['jobs.leaseSeconds'];
      const job = await claim(db, {
        node: wish.node,
        classes: wish.classes,
        term: parts.term,
        leaseSeconds,
        keepers: parts.roster.present(),
      });
      if (!job) return { granted: null, why: null };
      parts.roster.granted(job.attemptId, wish.session);
      if (!fits(job, wish.freeBytes, settings)) return refuseForSpace(job, wish);
      events.emit('job.changed', { jobId: job.jobId, fileId: job.fileId, libraryId: job.libraryId });
      return { granted: grantOf(job, parts.term, leaseSeconds), why: null };
    },

    offer() {
      offered ??= setTimeout(() => {
        offered = null;
        mesh.publish('offers', { term: parts.term, classes: [] });
      }, 200).unref();
    },
    stop() {
      if (offered) clearTimeout(offered);
    },
  };

  /** The output may become as large as the original before it is stopped. */
  function fits(job: ClaimedJob, freeBytes: number, settings: ClusterSettings): boolean {
    return freeBytes - settings['jobs.minFreeGb'] * 1e9 >= job.inputBytes;
  }

  async function refuseForSpace(job: ClaimedJob, wish: { freeBytes: number }): Promise<ProtocolResponse<'claim'>> {
    const why = { code: 'no-space', params: { where: 'the workspace', needed: job.inputBytes, free: wish.freeBytes } } as const;
    await releaseAttempt(db, job, why, 600);
    events.emit('job.changed', { jobId: job.jobId, fileId: job.fileId, libraryId: job.libraryId });
    return { granted: null, why };
  }
}

function grantOf(job: ClaimedJob, term: number, leaseSeconds: number): GrantedJob {
  return {
    term,
    job: job.jobId,
    attempt: job.attemptId,
    leaseSeconds,
    keeper: job.keeperId,
    ticket: null,
    root: job.rootId,
    path: job.path,
    title: job.title.slice(0, 500),
    fingerprint: job.fingerprint,
    probe: job.probe as unknown as Record<string, unknown>,
    plan: job.plan as unknown as Record<string, unknown>,
    profile: job.profile as unknown as Record<string, unknown>,
  };
}
