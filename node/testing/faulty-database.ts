import { settleDatabase } from '../assembly/database-truth.ts';
import { withDatabaseChoice } from '../assembly/database-choice.ts';
import { moveDatabase } from '../assembly/move.ts';
import { restoreBackup } from '../assembly/restore.ts';
import { lockDirectory } from '../db/directory-lock.ts';
import { createLog } from '../log.ts';

/**
 * A restore or a move with a trap door, for crash tests only: the process ends as if it had been killed when it passes the
 * point named by CODECSHIFT_TEST_CRASH_AT.
 *
 *   move DATADIR FROM TO        restore DATADIR URL FILE        settle DATADIR        ("embedded" for the built-in one)
 */
const [action, dataDir = '', first = '', second = ''] = process.argv.slice(2);
const fault = (point: string): void => {
  process.stdout.write(`${point}\n`);
  if (point === process.env['CODECSHIFT_TEST_CRASH_AT']) process.kill(process.pid, 'SIGKILL');
};
const log = createLog({ level: 'warn', pretty: false });
const urlOf = (text: string): string | null => (text === 'embedded' ? null : text);

const lock = lockDirectory(dataDir);
await settleDatabase(dataDir, log);
const { databaseUrl } = await withDatabaseChoice({ dataDir, databaseUrl: null });
process.stdout.write(`settled ${databaseUrl === null ? 'embedded' : 'external'}\n`);
if (action === 'move') await moveDatabase({ dataDir, from: urlOf(first), to: urlOf(second), name: 'attic', replace: false, log, fault });
if (action === 'restore')
  await restoreBackup({
    ...{ dataDir, databaseUrl: urlOf(first), file: second, passphrase: null, secretKeyFile: null, log, fault },
    replace: true,
    by: 'a test',
  });
lock.release();
process.stdout.write('done\n');
