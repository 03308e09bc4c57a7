import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { KeyFiles } from '../db/backup-write.ts';
import { codeOf, messageOf, PlainError } from '../errors.ts';

/**
 * What a burnt-down machine needs beside the database: the key of stored sign-ins, its own identity, whose member it is, and
 * where its libraries are mounted. Never a journal of the swap: what it says of files was true once.
 */
export async function keyFilesOf(dataDir: string, secretKeyFile: string | null): Promise<KeyFiles> {
  const files: Record<string, Uint8Array> = {};
  for (const name of ['secret.key', 'node.key', 'cluster.json', 'roots.json']) {
    const file = name === 'secret.key' && secretKeyFile !== null ? secretKeyFile : path.join(dataDir, name);
    const bytes = await readFile(file).catch((cause: unknown) => {
      if (codeOf(cause) === 'ENOENT') return null;
      // a backup that lacks a key although it shall have it would be found out when the house burnt down
      throw new PlainError(`${file} cannot be read (${messageOf(cause)}), and a backup with the keys needs it.`, { cause });
    });
    if (bytes) files[name] = bytes;
  }
  return files;
}
