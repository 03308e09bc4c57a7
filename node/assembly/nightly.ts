import { nightlyIsDue, type BackupEnd } from '../core/backups.ts';
import { houseInName, listBackups, removeAbandoned, removeBackup, superfluous } from '../db/backup-folder.ts';
import { readCluster } from '../db/cluster.ts';
import type { Queryable } from '../db/connect.ts';

export interface NightlyParts {
  db: Queryable;
  /** where it goes, and where those of an upgrade or a restore lie too */
  folder: string;
  own: string;
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

/**
 * Makes the backup of a night once its hour has come, an hour later again when it failed, and throws away what nobody wants to keep.
 * @returns one look; whether it is time is asked of the folder, so that a machine that just began to coordinate knows it too
 */
export function createNightly(parts: NightlyParts): () => Promise<void> {
  const { db, folder, own, now } = parts;
  const startedAt = now().getTime();
  let tried = 0;
  return look;

  async function look(): Promise<void> {
    const settings = parts.settings();
    if (!parts.mayBegin() || !settings['backup.nightly']) return;
    const at = now();
    const hourStart = lastHour(at, settings['backup.hour']);
    const house = houseInName((await readCluster(db))?.name);
    const newest = (await listBackups(folder)).find((each) => each.label === 'nightly' && each.house === house)?.takenAt.getTime() ?? null;
    if (!nightlyIsDue({ hourStart, newest, startedAt, now: at.getTime() })) return;
    if (tried >= hourStart && at.getTime() - tried < AGAIN_MS) return;
    const isFirstTry = tried < hourStart;
    tried = at.getTime();
    await removeAbandoned(folder, own);
    const end = await parts.make();
    if (end?.good) await prune(house, { daily: settings['backup.daily'], weekly: settings['backup.weekly'] });
    else if (isFirstTry) await parts.onFailed({ what: `the nightly one of ${dayOf(at)}`, why: end?.says[0] ?? '' });
  }

  /** Only its own: another house that shares the folder has its own wishes. */
  async function prune(house: string, keep: { daily: number; weekly: number }): Promise<void> {
    const ours = (await listBackups(folder, own)).filter((backup) => backup.house === house);
    for (const backup of superfluous(ours, keep)) await removeBackup(backup.file);
    parts.onPruned();
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
