import { createHash } from 'node:crypto';
import type { ClusterSettings } from '../config/schema.ts';
import { isTimeZone } from '../core/house-time.ts';
import { TEST_EVENT, noticeEntry } from '../core/notice-events.ts';
import { afterFailure, hears, lettersOf, MOST_AGE_SECONDS, quietUntil, restSeconds, type Answer } from '../core/notice-routing.ts';
import { digestWords } from '../core/notice-words.ts';
import { readCluster } from '../db/cluster.ts';
import { isStaleTerm, type Database } from '../db/connect.ts';
import {
  beginTry,
  dueDeliveries,
  endFailed,
  endSent,
  giveUpOld,
  holdDeliveries,
  nextDeliveryIn,
  readDelivery,
  type Delivery,
} from '../db/deliveries.ts';
import { listTargets, readTarget, type NoticeTarget } from '../db/notice-targets.ts';
import { addTest, nextNoticeIn, readyNotices, routeNotice } from '../db/notices.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Letter, Senders } from '../notices/senders.ts';
import { openTarget } from './notice-sealing.ts';
import type { Secrets } from './secrets.ts';
import { createTurns } from './turns.ts';

/**
 * Tells people what is in `notifications`: chooses the targets, waits for the end of their quiet hours, sends, and writes down what
 * came of it. Everything follows from rows, so the next coordinator goes on where this one ended.
 *
 *   ready notice ─▶ a delivery for each target ─▶ its try begins (a row) ─▶ sent over the network ─▶ its end (a row)
 *
 * A coordinator that dies between the two last steps leaves a delivery that is due again after `LEASE_SECONDS`, with the same id:
 * told at least once, and never by one that was replaced, because its try cannot begin. Each target has a line of its own: one that
 * hangs delays no other.
 */
export interface Notifier {
  start(): void;
  stop(): Promise<void>;
  /** something may be due earlier than was known */
  hurry(): void;
  /** sends a test now, whatever the hour, and says what the target answered */
  test(targetId: number, by: string): Promise<Answer>;
}

export interface NotifierParts {
  db: Database;
  secrets: Secrets;
  senders: Senders;
  settings: () => ClusterSettings;
  events: Events;
  log: Log;
  /** another one leads by now */
  onStale: () => void;
  /** milliseconds since 1970 */
  now?: () => number;
}

/** Longer than any letter takes. */
const LEASE_SECONDS = 90;
const SEND_MS = 45_000;
/** Notices come from everywhere; one that has just been written waits no longer than this. */
const MOST_WAIT_MS = 5000;
const TROUBLE_MS = 10_000;

