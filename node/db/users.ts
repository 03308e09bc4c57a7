import { nameKey, type NewUser, type Role, type SetupMethod } from '../core/access.ts';
import type { Queryable } from './connect.ts';
import { text } from './values.ts';

/** A person who may sign in. The password's hash is never part of this row: only `readPassword` gives it. */
export interface User {
  id: number;
  name: string;
  displayName: string;
  role: Role;
  disabled: boolean;
  hasPassword: boolean;
  /** the password was given out and has to be changed */
  oneTime: boolean;
  createdAt: Date;
  createdBy: string;
  lastSignInAt: Date | null;
}

export interface Identity {
  issuer: string;
  subject: string;
  userId: number;
  label: string;
  linkedAt: Date;
  lastUsedAt: Date | null;
}

const columns = `id, name, display_name as "displayName", role, disabled, password is not null as "hasPassword", one_time as "oneTime",
  created_at as "createdAt", created_by as "createdBy", last_sign_in_at as "lastSignInAt"`;

/** How people are let in; null while nobody decided. */
export async function readSetup(q: Queryable): Promise<{ method: SetupMethod; decidedAt: Date; decidedBy: string } | null> {
  const rows = await q.query<{ method: SetupMethod; decidedAt: Date; decidedBy: string }>(
    `select method, decided_at as "decidedAt", decided_by as "decidedBy" from access_setup`,
  );
  return rows[0] ?? null;
}

/** False when somebody else was first: of any number at once exactly one gets true. */
export async function writeSetup(q: Queryable, method: SetupMethod, by: string, address: string): Promise<boolean> {
  const rows = await q.query(
    `insert into access_setup (method, decided_by, address) values ($1, $2, $3) on conflict do nothing returning 1`,
    [method, text(by), text(address).slice(0, 64)],
  );
  return rows.length > 0;
}

/** From "nobody signs in" to a sign-in; false when it was something else. */
export async function changeSetup(q: Queryable, from: SetupMethod, to: SetupMethod, by: string): Promise<boolean> {
  const rows = await q.query(`update access_setup set method = $2, decided_by = $3, decided_at = now() where method = $1 returning 1`, [
    from,
    to,
    text(by),
  ]);
  return rows.length > 0;
}

export async function readUser(q: Queryable, id: number): Promise<User | null> {
  return (await q.query<User>(`select ${columns} from users where id = $1`, [id]))[0] ?? null;
}

export async function userByName(q: Queryable, name: string): Promise<User | null> {
  return (await q.query<User>(`select ${columns} from users where name_key = $1`, [text(nameKey(name)).slice(0, 120)]))[0] ?? null;
}

export async function userByIdentity(q: Queryable, issuer: string, subject: string): Promise<User | null> {
  const rows = await q.query<User>(
    `select ${columns} from users where id = (select user_id from identities where issuer = $1 and subject = $2)`,
    [text(issuer), text(subject)],
  );
  return rows[0] ?? null;
}

/** A house has few people; more than a thousand are not shown. */
export function listUsers(q: Queryable): Promise<User[]> {
  return q.query<User>(`select ${columns} from users order by name_key limit 1000`);
}

export function identitiesOf(q: Queryable, userId: number): Promise<Identity[]> {
  return q.query<Identity>(
    `select issuer, subject, user_id as "userId", label, linked_at as "linkedAt", last_used_at as "lastUsedAt"
       from identities where user_id = $1 order by linked_at limit 100`,
    [userId],
  );
}

/** The hash to check a password against, while it may be used at all. */
export async function readPassword(q: Queryable, userId: number): Promise<{ password: string; oneTime: boolean } | null> {
  const rows = await q.query<{ password: string; oneTime: boolean }>(
    `select password, one_time as "oneTime" from users
      where id = $1 and password is not null and (password_until is null or password_until > now())`,
    [userId],
  );
  return rows[0] ?? null;
}

