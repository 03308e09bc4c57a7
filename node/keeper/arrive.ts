import type { Signed } from '../core/cluster.ts';
import type { WorkPlan } from '../core/plan.ts';
import { messageOf, PlainError } from '../errors.ts';
import { isDelivered } from '../files/deliver.ts';
import { incomingPath, prepareIncoming, removeIncoming, type Incoming } from '../files/incoming.ts';
import { readDelivery } from '../files/journal.ts';
import { resolveInRoot, type Root } from '../files/roots.ts';
import { patienceFor, whileAlive } from '../mesh/patience.ts';
import type { KeeperRoots } from './roots.ts';
import { requireUnchanged, type VerifyGrant } from './verify.ts';

/** Brings one output from its worker over the data plane: on from what is in `target`, exactly so many bytes, with that hash. */
export type FetchOutput = (wish: {
  holder: string;
  ticket: Signed;
  target: string;
  sizeBytes: number;
  sha256: string;
  onProgress: (bytes: number) => void;
  signal: AbortSignal;
}) => Promise<unknown>;

export interface ArriveParts {
  node: string;
  roots: KeeperRoots;
  fetch: FetchOutput;
  /** 0…100 */
  onProgress: (percent: number) => void;
  /** a worker that sends nothing for so long is away: its output waits there */
  patienceMs?: number;
}

/**
 * Fetches an output that another node made into the root's `incoming`. Done again after a break or a restart it goes on
 * where it was; for an output that is delivered already it does nothing.
 * @throws PlainError: `no-space`, `keeper-away`, `root-not-mounted` are nobody's failure and wait; `delivery-failed` when
 *   the worker does not have it any more, `hash-mismatch`: it is encoded again
 */
export async function arrive(parts: ArriveParts, grant: VerifyGrant, signal: AbortSignal): Promise<void> {
  const root = await parts.roots.open(grant.root);
  if (await deliveredAlready(root, grant)) return;
  await requireUnchanged(await resolveInRoot(root, grant.path), grant, signal);
  const place: Incoming = { root, node: parts.node };
  const { node: holder, sizeBytes, sha256 } = grant.output;
  if (!grant.ticket) throw lost(grant, 'no ticket came with the grant');
  const target = await prepareIncoming(place, grant.attempt, extensionOf(grant), sizeBytes);
  const ticket = grant.ticket;
  try {
    await whileAlive({ signal, silentMs: parts.patienceMs ?? patienceFor(sizeBytes), tooLong: () => away(grant) }, (until, alive) => {
      const onProgress = (bytes: number): void => {
        alive();
        parts.onProgress(sizeBytes ? (bytes / sizeBytes) * 100 : 100);
      };
      return parts.fetch({ holder, ticket, target, sizeBytes, sha256, onProgress, signal: until });
    });
  } catch (error) {
    if (signal.aborted) throw error;
    const plain = error instanceof PlainError ? error : null;
    // nothing of it can be trusted, so nothing of it is gone on with
    if (plain?.reason?.code === 'hash-mismatch') await removeIncoming(place, grant.attempt);
    throw explained(error, grant);
  }
}

/** Where `arrive` puts the output of a grant. */
export async function arrivedAt(roots: KeeperRoots, node: string, grant: VerifyGrant): Promise<string> {
  return incomingPath({ root: await roots.open(grant.root), node }, grant.attempt, extensionOf(grant));
}

function extensionOf(grant: VerifyGrant): string {
  return (grant.plan as unknown as WorkPlan).extension;
}

async function deliveredAlready(root: Root, grant: VerifyGrant): Promise<boolean> {
  const delivery = await readDelivery(root, grant.attempt);
  if (delivery?.state !== 'delivered' || delivery.sha256 !== grant.output.sha256) return false;
  return await isDelivered(delivery, await resolveInRoot(root, delivery.tmpPath));
}

function explained(error: unknown, grant: VerifyGrant): PlainError {
  const plain = error instanceof PlainError ? error : null;
  // a refusal's "not again" is about asking, not about the job
  if (plain?.reason && ofThisMachine.has(plain.reason.code))
    return new PlainError(plain.message, { cause: error, reason: plain.reason, retry: true });
  if (plain?.retry && !plain.reason) return away(grant, error);
  return lost(grant, messageOf(error), error);
}

/** What went wrong here or on the way; anything else is about what the worker has. Its `file-changed` is not the film's. */
const ofThisMachine = new Set<string>(['no-space', 'disk-full', 'hash-mismatch', 'input-output-error', 'read-only', 'keeper-away']);

function away(grant: VerifyGrant, cause?: unknown): PlainError {
  return new PlainError(`The machine that has the output of attempt ${grant.attempt} does not answer; the output waits there.`, {
    cause,
    reason: { code: 'keeper-away' },
    retry: true,
  });
}

function lost(grant: VerifyGrant, why: string, cause?: unknown): PlainError {
  return new PlainError(`The output of attempt ${grant.attempt} could not be fetched from its worker: ${why}`, {
    cause,
    reason: { code: 'delivery-failed', params: { message: why.slice(0, 500) } },
    retry: true,
  });
}
