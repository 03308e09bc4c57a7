import type { Actor } from '../core/commands.ts';
import { sentence, type Reason } from '../core/reasons.ts';
import type { Verdict } from '../core/verdict.ts';
import type { ClusterSettings } from '../config/schema.ts';
import { addActivity } from '../db/activity.ts';
import type { Database } from '../db/connect.ts';
import { originalOfAttempt, readOriginal, type Original } from '../db/originals.ts';
import { nextRecheck, runningRecheck, setRecheck, type Recheck } from '../db/rechecks.ts';
import { keepersOf } from '../db/roots.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { late, yes } from './ends.ts';
import type { ReportAnswer, ReportOf } from './finisher.ts';

/**
 * Looks once more at copies that a benched encoder made, one at a time in the whole house and behind all other checks,
 * while their originals wait in the trash. The steps are drawn in db/rechecks.ts; they are rows, so that any coordinator
 * goes on with them, and a keeper that was started anew is asked again.
 */
export interface Rechecker {
  /** begins the next one, or asks again for the one that runs; called every few seconds */
  round(): Promise<void>;
  report(r: ReportOf<'rechecked'> | ReportOf<'not-rechecked'>): Promise<ReportAnswer>;
  /** a person finds the copy good: its original expires like any other */
  accept(originalId: number, by: Actor): Promise<void>;
}

export interface RecheckerParts {
  mesh: Mesh;
  db: Database;
  term: number;
  settings: () => ClusterSettings;
  events: Events;
  reaches?: (node: string) => boolean;
  log: Log;
  /** a keeper that works on it says yes when it is asked again */
  askAgainSeconds?: number;
}

export function createRechecker(parts: RecheckerParts): Rechecker {
  const { db, mesh, events, log } = parts;

  return {
    async round() {
      const running = await runningRecheck(db);
      if (running) {
        if (running.askedAgo >= (parts.askAgainSeconds ?? 60)) await ask(running, 'running');
        return;
      }
      const next = await nextRecheck(db);
      if (next) await ask(next, 'wanted');
    },

    async report(r) {
      const original = await originalOfAttempt(db, r.attempt);
      if (!original || original.state !== 'kept') return late;
      if (r.event === 'rechecked') return rechecked(original, r.verdict as unknown as Verdict);
      return notRechecked(original, r.reason as Reason, r.retry);
    },

    async accept(originalId, by) {
      const original = await readOriginal(db, originalId);
      if (!original || !(await setRecheck(db, originalId, ['bad', 'wanted', 'running'], 'good')))
        throw new PlainError('Nothing about this copy waits for a decision.');
      await tell(original, 'copy-accepted', 0, {}, by.name);
    },
  };

  async function ask(wish: Recheck, from: 'wanted' | 'running'): Promise<void> {
    if (!wish.path || !wish.probe) {
      await setRecheck(db, wish.id, [from], null, { code: 'missing' });
      return;
    }
    // before the message, so that an answer finds it running
    if (!(await setRecheck(db, wish.id, [from], 'running'))) return;
    try {
      const keeper = await keeperFor(wish);
      const answer = await mesh.request(keeper, 'grant', { op: 'recheck', ...grantOf(wish, wish.path) });
      if (!answer.accepted) throw new PlainError(answer.why ?? 'The keeper has other work for it.', { retry: true });
    } catch (error) {
      log.debug({ original: wish.id, why: messageOf(error) }, 'a copy could not be looked at again now');
      await setRecheck(db, wish.id, ['running'], 'wanted');
    }
  }

  /** Another machine than the one that made it, where there is one. */
  async function keeperFor(wish: Recheck): Promise<string> {
    const here = (await keepersOf(db, wish.rootId)).map((k) => k.nodeId).filter((node) => parts.reaches?.(node) ?? true);
    const keeper = here.find((node) => node !== wish.encoderNode) ?? here[0];
    if (!keeper) throw new PlainError('The disk with this original is not mounted on any machine now.', { retry: true });
    return keeper;
  }

  function grantOf(wish: Recheck, path: string) {
    return {
      term: parts.term,
      job: wish.jobId,
      attempt: wish.attemptId,
      root: wish.rootId,
      original: { path: wish.trashPath, sizeBytes: wish.originalBytes, hash: wish.originalHash },
      output: { path, waiting: false, sizeBytes: wish.outputBytes, sha256: wish.sha256 },
      probe: wish.probe as unknown as Record<string, unknown>,
      plan: wish.plan as unknown as Record<string, unknown>,
      profile: wish.profile as unknown as Record<string, unknown>,
      low: true,
      timeoutSeconds: parts.settings()['verify.timeoutMinutes'] * 60,
    };
  }

  async function rechecked(original: Original, verdict: Verdict): Promise<ReportAnswer> {
    if (!verdict.accepted) return isBad(original, verdict.reason);
    const done = await setRecheck(db, original.id, ['running', 'wanted'], 'good');
    if (done) changed(original);
    return done ? yes : late;
  }

  async function notRechecked(original: Original, reason: Reason, retry: boolean): Promise<ReportAnswer> {
    // something else than the copy that we made, and perhaps a disk that forgets: a person must see it before the original goes
    if (reason.code === 'hash-mismatch') return isBad(original, reason);
    const done = await setRecheck(db, original.id, ['running', 'wanted'], retry ? 'wanted' : null, reason);
    if (done) changed(original);
    return done ? yes : late;
  }

  async function isBad(original: Original, reason: Reason): Promise<ReportAnswer> {
    if (!(await setRecheck(db, original.id, ['running', 'wanted'], 'bad', reason))) return late;
    log.warn(
      { original: original.id, title: original.title, why: sentence(reason) },
      'a copy was found bad; its original stays in the trash',
    );
    await tell(original, 'copy-bad', 2, { reason });
    return yes;
  }

  async function tell(original: Original, kind: string, severity: 0 | 2, params: Record<string, unknown>, by?: string): Promise<void> {
    const about = { jobId: original.jobId, fileId: original.fileId, params: { title: original.title, ...params } };
    await addActivity(db, { kind, severity, ...about, ...(by === undefined ? {} : { by }) });
    events.emit('activity.added', { kind, severity });
    changed(original);
  }

  function changed(original: Original): void {
    events.emit('job.changed', { jobId: original.jobId, fileId: original.fileId, libraryId: null });
  }
}