export function createNotifier(parts: NotifierParts): Notifier {
  const { db, senders, settings, events, log } = parts;
  const now = parts.now ?? Date.now;
  const ending = new AbortController();
  const lines = new Map<number, Promise<void>>();
  const turns = createTurns(ending.signal, round);
  let caredFor = -Infinity;

  return {
    start: () => turns.next(0),
    async stop() {
      ending.abort(new Error('the term is over'));
      await turns.stop();
      await Promise.all(lines.values());
    },
    hurry: turns.hurry,
    test,
  };

  async function round(): Promise<number> {
    try {
      await careForOld();
      await route();
      begin(await dueDeliveries(db, [...lines.keys()]));
      const seconds = [await nextNoticeIn(db), await nextDeliveryIn(db, [...lines.keys()])].filter((s) => s !== null);
      return Math.min(MOST_WAIT_MS, Math.max(200, Math.min(...seconds) * 1000));
    } catch (error) {
      troubled(error);
      return TROUBLE_MS;
    }
  }

  function troubled(error: unknown): void {
    if (ending.signal.aborted) return;
    if (isStaleTerm(error)) parts.onStale();
    else log.warn({ why: messageOf(error) }, 'notifications could not be looked after; it is tried again');
  }

  async function careForOld(): Promise<void> {
    if (now() - caredFor < 3_600_000) return;
    await giveUpOld(db);
    caredFor = now();
  }

  async function route(): Promise<void> {
    const ready = await readyNotices(db);
    if (ready.length === 0) return;
    const targets = (await listTargets(db)).map((target) => ({ ...target, createdAt: target.createdAt.getTime() }));
    for (const notice of ready) {
      // out of a backup that was put back: nobody wants last week's news
      const isOld = now() - notice.lastAt.getTime() > MOST_AGE_SECONDS * 1000;
      const told = targets.filter((target) => !isOld && hears(target, { event: notice.event, lastAt: notice.lastAt.getTime() }));
      await routeNotice(
        db,
        notice.id,
        told.map(({ id }) => id),
      );
    }
  }

  /** A line for each target that has none; it ends by itself. */
  function begin(due: Delivery[]): void {
    for (const [targetId, deliveries] of Map.groupBy(due, (delivery) => delivery.targetId)) {
      const line = deliver(targetId, deliveries)
        .then(turns.hurry, (error: unknown) => {
          troubled(error);
          turns.next(TROUBLE_MS);
        })
        .finally(() => lines.delete(targetId));
      lines.set(targetId, line);
    }
  }

  async function deliver(targetId: number, due: Delivery[]): Promise<void> {
    for (let left = due; left.length > 0 && !ending.signal.aborted;) {
      const target = await readTarget(db, targetId);
      if (!target) return;
      left = await withoutHeld(target, left);
      const [letter] = lettersOf(left, target.failures > 0);
      if (!letter || (await send(target, letter))?.ok === false) return;
      left = left.filter((delivery) => !letter.includes(delivery));
    }
  }

  /** Those that its target may be told of now; of the others it is not to be disturbed before its quiet hours end. */
  async function withoutHeld(target: NoticeTarget, due: Delivery[]): Promise<Delivery[]> {
    const until = (event: string): number | null =>
      event === TEST_EVENT ? null : quietUntil(target.quiet, event, now(), timeZone(settings()));
    const held = Map.groupBy(due, ({ event }) => until(event));
    const free = held.get(null) ?? [];
    for (const [end, deliveries] of held)
      if (end !== null)
        await holdDeliveries(
          db,
          deliveries.map(({ id }) => id),
          new Date(end),
        );
    if (free.length < due.length) events.emit('notices.changed', { targetId: target.id });
    return free;
  }

  /** Null: somebody else has begun this try, or this process stood still for so long that somebody may have. */
  async function send(target: NoticeTarget, letter: Delivery[]): Promise<Answer | null> {
    const before = now();
    const begun = await beginTry(
      db,
      letter.map(({ id }) => id),
      LEASE_SECONDS,
    );
    const mine = letter.filter(({ id }) => begun.includes(id));
    if (mine.length === 0 || now() - before > (LEASE_SECONDS * 1000) / 3) return null;
    const answer = await ask(target, mine);
    await end(target, mine, answer, mine[0]!.tries + 1);
    return answer;
  }

  async function ask(target: NoticeTarget, deliveries: Delivery[]): Promise<Answer> {
    try {
      const open = await openTarget(db, parts.secrets, target);
      return await senders.send(open, await letterOf(deliveries), AbortSignal.any([ending.signal, AbortSignal.timeout(SEND_MS)]));
    } catch (error) {
      // the end of the term says nothing of the target: the next coordinator asks it again
      if (ending.signal.aborted || isStaleTerm(error)) throw error;
      if (error instanceof PlainError) return { ok: false, says: error.message, again: true };
      if (error instanceof DOMException && error.name === 'TimeoutError')
        return { ok: false, says: 'It did not answer in time.', again: true };
      log.error({ target: target.name, error }, 'a notification could not be made');
      return { ok: false, says: 'It could not be made into a message; the log says why.', again: false };
    }
  }

  async function end(target: NoticeTarget, deliveries: Delivery[], answer: Answer, tries: number): Promise<void> {
    const ids = deliveries.map(({ id }) => id);
    if (answer.ok) await endSent(db, target.id, ids, answer.says);
    else await failed(target, deliveries, answer, tries);
    events.emit('notices.changed', { targetId: target.id });
  }

  async function failed(
    target: NoticeTarget,
    deliveries: Delivery[],
    answer: Extract<Answer, { ok: false }>,
    tries: number,
  ): Promise<void> {
    const isTest = deliveries[0]!.event === TEST_EVENT;
    const againSeconds = isTest ? null : afterFailure(answer, tries).seconds;
    // who asked for patience gets it for everything that is on its way to him
    const rest = Math.max(restSeconds(target.failures + 1), Math.min(3600, answer.afterSeconds ?? 0));
    const ids = deliveries.map(({ id }) => id);
    await endFailed(db, target.id, ids, { answer: answer.says, againSeconds, restSeconds: rest });
    log.warn({ target: target.name, why: answer.says, again: againSeconds !== null }, 'a notification did not get through');
  }

  async function test(targetId: number, by: string): Promise<Answer> {
    const target = await readTarget(db, targetId);
    if (!target) throw new PlainError('This place is not there any more.');
    const id = await addTest(db, targetId, { by, name: target.name }, LEASE_SECONDS);
    const delivery = (await readDelivery(db, id))!;
    const answer = await ask(target, [delivery]);
    await end(target, [delivery], answer, 1);
    if (answer.ok) turns.hurry();
    return answer;
  }

  async function letterOf(deliveries: Delivery[]): Promise<Letter> {
    const [first] = deliveries as [Delivery];
    const words = digestWords(deliveries);
    const base = addressOf(settings());
    return {
      id: letterId(deliveries),
      event: deliveries.length === 1 ? first.event : 'digest',
      urgent: deliveries.some(({ event }) => event !== TEST_EVENT && noticeEntry(event).urgent),
      words,
      link: base === null ? null : `${base}${words.path}`,
      at: first.at.getTime(),
      notices: deliveries.map(({ event, count, items, message }) => ({ event, count, items, message })),
      house: (await readCluster(db))?.name ?? '',
    };
  }
}

/** The time zone of the house: as it is set, else of this machine. */
export function timeZone(settings: ClusterSettings): string {
  const set = settings['notifications.timeZone'];
  return set !== null && isTimeZone(set) ? set : Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Of several messages one for all of them: another set of them is another letter, and the same set the same. */
function letterId(deliveries: readonly Delivery[]): string {
  if (deliveries.length === 1) return deliveries[0]!.message;
  const hash = createHash('sha256').update(deliveries.map(({ message }) => message).join(' '));
  const hex = hash.digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Where people open the dashboard, without a slash at its end; null: nobody said. */
function addressOf(settings: ClusterSettings): string | null {
  const url = URL.parse(settings['web.url'] ?? '');
  return url !== null && /^https?:$/.test(url.protocol) ? `${url.origin}${url.pathname.replace(/\/+$/, '')}` : null;
}
