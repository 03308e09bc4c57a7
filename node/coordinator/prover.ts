import { randomBytes } from 'node:crypto';
import type { Database } from '../db/connect.ts';
import type { NodeRoot } from '../db/nodes.ts';
import { listNodeRoots, setProved, unprovedRoots, wasEverProved } from '../db/roots.ts';
import { messageOf } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';

/**
 * Two machines that show the same root may show one disk, or a disk and its backup: the marker was copied with the films.
 * To replace a film in the copy would leave the library as it is and destroy the backup. So a further path of a root
 * counts only after a number written through one of the two was read through the other. Until then its films may be
 * read (every one is checked by its fingerprint), but nothing is replaced there. Where the path that was believed is gone, a
 * person says which one it is now (node-commands.ts `locateRoot`).
 */
export interface Prover {
  /** looks at what is not proved yet; at once, and again later what could not be shown. Resolves when it has looked; never rejects */
  kick(): Promise<void>;
  stop(): void;
}

export interface ProverParts {
  mesh: Mesh;
  db: Database;
  present: () => string[];
  events: Events;
  onProved: () => void;
  log: Log;
}

const AGAIN_MS = 5 * 60_000;

export function createProver(parts: ProverParts): Prover {
  const { db, mesh, log } = parts;
  const tried = new Map<string, number>();
  let running: Promise<void> | null = null;
  let again = false;
  let stopped = false;
  return {
    kick,
    stop: () => void (stopped = true),
  };

  function kick(): Promise<void> {
    again = true;
    return (running ??= work()
      .catch((error: unknown) => log.debug({ why: messageOf(error) }, 'roots could not be proved now'))
      .finally(() => (running = null)));
  }

  async function work(): Promise<void> {
    while (again && !stopped) {
      again = false;
      const here = new Set(parts.present());
      for (const root of await unprovedRoots(db)) if (here.has(root.nodeId) && isDue(root)) await prove(root, here);
    }
  }

  function isDue(root: NodeRoot): boolean {
    return Date.now() - (tried.get(`${root.nodeId} ${root.rootId} ${root.path}`) ?? -Infinity) > AGAIN_MS;
  }

  async function prove(root: NodeRoot, here: Set<string>): Promise<void> {
    const paths = (await listNodeRoots(db)).filter((other) => other.rootId === root.rootId && other.nodeId !== root.nodeId);
    const proved = paths.filter((other) => other.provedAt !== null);
    const only = proved.length === 0 && !(await wasEverProved(db, root.rootId));
    const witness = proved.find((other) => here.has(other.nodeId) && !other.problem && (other.writable || root.writable));
    if (!only && !witness) return;
    tried.set(`${root.nodeId} ${root.rootId} ${root.path}`, Date.now());
    if (!only && !(await showsTheSame(root, witness!))) return;
    await setProved(db, root.nodeId, root.rootId);
    parts.events.emit('node.changed', { nodeId: root.nodeId });
    parts.onProved();
  }

  async function showsTheSame(root: NodeRoot, witness: NodeRoot): Promise<boolean> {
    // whoever wants to be believed writes: to say "I found it" is too easy. One that can't write never replaces anything
    const [writer, reader] = root.writable ? [root, witness] : [witness, root];
    const nonce = randomBytes(32).toString('hex');
    const signal = AbortSignal.timeout(60_000);
    try {
      await mesh.request(writer.nodeId, 'inspect', { op: 'prove-write', root: root.rootId, nonce }, { signal });
      const answer = await mesh.request(reader.nodeId, 'inspect', { op: 'prove-read', root: root.rootId, nonce }, { signal });
      const same = answer.op === 'proved' && answer.found;
      if (!same)
        log.warn(
          { node: root.nodeId, path: root.path, other: witness.nodeId },
          'this path has the marker of a library but is another disk, perhaps a copy: nothing is replaced there',
        );
      return same;
    } catch (error) {
      log.debug({ node: root.nodeId, why: messageOf(error) }, 'a root could not be proved now');
      tried.delete(`${root.nodeId} ${root.rootId} ${root.path}`);
      return false;
    }
  }
}
