import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import { encrypted } from './backup-cipher.ts';
import { freeBackupFile, noteBackup, removeNote, type BackupNote } from './backup-folder.ts';
import type { BackupHead, BackupWish } from './backup-write.ts';
import { freeBytes, fullWords, isDiskFull, spareOn } from './full-disk.ts';
import { syncBackupFolder } from './sync.ts';

/**
 * The file of a backup while it is written, on a disk that may become full, or hang because its share is away:
 *
 *   <name>.part, ours alone ─▶ filled ─▶ on the disk ─▶ its note ─▶ its name
 *        └── full · hangs · stopped: nothing is left, and nothing was ever listed
 */
export interface Draft {
  readonly tar: Pack;
  /** the same, or an error as soon as the disk does not take anything for `patienceMs`, or it is stopped */
  orHung<T>(work: Promise<T>): Promise<T>;
  /** all is in it; resolves when it has its name */
  keep(about: Omit<BackupNote, 'sha256' | 'bytes' | 'verifiedAt'>): Promise<{ file: string; note: BackupNote }>;
  /** leaves nothing, and resolves with what to tell of it */
  giveUp(reason: unknown): Promise<unknown>;
}

/** Longer than a disk takes to wake up. While rows are copied the work on an embedded database waits. */
const PATIENCE_MS = 30_000;
/** So long what was begun on a disk may take to end when it is given up. */
const GRACE_MS = 5000;
/** So much is written between two looks at how much is free. Bytes. */
const LOOK_EVERY = 1e6;

export async function openDraft(folder: string, head: BackupHead, wish: BackupWish, needed: number | null): Promise<Draft> {
  const place = wish.file === undefined ? path.resolve(folder) : path.dirname(wish.file);
  const disk = watchDisk(place, wish);
  const opening = openFile(place, head, wish);
  let opened: Awaited<typeof opening>;
  try {
    opened = await disk.orHung(disk.busy(() => opening));
  } catch (error) {
    const cleaned = opening.then(
      ({ draft, handle }) => handle.close().then(() => rm(draft, { force: true })),
      () => {},
    );
    await inGrace(cleaned, wish);
    disk.stop();
    throw await inWords(error, place, { needed });
  }
  return fill(opened, disk, place, wish, needed);
}

interface OpenFile {
  file: string;
  draft: string;
  handle: FileHandle;
  spare: number;
}

