import type { Role, Scope } from '../core/access.ts';
import type { Queryable } from './connect.ts';
import { text } from './values.ts';

/** What lets a program in. The token itself was shown once; only its hash is kept. */
export interface ApiToken {
  id: string;
  name: string;
  scopes: Scope[];
  userId: number | null;
  createdBy: string;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
}

const columns = `t.id, t.name, t.scopes, t.user_id as "userId", t.created_by as "createdBy", t.created_at as "createdAt",
  t.expires_at as "expiresAt", t.last_used_at as "lastUsedAt"`;

export function listApiTokens(q: Queryable): Promise<ApiToken[]> {
  return q.query<ApiToken>(`select ${columns} from api_tokens t order by t.created_at desc, t.id limit 200`);
}

/** With its hash and the role of whoever made it, who must still be somebody; null when it is void. */
export async function readApiToken(q: Queryable, id: string): Promise<(ApiToken & { hash: string; role: Role | null }) | null> {
  const rows = await q.query<ApiToken & { hash: string; role: Role | null }>(
    `select ${columns}, t.hash, u.role from api_tokens t left join users u on u.id = t.user_id
      where t.id = $1 and (t.expires_at is null or t.expires_at > now()) and (t.user_id is null or not u.disabled)`,
    [id],
  );
  return rows[0] ?? null;
}

export async function insertApiToken(
  q: Queryable,
  token: { id: string; hash: string; name: string; scopes: Scope[]; userId: number | null; days: number | null },
  by: string,
): Promise<void> {
  await q.query(
    `insert into api_tokens (id, hash, name, scopes, user_id, created_by, expires_at)
     values ($1, $2, $3, $4, $5, $6, now() + make_interval(days => $7))`,
    [token.id, token.hash, text(token.name), token.scopes, token.userId, text(by), token.days],
  );
}

export async function deleteApiToken(q: Queryable, id: string): Promise<string | null> {
  return (await q.query<{ name: string }>(`delete from api_tokens where id = $1 returning name`, [id]))[0]?.name ?? null;
}

export async function stampApiToken(q: Queryable, id: string): Promise<void> {
  await q.query(`update api_tokens set last_used_at = now() where id = $1`, [id]);
}
