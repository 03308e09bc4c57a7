import { targetPath } from '../core/target.ts';
import { advance, type Attempt } from '../db/attempts.ts';
import { runContext, type RunContext } from '../db/run-context.ts';
import { messageOf } from '../errors.ts';
import type { FinisherParts } from './finisher.ts';

/**
 * What keepers are asked for about open attempts. Asking twice does no harm, so whatever may have been lost is asked
 * again, by the rescuer or when a keeper comes back.
 */
export interface Orders {
  /** asks the keeper, or who shall look a second time, (again) for what an open attempt waits for; never rejects */
  proceed(attempt: Attempt): Promise<void>;
  /** the attempt is over: keeper and worker throw away what they still hold of it. Lost messages are made good by hello */
  over(attempt: Attempt, context: RunContext | null): Promise<void>;
}

type OrdersParts = Pick<FinisherParts, 'mesh' | 'db' | 'term' | 'settings' | 'tickets' | 'log'> & {
  /** asks the second machine that an attempt waits for */
  lookAgain: (attempt: Attempt, context: RunContext) => Promise<void>;
};

export function createOrders(parts: OrdersParts): Orders {
  const { db, mesh, log } = parts;
  return { proceed, over };

  async function proceed(attempt: Attempt): Promise<void> {
    try {
      const context = await runContext(db, attempt.id);
      if (!context || !attempt.keeperId) return;
      if (attempt.state === 'verifying' && attempt.lookerId !== null) await parts.lookAgain(attempt, context);
      else if (attempt.state === 'delivering' || attempt.state === 'verifying') await grantVerify(attempt, context);
      if (attempt.state === 'replacing') await grantReplace(attempt, context);
    } catch (error) {
      log.info({ attempt: attempt.id, why: messageOf(error) }, 'the keeper could not be asked; it will be asked again');
    }
  }

  async function grantVerify(attempt: Attempt, context: RunContext): Promise<void> {
    const run = { jobId: attempt.jobId, attemptId: attempt.id };
    const verifying = await advance(db, run, ['delivering', 'verifying'], 'verifying', parts.settings()['jobs.leaseSeconds']);
    if (!verifying) return;
    await mesh.request(attempt.keeperId!, 'grant', {
      op: 'verify',
      ...ids(attempt),
      root: context.rootId,
      path: context.path,
      fingerprint: context.fingerprint,
      probe: context.probe as unknown as Record<string, unknown>,
      plan: context.plan as unknown as Record<string, unknown>,
      profile: context.profile as unknown as Record<string, unknown>,
      output: {
        node: attempt.nodeId,
        sizeBytes: attempt.outputBytes!,
        sha256: attempt.sha256!,
        frames: typeof attempt.stats['frames'] === 'number' ? attempt.stats['frames'] : null,
      },
      ticket: parts.tickets.output({
        job: attempt.jobId,
        attempt: attempt.id,
        holder: attempt.nodeId,
        reader: attempt.keeperId!,
        extension: context.plan.extension,
        sizeBytes: attempt.outputBytes!,
        sha256: attempt.sha256!,
      }),
      pictures: parts.settings()['pictures.take'],
      timeoutSeconds: parts.settings()['verify.timeoutMinutes'] * 60,
    });
  }

  async function grantReplace(attempt: Attempt, context: RunContext): Promise<void> {
    const target = targetPath(context.path, context.plan.extension);
    await mesh.request(attempt.keeperId!, 'grant', {
      op: 'replace',
      ...ids(attempt),
      root: context.rootId,
      path: context.path,
      target,
      fingerprint: context.fingerprint,
      sha256: attempt.sha256!,
      hardLinked: context.profile.hardLinked,
    });
  }

  async function over(attempt: Attempt, context: RunContext | null): Promise<void> {
    const quiet = (error: unknown): void =>
      log.debug({ attempt: attempt.id, why: messageOf(error) }, 'a node could not be told that an attempt is over');
    if (context && attempt.keeperId)
      await mesh
        .request(attempt.keeperId, 'grant', { op: 'discard', ...ids(attempt), root: context.rootId, path: context.path })
        .catch(quiet);
    await mesh.request(attempt.nodeId, 'control', { term: parts.term, attempt: attempt.id, want: 'forget' }).catch(quiet);
  }

  function ids(attempt: Attempt): { term: number; job: number; attempt: number } {
    return { term: parts.term, job: attempt.jobId, attempt: attempt.id };
  }
}
