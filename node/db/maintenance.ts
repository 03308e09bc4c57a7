import type { Database } from './connect.ts';
import { foldCounters } from './counters.ts';

/**
 * What a PostgreSQL server does by itself and single-user PGlite never does: checkpoints (the log would grow for ever),
 * vacuum and fresh statistics. Called about once a minute; a server only gets its counters folded.
 */
export interface MaintenanceParts {
  embedded: boolean;
}

export function maintenance(parts: MaintenanceParts): (db: Database) => Promise<void> {
  let position = '';
  let rounds = 0;
  let changed = 0;
  let vacuumed = performance.now();
  return async (db) => {
    changed += await foldCounters(db);
    if (!parts.embedded) return;
    const [log] = await db.query<{ position: string }>(`select pg_current_wal_insert_lsn()::text as position`);
    if (log!.position === position) return;
    if (++rounds % 10 === 0) await db.query('vacuum job_deltas, file_deltas, metric_deltas, coordinator, nodes');
    if (changed > 1000) {
      await db.query('analyze');
      changed = 0;
    }
    if (performance.now() - vacuumed > 24 * 3600_000) {
      await db.query('vacuum (analyze)');
      vacuumed = performance.now();
    }
    await db.query('checkpoint');
    position = (await db.query<{ position: string }>(`select pg_current_wal_insert_lsn()::text as position`))[0]!.position;
  };
}
