import { parseWindows } from '../core/hours.ts';
import { parseManners } from '../core/manner-wishes.ts';
import type { NodeWishes } from '../core/node-wishes.ts';
import type { Actor, Commands } from '../core/commands.ts';
import { addActivity } from '../db/activity.ts';
import { awaitOutside, openAttempts, type Attempt } from '../db/attempts.ts';
import { listCandidates, removeCandidate } from '../db/candidates.ts';
import { releaseAttempt } from '../db/run-ends.ts';
import { establishCluster, readCluster, renameCluster } from '../db/cluster.ts';
import { readJobRow } from '../db/job-lists.ts';
import { addJoinToken, removeJoinToken } from '../db/join-tokens.ts';
import { lockNode, putOff, readNode, setStanding, setWishes, wishesOf, type NodeRow } from '../db/nodes.ts';
import { believePath, setNodeRoots } from '../db/roots.ts';
import { PlainError } from '../errors.ts';
import { newToken } from '../mesh/join-token.ts';
import type { CoordinatorParts } from './coordinator.ts';
import type { Term } from './term.ts';

/** A page waits for it. */
const LOG_PATIENCE_MS = 10_000;

type NodeCommands =
  | 'approveNode'
  | 'declineNode'
  | 'removeNode'
  | 'changeNode'
  | 'handOver'
  | 'locateRoot'
  | 'createJoinToken'
  | 'revokeJoinToken'
  | 'renameCluster'
  | 'readLog';

