import type { NoticeKind } from '../core/notice-kinds.ts';
import type { QuietHours } from '../core/notice-routing.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** What a person decides about a place that is told things. */
export interface TargetValues {
  name: string;
  /** where it leads, as may be shown; '' in a change: as before */
  place: string;
  fields: Record<string, string>;
  secrets: string[];
  events: string[];
  quiet: QuietHours | null;
  enabled: boolean;
}

/** Its secrets are never part of this row: only their names. */
export interface NoticeTarget extends TargetValues {
  id: number;
  kind: NoticeKind;
  version: number;
  /** messages in a row that did not get through */
  failures: number;
  failingSince: Date | null;
  restsUntil: Date | null;
  lastAnswer: string;
  lastSentAt: Date | null;
  createdAt: Date;
  createdBy: string;
}

const columns = `id, kind, name, place, fields, secrets, events,
  case when quiet_from is not null then jsonb_build_object('from', quiet_from, 'until', quiet_until) end as quiet,
  enabled, version, failures, failing_since as "failingSince", rests_until as "restsUntil", last_answer as "lastAnswer",
  last_sent_at as "lastSentAt", created_at as "createdAt", created_by as "createdBy"`;

/** More than anybody has; each costs a connection for everything that happens. */
export const MOST_TARGETS = 30;

/** By name. */
export function listTargets(q: Queryable): Promise<NoticeTarget[]> {
  return q.query<NoticeTarget>(`select ${columns} from notification_targets order by lower(name), id limit ${MOST_TARGETS}`);
}

export async function readTarget(q: Queryable, id: number): Promise<NoticeTarget | null> {
  return (await q.query<NoticeTarget>(`select ${columns} from notification_targets where id = $1`, [id]))[0] ?? null;
}

/** A number for a target that is not there yet: its secrets are sealed under it. */
export async function nextTargetId(q: Queryable): Promise<number> {
  const [row] = await q.query<{ id: number }>(`select nextval(pg_get_serial_sequence('notification_targets', 'id'))::int as id`);
  return row!.id;
}

/** Null: there are too many already. @throws 23505 when the name is taken */
export async function addTarget(
  q: Queryable,
  kind: NoticeKind,
  values: TargetValues,
  by: string,
  id: number | null = null,
): Promise<number | null> {
  const rows = await q.query<{ id: number }>(
    `insert into notification_targets (id, kind, name, place, fields, secrets, events, quiet_from, quiet_until, enabled, created_by)
     overriding system value
     select $11, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 where (select count(*) from notification_targets) < ${MOST_TARGETS} returning id`,
    [kind, ...valuesOf(values), text(by), id ?? (await nextTargetId(q))],
  );
  return rows[0]?.id ?? null;
}

/** False: somebody else changed or removed it since `version`. What failed before says nothing of what it is now. */
export async function changeTarget(q: Queryable, id: number, version: number, values: TargetValues): Promise<boolean> {
  const rows = await q.query(
    `update notification_targets set name = $3, place = coalesce(nullif($4, ''), place), fields = $5, secrets = $6, events = $7, quiet_from = $8, quiet_until = $9,
            enabled = $10, version = version + 1, failures = 0, failing_since = null, rests_until = null
      where id = $1 and version = $2 returning 1`,
    [id, version, ...valuesOf(values)],
  );
  return rows.length > 0;
}

/** With everything that was or is to be sent there. */
export async function deleteTarget(q: Queryable, id: number): Promise<string | null> {
  return (await q.query<{ name: string }>(`delete from notification_targets where id = $1 returning name`, [id]))[0]?.name ?? null;
}

function valuesOf(values: TargetValues): unknown[] {
  return [
    text(values.name),
    text(values.place),
    json(values.fields),
    values.secrets,
    values.events,
    values.quiet?.from ?? null,
    values.quiet?.until ?? null,
    values.enabled,
  ];
}
