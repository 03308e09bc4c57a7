import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BackupEnd, BackupLine, Backups, BackupWork } from '../core/backups.ts';
import type { Actor } from '../core/commands.ts';
import { addActivity } from '../db/activity.ts';
import { ownBackups } from '../db/backup-before.ts';
import { freeBackupFile, isBackupName, listBackups, noteBackup, removeBackup, type FoundBackup } from '../db/backup-folder.ts';
import { looksEncrypted, readHead, verifyBackup, type BackupContents } from '../db/backup-read.ts';
import { backUp, settle } from '../db/backup-write.ts';
import type { Database } from '../db/connect.ts';
import { requireKnownSchema } from '../db/rebuild.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import { keyFilesOf } from './key-files.ts';
import { createNightly, type NightlyParts } from './nightly.ts';

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
}

const LIMIT_MS = 2 * 3600_000;
const LOOK_MS = 60_000;
/** A backup of a million films has about a gigabyte. */
const MAX_UPLOAD = 64 * 1024 ** 3;

export function createBackups(parts: BackupParts): BackupDesk {
  const { db, log } = parts;
  const now = parts.now ?? (() => new Date());
  const own = ownBackups(parts.dataDir);
  const folder = parts.folder === null ? own : path.resolve(parts.folder);
  let work: { state: BackupWork; stop: AbortController; over: Promise<void> } | null = null;
  let end: BackupEnd | null = null;
  let told = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  const tonight = createNightly({
    ...{ db, folder, own, now, settings: parts.settings },
    mayBegin: () => parts.term() !== null && work === null,
    make: makeNightly,
    onFailed: (params) => note('backup-failed', 2, params, null),
    onPruned: () => parts.onChange(work !== null),
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
      work?.stop.abort(new PlainError('CodecShift stopped meanwhile.'));
      await work?.over;
    },
    list: async () => (await listBackups(folder, own)).map(lineOf),
    now: () => work && { ...work.state },
    last: () => [end, parts.restored()].filter((each) => each !== null).toSorted((a, b) => b.at.getTime() - a.at.getTime())[0] ?? null,
    place: () => ({ folder, encrypted: parts.passphrase !== null }),
    async begin({ keys, passphrase }, by) {
      if (passphrase !== null && passphrase.length < 10) throw new PlainError('The passphrase needs at least 10 characters.');
      void atWork('backup', 'Copying the database.', (signal) => make('manual', keys, passphrase, by.name, signal));
    },
    async verify(name, passphrase, by) {
      const found = await find(name);
      void atWork('verify', 'Reading the backup.', async (signal) => {
        const contents = await read(found, passphrase, signal);
        await note('backup-verified', 0, { name }, by.name);
        return [`${name} is whole: ${describe(contents)}`];
      });
    },
    async cancel() {
      if (!work) throw new PlainError('Nothing is being done that could be stopped.');
      work.stop.abort(new PlainError('Stopped by you.'));
    },
    async remove(name, by) {
      await removeBackup((await find(name)).file);
      await note('backup-removed', 0, { name }, by.name);
      parts.onChange(work !== null);
    },
    async open(name) {
      const { file, bytes } = await find(name);
      return { bytes, stream: Readable.toWeb(createReadStream(file, { highWaterMark: 256 * 1024 })) as ReadableStream<Uint8Array> };
    },
    take,
    restore,
  };

  async function find(name: string): Promise<FoundBackup> {
    const found = isBackupName(name) ? (await listBackups(folder, own)).find((backup) => backup.name === name) : undefined;
    if (!found) throw new PlainError(`There is no backup ${name.slice(0, 120)} any more.`);
    return found;
  }

  /** @throws PlainError when something else is being done */
  function atWork(what: BackupWork['what'], says: string, job: (signal: AbortSignal) => Promise<string[]>): Promise<void> {
    if (work) throw new PlainError('Something is being done with the backups already. Wait for it, or stop it.');
    const stop = new AbortController();
    const state: BackupWork = { what, says, done: null, of: null, since: now() };
    const run = async (): Promise<void> => {
      try {
        end = { what, good: true, says: await job(AbortSignal.any([stop.signal, AbortSignal.timeout(LIMIT_MS)])), at: now() };
      } catch (error) {
        log.warn({ why: messageOf(error), what }, 'a backup could not be made or read');
        end = { what, good: false, says: [wordsOf(error)], at: now() };
      } finally {
        work = null;
        parts.onChange(work !== null);
      }
    };
    const over = Promise.resolve().then(run);
    work = { state, stop, over };
    parts.onChange(work !== null);
    return over;
  }

  function tell(says: string, done: number | null, of: number | null): void {
    if (!work) return;
    Object.assign(work.state, { says, done, of });
    if (performance.now() - told < 500) return;
    told = performance.now();
    parts.onChange(true);
  }

  async function make(label: string, keys: boolean, passphrase: string | null, by: string, signal: AbortSignal): Promise<string[]> {
    const files = keys ? await keyFilesOf(parts.dataDir, parts.secretKeyFile) : null;
    const rows = new Map<string, { rows: number; of: number }>();
    const made = await backUp(db, folder, {
      label,
      keys: files,
      passphrase,
      at: now(),
      signal,
      onProgress({ table, ...count }) {
        rows.set(table, count);
        tell(
          `Copying ${table.replaceAll('_', ' ')}.`,
          [...rows.values()].reduce((sum, each) => sum + each.rows, 0),
          null,
        );
      },
    });
    const contents = await read(await find(path.basename(made.file)), passphrase, signal);
    await note('backup-made', 0, { name: path.basename(made.file), bytes: made.bytes, keys }, by);
    return [`${path.basename(made.file)} was made and read back: ${describe(contents)}`];
  }

  /** Reads it from its beginning to its end, and writes down that it is good. @throws PlainError */
  async function read(
    { name, file, label, bytes, takenAt }: FoundBackup,
    passphrase: string | null,
    signal: AbortSignal,
  ): Promise<BackupContents> {
    const onProgress = (done: number, of: number): void => tell(`Reading ${name} and comparing it with its digests.`, done, of);
    const contents = await verifyBackup(file, { passphrase, signal, onProgress });
    const { schema, program, keys, tables } = contents.manifest;
    const rows = tables.reduce((sum, table) => sum + table.rows, 0);
    const known = { schema, program, keys, label, rows, bytes, encrypted: contents.encrypted, sha256: contents.sha256 };
    await noteBackup(file, { ...known, takenAt: takenAt.toISOString(), verifiedAt: now().toISOString() });
    return contents;
  }

  async function take(content: AsyncIterable<Uint8Array>, by: Actor, signal?: AbortSignal): Promise<string> {
    let name = '';
    const taking = atWork('upload', 'Taking the file.', async (stopped) => {
      name = await receive(content, signal ? AbortSignal.any([stopped, signal]) : stopped);
      await note('backup-uploaded', 0, { name }, by.name);
      return [`${name} is here. Verify it before you rely on it.`];
    });
    await taking;
    if (name === '') throw new PlainError(end?.says[0] ?? 'The file could not be taken.');
    return name;
  }

  async function receive(content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const draft = path.join(folder, `upload-${process.pid}-${Date.now()}.part`);
    let bytes = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of content) {
        if ((bytes += piece.length) > MAX_UPLOAD) throw new PlainError('The file is too big to be a backup.');
        tell('Taking the file.', bytes, null);
        yield piece;
      }
    };
    try {
      await pipeline(counted, createWriteStream(draft, { mode: 0o600, flags: 'wx' }), { signal });
      const isSealed = await looksEncrypted(draft);
      // an encrypted one shows nothing of itself before somebody gives its passphrase
      const head = isSealed ? null : await readHead(draft, { signal }).catch(notOurs);
      const cluster = head?.cluster ?? null;
      const file = await freeBackupFile(folder, { cluster, takenAt: now().toISOString(), label: 'uploaded' }, isSealed);
      await settle(draft, file);
      return path.basename(file);
    } finally {
      await rm(draft, { force: true });
    }
  }

  /** Nothing is stopped for a backup that is not whole or does not fit. */
  async function restore(name: string, passphrase: string | null, by: Actor): Promise<void> {
    const found = await find(name);
    void atWork('verify', 'Reading the backup before anything is stopped.', async (signal) => {
      const contents = await read(found, passphrase, signal);
      requireKnownSchema(contents.manifest.schema);
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
    await atWork('backup', 'Copying the database.', (signal) => make('nightly', keys, parts.passphrase, 'the night', signal));
    return end;
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

function wordsOf(error: unknown): string {
  if (error instanceof PlainError) return error.message;
  if (error instanceof Error && error.name === 'TimeoutError') return 'It took longer than two hours and was given up.';
  return `It could not be done: ${messageOf(error)}.`;
}

/** Without the name that the file has here for a moment. */
function notOurs(cause: unknown): never {
  throw new PlainError('The file that was sent is no backup of CodecShift, or it is damaged. Nothing was kept of it.', { cause });
}
