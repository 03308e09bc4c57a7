import type { Actor } from './commands.ts';

/**
 * The backups of the machine that coordinates, as the page, the API and the command line see them. One thing is done at a
 * time. All of them throw `PlainError` with a sentence for the person.
 */
export interface Backups {
  list(): Promise<BackupLine[]>;
  /** what is being done now; null: nothing */
  now(): BackupWork | null;
  /** how the last thing ended */
  last(): BackupEnd | null;
  /** where new ones are written, whether nightly ones are encrypted, and what is wrong with a folder that the last list misses */
  place(): { folder: string; encrypted: boolean; trouble: string | null };
  /** begins; `now` and `last` tell what comes of it */
  begin(wish: { keys: boolean; passphrase: string | null }, by: Actor): Promise<void>;
  verify(name: string, passphrase: string | null, by: Actor): Promise<void>;
  cancel(by: Actor): Promise<void>;
  remove(name: string, by: Actor): Promise<void>;
  /** a file that is whole; closed by whoever reads it */
  open(name: string, by: Actor): Promise<{ bytes: number; stream: ReadableStream<Uint8Array> }>;
  /** takes a file that a person sends; resolves with the name that it has from now on */
  take(content: AsyncIterable<Uint8Array>, by: Actor, signal?: AbortSignal): Promise<string>;
  /** begins: it is read first; when it is good, all work stops for it, and the machine starts into it */
  restore(name: string, passphrase: string | null, by: Actor): Promise<void>;
}

export interface BackupLine {
  name: string;
  bytes: number;
  takenAt: Date;
  /** `manual`, `nightly`, `uploaded`, `before-upgrade-from-7` … */
  label: string;
  encrypted: boolean;
  /** null: nothing more is known of it than its name */
  keys: boolean | null;
  rows: number | null;
  schema: number | null;
  verifiedAt: Date | null;
}

export interface BackupWork {
  what: 'backup' | 'verify' | 'upload';
  says: string;
  done: number | null;
  of: number | null;
  since: Date;
}

export interface BackupEnd {
  what: 'backup' | 'verify' | 'upload' | 'restore';
  good: boolean;
  /** sentences */
  says: string[];
  at: Date;
}

/**
 * Is a nightly backup due? The hour of the night that passed last counts, so that a machine which was off makes up for it.
 * `first`: nothing was ever backed up, so the first night after the start is waited for.
 * @param hourStart when the hour was last, by the clock of the machine
 */
export function nightlyIsDue(facts: { hourStart: number; newest: number | null; startedAt: number; now: number }): boolean {
  const { hourStart, newest, startedAt, now } = facts;
  if (newest === null) return hourStart > startedAt;
  // a machine that has just started has better things to do
  return hourStart > newest && (now - startedAt > SETTLING_MS || hourStart > startedAt);
}

const SETTLING_MS = 600_000;
