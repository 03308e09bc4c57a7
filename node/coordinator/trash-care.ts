import type { Actor } from '../core/commands.ts';
import type { ClusterSettings } from '../config/schema.ts';
import { addActivity } from '../db/activity.ts';
import type { Database } from '../db/connect.ts';
import { listLibraries } from '../db/libraries.ts';
import { dueOfRoot, expireNow, markFound, markGone, originalsToLookFor, type Original } from '../db/originals.ts';
import { keepersOf } from '../db/roots.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { portions } from './portions.ts';
import { findInTrash } from './trash-finds.ts';

/**
 * The trash of a root as a whole: emptied when a person asks, and compared with the books when its disk is awake anyway
 * (after a scan or a clean-up), because people empty trashes by hand and "Put it back" must not promise what is gone; and
 * because books that were put back from an older time do not know what went there since (trash-finds.ts).
 */
export interface TrashCare {
  /** compares the books with the disk; resolves when that is done, or could not be */
  look(rootId: string): Promise<void>;
  /** everything that was there up to an original's id is due now; resolves with how much, the deleting goes on */
  empty(rootId: string, upTo: number, by: Actor): Promise<{ files: number; bytes: number }>;
  stop(): Promise<void>;
}

export interface TrashCareParts {
  mesh: Mesh;
  db: Database;
  events: Events;
  reaches?: (node: string) => boolean;
  expire: (due: Original[]) => Promise<void>;
  settings: () => ClusterSettings;
  log: Log;
  /** between two looks at what is left to delete */
  everyMs?: number;
}

const PORTION = { most: 100, bytes: 100_000 };
/** So often nothing may have changed before the rest is left to the round of every minute. */
const MOST_IDLE_ROUNDS = 20;

export function createTrashCare(parts: TrashCareParts): TrashCare {
  const { mesh, db, events, log } = parts;
  const ending = new AbortController();
  const looking = new Map<string, Promise<void>>();
  const emptying = new Map<string, Promise<void>>();
  const off = events.on('scan.progressed', ({ libraryId, done }) => {
    if (done) void lookAfterScan(libraryId).catch(quiet);
  });
  return {
    look,
    async empty(rootId, upTo, by) {
      const due = await expireNow(db, rootId, upTo);
      if (due.files === 0) throw new PlainError('There is nothing in this trash that may be deleted now.');
      const libraries = (await listLibraries(db)).filter((library) => library.rootId === rootId);
      const params = { libraries: libraries.map((l) => l.name).join(', '), count: due.files, bytes: due.bytes };
      await addActivity(db, { kind: 'trash-emptied', libraryId: libraries[0]?.id ?? null, by: by.name, params });
      events.emit('activity.added', { kind: 'trash-emptied', severity: 0 });
      // a second press only makes more due
      if (!emptying.has(rootId))
        emptying.set(
          rootId,
          drain(rootId)
            .catch(quiet)
            .finally(() => emptying.delete(rootId)),
        );
      return due;
    },
    async stop() {
      off();
      ending.abort();
      await Promise.allSettled([...looking.values(), ...emptying.values()]);
    },
  };

  function quiet(error: unknown): void {
    log.debug({ why: messageOf(error) }, 'a trash could not be looked after now');
  }

  async function lookAfterScan(libraryId: number): Promise<void> {
    const library = (await listLibraries(db)).find(({ id }) => id === libraryId);
    if (library) await look(library.rootId);
  }

  function look(rootId: string): Promise<void> {
    const now =
      looking.get(rootId) ??
      compare(rootId)
        .catch(quiet)
        .finally(() => looking.delete(rootId));
    looking.set(rootId, now);
    return now;
  }

  async function compare(rootId: string): Promise<void> {
    const keeper = (await keepersOf(db, rootId)).find(({ nodeId }) => parts.reaches?.(nodeId) ?? true);
    let gone = 0;
    for (let after = 0; keeper;) {
      const page = await originalsToLookFor(db, rootId, after);
      for (const portion of portions(page, PORTION)) gone += await compareSome(rootId, keeper.nodeId, portion);
      const last = page.at(-1);
      if (!last) break;
      after = last.id;
    }
    if (gone > 0) await tellOfGone(rootId, gone);
    // what the books do not know is looked for last: a keeper of an earlier version cannot say it
    if (keeper) await findInTrash(parts, rootId, keeper.nodeId, ending.signal);
  }

  async function tellOfGone(rootId: string, gone: number): Promise<void> {
    const library = (await listLibraries(db)).find((l) => l.rootId === rootId);
    await addActivity(db, { kind: 'trash-gone', severity: 1, libraryId: library?.id ?? null, params: { count: gone } });
    events.emit('activity.added', { kind: 'trash-gone', severity: 1 });
    events.emit('cleanup.changed', { rootId });
  }

  async function compareSome(
    rootId: string,
    keeper: string,
    originals: readonly Pick<Original, 'id' | 'trashPath' | 'state'>[],
  ): Promise<number> {
    const asked = originals.map(({ id, trashPath }) => ({ id, trashPath }));
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(120_000)]);
    const answer = await mesh.request(keeper, 'inspect', { op: 'look-trash', root: rootId, originals: asked }, { signal });
    if (answer.op !== 'trash-seen') return 0;
    // a keeper speaks only of what it was asked about
    const known = new Map(originals.map((o) => [o.id, o.state]));
    const back = answer.there.filter((id) => known.get(id) === 'gone');
    if (back.length > 0) await markFound(db, back);
    const gone = answer.gone.filter((id) => known.get(id) === 'kept');
    return gone.length > 0 ? (await markGone(db, gone)).length : 0;
  }

  /** A hundred at a time: a keeper deletes one after the other, and its waiting list should not be the whole trash. */
  async function drain(rootId: string): Promise<void> {
    let before = '';
    for (let idle = 0; idle < MOST_IDLE_ROUNDS && !ending.signal.aborted;) {
      const due = await dueOfRoot(db, rootId);
      if (due.length === 0) break;
      const now = due.map(({ id }) => id).join();
      idle = now === before ? idle + 1 : 0;
      before = now;
      if (idle % 5 === 0) await parts.expire(due);
      await new Promise((resolve) => setTimeout(resolve, parts.everyMs ?? 300));
      events.emit('cleanup.changed', { rootId });
    }
    events.emit('cleanup.changed', { rootId });
  }
}
