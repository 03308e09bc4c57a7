import { createReadStream } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { BackupEnd, BackupLine, Backups } from '../core/backups.ts';
import type { Actor } from '../core/commands.ts';
import { addActivity } from '../db/activity.ts';
import { ownBackups } from '../db/backup-before.ts';
import { isBackupName, noteBackup, removeBackup, type FoundBackup } from '../db/backup-folder.ts';
import { readBack } from '../db/backup-proof.ts';
import { verifyBackup, type BackupContents, type BackupOptions } from '../db/backup-read.ts';
import { backUp } from '../db/backup-write.ts';
import type { Database } from '../db/connect.ts';
import { requireKnownSchema } from '../db/rebuild.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import { createBackupLook } from './backup-look.ts';
import { takeBackup } from './backup-upload.ts';
import { createBackupJobs } from './backup-work.ts';
import { keyFilesOf } from './key-files.ts';
import { createNightly, type NightlyParts } from './nightly.ts';
import { requireRoomToRestore } from './restore-room.ts';

/**
 * The backups of this machine while it coordinates: made at night by themselves and by hand, read back, handed out, taken in
 * and put back. They lie in the folder of `--backup-folder`, and those that an upgrade or a restore made in the data directory.
 *
 *   idle ──begin · verify · take──▶ at work ──▶ idle, with how it ended       one thing at a time
 *     └──restore──▶ read and found good ─▶ handed to the node (node.ts), which stops all work for it
 */
export interface BackupDesk extends Backups {
  start(): void;
  stop(): Promise<void>;
}

export interface BackupParts {
  db: Database;
  dataDir: string;
  /** null: in the data directory */
  folder: string | null;
  /** of nightly backups */
  passphrase: string | null;
  secretKeyFile: string | null;
  settings: NightlyParts['settings'];
  /** null: this machine does not coordinate */
  term: () => number | null;
  /** names of other machines that would lead with this database as soon as this one does not */
  standIns: () => Promise<string[]>;
  /** ends this membership for it */
  restore: (wish: { file: string; passphrase: string | null; by: string }) => void;
  /** how the last restore ended, which another membership began */
  restored: () => BackupEnd | null;
  onChange: (busy: boolean) => void;
  /** it is in the activity */
  onTold: (kind: string, severity: number) => void;
  log: Log;
  /** for tests */
  now?: () => Date;
  lookMs?: number;
  /** how long a folder may take to answer */
  patienceMs?: number;
}

const LOOK_MS = 60_000;

