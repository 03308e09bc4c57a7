import { setTimeout as pause } from 'node:timers/promises';
import type { Actor } from '../core/commands.ts';
import type { Reason } from '../core/reasons.ts';
import { addActivity } from '../db/activity.ts';
import {
  beginDeleting,
  breakOff,
  chooseFolder,
  chooseLeftovers,
  chosenTotals,
  endDeleting,
  endListing,
  readCleanup,
  startCleanup,
  workingCleanups,
  type Cleanup,
} from '../db/cleanups.ts';
import { isStaleTerm, type Database } from '../db/connect.ts';
import { listLibraries } from '../db/libraries.ts';
import { keepersOf, listRoots } from '../db/roots.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { deleteChosen, listFound } from './leftovers.ts';

/**
 * Cleans up what killed programs and older tools left in the libraries: `.lock` and `.tmp_…` files. First a list, which is
 * the dry run; then what a person agreed to. The rows are the truth, so a new term goes on where the last one stood.
 *
 *   look ─▶ listing ─pages of the keeper─▶ listed ─a person presses delete─▶ deleting ─portions─▶ done
 *              │ nothing found ─▶ done        └─ another look: given up          │
 *              └──────────── cancelled by a person · failed with its reason ─────┘
 *
 * What may go is decided here, from the keeper's evidence and the books (core/leftover.ts); the keeper's own look at the
 * file and at its journal, in the moment of deleting, has the last word.
 */
export interface Cleaner {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** of one root, or of all that have a library; resolves with the clean-ups that began */
  look(rootId: string | null, by: Actor): Promise<number[]>;
  /** of the files `shown`, exactly `chosen`; or everything in the folder of one */
  choose(id: number, which: { shown: number[]; chosen: number[] } | { folderOf: number }): Promise<number>;
  /** `asked`: how many of the chosen files the person knows to be not provably ours */
  remove(id: number, asked: number, by: Actor): Promise<{ files: number; bytes: number }>;
  cancel(id: number, by: Actor): Promise<void>;
}

export interface CleanerParts {
  mesh: Mesh;
  db: Database;
  term: number;
  events: Events;
  reaches?: (node: string) => boolean;
  /** the disk is awake: its trash may be compared with the books */
  lookInTrash: (rootId: string) => Promise<void>;
  log: Log;
  /** between two tries with a keeper that did not answer */
  againMs?: number;
}

const MOST_TRIES = 5;

