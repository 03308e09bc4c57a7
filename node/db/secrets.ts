import type { Queryable } from './connect.ts';
import { text } from './values.ts';

/** What may be shown of a secret: that it is there, since when, and by whom. */
export interface KeptSecret {
  name: string;
  changedAt: Date;
  changedBy: string;
}

export function listSecrets(q: Queryable): Promise<KeptSecret[]> {
  return q.query<KeptSecret>(`select name, changed_at as "changedAt", changed_by as "changedBy" from secrets order by name limit 100`);
}

export async function readSealed(q: Queryable, name: string): Promise<string | null> {
  return (await q.query<{ sealed: string }>(`select sealed from secrets where name = $1`, [name]))[0]?.sealed ?? null;
}

export async function putSealed(q: Queryable, name: string, sealed: string, by: string): Promise<void> {
  await q.query(
    `insert into secrets (name, sealed, changed_by) values ($1, $2, $3)
     on conflict (name) do update set sealed = excluded.sealed, changed_by = excluded.changed_by, changed_at = now()`,
    [name, sealed, text(by)],
  );
}

export async function deleteSealed(q: Queryable, name: string): Promise<void> {
  await q.query(`delete from secrets where name = $1`, [name]);
}
