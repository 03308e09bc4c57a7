import { noticeKinds } from '../core/notice-kinds.ts';
import { placeOf } from '../core/notice-target.ts';
import { readSealed } from '../db/secrets.ts';
import type { Queryable } from '../db/connect.ts';
import type { NoticeTarget } from '../db/notice-targets.ts';
import { PlainError } from '../errors.ts';
import type { OpenTarget } from '../notices/senders.ts';
import type { Secrets } from './secrets.ts';

/**
 * The secrets of a target, sealed together with where they go: whoever changes the address of a row in the database gets none of
 * them sent to another server.
 */
export type WhereTo = Pick<NoticeTarget, 'id' | 'kind' | 'fields'>;

export function sealTarget(secrets: Secrets, target: WhereTo, values: Record<string, string>): Promise<string> {
  return secrets.seal(secretName(target.id), JSON.stringify({ bound: boundOf(target), values } satisfies Sealed));
}

/** @throws PlainError when they cannot be opened here, or were entered for another place */
export async function openTarget(q: Queryable, secrets: Secrets, target: NoticeTarget): Promise<OpenTarget> {
  const { kind, place, fields } = target;
  if (target.secrets.length === 0) return { kind, place, fields, secrets: {} };
  const sealed = await readSealed(q, secretName(target.id));
  const opened = sealed === null ? null : (JSON.parse(secrets.open(secretName(target.id), sealed)) as Sealed);
  if (opened?.bound !== boundOf(target) || isElsewhere(target, opened.values))
    throw new PlainError('The stored password or token was entered for another place. Enter it again.', {
      reason: { code: 'secret-lost' },
    });
  return { kind, place, fields, secrets: opened.values };
}

export function secretName(targetId: number): string {
  return `notice ${targetId}`;
}

interface Sealed {
  bound: string;
  values: Record<string, string>;
}

function boundOf({ kind, fields }: WhereTo): string {
  const binding = Object.entries(noticeKinds[kind].fields).filter(([, field]) => field.binds && !field.secret);
  return JSON.stringify([kind, ...binding.map(([name]) => fields[name] ?? '')]);
}

/** What the page shows as the place of a secret address must be its place. */
function isElsewhere({ kind, place, fields }: NoticeTarget, values: Record<string, string>): boolean {
  return placeOf(kind, fields, values) !== place;
}
