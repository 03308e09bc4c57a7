import path from 'node:path';
import { backUpTables } from './backup-write.ts';
import { listBackups, removeAbandoned, removeBackup, superfluous } from './backup-folder.ts';
import type { MigrationSession } from './migrate.ts';

/** Where the automatic backups of a machine lie unless it was given another folder. */
export function ownBackups(dataDir: string): string {
  return path.join(dataDir, 'backups');
}

/**
 * Copies a database before something changes it as a whole: its upgrade, a restore over it, a move into it. It goes into the
 * data directory of this machine, which can read the database anyway, so the keys of the cluster are in it.
 * @param session one connection, outside of a transaction
 * @param label `before-upgrade-from-7`, `before-restore`, `before-move`
 * @returns the file
 */
export async function backUpBefore(
  session: MigrationSession,
  dataDir: string,
  label: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const folder = ownBackups(dataDir);
  // whoever calls has the data directory for himself, so what is half there is of a process that was killed
  await removeAbandoned([folder], 0);
  await session.exec('begin isolation level repeatable read, read only');
  try {
    await session.query(`select set_config('idle_in_transaction_session_timeout', '0', true), set_config('TimeZone', 'UTC', true)`);
    const { file } = await backUpTables(session, folder, { label, keys: {}, signal: options.signal, beside: dataDir });
    // what cannot be thrown away harms nobody
    for (const old of superfluous(await listBackups(folder), { daily: 366, weekly: 520 })) await removeBackup(old.file).catch(() => {});
    return file;
  } finally {
    await session.exec('rollback').catch(() => {});
  }
}
