import { PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Membership } from './membership.ts';
import type { Mesh } from './mesh.ts';
import type { Protocol } from './messages.ts';

/**
 * The mesh as a keeper and a worker see it: orders about films and runs are heard from the coordinator only, which is the
 * node that the highest certificate of this cluster names, and only for the term that it certifies. To be a member gives
 * nobody the right to have a film replaced. The certificate is on this node's disk, so that a coordinator of the past is
 * not obeyed after a restart either.
 *
 *   from the certified node, of its term ──▶ handled
 *   of a later term, or from another member ──▶ a new certificate may be on its way: waited for ──┬─ it came ──▶ handled
 *                                                                                                 └─ refused, ask again
 *   of an earlier term ──▶ refused
 */
export function heedOnlyTheCoordinator(parts: {
  mesh: Mesh;
  membership: Pick<Membership, 'certificate' | 'onCertificate' | 'isMember'>;
  log: Log;
  waitMs?: number;
}): Mesh {
  const { mesh, membership, log } = parts;
  return {
    ...mesh,
    handle(protocol, handler) {
      if (!orders.has(protocol)) return mesh.handle(protocol, handler);
      mesh.handle(protocol, async (order, from) => {
        const { term } = order as { term?: number };
        if ((await standsFor(from, term)) === 'coordinator') return handler(order, from);
        log.warn(
          { protocol, from, term, known: membership.certificate()?.certificate },
          'an order was refused: its sender does not coordinate',
        );
        throw new PlainError('This machine takes orders only from the one that coordinates, and knows another one.', { retry: true });
      });
    },
  };

  /** A new coordinator's first order may be quicker than the news of it. */
  async function standsFor(from: string, term: number | undefined): Promise<'coordinator' | 'nobody'> {
    const now = judge(from, term);
    if (now !== 'perhaps') return now;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, parts.waitMs ?? WAIT_MS);
    const off = membership.onCertificate(() => judge(from, term) !== 'perhaps' && resolve());
    await promise;
    clearTimeout(timer);
    off();
    return judge(from, term) === 'coordinator' ? 'coordinator' : 'nobody';
  }

  function judge(from: string, term: number | undefined): 'coordinator' | 'nobody' | 'perhaps' {
    const known = membership.certificate()?.certificate;
    if (!membership.isMember(from)) return 'nobody';
    if (!known) return 'perhaps';
    if (term !== undefined && term < known.term) return 'nobody';
    return known.node === from && (term === undefined || term === known.term) ? 'coordinator' : 'perhaps';
  }
}

const orders: ReadonlySet<Protocol> = new Set<Protocol>(['grant', 'inspect', 'control', 'pictures', 'sample', 'log']);

/** A coordinator announces itself every two seconds. */
const WAIT_MS = 3000;
