import { reason as reasonOf, sentence, type Reason } from '../core/reasons.ts';
import { targetPath } from '../core/target.ts';
import type { Check } from '../core/check.ts';
import type { Verdict } from '../core/verdict.ts';
import { awaitLooker, readAttempt, saveLooker, type Attempt } from '../db/attempts.ts';
import { readNode } from '../db/nodes.ts';
import { listNodeRoots } from '../db/roots.ts';
import type { RunContext } from '../db/run-context.ts';
import { messageOf } from '../errors.ts';
import type { FinisherParts } from './finisher.ts';

/**
 * Another machine than the one that encoded a film looks at the output before it replaces the original: a machine whose
 * memory or driver is bad may check its own mistake with the same mistake. The keeper still does everything else, because
 * inodes and times look different through another machine's mount, and the swap compares those.
 *
 *   verified by the keeper ─┬─ the keeper did not encode it: that was the second look
 *                           ├─ another machine sees the library ─▶ it compares both where they stand ─▶ yes · no
 *                           └─ no other one, or none that could: as verified, and the job says so
 */
export interface SecondLook {
  /** true when another machine is asked now; false: the output may be replaced as far as this is concerned */
  begin(attempt: Attempt, context: RunContext): Promise<boolean>;
  /** asks the machine that an attempt waits for (again) */
  ask(attempt: Attempt, context: RunContext): Promise<void>;
  /** what it said becomes a line of the verdict */
  told(attempt: Attempt, verdict: Verdict): Promise<Verdict>;
  /** it could not; a reason means that a person must look */
  failed(attempt: Attempt, context: RunContext, why: Reason): Promise<'asked another' | 'nobody could' | Reason>;
}

/** A machine that is asked for so long without an answer is given up. */
const PATIENCE_MS = 120_000;

type LookParts = Pick<FinisherParts, 'mesh' | 'db' | 'term' | 'settings' | 'reaches' | 'log'> & {
  /** nobody answers: the attempt goes on without a second look */
  goOn: (attempt: Attempt) => Promise<void>;
  patienceMs?: number;
};

