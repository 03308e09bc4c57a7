import type { LeftoverStanding } from '../core/leftover.ts';
import type { Reason } from '../core/reasons.ts';
import { atomically } from './atomically.ts';
import type { Queryable } from './connect.ts';
import { cutPage, keyset, type Order, type Page, type PageWish } from './page.ts';
import { json, limit, text } from './values.ts';

/** One clean-up of a root: listing ─▶ listed ─▶ deleting ─▶ done; it may fail or be cancelled on the way. */
export interface Cleanup {
  id: number;
  rootId: string;
  nodeId: string | null;
  state: 'listing' | 'listed' | 'deleting' | 'done' | 'failed' | 'cancelled';
  /** names that were looked at */
  looked: number;
  live: number;
  dead: number;
  deadBytes: number;
  ask: number;
  askBytes: number;
  /** the list was cut */
  more: boolean;
  deleted: number;
  deletedBytes: number;
  kept: number;
  reason: Reason | null;
  askedBy: string;
  deletedBy: string | null;
  startedAt: Date;
  listedAt: Date | null;
  endedAt: Date | null;
}

export interface LeftoverRow {
  n: number;
  path: string;
  sizeBytes: number;
  mtimeMs: number;
  inode: string;
  attemptId: number | null;
  standing: LeftoverStanding;
  why: string;
  state: 'found' | 'chosen' | 'deleted' | 'gone' | 'kept';
  /** why it stayed */
  note: string | null;
}

export type NewLeftover = Omit<LeftoverRow, 'n' | 'state' | 'note'>;

const columns = `id, root_id as "rootId", node_id as "nodeId", state, looked, live, dead, dead_bytes as "deadBytes", ask, ask_bytes as "askBytes", more,
  deleted, deleted_bytes as "deletedBytes", kept, reason, asked_by as "askedBy", deleted_by as "deletedBy", started_at as "startedAt",
  listed_at as "listedAt", ended_at as "endedAt"`;
const rowColumns = `n, path, size_bytes as "sizeBytes", mtime_ms as "mtimeMs", inode, attempt_id as "attemptId", standing, why, state, note`;

/** How many clean-ups of one root are remembered. */
const REMEMBERED = 5;

/**
 * Begins one; a list that nobody decided about is given up for it, and old ones are forgotten.
 * Null when one of this root is at work.
 */
export function startCleanup(q: Queryable, rootId: string, by: string): Promise<Cleanup | null> {
  return atomically(q, async (t) => {
    await t.query(`update cleanups set state = 'cancelled', reason = $2, ended_at = now() where root_id = $1 and state = 'listed'`, [
      rootId,
      json({ code: 'superseded' }),
    ]);
    const [made] = await t.query<Cleanup>(
      `insert into cleanups (root_id, asked_by) values ($1, $2) on conflict (root_id) where ended_at is null do nothing returning ${columns}`,
      [rootId, text(by)],
    );
    await t.query(
      `delete from cleanups where ended_at is not null and id in (select id from cleanups where root_id = $1 order by id desc offset ${REMEMBERED})`,
      [rootId],
    );
    return made ?? null;
  });
}

export async function readCleanup(q: Queryable, id: number): Promise<Cleanup | null> {
  return (await q.query<Cleanup>(`select ${columns} from cleanups where id = $1`, [id]))[0] ?? null;
}

/** The newest of every root that ever had one. */
export function lastCleanups(q: Queryable): Promise<Cleanup[]> {
  return q.query<Cleanup>(
    `select c.* from roots r cross join lateral (select ${columns} from cleanups where root_id = r.id order by id desc limit 1) c order by c.id desc limit 500`,
  );
}

/** Those at work, for a coordinator that has just taken over. */
export function workingCleanups(q: Queryable): Promise<Cleanup[]> {
  return q.query<Cleanup>(`select ${columns} from cleanups where ended_at is null and state in ('listing', 'deleting') order by id`);
}

