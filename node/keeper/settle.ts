import { sentence } from '../core/reasons.ts';
import { messageOf } from '../errors.ts';
import { listIncoming, removeIncoming, removeStaleIncoming } from '../files/incoming.ts';
import type { Root } from '../files/roots.ts';
import type { Log } from '../log.ts';
import type { Outbox } from '../mesh/outbox.ts';
import { deliveriesOf, recoverRoot, type ReplaceParts } from './replace.ts';

/** Roots on which nothing may be begun before what an earlier process left half done there is finished or undone. */
export interface Settling {
  /** looks at every root that arrived since; resolves when all that can be settled is. Never rejects */
  now(): Promise<void>;
  /** resolves when this root may be worked on, as far as it can be settled */
  of(root: string): Promise<void>;
  /** something was left half done there since: it is looked at again */
  again(root: string): void;
  mounted(): Promise<Root[]>;
}

export function createSettling(parts: {
  swaps: ReplaceParts;
  outbox: Outbox;
  isWorking: (attempt: number) => boolean;
  log: Log;
}): Settling {
  const { swaps, log } = parts;
  const { roots, node } = swaps;
  const settled = new Set<string>();
  const recovering = new Map<string, Promise<void>>();
  const leftSince = new Set<string>();

  return {
    async now() {
      await Promise.all((await arrived()).map(recoverOnce));
    },
    async of(root) {
      if (!settled.has(root) && (await arrived()).includes(root)) await recoverOnce(root);
    },
    again(root) {
      settled.delete(root);
      leftSince.add(root);
    },
    async mounted() {
      const here = (await roots.report()).filter((r) => !r.problem);
      const opened = await Promise.all(here.map((r) => roots.open(r.root).catch(() => null)));
      return opened.filter((root) => root !== null);
    },
  };

  /** Roots that are here and not yet recovered: at the start all of them, later a disk that was mounted since. */
  async function arrived(): Promise<string[]> {
    const all = await roots.report();
    for (const { root, problem } of all) if (problem) settled.delete(root);
    return all.filter(({ root, problem }) => !problem && !settled.has(root)).map(({ root }) => root);
  }

  /** Each root by itself: one that is slow, or hangs, holds up no other. Whoever comes meanwhile shares the one under way. */
  function recoverOnce(id: string): Promise<void> {
    const under = recovering.get(id) ?? recoverNow(id).finally(() => recovering.delete(id));
    recovering.set(id, under);
    return under;
  }

  async function recoverNow(id: string): Promise<void> {
    leftSince.delete(id);
    try {
      const root = await roots.open(id);
      const { reports, open } = await recoverRoot(swaps, root);
      for (const report of reports) await parts.outbox.post(report);
      await tidyIncoming(root);
      if (open.length === 0 && !leftSince.has(id)) settled.add(id);
      else if (open.length > 0)
        log.warn(
          { root: id, open: open.length, why: open[0]!.reason && sentence(open[0]!.reason) },
          'the disk did not let a replacement be finished or undone yet; it is tried again',
        );
    } catch (error) {
      log.warn({ root: id, why: messageOf(error) }, 'a root could not be recovered yet');
    }
  }

  /** What was delivered needs no second copy; what nobody asked for since a day is fetched anew if it ever is. */
  async function tidyIncoming(root: Root): Promise<void> {
    const place = { root, node };
    const delivered = new Set(await deliveriesOf(swaps, root));
    for (const attempt of await listIncoming(place))
      if (delivered.has(attempt) && !parts.isWorking(attempt)) await removeIncoming(place, attempt);
    await removeStaleIncoming(place, parts.isWorking);
  }
}
