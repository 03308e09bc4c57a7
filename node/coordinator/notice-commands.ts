import type { Actor, Commands } from '../core/commands.ts';
import { checkTarget, type CheckedTarget, type TargetWish } from '../core/notice-target.ts';
import { addActivity } from '../db/activity.ts';
import type { Database, Queryable } from '../db/connect.ts';
import { giveUpOfTarget, sendAgain } from '../db/deliveries.ts';
import { addTarget, changeTarget, deleteTarget, MOST_TARGETS, nextTargetId, readTarget, type NoticeTarget } from '../db/notice-targets.ts';
import { addNotice } from '../db/notices.ts';
import { deleteSealed, putSealed } from '../db/secrets.ts';
import { codeOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import { openTarget, sealTarget, secretName } from './notice-sealing.ts';
import type { Notifier } from './notifier.ts';
import type { Secrets } from './secrets.ts';

const names = ['addNoticeTarget', 'changeNoticeTarget', 'removeNoticeTarget', 'testNoticeTarget', 'sendNoticeAgain'] as const;

export type NoticeCommands = Pick<Commands, (typeof names)[number]>;

export interface NoticeCommandsParts {
  db: Database;
  events: Events;
  /** null: this machine speaks with nobody outside */
  outside: { secrets: Secrets; notifier: Pick<Notifier, 'test' | 'hurry'> } | null;
}

/**
 * Places that are told things, as people change them. Each change is itself told to the others: whoever takes over an account must not
 * be able to silence the house unnoticed.
 */
export function noticeCommands({ db, events, outside }: NoticeCommandsParts): NoticeCommands {
  if (!outside) {
    const none = (): Promise<never> => Promise.reject(new PlainError('This machine tells nobody outside anything.'));
    return Object.fromEntries(names.map((name) => [name, none])) as unknown as NoticeCommands;
  }
  const { secrets, notifier } = outside;
  return {
    async addNoticeTarget(wish, by) {
      const target = lawful(wish, null);
      const id = await nextTargetId(db);
      const sealed = await sealedOf({ id, kind: wish.kind, fields: target.fields }, target.entered);
      await db.tx(async (q) => {
        const added = await addTarget(q, wish.kind, valuesOf(target), by.name, id).catch(nameTaken(target.name));
        if (added === null) throw new PlainError(`There are ${MOST_TARGETS} places already. Remove one first.`);
        await keepSecret(q, id, sealed, by);
        await note(q, 'target added', target.name, by);
      });
      changed();
      return id;
    },

    async changeNoticeTarget(targetId, version, wish, by) {
      const before = await known(targetId);
      const target = lawful({ ...wish, kind: before.kind }, before);
      const kept = target.staying.length > 0 ? (await openTarget(db, secrets, before)).secrets : {};
      const values = { ...pick(kept, target.staying), ...target.entered };
      const sealed = await sealedOf({ id: targetId, kind: before.kind, fields: target.fields }, values);
      await db.tx(async (q) => {
        if (!(await changeTarget(q, targetId, version, valuesOf(target)).catch(nameTaken(target.name))))
          throw new PlainError('Somebody else changed this place meanwhile. Look at it again, then save.');
        await keepSecret(q, targetId, sealed, by);
        if (!target.enabled) await giveUpOfTarget(q, targetId);
        await note(q, 'target changed', target.name, by);
      });
      changed();
    },

    async removeNoticeTarget(targetId, by) {
      await db.tx(async (q) => {
        const name = await deleteTarget(q, targetId);
        if (name === null) throw new PlainError('This place is not there any more.');
        await deleteSealed(q, secretName(targetId));
        await note(q, 'target removed', name, by);
      });
      changed();
    },

    async testNoticeTarget(targetId, by) {
      const { ok, says } = await notifier.test(targetId, by.name);
      return { ok, says };
    },

    async sendNoticeAgain(deliveryId) {
      if (!(await sendAgain(db, deliveryId))) throw new PlainError('This message is on its way already, or is not kept any more.');
      notifier.hurry();
    },
  };

  async function known(targetId: number): Promise<NoticeTarget> {
    const target = await readTarget(db, targetId);
    if (!target) throw new PlainError('This place is not there any more.');
    return target;
  }

  async function sealedOf(target: Pick<NoticeTarget, 'id' | 'kind' | 'fields'>, values: Record<string, string>): Promise<string | null> {
    return Object.keys(values).length === 0 ? null : sealTarget(secrets, target, values);
  }

  function changed(): void {
    events.emit('settings.changed', { keys: ['notifications'] });
    notifier.hurry();
  }
}

async function keepSecret(q: Queryable, targetId: number, sealed: string | null, by: Actor): Promise<void> {
  if (sealed === null) await deleteSealed(q, secretName(targetId));
  else await putSealed(q, secretName(targetId), sealed, by.name);
}

async function note(q: Queryable, action: 'target added' | 'target changed' | 'target removed', name: string, by: Actor): Promise<void> {
  await addActivity(q, { kind: action.replace('target ', 'notices-'), by: by.name, params: { name } });
  await addNotice(q, { event: 'security.settings', item: { action, object: name, by: by.name } });
}

function lawful(wish: TargetWish, before: NoticeTarget | null): CheckedTarget {
  const checked = checkTarget(wish, before);
  if (!checked.ok) throw new PlainError(checked.problems.map(({ problem }) => problem).join(' '));
  return checked.target;
}

function valuesOf(target: CheckedTarget): Parameters<typeof changeTarget>[3] {
  const { name, place, fields, events, quiet, enabled } = target;
  return { name, place, fields, secrets: [...target.staying, ...Object.keys(target.entered)], events, quiet, enabled };
}

function pick(from: Record<string, string>, names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])));
}

function nameTaken(name: string): (error: unknown) => never {
  return (error) => {
    throw codeOf(error) === '23505' ? new PlainError(`There is a place called “${name}” already.`) : error;
  };
}
