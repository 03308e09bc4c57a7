import { createHash } from 'node:crypto';
import type { Pack } from 'tar-stream';
import { version } from '../version.ts';
import { requirePassphrase } from './backup-cipher.ts';
import { openDraft, type Draft } from './backup-file.ts';
import type { BackupNote } from './backup-folder.ts';
import type { Database, Queryable } from './connect.ts';
import { presentTables, readState, rowsOf, type DatabaseState, type TableDigest } from './export.ts';
import { backupEstimate } from './full-disk.ts';

/**
 * A backup is one file: a gzipped tar, encrypted where there is a passphrase (backup-cipher.ts).
 *
 *   backup.json                  what it is: program, schema, cluster, time
 *   tables/<table>.<0001>.jsonl  the rows, a few megabytes a piece
 *   keys/<file>                  the files of this machine that a burnt-down one needs; only when wished
 *   manifest.json                how many rows each table has and their digest; a file without it is not complete
 *
 * Written row by row as of one moment; never more than a page of rows is held. It gets its name when it is whole and on
 * the disk.
 */
export interface BackupHead extends DatabaseState {
  format: 1;
  program: string;
  takenAt: string;
  cluster: { id: string; name: string } | null;
  /** with the private key of the cluster and the key files: whoever has it can be this house */
  keys: boolean;
  label: string;
}

export interface Manifest extends BackupHead {
  tables: TableDigest[];
  files: { name: string; sha256: string }[];
}

/** Files of the data directory by name: `secret.key`, `node.key`, `cluster.json`, `roots.json`. */
export type KeyFiles = Readonly<Record<string, Uint8Array>>;

export interface BackupWish {
  /** why it is made: `manual`, `nightly`, `before-upgrade-from-7` */
  label: string;
  /** null: keys are left out, the private key of the cluster too */
  keys: KeyFiles | null;
  /** null: not encrypted */
  passphrase?: string | null;
  /** when it is made; left out: now */
  at?: Date;
  /** the very file to write; left out: a name of its own in the folder */
  file?: string;
  /** the data directory: a backup on the same disk leaves room for what else happens there */
  beside?: string;
  signal?: AbortSignal | undefined;
  onProgress?: (progress: BackupProgress) => void;
  /** a disk that takes nothing for so long is not waited for any more; for tests */
  patienceMs?: number;
  /** something still hangs in that disk after all was given up; resolves when it does not any more */
  onHung?: (over: Promise<void>) => void;
}

export interface BackupProgress {
  table: string;
  rows: number;
  /** an estimate by the database's own statistics */
  of: number;
}

export interface BackupMade {
  file: string;
  bytes: number;
  manifest: Manifest;
  note: BackupNote;
}

/** Copies everything as of one moment into one file. A backup that did not complete leaves nothing. */
export async function backUp(db: Database, folder: string, wish: BackupWish): Promise<BackupMade> {
  // nobody waits for a slow disk that has all the rows already
  return keep(await db.still((q) => copyTables(q, folder, wish)), wish);
}

/** The same through one connection that nobody else writes beside: before an upgrade. */
export async function backUpTables(q: Queryable, folder: string, wish: BackupWish): Promise<BackupMade> {
  return keep(await copyTables(q, folder, wish), wish);
}

interface Copied {
  draft: Draft;
  manifest: Manifest;
}

async function copyTables(q: Queryable, folder: string, wish: BackupWish): Promise<Copied> {
  if (wish.passphrase) requirePassphrase(wish.passphrase);
  wish.signal?.throwIfAborted();
  const head = await readHead(q, wish);
  const draft = await openDraft(folder, head, wish, await backupEstimate(q));
  try {
    return { draft, manifest: await draft.orHung(writeAll(q, draft.tar, head, wish)) };
  } catch (error) {
    throw await draft.giveUp(error);
  }
}

async function keep({ draft, manifest }: Copied, wish: BackupWish): Promise<BackupMade> {
  try {
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    const { takenAt, schema, program, keys, label } = manifest;
    const { file, note } = await draft.keep({ takenAt, schema, program, keys, label, rows, encrypted: Boolean(wish.passphrase) });
    return { file, bytes: note.bytes, manifest, note };
  } catch (error) {
    throw await draft.giveUp(error);
  }
}

async function readHead(q: Queryable, wish: BackupWish): Promise<BackupHead> {
  const takenAt = (wish.at ?? new Date()).toISOString();
  const hasCluster = (await presentTables(q)).includes('cluster');
  const [cluster] = hasCluster ? await q.query<{ id: string; name: string }>('select id, name from cluster') : [];
  const keys = wish.keys !== null;
  return { format: 1, program: version, takenAt, cluster: cluster ?? null, keys, label: wish.label, ...(await readState(q)) };
}

async function writeAll(q: Queryable, tar: Pack, head: BackupHead, wish: BackupWish): Promise<Manifest> {
  await add(tar, 'backup.json', JSON.stringify(head, null, 2));
  const tables: TableDigest[] = [];
  for (const table of await presentTables(q)) tables.push(await writeTable(q, tar, table, wish));
  const files: Manifest['files'] = [];
  for (const [name, bytes] of Object.entries(wish.keys ?? {})) {
    await add(tar, `keys/${name}`, bytes);
    files.push({ name, sha256: createHash('sha256').update(bytes).digest('hex') });
  }
  const manifest: Manifest = { ...head, tables, files };
  await add(tar, 'manifest.json', JSON.stringify(manifest, null, 2));
  tar.finalize();
  return manifest;
}

/** A piece is as big as this at most, or one page of rows. */
const PIECE = 4_000_000;

async function writeTable(q: Queryable, tar: Pack, table: string, wish: BackupWish): Promise<TableDigest> {
  const hash = createHash('sha256');
  const of = await estimateRows(q, table);
  let rows = 0;
  let pieces = 0;
  let text: string[] = [];
  let size = 0;
  const flush = async (): Promise<void> => {
    if (text.length === 0) return;
    await add(tar, `tables/${table}.${String(++pieces).padStart(6, '0')}.jsonl`, text.join(''));
    text = [];
    size = 0;
  };
  for await (const page of rowsOf(q, table, { withoutKeys: wish.keys === null, signal: wish.signal })) {
    const lines = `${page.rows.join('\n')}\n`;
    hash.update(lines);
    rows += page.rows.length;
    text.push(lines);
    size += lines.length;
    if (size > PIECE) await flush();
    wish.onProgress?.({ table, rows, of: Math.max(of, rows) });
  }
  await flush();
  return { name: table, rows, sha256: hash.digest('hex') };
}

async function estimateRows(q: Queryable, table: string): Promise<number> {
  const [row] = await q.query<{ n: number }>(
    `select greatest(reltuples, 0)::bigint as n from pg_class where oid = to_regclass('public.' || quote_ident($1))`,
    [table],
  );
  return row?.n ?? 0;
}

/** Resolves when the piece is taken, so that a slow disk slows the reading down. */
function add(tar: Pack, name: string, content: string | Uint8Array): Promise<void> {
  const bytes = Buffer.from(content as string);
  return new Promise((resolve, reject) => {
    const entry = tar.entry({ name, size: bytes.length, mode: 0o600 }, (error) => (error ? reject(error) : resolve()));
    entry.on('error', reject);
    entry.end(bytes);
  });
}
