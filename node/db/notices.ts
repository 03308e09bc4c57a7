import { noticeEntry } from '../core/notice-events.ts';
import { noticeOfActivity, type NoticeFact } from '../core/notice-facts.ts';
import type { Queryable } from './connect.ts';
import { BATCH } from './retention.ts';
import { json, limit, text } from './values.ts';

/** What people are to be told: facts of a kind gather in one row until it is sent out. */
export interface Notice {
  id: number;
  event: string;
  at: Date;
  lastAt: Date;
  count: number;
  /** the first of its facts, at most ten */
  items: Record<string, unknown>[];
}

export const noticeColumns = `n.id, n.event, n.at, n.last_at as "lastAt", n.count, n.items`;

/**
 * One more fact of `key`: into the row that still gathers, or a new one, which waits at least so long after the last one of its
 * key. Parameters: event, key, gather minutes, delay seconds; the fact's item is a column `item` of whatever stands in `from`.
 */
function gatherSql(first: number, from: string): string {
  const [event, key, gather, delay] = [0, 1, 2, 3].map((i) => `$${first + i}`);
  return `insert into notifications as n (event, key, items, ready_at)
    select ${event}::text, ${key}::text, jsonb_build_array(item), greatest(now() + make_interval(secs => ${delay}::int),
           (select max(e.ready_at) + make_interval(mins => ${gather}::int) from notifications e where e.key = ${key}::text and e.routed_at is not null))
      from ${from}
    on conflict (key) where routed_at is null do update set count = n.count + 1, last_at = now(),
       items = case when jsonb_array_length(n.items) < 10 then n.items || excluded.items else n.items end`;
}

/** In the transaction of the fact. A fact that was told before (`once`) changes nothing. */
export async function addNotice(q: Queryable, fact: NoticeFact): Promise<void> {
  const { gatherMinutes, delaySeconds } = noticeEntry(fact.event);
  const item = json(fact.item);
  if (fact.once !== undefined) {
    const once = text(fact.once).slice(0, 300);
    await q.query(
      `insert into notifications (event, key, once, items, ready_at)
       values ($1, $2, $2, jsonb_build_array($3::jsonb), now() + make_interval(secs => $4::int)) on conflict do nothing`,
      [fact.event, once, item, delaySeconds],
    );
    return;
  }
  const params = [fact.event, text(fact.key ?? fact.event).slice(0, 300), gatherMinutes, delaySeconds];
  await q.query(gatherSql(1, '(select $5::jsonb as item) said'), [...params, item]);
}

/**
 * What a line of the activity means for people, as the rest of the statement that writes it (a CTE called `line`): so a fact
 * cannot be written down without its notice. `sql` is '' when it means nothing.
 */
export function noticeOfLine(
  line: { kind: string; severity?: 0 | 1 | 2; params?: Record<string, unknown> },
  first: number,
): { sql: string; params: unknown[] } {
  const follows = noticeOfActivity(line);
  if (follows === null) return { sql: '', params: [] };
  if ('over' in follows)
    return {
      sql: `, told as (delete from notifications where key = $${first} and routed_at is null)`,
      params: [text(follows.over).slice(0, 300)],
    };
  const { event, key } = follows.fact;
  const { gatherMinutes, delaySeconds } = noticeEntry(event);
  const item = `(select params || jsonb_strip_nulls(jsonb_build_object('kind', kind, 'jobId', job_id, 'nodeId', node_id,
      'node', (select d.name from nodes d where d.id = line.node_id))) as item from line) said`;
  return { sql: `, told as (${gatherSql(first, item)})`, params: [event, text(key ?? event).slice(0, 300), gatherMinutes, delaySeconds] };
}

/** Those whose time has come and for whom nobody was chosen yet, the longest due first. */
export function readyNotices(q: Queryable, most = 100): Promise<Notice[]> {
  return q.query<Notice>(
    `select ${noticeColumns} from notifications n where n.routed_at is null and n.ready_at <= now() order by n.ready_at, n.id limit ${limit(most, 500)}`,
  );
}

/** Whoever shall be told, once: a second time nothing happens. */
export async function routeNotice(q: Queryable, id: number, targets: number[]): Promise<void> {
  await q.query(
    `with routed as (update notifications set routed_at = now() where id = $1 and routed_at is null returning id)
     insert into deliveries (notification_id, target_id) select r.id, t.id from routed r, notification_targets t where t.id = any($2::int[])
     on conflict do nothing`,
    [id, targets],
  );
}

/** A person tries a target: its own notice and delivery, which the caller sends itself. Returns the delivery. */
export async function addTest(q: Queryable, targetId: number, item: Record<string, unknown>, leaseSeconds: number): Promise<number> {
  const [row] = await q.query<{ id: number }>(
    `with made as (
       insert into notifications (event, key, items, routed_at) values ('test', 'test ' || gen_random_uuid(), jsonb_build_array($2::jsonb), now()) returning id
     )
     insert into deliveries (notification_id, target_id, next_at, tries, tried_at)
     select id, $1, now() + make_interval(secs => $3), 1, now() from made returning id`,
    [targetId, json(item), leaseSeconds],
  );
  return row!.id;
}

/** Seconds until a notice is ready; null: none gathers. */
export async function nextNoticeIn(q: Queryable): Promise<number | null> {
  const [row] = await q.query<{ seconds: number | null }>(
    `select extract(epoch from min(ready_at) - now())::float8 as seconds from notifications where routed_at is null`,
  );
  return row?.seconds ?? null;
}

/** What is older than so many days, with what was sent of it; at most 1,000 at a time. Returns how many went. */
export async function forgetNotices(q: Queryable, days: number): Promise<number> {
  const rows = await q.query(
    `delete from notifications where id in (select id from notifications where at < now() - make_interval(days => $1) order by at limit ${BATCH}) returning 1`,
    [days],
  );
  return rows.length;
}
