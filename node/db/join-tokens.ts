import type { Queryable } from './connect.ts';
import { text } from './values.ts';

/** Texts that let machines join without a click. Only a hash of the secret is kept. */
export interface JoinToken {
  id: string;
  label: string;
  usesLeft: number;
  expiresAt: Date;
  createdBy: string;
  createdAt: Date;
}

export async function addJoinToken(
  q: Queryable,
  token: { id: string; label: string; secretHash: string; uses: number; hours: number; by: string },
): Promise<void> {
  await q.query(
    `insert into join_tokens (id, label, secret_hash, uses_left, expires_at, created_by)
     values ($1, $2, $3, $4, now() + make_interval(hours => $5), $6)`,
    [token.id, text(token.label), token.secretHash, token.uses, token.hours, text(token.by)],
  );
}

export function listJoinTokens(q: Queryable): Promise<JoinToken[]> {
  return q.query<JoinToken>(
    `select id, label, uses_left as "usesLeft", expires_at as "expiresAt", created_by as "createdBy", created_at as "createdAt"
       from join_tokens where uses_left > 0 and expires_at > now() order by created_at desc limit 100`,
  );
}

/** The hash of a token's secret. `usable`: only while it may still be used. */
export async function readTokenHash(q: Queryable, id: string, usable: boolean): Promise<string | null> {
  const rows = await q.query<{ hash: string }>(
    `select secret_hash as hash from join_tokens where id = $1 and (not $2 or (uses_left > 0 and expires_at > now()))`,
    [id, usable],
  );
  return rows[0]?.hash ?? null;
}

/** One use less; false when none was left. In the transaction that approves the node, so that two cannot share the last one. */
export async function spendToken(q: Queryable, id: string): Promise<boolean> {
  const rows = await q.query(
    `update join_tokens set uses_left = uses_left - 1 where id = $1 and uses_left > 0 and expires_at > now() returning 1`,
    [id],
  );
  return rows.length > 0;
}

export async function removeJoinToken(q: Queryable, id: string): Promise<boolean> {
  return (await q.query(`delete from join_tokens where id = $1 returning 1`, [id])).length > 0;
}

/** Those that have been void for so long that nobody comes with one any more. Returns how many went. */
export async function forgetJoinTokens(q: Queryable, days: number): Promise<number> {
  return (await q.query(`delete from join_tokens where expires_at < now() - make_interval(days => $1) returning 1`, [days])).length;
}
