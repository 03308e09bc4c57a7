import type { SourceKind } from '../core/commands.ts';
import type { Reason } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** A media server or a fetcher. Its sign-in is never part of this row: only `sourceCredential` reads it. */
export interface Source {
  id: number;
  kind: SourceKind;
  name: string;
  /** the address in use; never carries a token */
  url: string;
  /** others that were offered, best first */
  connections: string[];
  /** who must answer there; anybody else gets no token */
  identity: string;
  version: string;
  account: string;
  /** false: a person has to sign in (again) */
  signedIn: boolean;
  hasHook: boolean;
  enabled: boolean;
  /** a fetcher renames a film after its conversion, if its rules call it otherwise now */
  renames: boolean;
  /** what the adapter learnt of this very program: which verb it took, which fields it has */
  learnt: Record<string, unknown>;
  problem: Reason | null;
  problemSince: Date | null;
  checkedAt: Date | null;
  createdAt: Date;
}

/** For the list of sources: what it has, and what it was told. */
export interface SourceOverview extends Source {
  libraries: number;
  watched: number;
  /** of its watched libraries, as of their last listing */
  items: number;
  bytes: number;
  /** messages it has not confirmed yet, and those of them that it ought to have */
  telling: number;
  unconfirmed: number;
}

export interface NewSource {
  kind: SourceKind;
  name: string;
  url: string;
  connections: string[];
  identity: string;
  version: string;
  account: string;
  /** sealed */
  credential: string | null;
  learnt?: Record<string, unknown>;
}

const columns = `s.id, s.kind, s.name, s.url, s.connections, s.identity, s.version, s.account, s.credential is not null as "signedIn",
  s.hook_hash is not null as "hasHook", s.enabled, s.rename_after as "renames", s.learnt, s.problem, s.problem_since as "problemSince",
  s.checked_at as "checkedAt", s.created_at as "createdAt"`;

/**
 * Keeps a source. One that is known already (same kind, same identity) gets the new address and sign-in and keeps its
 * libraries, paths and history. A name that is taken by another one gets a number behind it.
 */
export async function addSource(q: Queryable, wish: NewSource): Promise<{ id: number; added: boolean }> {
  const known = await q.query<{ id: number }>(
    `update sources set url = $3, connections = $4, version = $5, account = $6, credential = $7, learnt = learnt || $8::jsonb, enabled = true,
            problem = null, problem_since = null, checked_at = now() where kind = $1 and identity = $2 returning id`,
    [wish.kind, ...valuesOf(wish)],
  );
  if (known[0]) return { id: known[0].id, added: false };
  for (let n = 1; n <= 1000; n++) {
    const name = text(n === 1 ? wish.name : `${wish.name.slice(0, 90)} ${n}`).slice(0, 100);
    const [row] = await q.query<{ id: number }>(
      `insert into sources (kind, identity, url, connections, version, account, credential, learnt, name, checked_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now()) on conflict do nothing returning id`,
      [wish.kind, ...valuesOf(wish), name],
    );
    if (row) return { id: row.id, added: true };
  }
  throw new Error(`no free name for the source "${wish.name}"`);
}

function valuesOf(wish: NewSource): unknown[] {
  return [
    text(wish.identity),
    wish.url,
    json(wish.connections),
    text(wish.version),
    text(wish.account),
    wish.credential,
    json(wish.learnt ?? {}),
  ];
}

/** By name. */
export function listSources(q: Queryable): Promise<Source[]> {
  return q.query<Source>(`select ${columns} from sources s order by lower(s.name), s.id`);
}

export async function readSource(q: Queryable, id: number): Promise<Source | null> {
  return (await q.query<Source>(`select ${columns} from sources s where s.id = $1`, [id]))[0] ?? null;
}

/** The sources with what they have and were told, by name. */
export function sourceOverview(q: Queryable): Promise<SourceOverview[]> {
  return q.query<SourceOverview>(
    `select ${columns}, coalesce(l.libraries, 0)::int as libraries, coalesce(l.watched, 0)::int as watched,
            coalesce(l.items, 0)::bigint as items, coalesce(l.bytes, 0)::bigint as bytes,
            coalesce(m.telling, 0)::int as telling, coalesce(m.unconfirmed, 0)::int as unconfirmed
       from sources s
       left join (select source_id, count(*) as libraries, count(*) filter (where watched) as watched,
                         sum(items) filter (where watched) as items, sum(bytes) filter (where watched) as bytes
                    from source_libraries where gone_at is null group by 1) l on l.source_id = s.id
       left join (select source_id, count(*) as telling, count(*) filter (where state = 'unconfirmed') as unconfirmed
                    from source_messages where next_at is not null group by 1) m on m.source_id = s.id
      order by lower(s.name), s.id`,
  );
}

