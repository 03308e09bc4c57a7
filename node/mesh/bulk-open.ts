import type { Signed } from '../core/cluster.ts';
import { sentence, type Reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import type { BulkAddress, FetchWish } from './bulk-client.ts';
import type { Mesh } from './mesh.ts';
import type { ProtocolRequest } from './messages.ts';

export interface BulkOpenParts {
  mesh: Pick<Mesh, 'request'>;
  /** host part of the live connection to a node; null when there is none */
  hostOf: (node: string) => string | null;
}

/**
 * How `fetchFile` reaches one file of another node: every call asks the holder anew for a key.
 * @throws PlainError with the holder's reason; `retry` as the holder says, true when it can't be reached
 */
export function openBulk(parts: BulkOpenParts, holder: string, ticket: Signed): FetchWish['open'] {
  return (signal) => ask(parts, holder, { op: 'file', ticket }, signal);
}

/** An address for `requestOver` and `bulkAgent`: the coordinator's dashboard. @throws PlainError as `openBulk` */
export async function openDashboard(parts: BulkOpenParts, coordinator: string, signal: AbortSignal): Promise<BulkAddress> {
  const { host, port, identity, key } = await ask(parts, coordinator, { op: 'dashboard' }, signal);
  return { host, port, identity, key };
}

async function ask({ mesh, hostOf }: BulkOpenParts, holder: string, wish: ProtocolRequest<'bulk'>, signal: AbortSignal) {
  const answer = await mesh.request(holder, 'bulk', wish, { signal });
  if (answer.op === 'refused') {
    // a newer node may know reasons that we don't; they still read as words
    throw new PlainError(sentence(answer.reason), { reason: answer.reason as Reason, retry: answer.retry });
  }
  const host = hostOf(holder);
  if (host === null || answer.port < 1 || answer.port > 65_535) {
    throw new PlainError('The machine that holds the file went away; it is asked again.', { retry: true });
  }
  const { port, identity, key, sizeBytes } = answer;
  return { host, port, identity, key, sizeBytes };
}