/** A keeper begins to list: what another one had listed is forgotten. False when it was ended meanwhile. */
export function restartListing(q: Queryable, id: number, nodeId: string): Promise<boolean> {
  return atomically(q, async (t) => {
    const begun = await t.query(
      `update cleanups set node_id = $2, looked = 0, live = 0, dead = 0, dead_bytes = 0, ask = 0, ask_bytes = 0, more = false
        where id = $1 and state = 'listing' returning 1`,
      [id, nodeId],
    );
    if (begun.length === 0) return false;
    await t.query(`delete from leftovers where cleanup_id = $1`, [id]);
    return true;
  });
}

/** A page of what was found, numbered from `first`; what is provably dead is chosen from the start. False when the clean-up was ended meanwhile. */
export function addLeftovers(q: Queryable, id: number, first: number, rows: readonly NewLeftover[], looked: number): Promise<boolean> {
  const sums = (standing: LeftoverStanding): [number, number] => {
    const those = rows.filter((row) => row.standing === standing);
    return [those.length, those.reduce((sum, row) => sum + row.sizeBytes, 0)];
  };
  const [live] = sums('live');
  return atomically(q, async (t) => {
    const counted = await t.query(
      `update cleanups set looked = $2, live = live + $3, dead = dead + $4, dead_bytes = dead_bytes + $5, ask = ask + $6, ask_bytes = ask_bytes + $7
        where id = $1 and state = 'listing' returning 1`,
      [id, looked, live, ...sums('dead'), ...sums('ask')],
    );
    if (counted.length === 0) return false;
    await t.query(
      `insert into leftovers (cleanup_id, n, path, size_bytes, mtime_ms, inode, attempt_id, standing, why, state)
       select $1, $2::int + s.i - 1, s.path, s.size, s.mtime, s.inode, s.attempt, s.standing, s.why, case s.standing when 'dead' then 'chosen' else 'found' end
         from unnest($3::text[], $4::bigint[], $5::float8[], $6::text[], $7::bigint[], $8::text[], $9::text[]) with ordinality
           as s(path, size, mtime, inode, attempt, standing, why, i)`,
      [
        id,
        first,
        rows.map((r) => text(r.path)),
        rows.map((r) => r.sizeBytes),
        rows.map((r) => r.mtimeMs),
        rows.map((r) => text(r.inode)),
        rows.map((r) => r.attemptId),
        rows.map((r) => r.standing),
        rows.map((r) => text(r.why)),
      ],
    );
    return true;
  });
}

/** The list is complete, or was cut. Nothing found is the end of it. */
export async function endListing(q: Queryable, id: number, more: boolean): Promise<Cleanup | null> {
  const rows = await q.query<Cleanup>(
    `update cleanups set more = $2, listed_at = now(), state = case when live + dead + ask = 0 then 'done' else 'listed' end,
            ended_at = case when live + dead + ask = 0 then now() end
      where id = $1 and state = 'listing' returning ${columns}`,
    [id, more],
  );
  return rows[0] ?? null;
}

/** False when it is over already. */
export async function breakOff(q: Queryable, id: number, state: 'failed' | 'cancelled', reason: Reason): Promise<boolean> {
  const rows = await q.query(
    `update cleanups set state = $2, reason = $3, ended_at = now() where id = $1 and ended_at is null returning 1`,
    [id, state, json(reason)],
  );
  return rows.length > 0;
}

const walkOrder: Order[] = [{ sql: 'n', cast: 'bigint', descending: false }];

/** What was found, in the order of the walk, so that one folder's files stand together. */
export async function listLeftovers(q: Queryable, id: number, standing: LeftoverStanding, wish: PageWish): Promise<Page<LeftoverRow>> {
  const set = keyset(walkOrder, wish, 3);
  const rows = await q.query<LeftoverRow & { key: string[] }>(
    `select ${rowColumns}, ${set.key} as key from leftovers
      where cleanup_id = $1 and standing = $2 and ${set.where} order by ${set.orderBy} limit ${set.limit}`,
    [id, standing, ...set.params],
  );
  return cutPage(rows, set);
}

const open = `state in ('found', 'chosen') and standing <> 'live' and exists (select 1 from cleanups c where c.id = $1 and c.state = 'listed')`;

/** A person's ticks: of the files `shown`, exactly those `chosen`. Returns how many changed. */
export async function chooseLeftovers(q: Queryable, id: number, shown: readonly number[], chosen: readonly number[]): Promise<number> {
  const rows = await q.query(
    `update leftovers set state = case when n = any($3::int[]) then 'chosen' else 'found' end
      where cleanup_id = $1 and n = any($2::int[]) and (state = 'chosen') <> (n = any($3::int[])) and ${open} returning 1`,
    [id, shown, chosen],
  );
  return rows.length;
}

