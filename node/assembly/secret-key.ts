import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import { createSealer, keyId, type SecretKey } from '../sealed.ts';

/**
 * The key that seals sign-ins in the database: 32 bytes in `secret.key` of the data directory, for this user alone, or in
 * a file that was named (a container's secret, say). It is made when the first secret is kept, not before. A file that is
 * missing or no key stops nothing but the reading of stored secrets: those are asked for again.
 */
export async function openSecretKey(where: { dataDir: string; file: string | null; log: Log }): Promise<SecretKey> {
  const file = where.file === null ? path.join(where.dataDir, 'secret.key') : path.resolve(where.file);
  let master = await read(file).catch((error: unknown) => {
    where.log.error({ why: messageOf(error) }, 'the key of stored sign-ins cannot be used; they will be asked for again');
    return null;
  });
  return {
    id: () => master && keyId(master),
    sealer: () => master && createSealer(master),
    master: () => master,
    async make() {
      if (!master) await keep(new Uint8Array(randomBytes(32)));
      return keyId(master!);
    },
    adopt: keep,
  };

  async function keep(next: Uint8Array): Promise<void> {
    if (where.file !== null)
      throw new PlainError(
        `The key in ${file} is not the one of this cluster's stored sign-ins, and a named file is never written. Put the right key there.`,
      );
    // whatever lay there may be the only key of something: it is never overwritten
    await rename(file, `${file}.${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}`).catch(unlessMissing);
    await write(file, next);
    master = next;
  }
}

/** Null: there is no such file. */
async function read(file: string): Promise<Uint8Array | null> {
  const bytes = await readFile(file).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (bytes === null) return null;
  if (bytes.length === 32) return new Uint8Array(bytes);
  const digits = bytes.toString('latin1').trim();
  if (/^[0-9a-f]{64}$/i.test(digits)) return new Uint8Array(Buffer.from(digits, 'hex'));
  throw new PlainError(`${file} holds neither 32 bytes nor 64 hexadecimal digits.`);
}

/** Whole or not at all, also when the power goes. */
async function write(file: string, bytes: Uint8Array): Promise<void> {
  const draft = `${file}.new`;
  await rm(draft, { force: true });
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}

function unlessMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}
