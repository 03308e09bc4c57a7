import type { Ticket } from '../core/cluster.ts';
import type { Fingerprint } from '../core/media.ts';
import { PlainError } from '../errors.ts';
import { fingerprint, unchanged } from '../files/fingerprint.ts';
import { resolveInRoot } from '../files/roots.ts';
import type { GrantedJob } from '../mesh/messages.ts';
import { rootTrouble, type KeeperRoots } from './roots.ts';

type Film = Pick<GrantedJob, 'root' | 'path' | 'fingerprint'>;

/**
 * The film that a ticket speaks of, for the data plane: in a root that this node has itself, and still the very file that
 * was planned. A root that can only be read serves as well.
 * @throws PlainError `root-not-mounted` (worth asking again), `file-changed`, `missing`, `outside-root`, …
 */
export async function servedSource(roots: KeeperRoots, ticket: Ticket, signal: AbortSignal): Promise<{ file: string; sizeBytes: number }> {
  if (ticket.what !== 'source') throw new PlainError('This ticket is not for a film.', { reason: { code: 'outside-root' } });
  const file = await findFilm(roots, ticket, signal);
  return { file, sizeBytes: ticket.fingerprint.sizeBytes };
}

/**
 * The film of a granted job by this node's own mount; null when it has to be fetched from its keeper: the root is not
 * here, or what lies here is a copy, older, newer or unreadable.
 * @throws PlainError when this node is the keeper itself
 */
export async function localSource(
  parts: { node: string; roots: KeeperRoots },
  grant: Pick<GrantedJob, 'keeper'> & Film,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    return await findFilm(parts.roots, grant, signal);
  } catch (error) {
    if (signal.aborted || grant.keeper === parts.node) throw error;
    return null;
  }
}

async function findFilm(roots: KeeperRoots, film: Film, signal: AbortSignal): Promise<string> {
  const root = await roots.open(film.root);
  try {
    const file = await resolveInRoot(root, film.path);
    if (unchanged(await fingerprint(file, signal), film.fingerprint as Fingerprint)) return file;
  } catch (error) {
    // a disk that went away in this moment makes every film look missing
    throw signal.aborted ? error : await rootTrouble(roots, film.root, error);
  }
  throw new PlainError(`${film.path} changed after it was planned; it is looked at again.`, { reason: { code: 'file-changed' } });
}
