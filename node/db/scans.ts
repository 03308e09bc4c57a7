import type { Reason } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { json } from './values.ts';

export interface Scan extends ScanCounts {
  id: number;
  libraryId: number;
  state: 'running' | 'completed' | 'failed' | 'cancelled';
  startedAt: Date;
  endedAt: Date | null;
  reason: Reason | null;
  /** items that the media server listed; null: it was not asked */
  listed: number | null;
  /** what a person should know of it, also when it completed */
  note: Reason | null;
}

export interface ScanCounts {
  seen: number;
  added: number;
  changed: number;
  moved: number;
  missing: number;
  problems: number;
  inspected: number;
}

const columns = `id, library_id as "libraryId", state, started_at as "startedAt", ended_at as "endedAt",
  seen, added, changed, moved, missing, problems, inspected, reason, listed, note`;
const counted = `seen = $2, added = $3, changed = $4, moved = $5, missing = $6, problems = $7, inspected = $8`;
const values = (c: ScanCounts): number[] => [c.seen, c.added, c.changed, c.moved, c.missing, c.problems, c.inspected];

/** Null when a scan of this library is already running (the database allows one). */
export async function startScan(q: Queryable, libraryId: number): Promise<Scan | null> {
  const rows = await q.query<Scan>(
    `insert into scans (library_id) values ($1) on conflict (library_id) where state = 'running' do nothing returning ${columns}`,
    [libraryId],
  );
  return rows[0] ?? null;
}

/** Writes the numbers so far. False when the scan is no longer running: stop it. */
export async function progressScan(q: Queryable, id: number, counts: ScanCounts): Promise<boolean> {
  const rows = await q.query(`update scans set ${counted} where id = $1 and state = 'running' returning 1`, [id, ...values(counts)]);
  return rows.length > 0;
}

/** What the media server said to a scan: how many items it listed, or why it was not asked. */
export async function noteScan(q: Queryable, id: number, said: { listed: number | null; note: Reason | null }): Promise<void> {
  await q.query(`update scans set listed = $2, note = $3 where id = $1 and state = 'running'`, [id, said.listed, json(said.note)]);
}

/** Ends a scan and stamps the library; `reason` is also the library's problem when the scan failed, and clears it when it completed. */
export async function endScan(
  q: Queryable,
  id: number,
  state: 'completed' | 'failed' | 'cancelled',
  counts: ScanCounts,
  reason: Reason | null = null,
): Promise<boolean> {
  const rows = await q.query(
    `with ended as (
       update scans set ${counted}, state = $9, reason = $10, ended_at = now() where id = $1 and state = 'running' returning library_id
     ), stamped as (
       update libraries l set last_scan_at = now(),
              known_since = case $9::text when 'completed' then coalesce(l.known_since, now()) else l.known_since end,
              problem = case $9::text when 'completed' then null when 'failed' then $10::jsonb else l.problem end
         from ended e where l.id = e.library_id
     )
     select 1 from ended`,
    [id, ...values(counts), state, json(reason)],
  );
  return rows.length > 0;
}

/** The clock that rows are stamped by. */
export async function databaseTime(q: Queryable): Promise<Date> {
  const [row] = await q.query<{ now: Date }>(`select now() as now`);
  return row!.now;
}

/** Scans that a coordinator left behind when it died; a new one ends them before it starts its own. Returns how many. */
export async function endAbandonedScans(q: Queryable, reason: Reason): Promise<number> {
  const rows = await q.query(`update scans set state = 'cancelled', reason = $1, ended_at = now() where state = 'running' returning 1`, [
    json(reason),
  ]);
  return rows.length;
}

export function runningScans(q: Queryable): Promise<Scan[]> {
  return q.query<Scan>(`select ${columns} from scans where state = 'running' order by id`);
}

/** The newest scan of every library that ever had one. */
export function lastScans(q: Queryable): Promise<Scan[]> {
  return q.query<Scan>(
    `select s.* from libraries l
      cross join lateral (select ${columns} from scans where library_id = l.id order by id desc limit 1) s`,
  );
}

/** The scans of one library, newest first, at most 50. */
export function listScans(q: Queryable, libraryId: number): Promise<Scan[]> {
  return q.query<Scan>(`select ${columns} from scans where library_id = $1 order by id desc limit 50`, [libraryId]);
}
