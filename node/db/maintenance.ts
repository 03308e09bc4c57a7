import type { Log } from '../log.ts';
import type { Database } from './connect.ts';
import { foldCounters } from './counters.ts';
import { exportDatabase, listExports } from './export.ts';

/**
 * What a PostgreSQL server does by itself and single-user PGlite never does: checkpoints (the log would grow for ever),
 * vacuum and fresh statistics. Called about once a minute; a server only gets its counters folded.
 */
export interface MaintenanceParts {
  embedded: boolean;
  /** where the nightly export goes; null: none */
  exports: string | null;
  log: Log;
}

export function maintenance(parts: MaintenanceParts): (db: Database) => Promise<void> {
  let position = '';
  let rounds = 0;
  let changed = 0;
  let vacuumed = performance.now();
  const started = Date.now();
  return async (db) => {
    changed += await foldCounters(db);
    if (!parts.embedded) return;
    const [log] = await db.query<{ position: string }>(`select pg_current_wal_insert_lsn()::text as position`);
    if (log!.position === position) return;
    if (++rounds % 10 === 0) await db.query('vacuum job_deltas, file_deltas, coordinator, nodes');
    if (changed > 1000) {
      await db.query('analyze');
      changed = 0;
    }
    if (performance.now() - vacuumed > 24 * 3600_000) {
      await db.query('vacuum (analyze)');
      vacuumed = performance.now();
    }
    // before the checkpoint: reading every row leaves hints on the pages, which are news to the log
    if (parts.exports !== null && exportIsDue(parts.exports, started, new Date())) {
      parts.log.info(`the database is copied to ${await exportDatabase(db, parts.exports, { label: 'nightly' })}`);
    }
    await db.query('checkpoint');
    position = (await db.query<{ position: string }>(`select pg_current_wal_insert_lsn()::text as position`))[0]!.position;
  };
}

/** Once a night between three and five; a machine that is off at night gets its export after a day and a half. */
export function exportIsDue(exports: string, runningSince: number, now: Date): boolean {
  const newest = listExports(exports)
    .filter((name) => name.includes('nightly'))
    .at(-1);
  const taken = newest ? Date.parse(newest.slice(0, 19).replace(/T(\d\d)-(\d\d)-(\d\d)$/, 'T$1:$2:$3Z')) : runningSince;
  const hours = (now.getTime() - taken) / 3600_000;
  const night = now.getHours() >= 3 && now.getHours() < 5;
  return hours > 36 || (night && (hours > 20 || !newest));
}
