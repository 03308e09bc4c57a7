import type { From, Role, SignInMethod } from '../core/access.ts';
import type { Queryable } from './connect.ts';
import { BATCH } from './retention.ts';
import { text } from './values.ts';

/** Somebody who is signed in, in one browser. `id` is the hash of what its cookie holds. */
export interface Session {
  id: string;
  userId: number;
  method: SignInMethod;
  createdAt: Date;
  /** a person did something; live updates do not count */
  seenAt: Date;
  /** proved who he is */
  authenticatedAt: Date;
  address: string;
  agent: string;
}

/** A session with the person that it belongs to. */
export interface SessionOwner extends Session {
  name: string;
  displayName: string;
  role: Role;
  disabled: boolean;
  oneTime: boolean;
  hasPassword: boolean;
}

const columns = `s.id, s.user_id as "userId", s.method, s.created_at as "createdAt", s.seen_at as "seenAt",
  s.authenticated_at as "authenticatedAt", s.address, s.agent`;

export async function readSession(q: Queryable, id: string): Promise<SessionOwner | null> {
  const rows = await q.query<SessionOwner>(
    `select ${columns}, u.name, u.display_name as "displayName", u.role, u.disabled, u.one_time as "oneTime",
            u.password is not null as "hasPassword"
       from sessions s join users u on u.id = s.user_id where s.id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

/** Newest first; of one person, or of everybody with his name. */
export function listSessions(q: Queryable, userId: number | null): Promise<(Session & { name: string })[]> {
  return q.query<Session & { name: string }>(
    `select ${columns}, u.name from sessions s join users u on u.id = s.user_id
      where $1::int is null or s.user_id = $1 order by s.created_at desc limit 200`,
    [userId],
  );
}

/** Sealed; named to the provider when signing out there. */
export async function readIdToken(q: Queryable, session: string): Promise<string | null> {
  return (
    (await q.query<{ idToken: string | null }>(`select id_token as "idToken" from sessions where id = $1`, [session]))[0]?.idToken ?? null
  );
}

/** Of one person. Whoever comes back without what he was given (a program that looks whether a page is there) begins one each time. */
const MOST_SESSIONS = 100;

/** The oldest of a person who has too many ends for it. */
export async function insertSession(
  q: Queryable,
  wish: { session: string; userId: number; method: SignInMethod; idToken: string | null },
  from: From,
): Promise<void> {
  await q.query(
    `delete from sessions where id in (select id from sessions where user_id = $1 order by created_at desc offset ${MOST_SESSIONS - 1})`,
    [wish.userId],
  );
  await q.query(`insert into sessions (id, user_id, method, address, agent, id_token) values ($1, $2, $3, $4, $5, $6)`, [
    wish.session,
    wish.userId,
    wish.method,
    text(from.address).slice(0, 64),
    text(from.agent).slice(0, 200),
    wish.idToken,
  ]);
}

/** Goes on under another id; false when it is gone. */
export async function renewSession(q: Queryable, session: string, next: string): Promise<boolean> {
  const rows = await q.query(`update sessions set id = $2, authenticated_at = now(), seen_at = now() where id = $1 returning 1`, [
    session,
    next,
  ]);
  return rows.length > 0;
}

export async function sawSession(q: Queryable, session: string): Promise<void> {
  await q.query(`update sessions set seen_at = now() where id = $1`, [session]);
}

export async function deleteSession(q: Queryable, session: string): Promise<boolean> {
  return (await q.query(`delete from sessions where id = $1 returning 1`, [session])).length > 0;
}

export async function deleteSessions(q: Queryable, userId: number, except: string | null): Promise<number> {
  return (await q.query(`delete from sessions where user_id = $1 and id is distinct from $2 returning 1`, [userId, except])).length;
}

/**
 * Sessions that are over since a day: nobody did anything for so many hours, or they are older than so many days (one that another
 * program vouches for, than one). At most 1,000 at a time. Returns how many went.
 */
export async function forgetOldSessions(q: Queryable, over: { idleHours: number; days: number }): Promise<number> {
  const rows = await q.query(
    `delete from sessions where id in (
       select id from sessions where seen_at < now() - make_interval(hours => $1 + 24)
           or created_at < now() - make_interval(days => 1 + case method when 'password' then $2::int else 1 end) limit ${BATCH}
     ) returning 1`,
    [over.idleHours, over.days],
  );
  return rows.length;
}
