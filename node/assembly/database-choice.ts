import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { codeOf, PlainError } from '../errors.ts';
import { syncDirectory } from '../db/sync.ts';

/**
 * Which database this machine uses when neither a flag nor the environment says it: `database.json` in the data directory,
 * written by a move (move.ts). Without it: the embedded one.
 */
export interface DatabaseChoice {
  /** null: the embedded one */
  url: string | null;
  /** the move that wrote this */
  move: string;
  since: string;
}

const schema = v.object({
  format: v.literal(1),
  url: v.nullable(v.pipe(v.string(), v.maxLength(2000))),
  move: v.pipe(v.string(), v.maxLength(60)),
  since: v.pipe(v.string(), v.maxLength(40)),
});

/** Null: nobody ever moved. @throws PlainError when the file is damaged, for then it is not known where the truth is */
export async function readDatabaseChoice(dataDir: string): Promise<DatabaseChoice | null> {
  const file = choiceFile(dataDir);
  try {
    const { url, move, since } = v.parse(schema, JSON.parse(await readFile(file, 'utf8')));
    return { url, move, since };
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null;
    throw new PlainError(
      `${file}, which says which database this machine uses, cannot be read. Name the database with --database-url, or put a good copy back.`,
      { cause },
    );
  }
}

/** Whole or not at all; only this user may read it: an address holds a password. */
export async function writeDatabaseChoice(dataDir: string, choice: DatabaseChoice): Promise<void> {
  const file = choiceFile(dataDir);
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.chmod(0o600);
    await handle.writeFile(`${JSON.stringify({ format: 1, ...choice }, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  syncDirectory(dataDir);
}

/** The options with the database that is in force. */
export async function withDatabaseChoice<T extends { databaseUrl: string | null; dataDir: string }>(options: T): Promise<T> {
  if (options.databaseUrl !== null) return options;
  const choice = await readDatabaseChoice(options.dataDir);
  return choice?.url ? Object.freeze({ ...options, databaseUrl: choice.url }) : options;
}

/** An address as people may see it: without user and password. */
export function placeOf(url: string | null): string {
  if (url === null) return 'the built-in database';
  if (!URL.canParse(url)) return 'an external database';
  const { hostname, port, pathname } = new URL(url);
  return `${pathname.slice(1) || 'the database'} on ${hostname || 'this machine'}${port ? `:${port}` : ''}`;
}

function choiceFile(dataDir: string): string {
  return path.join(dataDir, 'database.json');
}
