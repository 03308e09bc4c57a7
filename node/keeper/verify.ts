import type { Fingerprint, Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Reason } from '../core/reasons.ts';
import { targetPath } from '../core/target.ts';
import { judge } from '../core/verdict.ts';
import { messageOf, PlainError } from '../errors.ts';
import { gatherEvidence } from '../ffmpeg/evidence.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { deliver } from '../files/deliver.ts';
import { fingerprint, unchanged } from '../files/fingerprint.ts';
import { resolveInRoot, type Root } from '../files/roots.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';
import type { Report } from '../mesh/outbox.ts';
import { rootTrouble, type KeeperRoots } from './roots.ts';

export type VerifyGrant = Extract<ProtocolRequest<'grant'>, { op: 'verify' }>;

export interface VerifyParts {
  node: string;
  roots: KeeperRoots;
  tools: Tools;
  /** absolute path of the output, which is on this node by now */
  outputOf: (grant: VerifyGrant) => Promise<string>;
  /** it stands beside its original: where it came from it is not needed for this any more */
  onDelivered: (root: Root) => Promise<void>;
  onProgress: (phase: 'delivering' | 'verifying', percent: number) => void;
  /** frames of both for a person to compare; resolves with their times */
  takePictures?: (pair: Pair, signal: AbortSignal) => Promise<number[]>;
}

interface Pair {
  attempt: number;
  original: string;
  output: string;
  originalProbe: Probe;
  outputProbe: Probe;
  plan: WorkPlan;
}

/**
 * Takes an output to its original's side and measures both: the keeper trusts nothing that the worker said. Never
 * throws; the verdict, or why there is none, is the report.
 */
export async function verify(parts: VerifyParts, grant: VerifyGrant, signal: AbortSignal): Promise<Report> {
  const ids = { job: grant.job, attempt: grant.attempt };
  try {
    signal.throwIfAborted();
    const plan = grant.plan as unknown as WorkPlan;
    const root = await parts.roots.open(grant.root);
    const original = await resolveInRoot(root, grant.path);
    await requireUnchanged(original, grant, signal);
    const from = await parts.outputOf(grant);
    const { sizeBytes, sha256 } = grant.output;
    const onProgress = (done: number): void => parts.onProgress('delivering', sizeBytes ? (done / sizeBytes) * 100 : 100);
    const delivered = await deliver({
      root,
      node: parts.node,
      attempt: grant.attempt,
      target: targetPath(grant.path, plan.extension),
      from,
      sizeBytes,
      sha256,
      signal,
      onProgress,
    });
    await parts.onDelivered(root);
    const evidence = await gatherEvidence({
      tools: parts.tools,
      original,
      output: delivered.absolutePath,
      plan,
      profile: grant.profile as unknown as Profile,
      originalProbe: grant.probe as unknown as Probe,
      signal,
      onProgress: (percent) => parts.onProgress('verifying', percent),
    });
    const pair = {
      attempt: grant.attempt,
      original,
      output: delivered.absolutePath,
      originalProbe: evidence.original,
      outputProbe: evidence.output,
      plan,
    };
    const pictures = await parts.takePictures?.(pair, signal);
    await requireUnchanged(original, grant, signal);
    const verdict = judge(evidence);
    return {
      event: 'verified',
      ...ids,
      verdict: verdict as unknown as Record<string, unknown>,
      outputProbe: evidence.output as unknown as Record<string, unknown>,
      outputBytes: evidence.outputBytes,
      ...(pictures ? { pictures } : {}),
    };
  } catch (error) {
    return { event: 'not-verified', ...ids, ...failureOf(await rootTrouble(parts.roots, grant.root, error), signal, 'verify-failed') };
  }
}

/** Aborts a check that takes longer than this. Returns what calls that off. */
export function limitTime(abort: AbortController, seconds: number): () => void {
  const tooLong = new PlainError('Checking took too long.', { reason: { code: 'timeout', params: { limit: seconds } }, retry: true });
  const timer = setTimeout(() => abort.abort(tooLong), seconds * 1000);
  return () => clearTimeout(timer);
}

/** @throws PlainError `file-changed` unless the original is what the job was made for */
export async function requireUnchanged(original: string, grant: VerifyGrant, signal: AbortSignal): Promise<void> {
  const now = await fingerprint(original, signal);
  if (unchanged(now, grant.fingerprint as Fingerprint)) return;
  throw new PlainError('The original changed after it was encoded; it is looked at again.', { reason: { code: 'file-changed' } });
}

/** What a report says of an error: its own reason, or a general one with the message. */
export function failureOf(
  error: unknown,
  signal: AbortSignal,
  code: string,
): { reason: { code: string; params?: Record<string, string | number> }; retry: boolean } {
  const cause = signal.aborted ? (signal.reason as unknown) : error;
  const plain = cause instanceof PlainError ? cause : null;
  const reason: Reason = plain?.reason ?? ({ code, params: { message: messageOf(cause) } } as Reason);
  const params = Object.fromEntries(
    Object.entries(reason.params ?? {}).map(([k, val]) => [k, typeof val === 'string' ? val.slice(0, 2000) : val]),
  );
  return { reason: { code: reason.code, params }, retry: plain ? plain.retry : true };
}
