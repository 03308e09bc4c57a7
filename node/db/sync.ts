import fs from 'node:fs';
import path from 'node:path';
import { codeOf } from '../errors.ts';

/** Syncs a directory; Windows cannot, and there a rename is durable by the file system's own journal. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const handle = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

/** The same where backups lie: some network file systems refuse, and do it on their own. */
export function syncBackupFolder(folder: string): void {
  try {
    syncDirectory(folder);
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EBADF'].includes(codeOf(error) ?? '')) throw error;
  }
}

/** Syncs every file and directory below and including this one. */
export function syncTree(directory: string): void {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const full = path.join(directory, entry.name);
    if (entry.isDirectory()) syncTree(full);
    else if (entry.isFile()) syncFile(full);
  }
  syncDirectory(directory);
}

function syncFile(file: string): void {
  const handle = fs.openSync(file, 'r+');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}
