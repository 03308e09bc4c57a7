import { connectDatabase } from '../db/connect.ts';
import { createLog } from '../log.ts';

/**
 * A process that the crash tests kill: it opens the embedded database of its argument and writes rows for ever, saying
 * the number of each on stdout only after its transaction was acknowledged.
 */
const db = await connectDatabase({
  url: null,
  dataDir: process.argv[2]!,
  log: createLog({ level: 'silent', pretty: false }),
  migrations: null,
});
await db.query('create table if not exists written (n bigint primary key, filler text)');
const [last] = await db.query<{ n: number }>('select coalesce(max(n), 0)::bigint as n from written');
for (let n = last!.n + 1; ; n++) {
  await db.tx((q) => q.query('insert into written values ($1, repeat($2, 500))', [n, 'x']));
  process.stdout.write(`${n}\n`);
  if (n % 40 === 0) await db.query('checkpoint');
}
