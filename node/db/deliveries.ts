import type { NoticeKind } from '../core/notice-kinds.ts';
import { MOST_AGE_SECONDS, type DeliveryState } from '../core/notice-routing.ts';
import { atomically } from './atomically.ts';
import type { Queryable } from './connect.ts';
import { noticeColumns, type Notice } from './notices.ts';
import { cutPage, keyset, type Order, type Page, type PageWish } from './page.ts';
import { limit, text } from './values.ts';

/** One notice on its way to one target. */
export interface Delivery extends Omit<Notice, 'id'> {
  id: number;
  noticeId: number;
  targetId: number;
  target: string;
  kind: NoticeKind;
  /** the same at every try, so that a receiver knows a repetition */
  message: string;
  state: DeliveryState;
  tries: number;
  /** null: nothing more is to be done */
  nextAt: Date | null;
  /** the last one, in words */
  answer: string;
  createdAt: Date;
  triedAt: Date | null;
  endedAt: Date | null;
}

const columns = `d.id, d.notification_id as "noticeId", d.target_id as "targetId", t.name as target, t.kind, d.message, d.state, d.tries,
  d.next_at as "nextAt", d.answer, d.created_at as "createdAt", d.tried_at as "triedAt", d.ended_at as "endedAt",
  ${noticeColumns.replace('n.id, ', '')}`;
const from = `deliveries d join notifications n on n.id = d.notification_id join notification_targets t on t.id = d.target_id`;
const newestFirst: Order[] = [{ sql: 'd.id', cast: 'bigint', descending: true }];
const open = `('waiting', 'held', 'failed')`;

/** Those whose time has come, of targets that do not rest and are not `busy`, the longest due first. */
export function dueDeliveries(q: Queryable, busy: number[], most = 200): Promise<Delivery[]> {
  return q.query<Delivery>(
    `select ${columns} from ${from}
      where d.next_at <= now() and (t.rests_until is null or t.rests_until <= now()) and not d.target_id = any($1::int[])
      order by d.next_at, d.id limit ${limit(most, 1000)}`,
    [busy],
  );
}

/** Seconds until something is due at a target that is not `busy`; null: nothing is. Negative: it is due. */
export async function nextDeliveryIn(q: Queryable, busy: number[]): Promise<number | null> {
  const [row] = await q.query<{ seconds: number | null }>(
    `select extract(epoch from min(greatest(d.next_at, t.rests_until)) - now())::float8 as seconds
       from deliveries d join notification_targets t on t.id = d.target_id where d.next_at is not null and not d.target_id = any($1::int[])`,
    [busy],
  );
  return row?.seconds ?? null;
}

/**
 * The try begins: it counts from now on, and nobody else tries for so long. A coordinator that was replaced cannot begin one, and one
 * that dies in the middle leaves it due again, with the same message. Returns those that may be sent.
 */
export async function beginTry(q: Queryable, ids: number[], leaseSeconds: number): Promise<number[]> {
  const rows = await q.query<{ id: number }>(
    `update deliveries set tries = tries + 1, tried_at = now(), state = 'waiting', next_at = now() + make_interval(secs => $2)
      where id = any($1::bigint[]) and next_at <= now() and state in ${open} and tries < 100 returning id`,
    [ids, leaseSeconds],
  );
  return rows.map(({ id }) => id);
}

/** Its target is not to be disturbed before then. */
export async function holdDeliveries(q: Queryable, ids: number[], until: Date): Promise<void> {
  await q.query(`update deliveries set state = 'held', next_at = $2 where id = any($1::bigint[]) and state in ${open}`, [ids, until]);
}

/** They got through; the target is well. */
export function endSent(q: Queryable, targetId: number, ids: number[], answer: string): Promise<void> {
  return atomically(q, async (t) => {
    const rows = await t.query(
      `update deliveries set state = 'sent', next_at = null, ended_at = now(), answer = $2 where id = any($1::bigint[]) and state in ${open} returning 1`,
      [ids, short(answer)],
    );
    await t.query(
      `update notification_targets set failures = 0, failing_since = null, rests_until = null, last_answer = $2, last_sent_at = now() where id = $1`,
      [targetId, short(answer)],
    );
    await count(t, targetId, 'sent', rows.length);
  });
}

export interface FailedTry {
  answer: string;
  /** null: it is given up */
  againSeconds: number | null;
  /** how long the whole target rests; 0: not at all */
  restSeconds: number;
}

