import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PlainError } from '../errors.ts';

/**
 * One process per data directory. PGlite has no lock of its own, and two processes on one directory destroy it within
 * seconds. The operating system's lock on a SQLite file is held by an open exclusive transaction: it is refused while the
 * holder lives (even stopped) and free the moment it is killed, so there is no stale lock and no guess about process ids.
 */
export interface DirectoryLock {
  release(): void;
}

interface Holder {
  pid: number;
  host: string;
  since: string;
}

/** @throws PlainError that names the process which has the directory, the file system that cannot lock, or a directory that is not there */
export function lockDirectory(dataDir: string): DirectoryLock {
  if (!fs.existsSync(dataDir)) throw new PlainError(`There is no data directory ${dataDir}. Name the one of CodecShift with --data-dir.`);
  refuseNetworkDisk(dataDir);
  const file = path.join(dataDir, 'database.lock');
  const holderFile = path.join(dataDir, 'database.holder.json');
  const db = openLockFile(file);
  try {
    db.exec('pragma busy_timeout = 0; begin exclusive');
  } catch (cause) {
    db.close();
    throw new PlainError(
      `Another CodecShift is running on ${dataDir}${describe(readHolder(holderFile))}. Stop it first, or choose another data directory with --data-dir.`,
      { cause },
    );
  }
  const holder: Holder = { pid: process.pid, host: os.hostname(), since: new Date().toISOString() };
  fs.writeFileSync(holderFile, JSON.stringify(holder), { mode: 0o600 });
  return {
    release(): void {
      fs.rmSync(holderFile, { force: true });
      db.close();
    },
  };
}

function openLockFile(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file);
  } catch (cause) {
    throw new PlainError(
      `The data directory cannot be used: ${file} cannot be opened. Check who owns it and whether the disk is full or read-only.`,
      { cause },
    );
  }
}

function readHolder(file: string): Holder | null {
  try {
    const { pid, host, since } = JSON.parse(fs.readFileSync(file, 'utf8')) as Partial<Holder>;
    return typeof pid === 'number' && typeof host === 'string' && typeof since === 'string' ? { pid, host, since } : null;
  } catch {
    return null;
  }
}

function describe(holder: Holder | null): string {
  if (!holder) return '';
  const where = holder.host === os.hostname() ? '' : ` on ${holder.host}`;
  return ` (process ${holder.pid}${where}, since ${holder.since.slice(0, 16).replace('T', ' ')} UTC)`;
}

/** Locks and fsync over NFS and SMB are promises that nobody keeps. */
const networkDisks = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
]);

function refuseNetworkDisk(dataDir: string): void {
  if (process.platform !== 'linux') return;
  const kind = networkDisks.get(fs.statfsSync(dataDir).type >>> 0);
  if (!kind) return;
  throw new PlainError(
    `The data directory ${dataDir} is on a network disk (${kind}), where a database is not safe. Choose a local one with --data-dir, or give CodecShift a PostgreSQL with --database-url.`,
  );
}
