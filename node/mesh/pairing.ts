import { randomBytes } from 'node:crypto';
import { speaks } from '../core/compatibility.ts';
import { clusterProof, joinProof, sameProof, secretHashOf } from './join-token.ts';
import type { JoinToken } from './join-token.ts';
import { plainName } from './lobby-messages.ts';
import type { Pinned } from './membership.ts';
import type { JoinAnswer, JoinRequest } from './messages.ts';
import { commitOf, pairingCode } from './pairing-code.ts';
import { openMembers } from './signing.ts';

/**
 * The joiner's side of one request to join one cluster: what it says, and which answers it believes. The cluster's key
 * is pinned from the first lobby on; its id is the key's hash, so no lobby can put another key under the same id.
 *
 *   commit said ──pending, nonce──▶ reveal said ──pending──▶ both show the code ──approved, list signed──▶ pinned
 */
export interface Pairing {
  readonly cluster: { id: string; name: string; publicKey: string };
  /** null until both sides can show it */
  code(): string | null;
  request(): JoinRequest;
  /** What an answer means. `from` is the lobby that gave it, `lobbies` those of this cluster that are here. */
  take(answer: JoinAnswer, from: string, lobbies: readonly string[]): Step;
}

export type Step =
  | { next: 'pin'; pinned: Pinned }
  /** ask again at once: now the cluster may know the reveal */
  | { next: 'reveal' }
  /** a person has to approve; the code is known */
  | { next: 'wait' }
  | { next: 'refused'; why: string }
  | { next: 'away'; why: string }
  /** not believed */
  | { next: 'distrust'; why: string };

export interface PairingParts {
  cluster: { id: string; name: string; publicKey: string };
  self: { id: string; name: string; version: string; platform: string; hardware: Record<string, unknown> };
  /** only when it is a token of this cluster */
  token: JoinToken | null;
}

/** A request must fit through the lobby; what a machine consists of can be told later as well. */
const MAX_HARDWARE = 4096;

export function createPairing(parts: PairingParts): Pairing {
  const { cluster, self } = parts;
  const secretHash = parts.token && secretHashOf(parts.token.secret);
  let reveal = newReveal();
  /** the first one counts: it was given before the reveal was said */
  let nonce: { text: string; by: string } | null = null;
  let revealed = false;

  return {
    cluster,
    code: () => (nonce && revealed ? pairingCode({ publicKey: cluster.publicKey, node: self.id, reveal, nonce: nonce.text }) : null),
    request: () => ({
      node: self.id,
      name: self.name.slice(0, 63),
      version: self.version.slice(0, 40),
      speaks,
      platform: self.platform.slice(0, 60),
      hardware: JSON.stringify(self.hardware).length <= MAX_HARDWARE ? self.hardware : {},
      commit: commitOf(reveal),
      reveal: nonce ? reveal : null,
      token: parts.token && secretHash ? { id: parts.token.id, proof: joinProof(secretHash, cluster.publicKey, self.id) } : null,
    }),
    take(answer, from, lobbies) {
      if (answer.state === 'away') return { next: 'away', why: answer.why };
      if (answer.cluster !== cluster.id) return { next: 'distrust', why: 'Another cluster answered than the one that was asked.' };
      if (answer.state === 'refused') return { next: 'refused', why: answer.why };
      if (answer.publicKey !== cluster.publicKey) return { next: 'distrust', why: 'The cluster showed another key than before.' };
      return answer.state === 'pending' ? onPending(answer.nonce, from, lobbies) : onApproved(answer);
    },
  };

  function onPending(given: string, from: string, lobbies: readonly string[]): Step {
    if (nonce?.text === given) {
      revealed = true;
      return { next: 'wait' };
    }
    // Every lobby of a cluster passes on the same request. A single other one may lie; the one that gave the nonce may
    // give a new one, when the cluster forgot the request: then everything begins anew, with a new code.
    if (nonce && nonce.by !== from && lobbies.includes(nonce.by)) {
      return { next: 'distrust', why: 'Two machines of this cluster answered differently.' };
    }
    if (nonce) reveal = newReveal();
    revealed = false;
    // with a new reveal the new commit has to be said before a nonce is believed
    nonce = nonce ? null : { text: given, by: from };
    return { next: 'reveal' };
  }

  function onApproved(answer: Extract<JoinAnswer, { state: 'approved' }>): Step {
    const members = openMembers(cluster.publicKey, answer.members);
    if (!members) return { next: 'distrust', why: 'The list of members is not signed by the cluster.' };
    if (!members.nodes.some(({ id }) => id === self.id))
      return { next: 'distrust', why: 'The list of members does not name this machine.' };
    // Without a proof the signature is enough: the token names the key that made it. A wrong one is a mistake somewhere.
    if (secretHash && answer.proof !== null && !sameProof(answer.proof, clusterProof(secretHash, cluster.publicKey, self.id))) {
      return { next: 'distrust', why: 'The cluster did not prove that it knows the join token.' };
    }
    const { members: list, certificate, peers } = answer;
    const name = plainName(answer.name);
    return { next: 'pin', pinned: { cluster: { ...cluster, name }, hosts: false, members: list, certificate, peers } };
  }
}

function newReveal(): string {
  return randomBytes(32).toString('base64url');
}