/** What a person may do with the machines of the house. Whatever decides who may speak is signed and told at once. */
export function nodeCommands(parts: CoordinatorParts, term: Term): Pick<Commands, NodeCommands> {
  const { mesh, events } = parts;
  const { db } = term;

  return {
    async approveNode(nodeId, by) {
      const node = await known(nodeId);
      if (node.standing === 'approved') return;
      await setStanding(db, nodeId, 'approved', by.name);
      await establishCluster(db);
      await term.publishMembers();
      await note('node-approved', node, by);
    },

    async readLog({ nodeId, ...wish }) {
      const node = await known(nodeId);
      if (node.standing !== 'approved') throw new PlainError(`${node.name} is not a member.`);
      const signal = AbortSignal.timeout(LOG_PATIENCE_MS);
      return (await mesh.request(nodeId, 'log', { term: term.number, ...wish, limit: 200 }, { signal })).lines;
    },

    async declineNode(nodeId, how, by) {
      const node = await known(nodeId);
      if (node.standing === 'approved') throw new PlainError(`${node.name} is a member already. Remove it instead.`);
      if (how === 'later') await putOff(db, nodeId, 60);
      else await setStanding(db, nodeId, 'rejected', by.name);
      await note('node-declined', node, by);
    },

    async removeNode(nodeId, by) {
      const node = await known(nodeId);
      if (node.standing !== 'approved') throw new PlainError(`${node.name} is not a member.`);
      if (nodeId === mesh.self)
        throw new PlainError(
          parts.db.embedded
            ? `${node.name} holds the database of this cluster; without it there is no cluster.`
            : `${node.name} coordinates now. Hand the role over to another machine first, then remove it.`,
        );
      await setStanding(db, nodeId, 'revoked', by.name);
      await term.publishMembers();
      await takeBack(nodeId, node.name);
      await note('node-removed', node, by);
      term.dispatcher.worldChanged();
      term.offer();
    },

    async changeNode(nodeId, wishes, by) {
      const manners = parseManners(wishes.manners ?? {});
      if (manners.problems.length) throw new PlainError(manners.problems.map((each) => each.problem).join(' '));
      // one after the other: of two people, neither writes back what the other has just changed
      const node = await db.tx(async (q) => {
        const row = existing(await lockNode(q, nodeId));
        const before = wishesOf(row);
        await setWishes(q, nodeId, lawful({ ...before, ...wishes, manners: { ...before.manners, ...manners.manners } }));
        return row;
      });
      await note('node-changed', node, by, { wishes: JSON.stringify(wishes) });
      term.dispatcher.worldChanged();
      term.callForHello();
      term.offer();
    },

    async handOver(nodeId, by) {
      const node = await known(nodeId);
      if (nodeId === mesh.self) return;
      if (parts.db.embedded)
        throw new PlainError(
          'The database of this cluster lives on this machine, so no other one can coordinate. With an external PostgreSQL any machine that is given its address can.',
        );
      if (!(await listCandidates(db)).some((c) => c.nodeId === nodeId && c.fresh))
        throw new PlainError(`${node.name} has no connection to the database now, so it cannot coordinate.`);
      await note('role-handed-over', node, by);
      // after the answer: this term ends with it
      setTimeout(() => void term.handOver(nodeId).catch(() => {}), 200).unref();
    },

    async locateRoot({ node: nodeId, root, path }, by) {
      const node = await known(nodeId);
      const answer = await mesh.request(
        nodeId,
        'inspect',
        { op: 'adopt', path: path.trim(), root },
        { signal: AbortSignal.timeout(30_000) },
      );
      if (answer.op !== 'adopted' || answer.root !== root) throw new PlainError(`${path} on ${node.name} is not that library.`);
      await believePath(db, nodeId, { id: root, path: answer.path, writable: answer.writable });
      await note('root-located', node, by, { path: answer.path });
      term.callForHello();
    },

    async createJoinToken({ label, uses, hours }, by) {
      if (!(Number.isInteger(uses) && uses >= 1 && uses <= 1000)) throw new PlainError('A token works 1 to 1000 times.');
      if (!(Number.isInteger(hours) && hours >= 1 && hours <= 24 * 365)) throw new PlainError('A token lives one hour to one year.');
      const addresses = parts.peers().flatMap((peer) => (peer.node === mesh.self ? peer.addresses : []));
      const { id, token, secretHash } = newToken(term.key.cluster, addresses);
      await addJoinToken(db, { id, label: label.trim().slice(0, 100), secretHash, uses, hours, by: by.name });
      await addActivity(db, { kind: 'token-created', by: by.name, params: { label } });
      events.emit('node.changed', { nodeId: mesh.self });
      return { id, token };
    },

    async revokeJoinToken(id, by) {
      if (!(await removeJoinToken(db, id))) throw new PlainError('This token does not exist any more.');
      await addActivity(db, { kind: 'token-revoked', by: by.name });
      events.emit('node.changed', { nodeId: mesh.self });
    },

    async renameCluster(name, by) {
      const wished = name.trim();
      if (wished === '' || wished.length > 63) throw new PlainError('A cluster needs a name of 1 to 63 characters.');
      if ((await readCluster(db))?.name === wished) return;
      await renameCluster(db, wished);
      await addActivity(db, { kind: 'cluster-renamed', by: by.name, params: { name: wished } });
      events.emit('node.changed', { nodeId: mesh.self });
    },
  };

  async function known(nodeId: string): Promise<NodeRow> {
    return existing(await readNode(db, nodeId));
  }

  /**
   * What a removed machine runs waits again at once; what it finished but did not deliver is made anew by another, as is
   * what nobody but it could have checked. Of a swap that it has begun only itself knows the end: that stays open, in case it
   * comes back, says so, and may be given up by a person (`cancelJob`).
   */
  async function takeBack(nodeId: string, name: string): Promise<void> {
    term.roster.forget(nodeId);
    await setNodeRoots(db, nodeId, []);
    await removeCandidate(db, nodeId);
    const own = (a: Attempt): boolean => a.nodeId === nodeId || (a.keeperId === nodeId && a.state !== 'running');
    for (const attempt of (await openAttempts(db)).filter(own)) {
      if (attempt.state === 'replacing') {
        if (attempt.keeperId === nodeId) await sayUnknownEnd(attempt, name);
        continue;
      }
      const ended = await releaseAttempt(
        db,
        { jobId: attempt.jobId, attemptId: attempt.id },
        { code: 'node-revoked', params: { node: name } },
      );
      if (ended) await term.finisher.over(attempt);
      if (ended) events.emit('job.changed', { jobId: ended.jobId, fileId: ended.fileId, libraryId: ended.libraryId });
    }
  }

  async function sayUnknownEnd({ jobId, id }: Attempt, name: string): Promise<void> {
    await awaitOutside(db, { jobId, attemptId: id }, { code: 'swap-removed', params: { node: name } }, 60);
    const job = await readJobRow(db, jobId);
    if (job) events.emit('job.changed', { jobId, fileId: job.fileId, libraryId: job.libraryId });
  }

  async function note(kind: string, node: NodeRow, by: Actor, params: Record<string, string> = {}): Promise<void> {
    await addActivity(db, { kind, nodeId: node.id, by: by.name, params: { name: node.name, ...params } });
    events.emit('activity.added', { kind, severity: 0 });
    events.emit('node.changed', { nodeId: node.id });
  }
}

function existing(node: NodeRow | null): NodeRow {
  if (!node) throw new PlainError('There is no such machine.');
  return node;
}

/** @throws PlainError for a wish that no machine could follow */
function lawful(wishes: NodeWishes): NodeWishes {
  if (wishes.slots !== null && !(Number.isInteger(wishes.slots) && wishes.slots >= 0 && wishes.slots <= 64))
    throw new PlainError('The number of encodes at once is a whole number from 0 to 64.');
  if (wishes.mbps !== null && !(Number.isInteger(wishes.mbps) && wishes.mbps >= 1 && wishes.mbps <= 100_000))
    throw new PlainError('The bandwidth is a whole number of megabits a second, from 1 to 100000.');
  const hours = parseWindows(wishes.schedule);
  if (hours.problems.length) throw new PlainError(`${hours.problems.join('; ')}.`);
  return { ...wishes, schedule: hours.windows };
}