export function createCleaner(parts: CleanerParts): Cleaner {
  const { db, events, log } = parts;
  const running = new Map<number, { abort: AbortController; ended: Promise<void> }>();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  return {
    async start() {
      // also what a moment without the database cut off
      timer = setInterval(() => void goOn().catch((error: unknown) => log.debug({ why: messageOf(error) }, 'clean-ups wait')), 20_000);
      timer.unref();
      await goOn();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      for (const { abort } of running.values()) abort.abort();
      await Promise.all([...running.values()].map(({ ended }) => ended));
    },
    async look(rootId, by) {
      const known = new Set((await listLibraries(db)).map((library) => library.rootId));
      const wanted = rootId === null ? [...known] : (await listRoots(db)).map(({ id }) => id).filter((id) => id === rootId);
      if (wanted.length === 0) throw new PlainError(rootId === null ? 'There is no library yet.' : 'There is no such library root.');
      const begun: number[] = [];
      for (const id of wanted) {
        const cleanup = await startCleanup(db, id, by.name);
        if (!cleanup) continue;
        run(cleanup);
        begun.push(cleanup.id);
      }
      return begun;
    },
    async choose(id, which) {
      const cleanup = await known(id);
      if (cleanup.state !== 'listed') throw new PlainError('This list is not open for a choice any more. Look for leftovers again.');
      const changed =
        'folderOf' in which ? await chooseFolder(db, id, which.folderOf) : await chooseLeftovers(db, id, which.shown, which.chosen);
      if (changed > 0) events.emit('cleanup.changed', { rootId: cleanup.rootId });
      return changed;
    },
    async remove(id, asked, by) {
      const cleanup = await known(id);
      const chosen = await chosenTotals(db, id);
      if (cleanup.state === 'listed' && chosen.files === 0) throw new PlainError('No file is chosen, so nothing is deleted.');
      if (cleanup.state === 'listed' && chosen.asked !== asked)
        throw new PlainError(
          `${chosen.asked} of the chosen files cannot be proved to be CodecShift's own, not ${asked}. Look at the list once more.`,
        );
      const begun = await beginDeleting(db, id, by.name);
      if (!begun) throw new PlainError('There is no list to delete from any more. Look for leftovers again.');
      run(begun);
      return { files: chosen.files, bytes: chosen.bytes };
    },
    async cancel(id, by) {
      const cleanup = await known(id);
      const reason: Reason = { code: 'cancelled-by-person', params: { by: by.name } };
      const over = await breakOff(db, id, 'cancelled', reason);
      running.get(id)?.abort.abort();
      await running.get(id)?.ended;
      if (over && cleanup.state === 'deleting') await tell((await readCleanup(db, id)) ?? cleanup);
      events.emit('cleanup.changed', { rootId: cleanup.rootId });
    },
  };

  async function goOn(): Promise<void> {
    for (const cleanup of await workingCleanups(db)) run(cleanup);
  }

  async function known(id: number): Promise<Cleanup> {
    const cleanup = await readCleanup(db, id);
    if (!cleanup) throw new PlainError('This clean-up is not known any more.');
    return cleanup;
  }

  function run(cleanup: Cleanup): void {
    if (stopped || running.has(cleanup.id)) return;
    const abort = new AbortController();
    const ended = carryOut(cleanup, abort.signal)
      .catch((error: unknown) => {
        // rows are left as they are: the next term goes on with them
        if (!isStaleTerm(error)) log.error({ err: error }, 'a clean-up failed');
      })
      .finally(() => running.delete(cleanup.id));
    running.set(cleanup.id, { abort, ended });
    events.emit('cleanup.changed', { rootId: cleanup.rootId });
  }

  async function carryOut(cleanup: Cleanup, signal: AbortSignal): Promise<void> {
    try {
      if (cleanup.state === 'listing') await withKeeper(cleanup, signal, (keeper) => list(cleanup, keeper, signal));
      else await withKeeper(cleanup, signal, (keeper) => remove(cleanup, keeper, signal));
    } catch (error) {
      // cancelled: that is in the rows already; stopped: it goes on under the next term
      if (signal.aborted || isStaleTerm(error)) return;
      log.warn({ cleanup: cleanup.id, why: messageOf(error) }, 'a clean-up stopped');
      await breakOff(db, cleanup.id, 'failed', reasonOf(error));
      await tell((await readCleanup(db, cleanup.id)) ?? cleanup);
    }
    events.emit('cleanup.changed', { rootId: cleanup.rootId });
  }

  /** A keeper that dies in the middle is asked again, or another one; what lasts is told. */
  async function withKeeper(cleanup: Cleanup, signal: AbortSignal, work: (keeper: string) => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await work(await pickKeeper(cleanup.rootId));
      } catch (error) {
        if (signal.aborted || tries >= MOST_TRIES || !(error instanceof PlainError) || !error.retry) throw error;
        await pause((parts.againMs ?? 3000) * tries, null, { signal });
      }
    }
  }

  async function pickKeeper(rootId: string): Promise<string> {
    const keepers = await keepersOf(db, rootId);
    const keeper = keepers.find(({ nodeId }) => parts.reaches?.(nodeId) ?? true);
    if (keeper) return keeper.nodeId;
    throw new PlainError('No machine has this library mounted and may write to it now.', {
      reason: { code: keepers.length > 0 ? 'keeper-away' : 'root-not-mounted' },
      retry: keepers.length > 0,
    });
  }

  async function list(cleanup: Cleanup, keeper: string, signal: AbortSignal): Promise<void> {
    const onPage = (): void => events.emit('cleanup.changed', { rootId: cleanup.rootId });
    const more = await listFound({ ...parts, onPage }, cleanup, keeper, signal);
    if (await endListing(db, cleanup.id, more)) await parts.lookInTrash(cleanup.rootId);
  }

  async function remove(cleanup: Cleanup, keeper: string, signal: AbortSignal): Promise<void> {
    const onPage = (): void => events.emit('cleanup.changed', { rootId: cleanup.rootId });
    await deleteChosen({ ...parts, onPage }, cleanup, keeper, signal);
    const done = await endDeleting(db, cleanup.id);
    if (done) await tell(done);
  }

  /** One line for people: who let delete what, and what became of it. */
  async function tell(cleanup: Cleanup): Promise<void> {
    const failed = cleanup.state === 'failed';
    if (!failed && cleanup.deletedBy === null) return;
    const libraries = (await listLibraries(db)).filter(({ rootId }) => rootId === cleanup.rootId);
    const kind = failed ? 'cleanup-failed' : 'cleanup-deleted';
    const { deleted, deletedBytes, kept, reason } = cleanup;
    await addActivity(db, {
      kind,
      severity: failed ? 1 : 0,
      libraryId: libraries[0]?.id ?? null,
      by: cleanup.deletedBy ?? cleanup.askedBy,
      params: {
        libraries: libraries.map(({ name }) => name).join(', '),
        ...{ count: deleted, bytes: deletedBytes, kept },
        ...(failed && reason ? { reason } : {}),
      },
    });
    events.emit('activity.added', { kind, severity: failed ? 1 : 0 });
  }
}

function reasonOf(error: unknown): Reason {
  if (error instanceof PlainError && error.reason) return error.reason;
  return { code: 'cleanup-failed', params: { message: messageOf(error).slice(0, 500) } };
}
