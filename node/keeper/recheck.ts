import { basename, dirname, join } from 'node:path';
import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import { judge } from '../core/verdict.ts';
import { PlainError } from '../errors.ts';
import { gatherEvidence } from '../ffmpeg/evidence.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { fingerprint, sameContent, sha256File } from '../files/fingerprint.ts';
import { tmpName } from '../files/names.ts';
import { resolveInRoot } from '../files/roots.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';
import type { Report } from '../mesh/outbox.ts';
import { rootTrouble, type KeeperRoots } from './roots.ts';
import { failureOf, limitTime } from './verify.ts';

export type RecheckGrant = Extract<ProtocolRequest<'grant'>, { op: 'recheck' }>;

export interface RecheckParts {
  roots: KeeperRoots;
  tools: Tools;
  /** 0…100 */
  onProgress: (percent: number) => void;
}

/**
 * Compares an output with its original where both stand, and changes nothing: as a second look by another machine before
 * the swap, or once more while the original waits in the trash. Inodes and times are not compared: another machine's
 * mount may show other ones. Never throws; the verdict, or why there is none, is the report.
 */
export async function recheck(parts: RecheckParts, grant: RecheckGrant, abort: AbortController): Promise<Report> {
  const ids = { job: grant.job, attempt: grant.attempt };
  const { signal } = abort;
  const unlimit = limitTime(abort, grant.timeoutSeconds);
  try {
    signal.throwIfAborted();
    const root = await parts.roots.open(grant.root);
    const original = await resolveInRoot(root, grant.original.path);
    const named = await resolveInRoot(root, grant.output.path);
    const output = grant.output.waiting ? join(dirname(named), tmpName(grant.attempt, basename(named))) : named;
    await requireOriginal(original, grant, signal);
    await requireOutput(output, grant, signal);
    const evidence = await gatherEvidence({
      tools: parts.tools,
      original,
      output,
      plan: grant.plan as unknown as WorkPlan,
      profile: strict(grant.profile as unknown as Profile),
      originalProbe: grant.probe as unknown as Probe,
      signal,
      onProgress: parts.onProgress,
    });
    return { event: 'rechecked', ...ids, verdict: judge(evidence) as unknown as Record<string, unknown> };
  } catch (error) {
    return { event: 'not-rechecked', ...ids, ...failureOf(await rootTrouble(parts.roots, grant.root, error), signal, 'verify-failed') };
  } finally {
    unlimit();
  }
}

/** Whoever looks twice looks at every half minute. */
function strict(profile: Profile): Profile {
  return { ...profile, verification: profile.verification === 'inventory' ? 'pictures' : profile.verification };
}

async function requireOriginal(file: string, grant: RecheckGrant, signal: AbortSignal): Promise<void> {
  if (sameContent(await fingerprint(file, signal), grant.original)) return;
  throw new PlainError(`${grant.original.path} is not the original that it was.`, { reason: { code: 'file-changed' } });
}

async function requireOutput(file: string, grant: RecheckGrant, signal: AbortSignal): Promise<void> {
  const sameSize = (await fingerprint(file, signal)).sizeBytes === grant.output.sizeBytes;
  if (sameSize && (await sha256File(file, { signal })) === grant.output.sha256) return;
  throw new PlainError(`${grant.output.path} is not the copy that was made.`, { reason: { code: 'hash-mismatch' } });
}
