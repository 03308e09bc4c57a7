import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connectDatabase } from '../db/connect.ts';
import { readMigrations } from '../db/migrate.ts';
import { createLog } from '../log.ts';
import { memoryFolder } from './memory-folder.ts';
import { repository } from './tools.ts';

/**
 * Puts an empty, migrated embedded database into a data directory: a copy of one that was made once and closed in order.
 * To make it and migrate it costs four times what it costs to open it, and forty test files want one. What a first start
 * does is tested elsewhere, on data directories that are really empty.
 */
export async function copyEmbedded(dataDir: string): Promise<void> {
  // a thousand little files: file by file through promises costs twice as much
  cpSync(await (template ??= makeOnce()), join(dataDir, 'database'), { recursive: true });
  await chmod(join(dataDir, 'database'), 0o700);
}

let template: Promise<string> | null = null;

/** As the clips, it lies in the temporary folder for all test files and the next run, under a key of what it is made from. */
async function makeOnce(): Promise<string> {
  const folder = join(memoryFolder(), 'codecshift-databases');
  const made = join(folder, makings());
  if (existsSync(made)) return made;
  await mkdir(folder, { recursive: true });
  const draft = await mkdtemp(join(folder, 'making-'));
  try {
    await (await connectDatabase({ url: null, dataDir: draft, log: createLog({ level: 'silent', pretty: false }) })).close();
    // Another test file may make it at the same time; the first one stays, and they are equal.
    await rename(join(draft, 'database'), made).catch((error: unknown) => {
      if (!existsSync(made)) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return made;
}

function makings(): string {
  const hash = createHash('sha256');
  for (const { sha256 } of readMigrations()) hash.update(sha256);
  for (const file of ['pglite/package.json', 'pglite-prepopulatedfs/package.json'])
    hash.update(readFileSync(join(repository, 'node_modules', '@electric-sql', file)));
  for (const file of ['embedded-worker.ts', 'durable-fs.ts', 'migrate.ts']) hash.update(readFileSync(join(repository, 'node', 'db', file)));
  return hash.digest('hex').slice(0, 16);
}
