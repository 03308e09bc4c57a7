import { isEncodersFault, isOtherBuild, shallBench, type Combination } from '../core/bench.ts';
import type { Actor } from '../core/commands.ts';
import { label, reason } from '../core/reasons.ts';
import { addActivity } from '../db/activity.ts';
import type { Attempt } from '../db/attempts.ts';
import { bench, lastOutcomes, liftBench, listBenched, readBench, type Benched, type Maker } from '../db/benched.ts';
import type { Database } from '../db/connect.ts';
import { readNode, type NodeRow } from '../db/nodes.ts';
import { wantRechecks } from '../db/rechecks.ts';
import { PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';

/**
 * Encoders that are not used because of what they made (core/bench.ts says when). Whoever is benched here gets no job that
 * needs it, the rest of its machine works on, and what it made before is looked at again (rechecker.ts).
 */
export interface Benches {
  /** an output was refused, which is in the books already */
  bad(attempt: Attempt, code: string): Promise<void>;
  /** a node said what it is and has: what another build of it did is forgiven */
  heard(node: NodeRow): Promise<void>;
  /** a person gives one another chance */
  lift(id: number, by: Actor): Promise<void>;
}

export function createBenches(parts: { db: Database; events: Events; worldChanged: () => void; offer: () => void; log: Log }): Benches {
  const { db, events, log } = parts;

  return {
    async bad(attempt, code) {
      if (!attempt.encoder || attempt.encoder === 'copy' || !isEncodersFault(code)) return;
      const maker = makerOf(attempt);
      const verdict = shallBench(await lastOutcomes(db, maker));
      if (verdict) await benchIt(attempt, maker, verdict);
    },

    async heard(node) {
      for (const benched of await listBenched(db, node.id)) {
        const report = node.encoders.find((e) => e.name === benched.encoder && (e.device ?? '') === benched.device);
        if (isOtherBuild(report, benched.build)) await liftIt(benched, node.name, 'CodecShift', report!.build!);
      }
    },

    async lift(id, by) {
      const benched = await readBench(db, id);
      if (!benched) throw new PlainError('This encoder is not benched any more.');
      await liftIt(benched, (await readNode(db, benched.nodeId))?.name ?? benched.nodeId, by.name, null);
    },
  };

  async function benchIt(
    attempt: Attempt,
    maker: Maker,
    { bad, outputs, cause }: { bad: number; outputs: number; cause: string },
  ): Promise<void> {
    const name = (await readNode(db, maker.nodeId))?.name ?? maker.nodeId;
    const why = reason('encoder-benched', {
      encoder: wordsOf(maker),
      node: name,
      bad,
      outputs,
      cause: label({ code: cause }).toLowerCase(),
    });
    const wanted = await db.tx(async (q) => {
      if (!(await bench(q, maker, { reason: why, attemptId: attempt.id }))) return null;
      const rechecks = await wantRechecks(q, maker);
      await addActivity(q, { kind: 'encoder-benched', severity: 1, nodeId: maker.nodeId, params: { reason: why, count: rechecks } });
      return rechecks;
    });
    if (wanted === null) return;
    log.warn({ ...maker, bad, outputs, cause, rechecks: wanted }, 'an encoder made bad copies and is not used for now');
    changed(maker.nodeId, 'encoder-benched', 1);
  }

  async function liftIt(benched: Benched, node: string, by: string, build: string | null): Promise<void> {
    if (!(await liftBench(db, benched.id, by))) return;
    const params = { node, encoder: wordsOf(benched), ...(build === null ? {} : { build }) };
    await addActivity(db, { kind: 'bench-lifted', nodeId: benched.nodeId, by, params });
    changed(benched.nodeId, 'bench-lifted', 0);
    parts.offer();
  }

  function changed(nodeId: string, kind: string, severity: 0 | 1): void {
    parts.worldChanged();
    events.emit('node.changed', { nodeId });
    events.emit('activity.added', { kind, severity });
  }
}

function makerOf(attempt: Attempt): Maker {
  const said = (name: string): string => (typeof attempt.stats[name] === 'string' ? attempt.stats[name] : '');
  return { nodeId: attempt.nodeId, encoder: attempt.encoder!, device: said('device'), build: said('build') };
}

function wordsOf({ encoder, device }: Combination): string {
  return device === '' ? encoder : `${encoder} on ${device}`;
}
