import { access, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { placeOf, withDatabaseChoice } from '../assembly/database-choice.ts';
import { keyFilesOf } from '../assembly/key-files.ts';
import { settleDatabase } from '../assembly/database-truth.ts';
import type { BackupEnd, BackupWork } from '../core/backups.ts';
import { loadOptions } from '../config/load.ts';
import { ownBackups } from '../db/backup-before.ts';
import { readBack } from '../db/backup-proof.ts';
import { verifyBackup, type BackupContents } from '../db/backup-read.ts';
import { backUpTables } from '../db/backup-write.ts';
import { openSession } from '../db/connect.ts';
import { lockDirectory, type DirectoryLock } from '../db/directory-lock.ts';
import { messageOf, PlainError } from '../errors.ts';
import { syncDirectory, syncFile } from '../files/durable.ts';
import { createLog } from '../log.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { requireFile, requireNewFile } from './named-file.ts';
import { passphraseFrom } from './passphrase.ts';
import { running, type Running } from './running.ts';
import { stopsBySignal, tellSteps } from './steps.ts';
import { bytes } from './words.ts';

const help = `codecshift backup [--out FILE] [--passphrase-file FILE] [--with-keys]    makes a backup
codecshift backup verify FILE [--passphrase-file FILE]                   reads one and tells what is in it

One file with everything that CodecShift knows; films are not in it. While CodecShift runs, its coordinator makes the backup, else
this command does. It is read back and compared with its digests before it counts.

  --out FILE              where to, and nowhere else; left out: the folder of backups
  --passphrase-file FILE  encrypts it (10 characters or more); "-" reads the passphrase from the standard input
  --with-keys             with the keys of the house, so that a burnt-down machine can be put back; with a passphrase they are in it anyway
  --data-dir DIR  --database-url URL  --secret-key-file FILE  --backup-folder DIR  --json
`;

const flags = { out: { type: 'string' }, 'passphrase-file': { type: 'string' }, 'with-keys': { type: 'boolean' } } as const;
const where = nodeFlags(['data-dir', 'database-url', 'secret-key-file', 'backup-folder']);

interface Made {
  file: string;
  bytes: number;
  rows: number;
  keys: boolean;
  encrypted: boolean;
  says: string;
}

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...where, ...flags }, async ({ values, positionals }) => {
    const passphrase = await passphraseFrom(values['passphrase-file']);
    const [action, file, ...rest] = positionals;
    if (action === 'verify' && file !== undefined && rest.length === 0) return verify(file, passphrase, values['json'] === true);
    if (action !== undefined) throw new PlainError('Only one file can be verified: codecshift backup verify FILE');
    const keys = values['with-keys'] === true || passphrase !== null;
    const out = typeof values['out'] === 'string' ? path.resolve(values['out']) : null;
    if (out !== null) await requireNewFile(out);
    const lock = lockOf(loadOptions(values).dataDir);
    const made = lock
      ? await byThisCommand(values, keys, passphrase, out).finally(() => lock.release())
      : await byTheProgram(values, keys, passphrase, out);
    print(values['json'] === true, made, () => `${made.says}\n${made.file} (${bytes(made.bytes)})`);
  });
}

/** Asks the running program and waits for it. */
async function byTheProgram(values: Record<string, unknown>, keys: boolean, passphrase: string | null, out: string | null): Promise<Made> {
  const program = await running(values);
  const { api } = program;
  const tell = tellSteps(values['json'] === true);
  const before = new Set((await api<BackupState>('GET', '/backups')).items.map(({ name }) => name));
  await api('POST', '/backups', { keys, passphrase });
  for (;;) {
    const state = await api<BackupState>('GET', '/backups');
    if (state.now) {
      tell(state.now);
      await pause(500);
      continue;
    }
    const { name, bytes: size, rows, says } = ofThisCommand(state, before);
    const made = { bytes: size, rows, keys, encrypted: passphrase !== null };
    const there = path.join(state.folder, name);
    if (out === null) return { ...made, file: there, says };
    const left = await fetchAway(program, { name, bytes: size, there }, out);
    return { ...made, file: out, says: [says.replace(name, path.basename(out)), ...left].join(' ') };
  }
}

interface BackupState {
  now: BackupWork | null;
  last: BackupEnd | null;
  folder: string;
  items: BackupItem[];
}

interface BackupItem {
  name: string;
  bytes: number;
  rows: number;
  label: string;
  verifiedAt: string | null;
}

/** What ended last may be another one, as that of the night: it must not be taken for ours, and away. @throws PlainError */
function ofThisCommand({ last, items }: BackupState, before: ReadonlySet<string>): BackupItem & { says: string } {
  const ours = items.find(({ name, label }) => label === 'manual' && !before.has(name));
  const said = last?.says.join(' ');
  if (ours && last?.good && said?.startsWith(ours.name)) return { ...ours, says: said };
  if (ours?.verifiedAt) return { ...ours, says: `${ours.name} was made and read back.` };
  throw new PlainError(said ?? 'The backup could not be made.');
}