/** null: the name is taken. `first`: there can only ever be one. */
export async function insertUser(q: Queryable, user: NewUser, by: string, oneTimeHours: number, first = false): Promise<number | null> {
  const rows = await q.query<{ id: number }>(
    `insert into users (name, name_key, display_name, role, password, one_time, password_until, created_by, is_first)
     values ($1, $2, $3, $4, $5, $6, case when $6 then now() + make_interval(hours => $7) end, $8, $9) on conflict do nothing returning id`,
    [
      text(user.name),
      text(nameKey(user.name)),
      text(user.displayName),
      user.role,
      user.password,
      user.oneTime,
      oneTimeHours,
      text(by),
      first,
    ],
  );
  return rows[0]?.id ?? null;
}

export async function updateUser(
  q: Queryable,
  id: number,
  change: { displayName?: string | undefined; role?: Role | undefined; disabled?: boolean | undefined },
): Promise<boolean> {
  const rows = await q.query(
    `update users set display_name = coalesce($2, display_name), role = coalesce($3, role), disabled = coalesce($4, disabled)
      where id = $1 returning 1`,
    [id, text(change.displayName ?? null), change.role ?? null, change.disabled ?? null],
  );
  return rows.length > 0;
}

export async function deleteUser(q: Queryable, id: number): Promise<boolean> {
  return (await q.query(`delete from users where id = $1 returning 1`, [id])).length > 0;
}

export async function updatePassword(q: Queryable, id: number, password: string, oneTime: boolean, oneTimeHours: number): Promise<boolean> {
  const rows = await q.query(
    `update users set password = $2, one_time = $3, password_until = case when $3 then now() + make_interval(hours => $4) end
      where id = $1 returning 1`,
    [id, password, oneTime, oneTimeHours],
  );
  return rows.length > 0;
}

/** Only while it is still the one that was checked. */
export async function replaceHash(q: Queryable, id: number, before: string, after: string): Promise<void> {
  await q.query(`update users set password = $3 where id = $1 and password = $2`, [id, before, after]);
}

export async function stampSignIn(q: Queryable, id: number): Promise<void> {
  await q.query(`update users set last_sign_in_at = now() where id = $1`, [id]);
}

/** Admins beside this one who can come in by themselves; whoever decides by it holds the table. */
export async function otherAdmins(q: Queryable, id: number): Promise<number> {
  await q.query('lock table users in share row exclusive mode');
  const rows = await q.query<{ n: number }>(
    `select count(*)::int as n from users u where u.id <> $1 and u.role = 'admin' and not u.disabled
        and (u.password is not null or exists (select 1 from identities i where i.user_id = u.id))`,
    [id],
  );
  return rows[0]!.n;
}

/** False when this person of the provider is another user already. */
export async function insertIdentity(
  q: Queryable,
  wish: { userId: number; issuer: string; subject: string; label: string },
): Promise<boolean> {
  const rows = await q.query<{ userId: number }>(
    `insert into identities (issuer, subject, user_id, label) values ($1, $2, $3, $4)
     on conflict (issuer, subject) do update set label = excluded.label where identities.user_id = excluded.user_id
     returning user_id as "userId"`,
    [text(wish.issuer), text(wish.subject), wish.userId, text(wish.label).slice(0, 200)],
  );
  return rows.length > 0;
}

export async function deleteIdentity(q: Queryable, wish: { userId: number; issuer: string; subject: string }): Promise<boolean> {
  const rows = await q.query(`delete from identities where user_id = $1 and issuer = $2 and subject = $3 returning 1`, [
    wish.userId,
    text(wish.issuer),
    text(wish.subject),
  ]);
  return rows.length > 0;
}

export async function stampIdentity(q: Queryable, issuer: string, subject: string): Promise<void> {
  await q.query(`update identities set last_used_at = now() where issuer = $1 and subject = $2`, [text(issuer), text(subject)]);
}
