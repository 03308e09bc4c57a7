import * as v from 'valibot';
import { noticeKindNames } from '../../core/notice-kinds.ts';
import type { TargetWish } from '../../core/notice-target.ts';
import { noticeWords } from '../../core/notice-words.ts';
import { listDeliveries, readDelivery, type Delivery } from '../../db/deliveries.ts';
import { listTargets, readTarget, type NoticeTarget } from '../../db/notice-targets.ts';
import { refuse } from '../errors.ts';
import type { Ctx, Web } from '../web.ts';
import { done, listOf, maybeTime, pageOf, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { confirmed, flag, int4, numberOf, oneOf, paged, smallId, text, whole, wishOf, words } from './inputs.ts';
import { needsAPerson } from './lasting.ts';

const params = { id: numberOf('place for notifications', int4) };
const clock = v.pipe(v.string('must be a text'), v.regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day like 22:00'));
const quiet = v.nullable(v.strictObject({ from: clock, until: clock }));
const texts = (max: number) => v.record(text(40), words(max), 'must be an object of texts');

const targetBody = {
  name: text(60),
  fields: v.optional(texts(1000), {}),
  secrets: v.optional(v.record(text(40), v.nullable(words(1000)), 'must be an object of texts'), {}),
  events: v.pipe(v.array(text(40), 'must be a list'), v.maxLength(40, 'must hold at most 40 events')),
  quiet: v.optional(quiet, null),
  enabled: v.optional(flag, true),
};

const targetAnswer = v.strictObject({
  id: v.number(),
  kind: v.picklist(noticeKindNames),
  name: v.string(),
  place: v.pipe(v.string(), v.description('where it leads, as may be shown')),
  fields: v.record(v.string(), v.string()),
  secrets: v.pipe(v.array(v.string()), v.description('names of the secrets that are kept; they are never told')),
  events: v.array(v.string()),
  quiet,
  enabled: v.boolean(),
  version: v.pipe(v.number(), v.description('to be sent back with a change')),
  failures: v.pipe(v.number(), v.description('tries in a row that did not get through')),
  failingSince: maybeTime,
  restsUntil: maybeTime,
  lastAnswer: v.string(),
  lastSentAt: maybeTime,
});

const deliveryAnswer = v.strictObject({
  id: v.number(),
  target: v.number(),
  event: v.string(),
  title: v.string(),
  count: v.number(),
  message: v.pipe(v.string(), v.description('the id that the receiver gets; the same at every try')),
  state: v.picklist(['waiting', 'held', 'failed', 'sent', 'given-up']),
  tries: v.number(),
  answer: v.string(),
  createdAt: time,
  triedAt: maybeTime,
  nextAt: maybeTime,
  endedAt: maybeTime,
});

/** The places that are told what happens, and the log of what they were told. */
export const notificationsApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/notifications',
    right: 'admin',
    in: 'Notifications',
    does: 'The places that are told what happens, and how they stand; never their passwords and tokens.',
    answer: listOf(targetAnswer),
    run: async ({ web }) => ({ items: (await listTargets(web.db)).map(targetJson) }),
  }),
  route({
    method: 'POST',
    path: '/notifications',
    right: 'admin',
    in: 'Notifications',
    does: 'Adds a place. Which `fields` and `secrets` its kind wants stands in docs/notifications.md. It would go on being told after a token is revoked, so a token adds none.',
    body: v.strictObject({ kind: oneOf(noticeKindNames), ...targetBody }),
    status: 201,
    answer: done,
    run: async ({ web, body, by, c }) => {
      needsAPerson(c as Ctx, 'No place was added.');
      return { id: await web.commands.addNoticeTarget(body satisfies TargetWish, by) };
    },
  }),
  route({
    method: 'GET',
    path: '/notifications/log',
    right: 'admin',
    in: 'Notifications',
    does: 'What was sent where, and what came of it, newest first; of all places, or of one.',
    query: v.strictObject({ target: v.optional(smallId), ...paged }),
    answer: pageOf(deliveryAnswer),
    run: async ({ web, query }) => {
      const page = await listDeliveries(web.db, query.target ?? null, wishOf(query));
      return { items: page.rows.map(deliveryJson), before: page.before, after: page.after };
    },
  }),
  route({
    method: 'POST',
    path: '/notifications/log/:id/again',
    right: 'admin',
    in: 'Notifications',
    does: 'Sends one message once more, as a message of its own.',
    params: { id: numberOf('message') },
    answer: done,
    run: async ({ web, params: { id: deliveryId }, by }) => {
      const delivery = await readDelivery(web.db, deliveryId);
      if (!delivery) throw refuse('not-found', 'There is no such message any more. The log is kept for a month.');
      await web.commands.sendNoticeAgain(delivery.id, by);
      return { id: delivery.id };
    },
  }),
  route({
    method: 'POST',
    path: '/notifications/:id',
    right: 'admin',
    in: 'Notifications',
    does: 'Changes a place as a whole. A kept secret that is left out stays, unless where it goes changes; `null` throws it away. A token changes none.',
    params,
    body: v.strictObject({ version: whole(1, int4), ...targetBody }),
    answer: done,
    run: async ({ web, params: wanted, body: { version, ...wish }, by, c }) => {
      needsAPerson(c as Ctx, 'Nothing was changed.');
      const target = await targetOf(web, wanted.id);
      await web.commands.changeNoticeTarget(target.id, version, { kind: target.kind, ...wish }, by);
      return { id: target.id };
    },
  }),
  route({
    method: 'POST',
    path: '/notifications/:id/test',
    right: 'admin',
    in: 'Notifications',
    does: 'Sends a test now, also in quiet hours, and answers with what the receiver said.',
    params,
    answer: v.strictObject({ id: v.number(), ok: v.boolean(), says: v.string() }),
    run: async ({ web, params: wanted, by }) => {
      const target = await targetOf(web, wanted.id);
      return { id: target.id, ...(await web.commands.testNoticeTarget(target.id, by)) };
    },
  }),
  route({
    method: 'POST',
    path: '/notifications/:id/remove',
    right: 'admin',
    in: 'Notifications',
    does: 'A place is told nothing any more; the other places hear of that.',
    params,
    body: v.strictObject({ confirm: confirmed('its password or token and its log are deleted') }),
    answer: done,
    run: async ({ web, params: wanted, by }) => {
      const target = await targetOf(web, wanted.id);
      await web.commands.removeNoticeTarget(target.id, by);
      return { id: target.id };
    },
  }),
];

async function targetOf(web: Web, targetId: number): Promise<NoticeTarget> {
  const target = await readTarget(web.db, targetId);
  if (!target) throw refuse('not-found', 'There is no such place for notifications.');
  return target;
}

function targetJson({ createdAt: _at, createdBy: _by, ...target }: NoticeTarget) {
  return target;
}

function deliveryJson(delivery: Delivery) {
  const { id: deliveryId, targetId, event, count, message, state, tries, answer, createdAt, triedAt, nextAt, endedAt } = delivery;
  const { title } = noticeWords(delivery);
  return { id: deliveryId, target: targetId, event, title, count, message, state, tries, answer, createdAt, triedAt, nextAt, endedAt };
}
