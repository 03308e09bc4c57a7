import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { KeyFiles } from '../db/backup-write.ts';

/** What a burnt-down machine needs beside the database: the key of stored sign-ins, its own identity, and whose member it is. */
export async function keyFilesOf(dataDir: string, secretKeyFile: string | null): Promise<KeyFiles> {
  const files: Record<string, Uint8Array> = {};
  for (const name of ['secret.key', 'node.key', 'cluster.json']) {
    const file = name === 'secret.key' && secretKeyFile !== null ? secretKeyFile : path.join(dataDir, name);
    const bytes = await readFile(file).catch(() => null);
    if (bytes) files[name] = bytes;
  }
  return files;
}
