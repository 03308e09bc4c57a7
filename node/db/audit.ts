import type { AuditEntry, From } from '../core/access.ts';
import type { Actor } from '../core/commands.ts';
import { noticeOfAudit } from '../core/notice-facts.ts';
import { atomically } from './atomically.ts';
import type { Queryable } from './connect.ts';
import { addMetric } from './metrics.ts';
import { addNotice } from './notices.ts';
import { BATCH } from './retention.ts';
import { limit, text } from './values.ts';

/** Who did what from where, and what came of it. Rows are only ever appended; the database refuses anything else. */
export interface AuditRow {
  id: number;
  at: Date;
  actor: string;
  userId: number | null;
  via: string;
  address: string;
  agent: string;
  action: string;
  object: string;
  result: AuditEntry['result'];
  says: string;
}

/** With what people are told of it, if anything, in one transaction. */
export async function addAudit(q: Queryable, entry: AuditEntry, by: Actor, from: From): Promise<void> {
  const notice = noticeOfAudit(entry, by.name, from.address);
  if (notice === null) return insert(q, entry, by, from);
  await atomically(q, async (t) => {
    await insert(t, entry, by, from);
    await addNotice(t, notice);
  });
}

async function insert(q: Queryable, entry: AuditEntry, by: Actor, from: From): Promise<void> {
  const short = (value: string, length: number): string => text(value).slice(0, length).toWellFormed();
  await q.query(
    `insert into audit (actor, user_id, via, address, agent, action, object, result, says) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      short(by.name, 100),
      by.user ?? null,
      by.via,
      short(from.address, 64),
      short(from.agent, 200),
      short(entry.action, 60),
      short(entry.object ?? '', 300),
      entry.result,
      short(entry.says ?? '', 500),
    ],
  );
  if (entry.result === 'refused' && entry.action.startsWith('sign-in'))
    await addMetric(q, 'sign_in_refused', entry.action === 'sign-in through the provider' ? 'oidc' : 'password');
}

/** Newest first; `beforeId` continues. */
export function listAudit(q: Queryable, beforeId: number | null, many = 50): Promise<AuditRow[]> {
  return q.query<AuditRow>(
    `select id, at, actor, user_id as "userId", via, address, agent, action, object, result, says from audit
      where $1::bigint is null or id < $1 order by id desc limit ${limit(many, 200)}`,
    [beforeId],
  );
}

/** What is older than 400 days, at most 1,000 rows at a time. Returns how many went. */
export async function forgetOldAudit(q: Queryable): Promise<number> {
  const rows = await q.query(
    `delete from audit where id in (select id from audit where at < now() - interval '400 days' order by at limit ${BATCH}) returning 1`,
  );
  return rows.length;
}

/** From where a person signed in before, the last thousand times. */
export async function signInAddresses(q: Queryable, userId: number): Promise<string[]> {
  const rows = await q.query<{ address: string }>(
    `select distinct address from (select address from audit where user_id = $1 and action = 'signed in' order by id desc limit 1000) last`,
    [userId],
  );
  return rows.map(({ address }) => address);
}
