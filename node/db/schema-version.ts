import type { Queryable } from './connect.ts';

/** How many migrations this database has; 0 when it has none. */
export async function schemaVersion(q: Queryable): Promise<number> {
  return (await q.query<{ version: number }>(`select coalesce(max(version), 0)::int as version from schema_migrations`))[0]?.version ?? 0;
}
