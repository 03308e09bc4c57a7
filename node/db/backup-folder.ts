import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';

/**
 * A folder of backups. A backup says in its name of which cluster, when and why it was made; what more is known of it is
 * in a small file beside it, which may be missing: then it is read anew.
 */
export interface BackupNote {
  takenAt: string;
  schema: number;
  program: string;
  /** with the keys of the house */
  keys: boolean;
  label: string;
  rows: number;
  encrypted: boolean;
  sha256: string;
  bytes: number;
  /** when it was last read from beginning to end and every digest was right; null: never */
  verifiedAt: string | null;
}

export interface FoundBackup {
  name: string;
  file: string;
  /** whose it is, as in its name (`houseInName`): several clusters may share a folder */
  house: string;
  bytes: number;
  /** by the name, else when the file was changed */
  takenAt: Date;
  label: string;
  encrypted: boolean;
  note: BackupNote | null;
}

const pattern = /^codecshift-backup-([a-z0-9-]{1,40})-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)-([a-z0-9-]{1,60})\.tar\.gz(\.enc)?$/;

export function backupName(head: { cluster: { name: string } | null; takenAt: string; label: string }, isEncrypted: boolean): string {
  const at = head.takenAt.slice(0, 19).replaceAll(':', '-');
  return `codecshift-backup-${houseInName(head.cluster?.name)}-${at}-${head.label}.tar.gz${isEncrypted ? '.enc' : ''}`;
}

/** What stands in the names of a cluster's backups. */
export function houseInName(cluster: string | undefined): string {
  const slug = (cluster ?? '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  return slug || 'cluster';
}

/** A file for it that nobody has or writes: two backups of one second are two backups. */
export async function freeBackupFile(folder: string, head: Parameters<typeof backupName>[0], isEncrypted: boolean): Promise<string> {
  for (let at = Date.parse(head.takenAt); ; at += 1000) {
    const file = path.join(folder, backupName({ ...head, takenAt: new Date(at).toISOString() }, isEncrypted));
    if (!(await isThere(file)) && !(await isThere(`${file}.part`))) return file;
  }
}

/** A name as this program gives it; nothing else of a folder is listed, handed out or deleted. */
export function isBackupName(name: string): boolean {
  return pattern.test(name);
}

/** The backups of these folders, newest first. A folder that is away has none. */
export async function listBackups(...folders: readonly string[]): Promise<FoundBackup[]> {
  const found: FoundBackup[] = [];
  for (const folder of new Set(folders.map((each) => path.resolve(each))))
    for (const name of await readdir(folder).catch(() => [])) {
      const match = pattern.exec(name);
      const file = path.join(folder, name);
      const facts = match && (await stat(file).catch(() => null));
      if (!match || !facts?.isFile()) continue;
      const takenAt = new Date(match[2]!.replace(/T(\d\d)-(\d\d)-(\d\d)$/, 'T$1:$2:$3Z'));
      const note = await readNote(file, facts.size);
      found.push({ name, file, house: match[1]!, bytes: facts.size, takenAt, label: match[3]!, encrypted: Boolean(match[4]), note });
    }
  return found.toSorted((a, b) => b.takenAt.getTime() - a.takenAt.getTime() || b.name.localeCompare(a.name));
}

const noteSchema = v.object({
  takenAt: v.string(),
  schema: v.number(),
  program: v.string(),
  keys: v.boolean(),
  label: v.string(),
  rows: v.number(),
  encrypted: v.boolean(),
  sha256: v.string(),
  bytes: v.number(),
  verifiedAt: v.nullable(v.string()),
});

async function readNote(file: string, bytes: number): Promise<BackupNote | null> {
  try {
    const note = v.parse(noteSchema, JSON.parse(await readFile(noteOf(file), 'utf8')));
    // another file took its place
    return note.bytes === bytes ? note : null;
  } catch {
    return null;
  }
}

export async function noteBackup(file: string, note: BackupNote): Promise<BackupNote> {
  const fresh = `${noteOf(file)}.new`;
  try {
    await writeFile(fresh, `${JSON.stringify(note, null, 2)}\n`, { mode: 0o600 });
    await rename(fresh, noteOf(file));
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => {}); // on a full disk an empty file stays behind
    throw error;
  }
  return note;
}

export async function removeBackup(file: string): Promise<void> {
  await rm(file, { force: true });
  await removeNote(file);
}

export async function removeNote(file: string): Promise<void> {
  await rm(noteOf(file), { force: true });
}

/** What is still being written is younger; what a process that was killed left may be as big as a backup, and holds as much. */
const ABANDONED_MS = 3600_000;
const draftPattern = /^(codecshift-backup-.+\.tar\.gz(\.enc)?|upload-\d+-\d+)\.part$/;
const notePattern = /^(codecshift-backup-.+\.tar\.gz(?:\.enc)?)\.json(\.new)?$/;

/** @param ageMs what was touched since then is left; 0: nobody else can be writing there */
export async function removeAbandoned(folders: readonly string[], ageMs: number = ABANDONED_MS): Promise<void> {
  for (const folder of new Set(folders.map((each) => path.resolve(each)))) {
    const names = await readdir(folder).catch(() => []);
    const there = new Set(names);
    for (const name of names) {
      const note = notePattern.exec(name);
      // a note comes before its backup has its name
      const isLeft = draftPattern.test(name) || (note !== null && (note[2] !== undefined || !there.has(note[1]!)));
      if (isLeft) await removeOlder(path.join(folder, name), ageMs);
    }
  }
}

async function removeOlder(file: string, ageMs: number): Promise<void> {
  const changed = (await stat(file).catch(() => null))?.mtimeMs;
  if (changed !== undefined && Date.now() - changed >= ageMs) await rm(file, { force: true }).catch(() => {});
}

function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

function noteOf(file: string): string {
  return `${file}.json`;
}

/**
 * Which of the backups go. Of the nightly ones the newest of each of the last `daily` days and `weekly` weeks stay, of each
 * other automatic kind the newest three, and everything that a person made. One that is not known to be whole never takes
 * the place of one that is, and the newest of those always stays.
 */
export function superfluous(backups: readonly FoundBackup[], keep: { daily: number; weekly: number }): FoundBackup[] {
  const newestFirst = backups.toSorted((a, b) => b.takenAt.getTime() - a.takenAt.getTime());
  const nightly = newestFirst.filter(({ label }) => label === 'nightly');
  const good = nightly.filter((b) => b.note?.verifiedAt);
  const stays = new Set<FoundBackup>([
    ...[nightly, good].flatMap((some) => [
      ...firstOfEach(some, (b) => b.takenAt.toISOString().slice(0, 10)).slice(0, keep.daily),
      ...firstOfEach(some, (b) => String(Math.floor((b.takenAt.getTime() / 86_400_000 + 3) / 7))).slice(0, keep.weekly),
    ]),
    ...good.slice(0, 1),
    ...['before-upgrade', 'before-restore', 'before-move'].flatMap((kind) =>
      newestFirst.filter((b) => b.label.startsWith(kind)).slice(0, 3),
    ),
  ]);
  return newestFirst.filter((b) => isAutomatic(b.label) && !stays.has(b));
}

function isAutomatic(label: string): boolean {
  return label === 'nightly' || label.startsWith('before-');
}

function firstOfEach(backups: readonly FoundBackup[], of: (backup: FoundBackup) => string): FoundBackup[] {
  const seen = new Set<string>();
  return backups.filter((each) => !seen.has(of(each)) && seen.add(of(each)));
}
