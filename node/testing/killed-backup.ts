import { ownBackups } from '../db/backup-before.ts';
import { backUp } from '../db/backup-write.ts';
import { connectDatabase } from '../db/connect.ts';
import { acquireLease } from '../db/coordinator.ts';
import { createLog } from '../log.ts';
import { aHistory } from './history.ts';

/** A process that is killed in the middle of the backup of a new database: killed-backup.ts DATADIR */
const dataDir = process.argv[2]!;
const db = await connectDatabase({ url: null, dataDir, log: createLog({ level: 'silent', pretty: false }) });
const term = await acquireLease(db, { node: 'x', session: '00000000-0000-4000-8000-000000000001', url: null, ttlSeconds: 600 });
await aHistory(db.withTerm(term!), 5);
await backUp(db, ownBackups(dataDir), { label: 'nightly', keys: {}, onProgress: () => void process.kill(process.pid, 'SIGKILL') });
process.exitCode = 1; // nobody killed it
await db.close();
