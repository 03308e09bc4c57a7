import { setTimeout as pause } from 'node:timers/promises';
import type { BackupEnd, BackupWork } from '../core/backups.ts';
import { isDiskFull } from '../db/full-disk.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';

/**
 * What is done with backups, one thing at a time, each with an end in words:
 *
 *   idle ──begin──▶ at work ──▶ idle, with how it ended
 *                      └── stopped, and hangs in a disk ──▶ left behind: nothing more is begun until it lets go
 */
export interface BackupJobs {
  /** resolves when it ended, however. @throws PlainError when something else is being done */
  begin(what: BackupWork['what'], says: string, job: (signal: AbortSignal) => Promise<string[]>): Promise<void>;
  tell(says: string, done: number | null, of: number | null): void;
  now(): BackupWork | null;
  end(): BackupEnd | null;
  /** false: nothing was being done */
  stop(why: string): Promise<boolean>;
  /** something that was given up still hangs in the folder; resolves when it does not any more */
  hangs(over: Promise<void>): void;
}

export interface BackupJobsParts {
  folder: string;
  onChange: (busy: boolean) => void;
  now: () => Date;
  /** how long what is stopped has to clean up behind itself; for tests */
  graceMs?: number | undefined;
  log: Log;
}

const LIMIT_MS = 2 * 3600_000;
/** Longer than a backup takes to give itself up (backup-file.ts). */
const GRACE_MS = 8000;
const TELL_MS = 500;

export function createBackupJobs({ folder, onChange, now, graceMs = GRACE_MS, log }: BackupJobsParts): BackupJobs {
  let work: { state: BackupWork; stop: AbortController; over: Promise<void> } | null = null;
  let hanging: Promise<void> | null = null;
  let end: BackupEnd | null = null;
  let told = -Infinity;
  return {
    begin,
    hangs,
    now: () => work && { ...work.state },
    end: () => end,
    tell(says, done, of) {
      if (!work) return;
      Object.assign(work.state, { says, done, of });
      if (performance.now() - told < TELL_MS) return;
      told = performance.now();
      onChange(true);
    },
    async stop(why) {
      if (!work) return false;
      work.stop.abort(new PlainError(why));
      await work.over;
      return true;
    },
  };

  function begin(what: BackupWork['what'], says: string, job: (signal: AbortSignal) => Promise<string[]>): Promise<void> {
    if (work) throw new PlainError('Something is being done with the backups already. Wait for it, or stop it.');
    if (hanging)
      throw new PlainError(
        `What was begun before still hangs in the folder of backups, ${folder}, which does not answer. Nothing more is begun until it does, or CodecShift is started anew.`,
      );
    const stop = new AbortController();
    const state: BackupWork = { what, says, done: null, of: null, since: now() };
    const run = async (): Promise<void> => {
      try {
        end = { what, good: true, says: await orLeft(job, AbortSignal.any([stop.signal, AbortSignal.timeout(LIMIT_MS)])), at: now() };
      } catch (error) {
        log.warn({ why: messageOf(error), what }, 'a backup could not be made or read');
        end = { what, good: false, says: [wordsOf(error)], at: now() };
      } finally {
        work = null;
        onChange(false);
      }
    };
    const over = Promise.resolve().then(run);
    work = { state, stop, over };
    onChange(true);
    return over;
  }

  /** A call that hangs in a disk cannot be stopped: then it is left behind. */
  async function orLeft<T>(job: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const left = Promise.withResolvers<never>();
    left.promise.catch(() => {});
    const stopped = (): void => void pause(graceMs, null, { ref: false }).then(() => left.reject(signal.reason));
    signal.addEventListener('abort', stopped, { once: true });
    const running = job(signal);
    let isOver = false;
    const over = running.then(
      () => void (isOver = true),
      () => void (isOver = true),
    );
    try {
      return await Promise.race([running, left.promise]);
    } finally {
      signal.removeEventListener('abort', stopped);
      if (!isOver) hangs(over);
    }
  }

  function hangs(over: Promise<void>): void {
    hanging = over;
    void over.then(() => void (hanging === over && (hanging = null)));
  }
}

function wordsOf(error: unknown): string {
  if (isDiskFull(error)) return `${messageOf(error)} Make room there, or choose another folder with --backup-folder.`;
  if (error instanceof PlainError) return error.message;
  if (error instanceof Error && error.name === 'TimeoutError') return 'It took longer than two hours and was given up.';
  return `It could not be done: ${messageOf(error)}.`;
}