export function createSecondLook(parts: LookParts): SecondLook {
  const { db, mesh, log } = parts;
  /** machines that could not look, by attempt; a coordinator that comes later asks them once more */
  const tried = new Map<number, Set<string>>();
  const silentSince = new Map<number, number>();
  return { begin, ask, told, failed };

  async function begin(attempt: Attempt, context: RunContext): Promise<boolean> {
    if (context.profile.verification !== 'second-look') return false;
    if (attempt.nodeId !== attempt.keeperId) {
      await note(attempt, null, `${await nameOf(attempt.keeperId!)} checked what ${await nameOf(attempt.nodeId)} made`, true);
      return false;
    }
    const looker = attempt.lookerId ?? (await choose(attempt, context));
    if (looker === null) {
      await note(attempt, null, 'no other machine could look', true);
      return false;
    }
    const waiting = await saveLooker(db, runOf(attempt), looker, attempt.verdict!, lease());
    if (waiting) askSoon(waiting, context);
    return waiting !== null;
  }

  /** One that is connected and sees the library, and that the same disk; it need not be able to write there. */
  async function choose(attempt: Attempt, context: RunContext): Promise<string | null> {
    const roots = (await listNodeRoots(db)).filter((r) => r.rootId === context.rootId && r.provedAt !== null && r.problem === null);
    const unfit = tried.get(attempt.id);
    const able = roots
      .map((r) => r.nodeId)
      .filter((node) => node !== attempt.nodeId && !unfit?.has(node) && (parts.reaches?.(node) ?? true));
    return able[0] ?? null;
  }

  /** What goes wrong here, a database that is away or a term that is over, is no end: the rescuer asks again. */
  function askSoon(attempt: Attempt, context: RunContext): void {
    ask(attempt, context).catch((error: unknown) =>
      log.info({ attempt: attempt.id, why: messageOf(error) }, 'a second look could not be asked for yet'),
    );
  }

  async function ask(attempt: Attempt, context: RunContext): Promise<void> {
    // while nobody answers, nobody but this keeps the lease
    if (!(await awaitLooker(db, runOf(attempt), attempt.lookerId!, lease()))) return;
    try {
      await mesh.request(attempt.lookerId!, 'grant', {
        op: 'recheck',
        term: parts.term,
        job: attempt.jobId,
        attempt: attempt.id,
        root: context.rootId,
        original: { path: context.path, sizeBytes: context.fingerprint.sizeBytes, hash: context.fingerprint.hash },
        output: {
          path: targetPath(context.path, context.plan.extension),
          waiting: true,
          sizeBytes: attempt.outputBytes!,
          sha256: attempt.sha256!,
        },
        probe: context.probe as unknown as Record<string, unknown>,
        plan: context.plan as unknown as Record<string, unknown>,
        profile: context.profile as unknown as Record<string, unknown>,
        low: false,
        timeoutSeconds: parts.settings()['verify.timeoutMinutes'] * 60,
      });
      silentSince.delete(attempt.id);
    } catch (error) {
      log.info({ attempt: attempt.id, node: attempt.lookerId, why: messageOf(error) }, 'nobody could be asked for a second look yet');
      const since = silentSince.get(attempt.id) ?? Date.now();
      silentSince.set(attempt.id, since);
      if (Date.now() - since < (parts.patienceMs ?? PATIENCE_MS)) return;
      const now = await readAttempt(db, attempt.id);
      if (now?.lookerId !== attempt.lookerId) return;
      if ((await failed(attempt, context, { code: 'node-away', params: { node: await nameOf(attempt.lookerId!) } })) === 'nobody could')
        await parts.goOn(attempt);
    }
  }

  async function told(attempt: Attempt, verdict: Verdict): Promise<Verdict> {
    forget(attempt.id);
    const name = await nameOf(attempt.lookerId!);
    const line = check(
      verdict.accepted ? `${name} looked too, and found the same` : `${name} looked too, and found it different`,
      verdict.accepted,
    );
    // a yes keeps what the keeper measured, a no shows what the other one saw
    const base = verdict.accepted ? attempt.verdict! : verdict;
    const together = { ...base, checks: [...base.checks, line] } as Verdict;
    await saveLooker(db, runOf(attempt), attempt.lookerId, together, lease());
    return together;
  }

  async function failed(attempt: Attempt, context: RunContext, why: Reason): Promise<'asked another' | 'nobody could' | Reason> {
    if (why.code === 'hash-mismatch')
      return reasonOf('not-enough-trust', { message: `${await nameOf(attempt.lookerId!)} reads other bytes there than were delivered` });
    tried.set(attempt.id, (tried.get(attempt.id) ?? new Set()).add(attempt.lookerId!));
    silentSince.delete(attempt.id);
    const next = await choose(attempt, context);
    if (next === null) {
      forget(attempt.id);
      await note(attempt, null, `no other machine could look: ${sentence(why)}`, true);
      return 'nobody could';
    }
    const waiting = await saveLooker(db, runOf(attempt), next, attempt.verdict!, lease());
    if (waiting) askSoon(waiting, context);
    return 'asked another';
  }

  async function note(attempt: Attempt, looker: string | null, words: string, passed: boolean): Promise<void> {
    const verdict = { ...attempt.verdict!, checks: [...attempt.verdict!.checks, check(words, passed)] } as Verdict;
    await saveLooker(db, runOf(attempt), looker, verdict, lease());
  }

  function forget(attempt: number): void {
    tried.delete(attempt);
    silentSince.delete(attempt);
  }

  async function nameOf(node: string): Promise<string> {
    return (await readNode(db, node))?.name ?? node;
  }

  function lease(): number {
    return parts.settings()['jobs.leaseSeconds'];
  }
}

function check(words: string, passed: boolean): Check {
  return { name: 'second-look', original: 'wished', output: words, passed };
}

function runOf(attempt: Attempt): { jobId: number; attemptId: number } {
  return { jobId: attempt.jobId, attemptId: attempt.id };
}