function fill({ file, draft, handle, spare }: OpenFile, disk: Disk, place: string, wish: BackupWish, needed: number | null): Draft {
  const tar = pack();
  const hash = createHash('sha256');
  const given = new AbortController();
  let broken: unknown = null;
  let isNamed = false;
  const written = pipeline(
    Readable.from(tar as AsyncIterable<Buffer>),
    createGzip({ level: 3 }),
    async function* (plain: AsyncIterable<Buffer>) {
      let sinceLook = LOOK_EVERY;
      for await (const piece of wish.passphrase ? encrypted(plain, wish.passphrase) : plain) {
        hash.update(piece);
        disk.waits();
        if ((sinceLook += piece.length) > LOOK_EVERY) {
          sinceLook = 0;
          await requireSpare(place, spare);
        }
        yield piece;
        disk.answers();
      }
      disk.waits();
    },
    handle.createWriteStream(),
    { signal: wish.signal ? AbortSignal.any([wish.signal, given.signal]) : given.signal },
  );
  written.catch((error: unknown) => {
    broken ??= error;
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  let last: Promise<unknown> = written;

  return {
    tar,
    orHung: disk.orHung,
    async keep(about) {
      await disk.orHung(written);
      disk.answers();
      const finished = (async () => {
        const bytes = await onDisk(draft);
        const note: BackupNote = { ...about, sha256: hash.digest('hex'), bytes, verifiedAt: null };
        // before it has its name: on a disk that is full now there is no backup that was called a failure. A file of a person's own has nothing of ours beside it.
        if (wish.file === undefined) await noteBackup(file, note);
        await rename(draft, file);
        isNamed = true;
        syncBackupFolder(place);
        return { file, note };
      })();
      last = finished;
      const kept = await disk.orHung(finished);
      disk.stop();
      return kept;
    },
    async giveUp(reason) {
      // a full disk is what happened, not that the rows found no taker any more
      const first = wish.signal?.aborted ? wish.signal.reason : (broken ?? reason);
      tar.destroy();
      given.abort();
      const clean = async (): Promise<void> => {
        await Promise.allSettled([last, written]);
        await rm(isNamed ? file : draft, { force: true });
        if (wish.file === undefined) await removeNote(file);
      };
      await inGrace(clean(), wish);
      disk.stop();
      return inWords(first, place, { needed, spare });
    },
  };
}

/** A name that nobody else has or takes: whoever has its draft open has it alone. */
async function openFile(place: string, head: BackupHead, wish: BackupWish): Promise<OpenFile> {
  await mkdir(place, { recursive: true, mode: 0o700 });
  const spare = wish.beside === undefined ? 0 : await spareOn(place, wish.beside);
  if (wish.file !== undefined) {
    const draft = `${wish.file}.part`;
    await rm(draft, { force: true }); // of a command that was killed
    return { file: wish.file, draft, handle: await open(draft, 'wx', 0o600), spare };
  }
  for (;;) {
    const file = await freeBackupFile(place, head, Boolean(wish.passphrase));
    const draft = `${file}.part`;
    const handle = await open(draft, 'wx', 0o600).catch((error: unknown) => {
      if (codeOf(error) === 'EEXIST') return null;
      throw error;
    });
    if (!handle) continue;
    // between the look and the opening somebody may have finished one of this name
    if ((await stat(file).catch(() => null)) === null) return { file, draft, handle, spare };
    await handle.close();
    await rm(draft, { force: true });
  }
}

/** @throws an error of a full disk when less than this is free. Bytes; 0: nobody else needs it */
export async function requireSpare(place: string, spare: number): Promise<void> {
  const free = spare > 0 ? await freeBytes(place) : null;
  if (free !== null && free < spare) throw Object.assign(new Error('the disk has nothing to spare'), { code: 'ENOSPC' });
}

/** On the disk before it has its name. */
export async function settle(draft: string, file: string): Promise<void> {
  await onDisk(draft);
  await rename(draft, file);
  syncBackupFolder(path.dirname(file));
}

async function onDisk(draft: string): Promise<number> {
  const handle = await open(draft, 'r+');
  try {
    await handle.sync();
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

async function inWords(error: unknown, place: string, room: { needed: number | null; spare?: number }): Promise<unknown> {
  // PostgreSQL sorts big tables in files of its own
  if (codeOf(error) === '53100')
    return new PlainError(`The backup could not be made: the disk of the database is full (${messageOf(error)}). Nothing of it was kept.`, {
      cause: error,
    });
  if (error instanceof PlainError || !isDiskFull(error)) return error;
  return new PlainError(`The backup could not be written. ${await fullWords(error, place, room)} Nothing of it was kept.`, {
    cause: error,
  });
}

/** What hangs in the disk goes on behind, and takes away what it left when it ends. */
async function inGrace(cleaned: Promise<unknown>, wish: BackupWish): Promise<void> {
  let isOver = false;
  const over = cleaned.then(
    () => void (isOver = true),
    () => void (isOver = true),
  );
  await Promise.race([over, pause(Math.min(GRACE_MS, wish.patienceMs ?? GRACE_MS), null, { ref: false })]);
  if (!isOver) wish.onHung?.(over);
}

interface Disk {
  /** from now on it is the disk that is waited for */
  waits(): void;
  answers(): void;
  busy<T>(work: () => Promise<T>): Promise<T>;
  orHung<T>(work: Promise<T>): Promise<T>;
  stop(): void;
}

function watchDisk(place: string, { signal, patienceMs = PATIENCE_MS }: BackupWish): Disk {
  const hung = Promise.withResolvers<never>();
  hung.promise.catch(() => {}); // nobody may be waiting at this moment
  let since: number | null = null;
  const timer = setInterval(() => {
    if (since === null || performance.now() - since < patienceMs) return;
    const seconds = Math.ceil(patienceMs / 1000);
    hung.reject(
      new PlainError(
        `The folder ${place} does not answer: it took nothing for ${seconds} ${seconds === 1 ? 'second' : 'seconds'}. Perhaps its disk or network share is away. No backup was made.`,
      ),
    );
  }, patienceMs / 4);
  timer.unref();
  const stopped = (): void => hung.reject(signal!.reason);
  signal?.addEventListener('abort', stopped, { once: true });
  if (signal?.aborted) stopped();
  const disk: Disk = {
    waits: () => void (since = performance.now()),
    answers: () => void (since = null),
    async busy(work) {
      disk.waits();
      const result = await work();
      disk.answers();
      return result;
    },
    orHung: (work) => Promise.race([work, hung.promise]),
    stop() {
      clearInterval(timer);
      signal?.removeEventListener('abort', stopped);
    },
  };
  return disk;
}