/** Everything in the very folder of one file that needs a person's word as that one does. Returns how many were chosen. */
export async function chooseFolder(q: Queryable, id: number, n: number): Promise<number> {
  const rows = await q.query(
    `update leftovers l set state = 'chosen' from leftovers one
      where one.cleanup_id = $1 and one.n = $2 and l.cleanup_id = $1 and l.standing = 'ask' and one.standing = 'ask' and l.state = 'found'
        and regexp_replace('/' || l.path, '[^/]*$', '') = regexp_replace('/' || one.path, '[^/]*$', '')
        and exists (select 1 from cleanups c where c.id = $1 and c.state = 'listed') returning 1`,
    [id, n],
  );
  return rows.length;
}

export interface Chosen {
  files: number;
  bytes: number;
  /** of these, not provably ours */
  asked: number;
  askedBytes: number;
}

export async function chosenTotals(q: Queryable, id: number): Promise<Chosen> {
  const [row] = await q.query<Chosen>(
    `select count(*)::int as files, coalesce(sum(size_bytes), 0)::bigint as bytes, count(*) filter (where standing = 'ask')::int as asked,
            coalesce(sum(size_bytes) filter (where standing = 'ask'), 0)::bigint as "askedBytes"
       from leftovers where cleanup_id = $1 and state = 'chosen'`,
    [id],
  );
  return row!;
}

/** A person agreed: what is chosen goes. Null when there is no list to delete from. */
export async function beginDeleting(q: Queryable, id: number, by: string): Promise<Cleanup | null> {
  const rows = await q.query<Cleanup>(
    `update cleanups set state = 'deleting', deleted_by = $2 where id = $1 and state = 'listed' returning ${columns}`,
    [id, text(by)],
  );
  return rows[0] ?? null;
}

/** The next chosen files; none when all were tried. */
export function nextChosen(q: Queryable, id: number, most: number): Promise<LeftoverRow[]> {
  return q.query<LeftoverRow>(
    `select ${rowColumns} from leftovers where cleanup_id = $1 and state = 'chosen' order by n limit ${limit(most, 200)}`,
    [id],
  );
}

export interface Outcome {
  n: number;
  state: 'deleted' | 'gone' | 'kept';
  note: string | null;
}

/** What became of each file, and the sums with it. */
export async function noteOutcomes(q: Queryable, id: number, outcomes: readonly Outcome[]): Promise<void> {
  await q.query(
    `with told as (
       update leftovers l set state = s.state, note = s.note from unnest($2::int[], $3::text[], $4::text[]) as s(n, state, note)
        where l.cleanup_id = $1 and l.n = s.n and l.state = 'chosen' returning l.state, l.size_bytes
     )
     update cleanups c set deleted = c.deleted + t.deleted, deleted_bytes = c.deleted_bytes + t.bytes, kept = c.kept + t.kept
       from (select count(*) filter (where state = 'deleted')::int as deleted, coalesce(sum(size_bytes) filter (where state = 'deleted'), 0)::bigint as bytes,
                    count(*) filter (where state = 'kept')::int as kept from told) t
      where c.id = $1`,
    [id, outcomes.map((o) => o.n), outcomes.map((o) => o.state), outcomes.map((o) => text(o.note))],
  );
}

export async function endDeleting(q: Queryable, id: number): Promise<Cleanup | null> {
  const rows = await q.query<Cleanup>(
    `update cleanups set state = 'done', ended_at = now() where id = $1 and state = 'deleting' returning ${columns}`,
    [id],
  );
  return rows[0] ?? null;
}

/** What the books say about attempts; those that they do not know are left out. At most a few hundred ids. */
export function knownAttempts(q: Queryable, ids: readonly number[]): Promise<{ id: number; alive: boolean; nodes: string[] }[]> {
  return q.query(
    `select id, ended_at is null as alive, array_remove(array[node_id, keeper_id], null) as nodes from attempts where id = any($1::bigint[])`,
    [ids],
  );
}