export function createBackups(parts: BackupParts): BackupDesk {
  const { db, log } = parts;
  const now = parts.now ?? (() => new Date());
  const own = ownBackups(parts.dataDir);
  const folder = parts.folder === null ? own : path.resolve(parts.folder);
  const look = createBackupLook([folder, own], parts.patienceMs);
  const { onChange, patienceMs } = parts;
  const jobs = createBackupJobs({ folder, onChange, now, log, graceMs: patienceMs && 2 * patienceMs });
  let trouble: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  const tonight = createNightly({
    ...{ db, folder, own, now, look, settings: parts.settings },
    mayBegin: () => parts.term() !== null && jobs.now() === null,
    make: makeNightly,
    onFailed: (params) => note('backup-failed', 2, params, null),
    onPruned: changed,
  });

  return {
    start() {
      timer = setInterval(
        () => void tonight().catch((error: unknown) => log.warn({ why: messageOf(error) }, 'the nightly backup could not be looked after')),
        parts.lookMs ?? LOOK_MS,
      );
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      await jobs.stop('CodecShift stopped meanwhile.');
    },
    async list() {
      const seen = await look.all();
      trouble = seen.trouble;
      return seen.found.map(lineOf);
    },
    now: jobs.now,
    last: () =>
      [jobs.end(), parts.restored()].filter((each) => each !== null).toSorted((a, b) => b.at.getTime() - a.at.getTime())[0] ?? null,
    place: () => ({ folder, encrypted: parts.passphrase !== null, trouble }),
    async begin({ keys, passphrase }, by) {
      if (passphrase !== null && passphrase.length < 10) throw new PlainError('The passphrase needs at least 10 characters.');
      void jobs.begin('backup', 'Copying the database.', (signal) => make('manual', keys, passphrase, by.name, signal));
    },
    async verify(name, passphrase, by) {
      const found = await find(name);
      void jobs.begin('verify', 'Reading the backup.', async (signal) => {
        const contents = await read(found, verifyBackup, passphrase, signal);
        await note('backup-verified', 0, { name }, by.name);
        return [`${name} is whole: ${describe(contents)}`];
      });
    },
    async cancel() {
      if (!jobs.now()) throw new PlainError('Nothing is being done that could be stopped.');
      void jobs.stop('Stopped by you.');
    },
    async remove(name, by) {
      await removeBackup((await find(name)).file);
      await note('backup-removed', 0, { name }, by.name);
      changed();
    },
    async open(name) {
      const { file, bytes } = await find(name);
      return { bytes, stream: Readable.toWeb(createReadStream(file, { highWaterMark: 256 * 1024 })) as ReadableStream<Uint8Array> };
    },
    take,
    restore,
  };

  async function find(name: string): Promise<FoundBackup> {
    const seen = isBackupName(name) ? await look.all() : null;
    const found = seen?.found.find((backup) => backup.name === name);
    if (found) return found;
    throw new PlainError(seen?.trouble ?? `There is no backup ${name.slice(0, 120)} any more.`);
  }

  function changed(): void {
    onChange(jobs.now() !== null);
  }

  async function make(label: string, keys: boolean, passphrase: string | null, by: string, signal: AbortSignal): Promise<string[]> {
    const files = keys ? await keyFilesOf(parts.dataDir, parts.secretKeyFile) : null;
    const rows = new Map<string, { rows: number; of: number }>();
    const made = await backUp(db, folder, {
      label,
      keys: files,
      passphrase,
      at: now(),
      beside: parts.dataDir,
      signal,
      onHung: jobs.hangs,
      ...(patienceMs === undefined ? {} : { patienceMs }),
      onProgress({ table, ...count }) {
        rows.set(table, count);
        jobs.tell(
          `Copying ${table.replaceAll('_', ' ')}.`,
          [...rows.values()].reduce((sum, each) => sum + each.rows, 0),
          null,
        );
      },
    });
    const name = path.basename(made.file);
    const fresh = { name, file: made.file, label, bytes: made.bytes, takenAt: new Date(made.note.takenAt), note: made.note };
    const contents = await read(fresh, readBack, passphrase, signal);
    await note('backup-made', 0, { name, bytes: made.bytes, keys }, by);
    return [`${name} was made and read back: ${describe(contents)}`];
  }

  /** Reads it from its beginning to its end, and writes down what it found. @throws PlainError */
  async function read(
    { name, file, label, bytes, takenAt, note: before }: Pick<FoundBackup, 'name' | 'file' | 'label' | 'bytes' | 'takenAt' | 'note'>,
    by: (file: string, options: BackupOptions) => Promise<BackupContents>,
    passphrase: string | null,
    signal: AbortSignal,
  ): Promise<BackupContents> {
    const onProgress = (done: number, of: number): void => jobs.tell(`Reading ${name} and comparing it with its digests.`, done, of);
    // it is whole all the same when the disk has no room for the note that says so
    const noted = (note: Parameters<typeof noteBackup>[1]): Promise<unknown> =>
      noteBackup(file, note).catch((error: unknown) =>
        log.warn({ why: messageOf(error), name }, 'a backup was read, but that could not be noted'),
      );
    try {
      const contents = await by(file, { passphrase, signal, onProgress });
      const { schema, program, keys, tables } = contents.manifest;
      const rows = tables.reduce((sum, table) => sum + table.rows, 0);
      const known = { schema, program, keys, label, rows, bytes, encrypted: contents.encrypted, sha256: contents.sha256 };
      await noted({ ...known, takenAt: takenAt.toISOString(), verifiedAt: now().toISOString() });
      return contents;
    } catch (error) {
      // it was good once and is not any more: it keeps no other one from staying
      if (by === verifyBackup && before?.verifiedAt && isDamage(error, signal)) await noted({ ...before, verifiedAt: null });
      throw error;
    }
  }

  async function take(content: AsyncIterable<Uint8Array>, by: Actor, signal?: AbortSignal): Promise<string> {
    let name = '';
    const taking = jobs.begin('upload', 'Taking the file.', async (stopped) => {
      name = await takeBackup({
        ...{ content, folder, dataDir: parts.dataDir, now: now() },
        signal: signal ? AbortSignal.any([stopped, signal]) : stopped,
        onProgress: (bytes) => jobs.tell('Taking the file.', bytes, null),
      });
      await note('backup-uploaded', 0, { name }, by.name);
      return [`${name} is here. Verify it before you rely on it.`];
    });
    await taking;
    if (name === '') throw new PlainError(jobs.end()?.says[0] ?? 'The file could not be taken.');
    return name;
  }

  /** Nothing is stopped for a backup that is not whole or does not fit. */
  async function restore(name: string, passphrase: string | null, by: Actor): Promise<void> {
    const found = await find(name);
    void jobs.begin('verify', 'Reading the backup before anything is stopped.', async (signal) => {
      const contents = await read(found, verifyBackup, passphrase, signal);
      requireKnownSchema(contents.manifest.schema);
      if (db.embedded) await requireRoomToRestore(parts.dataDir, contents);
      await requireNobodyElse();
      signal.throwIfAborted();
      log.warn({ name, by: by.name }, 'a person puts a backup back: all work stops for it');
      parts.restore({ file: found.file, passphrase, by: by.name });
      return [`${name} is whole and is put back now.`];
    });
  }

  /** Else one of them would coordinate in the middle of it, and all work here would have been stopped for nothing. */
  async function requireNobodyElse(): Promise<void> {
    const others = await parts.standIns();
    if (others.length === 0) return;
    throw new PlainError(
      `${others.join(' and ')} ${others.length === 1 ? 'has' : 'have'} this database too and would coordinate with it while it is exchanged. Stop CodecShift there, wait a quarter of a minute, and try again. Nothing was stopped here.`,
    );
  }

  async function makeNightly(): Promise<BackupEnd | null> {
    // in the data directory it lies beside the keys themselves; elsewhere only whoever knows the passphrase may have them
    const keys = parts.passphrase !== null || folder === own;
    await jobs.begin('backup', 'Copying the database.', (signal) => make('nightly', keys, parts.passphrase, 'the night', signal));
    return jobs.end();
  }

  async function note(kind: string, severity: 0 | 2, params: Record<string, unknown>, by: string | null): Promise<void> {
    const term = parts.term();
    if (term === null) return;
    try {
      await addActivity(db.withTerm(term), { kind, severity, params, by });
      parts.onTold(kind, severity);
    } catch (error) {
      log.warn({ why: messageOf(error), kind }, 'it could not be written down');
    }
  }
}

function lineOf({ name, bytes, takenAt, label, encrypted, note }: FoundBackup): BackupLine {
  const verifiedAt = note?.verifiedAt ? new Date(note.verifiedAt) : null;
  return {
    name,
    bytes,
    takenAt,
    label,
    encrypted,
    keys: note?.keys ?? null,
    rows: note?.rows ?? null,
    schema: note?.schema ?? null,
    verifiedAt,
  };
}

function describe({ manifest }: BackupContents): string {
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
  return `${rows.toLocaleString('en')} rows of "${manifest.cluster?.name ?? 'no cluster'}", ${manifest.keys ? 'with the keys of the house' : 'without keys'}.`;
}

/** A wrong passphrase says nothing of the file. */
function isDamage(error: unknown, signal: AbortSignal): boolean {
  return error instanceof PlainError && error.reason?.code !== 'secret-lost' && !signal.aborted;
}