/** The sealed sign-in; null: a person signs in again. */
export async function sourceCredential(q: Queryable, id: number): Promise<string | null> {
  return (await q.query<{ credential: string | null }>(`select credential from sources where id = $1`, [id]))[0]?.credential ?? null;
}

export interface SourceChangeRow {
  name?: string;
  url?: string;
  connections?: string[];
  enabled?: boolean;
  renames?: boolean;
  version?: string;
  account?: string;
  /** sealed */
  credential?: string;
  learnt?: Record<string, unknown>;
}

/** Changes what is given and leaves the rest; `learnt` is added to what is known. @throws 23505 when the name is taken */
export async function changeSource(
  q: Queryable,
  id: number,
  change: SourceChangeRow,
  /** only while it still has these: what took a while must not undo what a person did meanwhile */
  still: { credential?: string | null; url?: string } = {},
): Promise<boolean> {
  const rows = await q.query(
    `update sources set name = coalesce($2, name), url = coalesce($3, url), connections = coalesce($4::jsonb, connections),
            enabled = coalesce($5, enabled), version = coalesce($6, version), account = coalesce($7, account),
            credential = coalesce($8, credential), learnt = learnt || coalesce($9::jsonb, '{}'),
            rename_after = coalesce($10, rename_after)
      where id = $1 and (not $11 or credential is not distinct from $12) and ($13::text is null or url = $13) returning 1`,
    [
      id,
      text(change.name ?? null),
      change.url ?? null,
      json(change.connections),
      change.enabled ?? null,
      text(change.version ?? null),
      text(change.account ?? null),
      change.credential ?? null,
      json(change.learnt),
      change.renames ?? null,
      still.credential !== undefined,
      still.credential ?? null,
      still.url ?? null,
    ],
  );
  return rows.length > 0;
}

/** Forgets a source with its libraries, rules, items and messages. What was watched of it stays as plain folders. */
export async function removeSource(q: Queryable, id: number): Promise<boolean> {
  const rows = await q.query(
    `with plain as (
       update libraries set source = 'folder', source_library_id = null
        where source_library_id in (select id from source_libraries where source_id = $1)
     )
     delete from sources where id = $1 returning 1`,
    [id],
  );
  return rows.length > 0;
}

/** It was asked: null when all is well. True when that is news, so that the story tells it once. */
export async function setSourceHealth(q: Queryable, id: number, problem: Reason | null): Promise<boolean> {
  const rows = await q.query<{ news: boolean }>(
    `update sources s set problem = $2, checked_at = now(),
            problem_since = case when $2::jsonb is null then null when s.problem ->> 'code' is distinct from $2::jsonb ->> 'code' then now() else s.problem_since end
       from (select problem ->> 'code' as code from sources where id = $1 for update) old
      where s.id = $1 returning old.code is distinct from $2::jsonb ->> 'code' as news`,
    [id, json(problem)],
  );
  return rows[0]?.news ?? false;
}

/** The hash of a new secret for its webhook; the old address is dead from now on. */
export async function setHook(q: Queryable, id: number, hash: string): Promise<boolean> {
  return (await q.query(`update sources set hook_hash = $2 where id = $1 returning 1`, [id, hash])).length > 0;
}

export async function sourceOfHook(q: Queryable, hash: string): Promise<Source | null> {
  return (await q.query<Source>(`select ${columns} from sources s where s.hook_hash = $1 and s.enabled`, [hash]))[0] ?? null;
}

/** False: this message came before. */
export async function noteSourceEvent(q: Queryable, sourceId: number, key: string): Promise<boolean> {
  const rows = await q.query(`insert into source_events (source_id, key) values ($1, $2) on conflict do nothing returning 1`, [
    sourceId,
    text(key).slice(0, 100),
  ]);
  return rows.length > 0;
}

/** What is older than this no webhook repeats; at most 5,000 at a time. */
export async function forgetSourceEvents(q: Queryable, hours: number): Promise<number> {
  const rows = await q.query(
    `delete from source_events where ctid in (select ctid from source_events where at < now() - make_interval(hours => $1) limit 5000) returning 1`,
    [hours],
  );
  return rows.length;
}
