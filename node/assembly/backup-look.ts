import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { listBackups, type FoundBackup } from '../db/backup-folder.ts';
import { PlainError } from '../errors.ts';

/**
 * Looks into the folders of backups, of which one may be a network share that hangs: every call to it would hold one of the
 * few threads that all file work of this program shares, until nothing goes on any more. So one look at a time goes into each
 * folder, whoever asks however often, and nobody waits longer than his patience.
 */
export interface BackupLook {
  /** of the folders that answer, newest first, and what is wrong with the others */
  all(): Promise<{ found: FoundBackup[]; trouble: string | null }>;
  /** @throws PlainError when that folder does not answer */
  into(folder: string): Promise<FoundBackup[]>;
  /**
   * Does something in one of the folders, with the patience of a look. What took longer goes on, and nothing else is begun there
   * until it is over.
   * @throws PlainError when that folder does not answer, now or still
   */
  act(folder: string, work: () => Promise<void>): Promise<void>;
}

const PATIENCE_MS = 5000;

export function createBackupLook(folders: readonly string[], patienceMs: number = PATIENCE_MS): BackupLook {
  const looks = new Map([...new Set(folders.map((each) => path.resolve(each)))].map((folder) => [folder, oneAtATime(folder)]));
  const into = (folder: string): Promise<FoundBackup[]> => patiently(looks.get(path.resolve(folder))!(), folder, patienceMs);
  const acts = new Map<string, Promise<void>>();
  return {
    into,
    async act(folder, work) {
      const where = path.resolve(folder);
      while (acts.has(where)) await patiently(acts.get(where)!, folder, patienceMs);
      const now = work();
      const over = (): void => void acts.delete(where);
      acts.set(where, now.then(over, over));
      await patiently(now, folder, patienceMs);
    },
    async all() {
      const results = await Promise.allSettled([...looks.keys()].map(into));
      const found = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
      const broken = results.find((result) => result.status === 'rejected');
      return {
        found: found.toSorted((a, b) => b.takenAt.getTime() - a.takenAt.getTime() || b.name.localeCompare(a.name)),
        trouble: broken ? (broken.reason as Error).message : null,
      };
    },
  };
}

/** Whoever asks while a look is under way shares the next one, which begins after he asked. */
function oneAtATime(folder: string): () => Promise<FoundBackup[]> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<FoundBackup[]> | null = null;
  return () =>
    (next ??= running.then(() => {
      next = null;
      const now = listBackups(folder);
      running = now.catch(() => {});
      return now;
    }));
}

async function patiently<T>(work: Promise<T>, folder: string, patienceMs: number): Promise<T> {
  const over = new AbortController();
  const tooLong = pause(patienceMs, null, { signal: over.signal }).then(
    () => {
      throw new PlainError(`The folder of backups, ${folder}, does not answer. Perhaps its disk or network share is away.`, {
        retry: true,
      });
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    over.abort();
  }
}