/** They did not get through. One try that failed counts once for the target, however many notices its letter had. */
export function endFailed(q: Queryable, targetId: number, ids: number[], failed: FailedTry): Promise<void> {
  return atomically(q, async (t) => {
    const rows = await t.query(
      `update deliveries set state = case when $3::float8 is null then 'given-up' else 'failed' end, answer = $2,
              next_at = case when $3::float8 is not null then now() + make_interval(secs => $3) end,
              ended_at = case when $3::float8 is null then now() end
        where id = any($1::bigint[]) and state in ${open} returning 1`,
      [ids, short(failed.answer), failed.againSeconds],
    );
    await t.query(
      `update notification_targets set failures = failures + 1, failing_since = coalesce(failing_since, now()), last_answer = $2,
              rests_until = case when $3::float8 > 0 then now() + make_interval(secs => $3) end where id = $1`,
      [targetId, short(failed.answer), failed.restSeconds],
    );
    await count(t, targetId, 'failed', 1);
    if (failed.againSeconds === null) await count(t, targetId, 'given-up', rows.length);
  });
}

/** What waited for more than a day is old news. Returns how many were given up. */
export function giveUpOld(q: Queryable): Promise<number> {
  return giveUp(q, `d.created_at < now() - make_interval(secs => ${MOST_AGE_SECONDS})`, 'It could not be sent within a day.', []);
}

/** Nothing more goes to this target. */
export function giveUpOfTarget(q: Queryable, targetId: number): Promise<number> {
  return giveUp(q, 'd.target_id = $2', 'This place was switched off before this was sent.', [targetId]);
}

async function giveUp(q: Queryable, which: string, answer: string, params: unknown[]): Promise<number> {
  const [row] = await q.query<{ n: number }>(
    `with ended as (
       update deliveries d set state = 'given-up', next_at = null, ended_at = now(), answer = case when d.answer = '' then $1 else left(d.answer || ' ' || $1, 500) end
        where d.next_at is not null and ${which} returning d.target_id
     ), counted as (
       insert into delivery_counts as c (kind, outcome, total) select t.kind, 'given-up', count(*) from ended e join notification_targets t on t.id = e.target_id group by 1
       on conflict (kind, outcome) do update set total = c.total + excluded.total
     )
     select count(*)::int as n from ended`,
    [answer, ...params],
  );
  return row!.n;
}

/** A person has it sent once more, as a message of its own. False: it is not known any more, or waits anyhow. */
export async function sendAgain(q: Queryable, id: number): Promise<boolean> {
  const rows = await q.query(
    `with again as (
       update deliveries set state = 'waiting', tries = 0, next_at = now(), ended_at = null, answer = '', message = gen_random_uuid(), created_at = now()
        where id = $1 and state in ('sent', 'failed', 'given-up') returning target_id
     ), awake as (
       update notification_targets set rests_until = null where id in (select target_id from again)
     )
     select 1 from again`,
    [id],
  );
  return rows.length > 0;
}

export async function readDelivery(q: Queryable, id: number): Promise<Delivery | null> {
  return (await q.query<Delivery>(`select ${columns} from ${from} where d.id = $1`, [id]))[0] ?? null;
}

/** The log, newest first; of all targets, or of one. */
export async function listDeliveries(q: Queryable, targetId: number | null, wish: PageWish = {}): Promise<Page<Delivery>> {
  const set = keyset(newestFirst, wish, targetId === null ? 1 : 2);
  const rows = await q.query<Delivery & { key: string[] }>(
    `select ${columns}, ${set.key} as key from ${from}
      where ${targetId === null ? 'true' : 'd.target_id = $1'} and ${set.where} order by ${set.orderBy} limit ${set.limit}`,
    [...(targetId === null ? [] : [targetId]), ...set.params],
  );
  return cutPage(rows, set);
}

/** How often each kind of target was told something, since the beginning: `failed` counts tries, the others messages. */
export function deliveryCounts(q: Queryable): Promise<{ kind: string; outcome: 'sent' | 'failed' | 'given-up'; total: number }[]> {
  return q.query(`select kind, outcome, total from delivery_counts order by kind, outcome`);
}

async function count(q: Queryable, targetId: number, outcome: string, many: number): Promise<void> {
  if (many === 0) return;
  await q.query(
    `insert into delivery_counts as c (kind, outcome, total) select kind, $2, $3 from notification_targets where id = $1
     on conflict (kind, outcome) do update set total = c.total + excluded.total`,
    [targetId, outcome, many],
  );
}

/** What a stranger's server says is bounded and has no half characters. */
function short(answer: string): string {
  return text(answer.slice(0, 500));
}
