import type { SourceKind } from '../core/commands.ts';
import type { Reason } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { cutPage, keyset, type Order, type Page, type PageWish } from './page.ts';
import { json, limit, text } from './values.ts';

/**
 * What a source is told after a file changed, until it shows that it knows:
 *
 *   waiting ──told──▶ told ──new size seen, codec old──▶ analyzing ──▶ confirmed
 *      ▲               │ half an hour                       │
 *      └──a person─────┴────────▶ unconfirmed ◀─────────────┘     told again every day
 *
 * `dropped`: a newer message about the same file took its place, or there is nobody left to tell.
 */
export type MessageState = 'waiting' | 'told' | 'analyzing' | 'confirmed' | 'unconfirmed' | 'dropped';

/** How the source knew the file before. `part` and `parts` tell a changed file apart from another version. */
export interface MessageBefore {
  /** in the source's view */
  path: string;
  size: number | null;
  codec: string | null;
  added: number | null;
  watched: { views: number; positionMs: number } | null;
}

export interface MessageAfter {
  path: string;
  size: number;
  /** as ffprobe calls it; null: not known */
  codec: string | null;
}

export interface NewSourceMessage {
  sourceId: number;
  fileId: number | null;
  jobId: number | null;
  kind: 'replaced' | 'restored';
  libraryKey: string | null;
  /** in the source's view */
  folder: string;
  ref: string | null;
  before: MessageBefore;
  after: MessageAfter;
}

export interface SourceMessage extends NewSourceMessage {
  id: number;
  source: string;
  sourceKind: SourceKind;
  /** of the file, as it is called now; '' when it is forgotten */
  title: string;
  detail: string;
  state: MessageState;
  tries: number;
  /** null: nothing more is to be done */
  nextAt: Date | null;
  reason: Reason | null;
  createdAt: Date;
  toldAt: Date | null;
  endedAt: Date | null;
}

/** A message with its age by the database's clock, for whoever delivers it. */
export interface DueMessage extends SourceMessage {
  secondsOld: number;
  secondsTold: number | null;
}

const columns = `m.id, m.source_id as "sourceId", o.name as source, o.kind as "sourceKind", m.file_id as "fileId", m.job_id as "jobId", m.kind,
  m.library_key as "libraryKey", m.folder, m.ref, m.before, m.after, m.state, m.tries, m.next_at as "nextAt", m.reason,
  m.created_at as "createdAt", m.told_at as "toldAt", m.ended_at as "endedAt", coalesce(f.title, '') as title, coalesce(f.detail, '') as detail`;
const from = `source_messages m join sources o on o.id = m.source_id left join media_files f on f.id = m.file_id`;
const newestFirst: Order[] = [{ sql: 'm.id', cast: 'bigint', descending: true }];

/** In the transaction that changes the file. An older message about it that is still under way has nothing left to say. */
export async function addMessages(q: Queryable, messages: NewSourceMessage[], quietSeconds: number): Promise<void> {
  if (messages.length === 0) return;
  await q.query(
    `with said as (
       select * from jsonb_to_recordset($1::jsonb) as s("sourceId" int, "fileId" bigint, "jobId" bigint, kind text, "libraryKey" text, folder text,
              ref text, before jsonb, after jsonb)
     ), older as (
       update source_messages m set state = 'dropped', next_at = null, ended_at = now()
         from said s where m.source_id = s."sourceId" and m.file_id = s."fileId" and m.next_at is not null
     )
     insert into source_messages (source_id, file_id, job_id, kind, library_key, folder, ref, before, after, next_at)
     select "sourceId", "fileId", "jobId", kind, "libraryKey", folder, ref, before, after, now() + make_interval(secs => $2)
       from said where exists (select 1 from sources o where o.id = "sourceId")`,
    [json(messages), quietSeconds],
  );
}

/** Of each source that is not `busy` those whose time has come, the longest due first: thousands for one keep no other waiting. */
export function dueMessages(q: Queryable, busy: number[] = [], most = 200): Promise<DueMessage[]> {
  return q.query<DueMessage>(
    `select ${columns}, extract(epoch from now() - m.created_at)::float8 as "secondsOld", extract(epoch from now() - m.told_at)::float8 as "secondsTold"
       from sources o cross join lateral (
         select * from source_messages where source_id = o.id and next_at <= now() order by next_at, id limit ${limit(most, 1000)}
       ) m left join media_files f on f.id = m.file_id
      where o.enabled and not o.id = any($1::int[]) order by m.next_at, m.id`,
    [busy],
  );
}

/** Seconds until the next message of a source that is not `busy` is due; null: there is none. Negative: it is due. */
export async function nextMessageIn(q: Queryable, busy: number[] = []): Promise<number | null> {
  const [row] = await q.query<{ seconds: number | null }>(
    `select extract(epoch from min(m.next_at) - now())::float8 as seconds
       from sources o cross join lateral (select min(next_at) as next_at from source_messages where source_id = o.id and next_at is not null) m
      where o.enabled and not o.id = any($1::int[])`,
    [busy],
  );
  return row?.seconds ?? null;
}

/** All that waits for one folder of a source, and how long ago the youngest of it came: while more comes, it is not told. */
export async function waitingInFolder(q: Queryable, sourceId: number, folder: string): Promise<{ ids: number[]; quietSeconds: number }> {
  const [row] = await q.query<{ ids: number[] | null; quietSeconds: number | null }>(
    `select array_agg(id order by id) as ids, extract(epoch from now() - max(created_at))::float8 as "quietSeconds"
       from source_messages where source_id = $1 and folder = $2 and state = 'waiting' and next_at is not null`,
    [sourceId, text(folder)],
  );
  return { ids: row?.ids?.map(Number) ?? [], quietSeconds: row?.quietSeconds ?? 0 };
}

