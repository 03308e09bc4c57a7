import { createHmac, timingSafeEqual } from 'node:crypto';
import { speaks, unsaid, whyApart } from '../core/compatibility.ts';
import { addActivity } from '../db/activity.ts';
import { establishCluster, readCluster } from '../db/cluster.ts';
import type { Database } from '../db/connect.ts';
import { readTokenHash, spendToken } from '../db/join-tokens.ts';
import { askToJoin, countPending, readNode, setStanding } from '../db/nodes.ts';
import type { Events } from '../events.ts';
import { clusterProof, joinProof } from '../mesh/join-token.ts';
import type { JoinAnswer, JoinRequest, ProtocolRequest } from '../mesh/messages.ts';
import { commitOf, pairingCode } from '../mesh/pairing-code.ts';
import type { ClusterKey } from '../mesh/signing.ts';
import { version } from '../version.ts';

/**
 * Strangers who ask to join. A person decides, comparing a code that both sides show, or a token decides at once.
 *
 *   asks(commit) ─▶ nonce ─▶ asks(commit, reveal) ─▶ pending row with its code ─approve─▶ asks ─▶ approved, signed list
 *   asks(token)  ─▶ proof right, a use left ─▶ approved
 *
 * The nonce follows from the commitment and the cluster's key, so that whichever node coordinates gives the same one and
 * nothing has to be remembered before a person can see it.
 */
export interface Pairing {
  ask(request: ProtocolRequest<'join'>): Promise<JoinAnswer>;
}

export interface PairingParts {
  db: Database;
  key: ClusterKey;
  events: Events;
  /** signs the list anew and tells everybody */
  publishMembers: () => Promise<void>;
  /** the signed list and certificate, and where members are reached, for a node that becomes one */
  welcome: () => Promise<Pick<Extract<JoinAnswer, { state: 'approved' }>, 'members' | 'certificate' | 'peers'>>;
}

/** More machines than any house has; beyond it somebody makes them up. */
const MOST_PENDING = 50;

export function createPairing(parts: PairingParts): Pairing {
  const { db, key, events } = parts;
  return { ask };

  async function ask({ asked, address }: ProtocolRequest<'join'>): Promise<JoinAnswer> {
    const apart = await whyTooFar(asked);
    if (apart !== null) return refused(apart);
    const known = await readNode(db, asked.node);
    if (known?.standing === 'approved') return approved(asked, null);
    if (asked.token) return byToken(asked, address, asked.token);
    if (known?.standing === 'rejected') return refused('A person refused this machine. It can be approved after all on the Nodes page.');
    if (!known && (await countPending(db)) >= MOST_PENDING) return refused('Too many machines ask to join at this moment.');
    const nonce = createHmac('sha256', key.privateKey).update(`${asked.node} ${asked.commit}`).digest('base64url');
    if (asked.reveal !== null) {
      if (commitOf(asked.reveal) !== asked.commit) return refused('The request to join contradicts itself.');
      const code = pairingCode({ publicKey: key.publicKey, node: asked.node, reveal: asked.reveal, nonce });
      await writeDown(asked, address, code, known?.standing === 'revoked');
    }
    return { state: 'pending', ...(await name()), publicKey: key.publicKey, nonce };
  }

  /** A machine that could do nothing here learns it before anybody approves it. */
  async function whyTooFar(asked: JoinRequest): Promise<string | null> {
    const here = { name: (await name()).name || 'this cluster', version, speaks };
    return whyApart(here, { name: asked.name, version: asked.version, speaks: asked.speaks ?? unsaid });
  }

  async function writeDown(asked: JoinRequest, address: string, code: string, wasRemoved: boolean): Promise<void> {
    const { node: id, version, platform, hardware } = asked;
    const before = await readNode(db, id);
    const isNews = await db.tx(async (q) => {
      const row = await askToJoin(q, { id, name: asked.name, version, platform, hardware, address, code });
      if (wasRemoved) await setStanding(q, id, 'pending', 'asked again');
      if (before?.code === row.code && !wasRemoved) return false;
      await addActivity(q, { kind: 'node-asks', severity: 1, nodeId: id, params: { name: asked.name } });
      return true;
    });
    if (isNews) events.emit('node.changed', { nodeId: id });
  }

  async function byToken(asked: JoinRequest, address: string, token: { id: string; proof: string }): Promise<JoinAnswer> {
    const secretHash = await readTokenHash(db, token.id, true);
    const right = secretHash !== null && same(joinProof(secretHash, key.publicKey, asked.node), token.proof);
    if (!right) return unlessApproved(asked, 'This join token is wrong, used up or too old. Make a new one on the Nodes page.');
    const { node: id, version, platform, hardware } = asked;
    const joined = await db.tx(async (q) => {
      if (!(await spendToken(q, token.id))) return false;
      await askToJoin(q, { id, name: asked.name, version, platform, hardware, address, code: null });
      await setStanding(q, id, 'approved', 'a join token');
      await addActivity(q, { kind: 'node-approved', nodeId: id, by: 'a join token', params: { name: asked.name } });
      await establishCluster(q);
      return true;
    });
    if (!joined) return unlessApproved(asked, 'This join token is used up. Make a new one on the Nodes page.');
    await parts.publishMembers();
    events.emit('node.changed', { nodeId: id });
    return approved(asked, clusterProof(secretHash, key.publicKey, id));
  }

  /** A slow answer makes a machine ask at its other addresses too: then its own first question has spent the last use. */
  async function unlessApproved(asked: JoinRequest, why: string): Promise<JoinAnswer> {
    return (await readNode(db, asked.node))?.standing === 'approved' ? approved(asked, null) : refused(why);
  }

  async function approved(asked: JoinRequest, proof: string | null): Promise<JoinAnswer> {
    // the first answer may have been lost after it spent the last use
    const secretHash = asked.token && !proof ? await readTokenHash(db, asked.token.id, false) : null;
    const own = proof ?? (secretHash ? clusterProof(secretHash, key.publicKey, asked.node) : null);
    return { state: 'approved', ...(await name()), publicKey: key.publicKey, ...(await parts.welcome()), proof: own };
  }

  async function refused(why: string): Promise<JoinAnswer> {
    return { state: 'refused', ...(await name()), why };
  }

  async function name(): Promise<{ cluster: string; name: string }> {
    return { cluster: key.cluster, name: (await readCluster(db))?.name ?? '' };
  }
}

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
