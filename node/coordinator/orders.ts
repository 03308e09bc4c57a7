import { targetPath } from '../core/target.ts';
import type { Reason } from '../core/reasons.ts';
import { advance, awaitOutside, awaitUse, type Attempt } from '../db/attempts.ts';
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
  /** everything was checked: it is replaced, now or as soon as nobody uses the original. False when the attempt is over */
  replace(attempt: Attempt): Promise<boolean>;
  /** the attempt is over: keeper and worker throw away what they still hold of it. Lost messages are made good by hello */
  over(attempt: Attempt, context: RunContext | null): Promise<void>;
}

type OrdersParts = Pick<FinisherParts, 'mesh' | 'db' | 'term' | 'settings' | 'tickets' | 'whyNotNow' | 'log'> & {
  /** asks the second machine that an attempt waits for */
  lookAgain: (attempt: Attempt, context: RunContext) => Promise<void>;
};

export function createOrders(parts: OrdersParts): Orders {
  const { db, mesh, log } = parts;
  return { proceed, replace, over };

  async function proceed(attempt: Attempt): Promise<void> {
    try {
      const context = await runContext(db, attempt.id);
      if (!context || !attempt.keeperId) return;
      if (attempt.state === 'verifying' && attempt.readyAt !== null) await replace(attempt, context);
      else if (attempt.state === 'verifying' && attempt.lookerId !== null) await parts.lookAgain(attempt, context);
      else if (attempt.state === 'delivering' || attempt.state === 'verifying') await grantVerify(attempt, context);
      if (attempt.state === 'replacing') await replaceAgain(attempt, context);
    } catch (error) {
      log.info({ attempt: attempt.id, why: messageOf(error) }, 'the keeper could not be asked; it will be asked again');
    }
  }

  async function replace(attempt: Attempt, known?: RunContext): Promise<boolean> {
    const run = { jobId: attempt.jobId, attemptId: attempt.id };
    const context = known ?? (await runContext(db, attempt.id));
    const why = context && (await whyNotNow(context));
    if (why) return (await awaitUse(db, run, why, lease())) !== null;
    const replacing = await advance(db, run, ['verifying'], 'replacing', lease());
    if (replacing) void proceedGranted(replacing, context);
    return replacing !== null;
  }

  async function proceedGranted(attempt: Attempt, context: RunContext | null): Promise<void> {
    if (!context || !attempt.keeperId) return;
    await grantReplace(attempt, context).catch((error: unknown) =>
      log.info({ attempt: attempt.id, why: messageOf(error) }, 'the keeper could not be asked; it will be asked again'),
    );
  }

  /** The keeper may never have got the grant; meanwhile somebody may have begun to play the film. It can not go back a step. */
  async function replaceAgain(attempt: Attempt, context: RunContext): Promise<void> {
    const why = await whyNotNow(context);
    if (why) await awaitOutside(db, { jobId: attempt.jobId, attemptId: attempt.id }, why, lease());
    else await grantReplace(attempt, context);
  }

  async function whyNotNow({ rootId, path }: RunContext): Promise<Reason | null> {
    return (await parts.whyNotNow?.({ rootId, path })) ?? null;
  }

  function lease(): number {
    return parts.settings()['jobs.leaseSeconds'];
  }

  async function grantVerify(attempt: Attempt, context: RunContext): Promise<void> {
    const run = { jobId: attempt.jobId, attemptId: attempt.id };
    const verifying = await advance(db, run, ['delivering', 'verifying'], 'verifying', lease());
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
