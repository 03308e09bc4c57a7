import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { freeBackupFile } from '../db/backup-folder.ts';
import { requireSpare, settle } from '../db/backup-file.ts';
import { looksEncrypted, readHead } from '../db/backup-read.ts';
import { fullWords, isDiskFull, spareOn } from '../db/full-disk.ts';
import { PlainError } from '../errors.ts';

/** A backup of a million films has about a gigabyte. */
const MAX_UPLOAD = 64 * 1024 ** 3;
/** So much is taken between two looks at how much is free. Bytes. */
const LOOK_EVERY = 4e6;

export interface Taking {
  content: AsyncIterable<Uint8Array>;
  folder: string;
  dataDir: string;
  signal: AbortSignal;
  now: Date;
  onProgress: (bytes: number) => void;
}

/** Takes a file that a person sends. Resolves with the name that it has from now on. @throws PlainError; then nothing is kept */
export async function takeBackup({ content, folder, dataDir, signal, now, onProgress }: Taking): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = path.join(folder, `upload-${process.pid}-${Date.now()}.part`);
  const spare = await spareOn(folder, dataDir);
  try {
    await pipeline(counted(content, folder, spare, onProgress), createWriteStream(draft, { mode: 0o600, flags: 'wx' }), { signal });
    const isSealed = await looksEncrypted(draft);
    // an encrypted one shows nothing of itself before somebody gives its passphrase
    const head = isSealed ? null : await readHead(draft, { signal }).catch(notOurs);
    const cluster = head?.cluster ?? null;
    const file = await freeBackupFile(folder, { cluster, takenAt: now.toISOString(), label: 'uploaded' }, isSealed);
    await settle(draft, file);
    return path.basename(file);
  } catch (cause) {
    await rm(draft, { force: true });
    if (cause instanceof PlainError || !isDiskFull(cause)) throw cause;
    throw new PlainError(
      `The file could not be taken. ${await fullWords(cause, folder, { needed: null, spare })} Nothing of it was kept.`,
      {
        cause,
      },
    );
  } finally {
    await rm(draft, { force: true });
  }
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  folder: string,
  spare: number,
  onProgress: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  let looked = -LOOK_EVERY;
  for await (const piece of content) {
    if ((bytes += piece.length) > MAX_UPLOAD) throw new PlainError('The file is too big to be a backup.');
    if (bytes - looked > LOOK_EVERY) {
      looked = bytes;
      await requireSpare(folder, spare);
    }
    onProgress(bytes);
    yield piece;
  }
}

/** Without the name that the file has here for a moment. */
function notOurs(cause: unknown): never {
  throw new PlainError('The file that was sent is no backup of CodecShift, or it is damaged. Nothing was kept of it.', { cause });
}