/**
 * Into the file that was named, and out of the folder: whoever says so every night would fill the disk, and keys that are not
 * encrypted would stay where nobody looks. Resolves with what is to be said of it.
 */
async function fetchAway({ api, download }: Running, copy: { name: string; bytes: number; there: string }, out: string): Promise<string[]> {
  const route = `/backups/${encodeURIComponent(copy.name)}`;
  try {
    await download(`${route}/file`, out);
    if ((await stat(out)).size !== copy.bytes) {
      await rm(out, { force: true });
      throw new PlainError(`${out} did not become as large as it is there.`);
    }
    // the other one goes: this one is to be on its disk before
    await syncFile(out);
    await syncDirectory(path.dirname(out));
  } catch (error) {
    throw new PlainError(`${sentenceOf(error)} The backup was made all the same and is in ${copy.there}.`, { cause: error });
  }
  try {
    await api('POST', `${route}/remove`, { confirm: true });
    return [];
  } catch (error) {
    return [`A second copy of it stays in ${copy.there}, because it could not be removed: ${sentenceOf(error)}`];
  }
}

function sentenceOf(error: unknown): string {
  return messageOf(error).replace(/[^.!?]$/, '$&.');
}

async function byThisCommand(values: Record<string, unknown>, keys: boolean, passphrase: string | null, out: string | null): Promise<Made> {
  const asked = loadOptions(values);
  const log = createLog({ level: 'warn', pretty: process.stderr.isTTY });
  await settleDatabase(asked.dataDir, log);
  const { dataDir, databaseUrl: url, secretKeyFile, backupFolder } = await withDatabaseChoice(asked);
  if (url === null && !(await isThere(path.join(dataDir, 'database'))))
    throw new PlainError(`There is no database in ${dataDir}. Name another data directory with --data-dir.`);
  const session = await openSession({ url, dataDir, log, locked: true });
  try {
    await session.exec('begin isolation level repeatable read, read only');
    const tell = tellSteps(values['json'] === true);
    const made = await backUpTables(session, backupFolder ?? ownBackups(dataDir), {
      label: 'manual',
      keys: keys ? await keyFilesOf(dataDir, secretKeyFile) : null,
      passphrase,
      beside: dataDir,
      ...(out === null ? {} : { file: out }),
      signal: stopsBySignal(),
      onProgress: ({ table, rows, of }) => tell({ says: `Copying ${table} of ${placeOf(url)}.`, done: rows, of }),
    });
    const contents = await readBack(made.file, { passphrase });
    return {
      file: made.file,
      bytes: made.bytes,
      rows: made.note.rows,
      keys,
      encrypted: passphrase !== null,
      says: `Made and read back. ${words(contents)}`,
    };
  } finally {
    await session.close();
  }
}

/** Null: the program runs with this data directory. A crash leaves its address behind, but no lock. */
function lockOf(dataDir: string): DirectoryLock | null {
  try {
    return lockDirectory(dataDir);
  } catch (error) {
    if (error instanceof PlainError && /is running on/.test(error.message)) return null;
    throw error;
  }
}

async function verify(file: string, passphrase: string | null, json: boolean): Promise<number> {
  await requireFile(file);
  const tell = tellSteps(json);
  const contents = await verifyBackup(file, {
    passphrase,
    signal: stopsBySignal(),
    onProgress: (done, of) => tell({ says: 'Reading it and comparing every digest.', done, of }),
  });
  const { manifest, sha256, encrypted, files } = contents;
  print(json, { ...manifest, files: Object.keys(files), sha256, encrypted, good: true }, () =>
    [
      `${file} is whole. ${words(contents)}`,
      ...manifest.tables
        .filter(({ rows }) => rows > 0)
        .map(({ name, rows }) => `  ${rows.toLocaleString('en').padStart(12)}  ${name.replaceAll('_', ' ')}`),
      ...(manifest.keys
        ? [
            `Keys: the private key of the cluster${Object.keys(files)
              .map((name) => `, ${name}`)
              .join('')}.`,
          ]
        : ['It holds no keys.']),
    ].join('\n'),
  );
  return 0;
}

function words({ manifest, encrypted }: BackupContents): string {
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
  return `It is of "${manifest.cluster?.name ?? 'no cluster'}", taken ${manifest.takenAt.slice(0, 16).replace('T', ' ')} UTC by CodecShift ${manifest.program}, schema ${manifest.schema}, ${rows.toLocaleString('en')} rows, ${encrypted ? 'encrypted' : 'not encrypted'}.`;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
