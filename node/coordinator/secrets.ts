import { listCandidates } from '../db/candidates.ts';
import { readSecretId, writeSecretId } from '../db/cluster.ts';
import type { Database } from '../db/connect.ts';
import { readNode } from '../db/nodes.ts';
import { PlainError } from '../errors.ts';
import type { SecretKey } from '../sealed.ts';

/** Secrets of one term: sealed with the key that the whole cluster uses, which this machine may lack. */
export interface Secrets {
  /** @throws PlainError when the key is on another machine that may still come */
  seal(name: string, secret: string): Promise<string>;
  /** @throws PlainError reason `secret-lost` */
  open(name: string, sealed: string): string;
}

export function createSecrets(parts: { db: Database; self: string; key: SecretKey }): Secrets {
  const { db, key } = parts;
  return {
    async seal(name, secret) {
      const used = await readSecretId(db);
      if (used === null || used !== key.id()) await beginAnew(used);
      return key.sealer()!.seal(name, secret);
    },
    open(name, sealed) {
      const sealer = key.sealer();
      if (sealer) return sealer.open(name, sealed);
      throw new PlainError('The key of stored sign-ins is not on this machine. Sign in again.', { reason: { code: 'secret-lost' } });
    },
  };

  /**
   * The key of this machine is the cluster's from now on. Not while another machine that may coordinate could still bring
   * the one that was used: what is sealed with that would be lost for nothing.
   */
  async function beginAnew(used: string | null): Promise<void> {
    if (used !== null)
      for (const { nodeId } of await listCandidates(db)) {
        if (nodeId === parts.self) continue;
        const other = (await readNode(db, nodeId))?.name ?? nodeId;
        throw new PlainError(
          `The key of stored sign-ins is not on this machine yet. ${other} may have it: let it run beside this one for a minute, or remove it on the Nodes page if it never comes back.`,
          { retry: true },
        );
      }
    const id = await key.make();
    if (!(await writeSecretId(db, id, used)))
      throw new PlainError('Another machine set a key of its own at this moment. Try again.', { retry: true });
  }
}
