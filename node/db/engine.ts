import fs from 'node:fs';
import path from 'node:path';
import { PlainError } from '../errors.ts';
import { version } from '../version.ts';
import { ownBackups } from './backup-before.ts';
import { listBackups } from './backup-folder.ts';

/**
 * The files of a database fit one major version of PostgreSQL and no other, and PGlite brings no tool that carries them
 * over. So an embedded database of another one is left exactly as it is, and a person is told the two ways there are: the
 * backup that loses nothing can only be made by the version that can still open it.
 */

/** What the PGlite of this build is; a test holds it against a database that was just made. */
export const enginePostgres = 18;

/** @throws PlainError with what to do, when the directory was made by another PostgreSQL; nothing was touched then */
export async function requireOwnEngine(dataDir: string): Promise<void> {
  const directory = path.join(dataDir, 'database');
  const made = readText(path.join(directory, 'PG_VERSION'));
  if (made === null || Number(made) === enginePostgres) return;
  const by = lastProgram(dataDir);
  const [newest] = await listBackups(ownBackups(dataDir));
  const from = newest ? ` (the newest one here is ${newest.file}; what happened after it is not in it)` : '';
  throw new PlainError(
    `The embedded database in ${directory} was made by PostgreSQL ${made}${by ? `, with CodecShift ${by}` : ''}; this version, ${version}, brings PostgreSQL ${enginePostgres}, which cannot read it. Nothing was changed. Start the version that ran before once more, make a backup there with "codecshift backup", move ${directory} away, and bring the backup in with this version: codecshift restore FILE${from}.`,
  );
}

/** After it was opened: which program did, for the sentence of a later one. */
export function noteEngine(dataDir: string): void {
  try {
    fs.writeFileSync(noteFile(dataDir), `${JSON.stringify({ program: version, postgres: enginePostgres })}\n`, { mode: 0o600 });
  } catch {
    // a disk that is full matters to those who write rows
  }
}

/** The version of CodecShift that opened this database last, as far as it was noted. */
export function lastProgram(dataDir: string): string | null {
  try {
    const { program } = JSON.parse(fs.readFileSync(noteFile(dataDir), 'utf8')) as { program?: unknown };
    return typeof program === 'string' ? program.slice(0, 40) : null;
  } catch {
    return null;
  }
}

function noteFile(dataDir: string): string {
  return path.join(dataDir, 'database-engine.json');
}

function readText(file: string): string | null {
  try {
    return fs.readFileSync(file, 'utf8').trim().slice(0, 20);
  } catch {
    return null;
  }
}
