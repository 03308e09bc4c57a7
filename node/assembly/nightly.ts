import path from 'node:path';
import { nightlyIsDue, type BackupEnd } from '../core/backups.ts';
import { houseInName, removeAbandoned, removeBackup, superfluous } from '../db/backup-folder.ts';
import { readCluster } from '../db/cluster.ts';
import type { Queryable } from '../db/connect.ts';
import { messageOf } from '../errors.ts';
import type { BackupLook } from './backup-look.ts';

export interface NightlyParts {
  db: Queryable;
  /** where it goes, and where those of an upgrade or a restore lie too */
  folder: string;
  own: string;
  look: BackupLook;
  settings: () => { 'backup.nightly': boolean; 'backup.hour': number; 'backup.daily': number; 'backup.weekly': number };
  /** this machine coordinates, and nothing else is being done with backups */
  mayBegin: () => boolean;
  make: () => Promise<BackupEnd | null>;
  /** told once a night */
  onFailed: (params: { what: string; why: string }) => Promise<void>;
  /** there are fewer now */
  onPruned: () => void;
  now: () => Date;
}

const AGAIN_MS = 3600_000;
const DAY_MS = 86_400_000;

/**
 * Makes the backup of a night once its hour has come, an hour later again when it failed, and throws away what nobody wants to keep.
 * @returns one look; whether it is time is asked of the folder, so that a machine that just began to coordinate knows it too
 */
export function createNightly(parts: NightlyParts): () => Promise<void> {
  const { db, folder, own, now } = parts;
  const startedAt = now().getTime();
  let tried = 0;
  let tidied = -Infinity;
  let isLooking = false;
  return async () => {
    // a folder that does not answer is not asked once a minute more
    if (isLooking || !parts.mayBegin()) return;
    isLooking = true;
    try {
      // leftovers that stay keep no backup from being made
      const [tidying] = await Promise.allSettled([tidy()]);
      if (parts.settings()['backup.nightly']) await look();
      if (tidying.status === 'rejected') throw tidying.reason;
    } finally {
      isLooking = false;
    }
  };

  /** What a process that was killed left may be what fills the disk, whether there are nightly backups or not. */
  async function tidy(): Promise<void> {
    if (now().getTime() - tidied < AGAIN_MS) return;
    tidied = now().getTime();
    for (const each of new Set([folder, own])) if (await answers(each)) await parts.look.act(each, () => removeAbandoned([each]));
  }

  async function look(): Promise<void> {
    const settings = parts.settings();
    const at = now();
    const hourStart = lastHour(at, settings['backup.hour']);
    if (tried >= hourStart && at.getTime() - tried < AGAIN_MS) return;
    const house = houseInName((await readCluster(db))?.name);
    const newest = await newestOf(house, at).catch((error: unknown) => ({ problem: messageOf(error) }));
    if (typeof newest === 'object' && newest !== null) {
      // whether it is time cannot be known; when it is not, nobody has to hear of it
      if (hourStart > startedAt) await failed(hourStart, at, newest.problem);
      return;
    }
    if (!nightlyIsDue({ hourStart, newest, startedAt, now: at.getTime() })) return;
    const end = await parts.make().catch((error: unknown) => ({ good: false, says: [messageOf(error)] }));
    if (end?.good) {
      tried = at.getTime();
      await prune(house, { daily: settings['backup.daily'], weekly: settings['backup.weekly'] }).catch((error: unknown) =>
        parts.onFailed({ what: `the nightly one of ${dayOf(at)} was made, but older ones could not be removed`, why: messageOf(error) }),
      );
    } else await failed(hourStart, at, end?.says[0] ?? '');
  }

  async function failed(hourStart: number, at: Date, why: string): Promise<void> {
    const isFirstTry = tried < hourStart;
    tried = at.getTime();
    const what = `the nightly one of ${dayOf(at)}`;
    if (isFirstTry) await parts.onFailed({ what, why: `${why} It is tried again in an hour.`.trim() });
  }

  /** One from the future is of a clock that was wrong once: no night would be backed up before that day comes. */
  async function newestOf(house: string, at: Date): Promise<number | null> {
    const limit = at.getTime() + DAY_MS;
    const ours = (await parts.look.into(folder)).filter((each) => each.label === 'nightly' && each.house === house);
    return ours.find(({ takenAt }) => takenAt.getTime() < limit)?.takenAt.getTime() ?? null;
  }

  function answers(where: string): Promise<boolean> {
    return parts.look.into(where).then(
      () => true,
      () => false,
    );
  }

  /** Only its own: another house that shares the folder has its own wishes. */
  async function prune(house: string, keep: { daily: number; weekly: number }): Promise<void> {
    const ours = (await parts.look.all()).found.filter((backup) => backup.house === house);
    try {
      for (const { file } of superfluous(ours, keep)) await parts.look.act(path.dirname(file), () => removeBackup(file));
    } finally {
      parts.onPruned();
    }
  }
}

/** What the clock of this machine calls that day: at three in the morning it is often another one than in Greenwich. */
function dayOf(at: Date): string {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}

/** When it was this hour last. */
function lastHour(at: Date, hour: number): number {
  const today = new Date(at);
  today.setHours(hour, 0, 0, 0);
  if (today > at) today.setDate(today.getDate() - 1);
  return today.getTime();
}