/** They shall be looked at again in so many seconds, and nothing else changed. */
export async function putOffMessages(q: Queryable, ids: number[], seconds: number, reason: Reason | null): Promise<void> {
  await q.query(
    `update source_messages set next_at = now() + make_interval(secs => $2), reason = coalesce($3::jsonb, reason)
      where id = any($1::bigint[]) and next_at is not null`,
    [ids, seconds, json(reason)],
  );
}

/** Everything that this source is behind with waits for so long, and what it never showed for longer. */
export async function putOffAll(
  q: Queryable,
  sourceId: number,
  { seconds, unconfirmedSeconds }: { seconds: number; unconfirmedSeconds: number },
  reason: Reason,
): Promise<void> {
  await q.query(
    `update source_messages set reason = $4,
            next_at = now() + make_interval(secs => case state when 'unconfirmed' then $3::float8 else $2::float8 end)
      where source_id = $1 and next_at <= now()`,
    [sourceId, seconds, unconfirmedSeconds, json(reason)],
  );
}

export interface MessageStep {
  /** another state than these: somebody was faster, and nothing changes */
  from: MessageState[];
  to: MessageState;
  tries: number;
  /** null: this was the last thing to do */
  nextSeconds: number | null;
  reason?: Reason | null;
  told?: boolean;
}

/** One step of a message. False when it was not in a state from which this step leads on. */
export async function stepMessage(q: Queryable, id: number, step: MessageStep): Promise<boolean> {
  const ended = step.to === 'confirmed' || step.to === 'dropped';
  const rows = await q.query(
    `update source_messages set state = $3, tries = $4, next_at = case when $5::float8 is null then null else now() + make_interval(secs => $5) end,
            reason = $6, told_at = case when $7 then now() else told_at end, ended_at = case when $8 then now() end
      where id = $1 and state = any($2::text[]) returning 1`,
    [
      id,
      step.from,
      step.to,
      Math.min(step.tries, 30_000),
      ended ? null : step.nextSeconds,
      json(step.reason ?? null),
      step.told ?? false,
      ended,
    ],
  );
  return rows.length > 0;
}

/** The source said something of this item: whatever waits for it is looked at now. Returns how many messages that are. */
export async function hurryMessages(q: Queryable, sourceId: number, ref: string): Promise<number> {
  const rows = await q.query(
    `update source_messages set next_at = now() where source_id = $1 and ref = $2 and next_at is not null and state <> 'waiting' returning 1`,
    [sourceId, text(ref)],
  );
  return rows.length;
}

/** A source is well again: what waited for that is told now. */
export async function dueNow(q: Queryable, sourceId: number): Promise<void> {
  await q.query(`update source_messages set next_at = now() where source_id = $1 and next_at > now() and reason is not null`, [sourceId]);
}

/** A person has it told once more. False: it is confirmed, or there is no such message. */
export async function tellAgain(q: Queryable, id: number): Promise<boolean> {
  const rows = await q.query(
    `update source_messages set state = 'waiting', tries = 0, next_at = now(), reason = null, told_at = null, ended_at = null
      where id = $1 and state <> 'confirmed' and not (state = 'dropped' and exists (
        select 1 from source_messages n where n.source_id = source_messages.source_id and n.file_id = source_messages.file_id and n.id > $1))
      returning 1`,
    [id],
  );
  return rows.length > 0;
}

export async function readMessage(q: Queryable, id: number): Promise<SourceMessage | null> {
  return (await q.query<SourceMessage>(`select ${columns} from ${from} where m.id = $1`, [id]))[0] ?? null;
}

/** What a source was told, newest first; `open`: only what it has not confirmed. */
export async function listMessages(q: Queryable, sourceId: number, wish: PageWish & { open?: boolean } = {}): Promise<Page<SourceMessage>> {
  const set = keyset(newestFirst, wish, 2);
  const rows = await q.query<SourceMessage & { key: string[] }>(
    `select ${columns}, ${set.key} as key from ${from}
      where m.source_id = $1 and ${wish.open ? 'm.next_at is not null' : 'true'} and ${set.where} order by ${set.orderBy} limit ${set.limit}`,
    [sourceId, ...set.params],
  );
  return cutPage(rows, set);
}

/** What was told of a file, newest first, at most 50. */
export function messagesOfFile(q: Queryable, fileId: number): Promise<SourceMessage[]> {
  return q.query<SourceMessage>(`select ${columns} from ${from} where m.file_id = $1 order by m.id desc limit 50`, [fileId]);
}

/** What was told because of a job, newest first, at most 50. */
export function messagesOfJob(q: Queryable, jobId: number): Promise<SourceMessage[]> {
  return q.query<SourceMessage>(`select ${columns} from ${from} where m.job_id = $1 order by m.id desc limit 50`, [jobId]);
}

/** Is there a message about this file of this size that was sent not long ago? Then what a fetcher says of it is our own echo. */
export async function isOwnEcho(q: Queryable, rootId: string, path: string, sizeBytes: number | null): Promise<boolean> {
  const rows = await q.query(
    `select 1 from media_files f join libraries l on l.id = f.library_id
      where l.root_id = $1 and f.path = $2 and f.status in ('done', 'kept') and f.made_hash is not null
        and ($3::bigint is null or f.size_bytes = $3) limit 1`,
    [rootId, text(path), sizeBytes],
  );
  return rows.length > 0;
}
