import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { openSecretKey } from '../assembly/secret-key.ts';
import { effectiveSettings } from '../config/load.ts';
import type { Actor } from '../core/commands.ts';
import { noticeEventNames } from '../core/notice-events.ts';
import type { TargetWish } from '../core/notice-target.ts';
import { addActivity } from '../db/activity.ts';
import type { Database } from '../db/connect.ts';
import { listDeliveries, type Delivery } from '../db/deliveries.ts';
import { addNotice } from '../db/notices.ts';
import { listTargets, readTarget } from '../db/notice-targets.ts';
import { readSealed } from '../db/secrets.ts';
import { createEvents } from '../events.ts';
import { createSenders } from '../notices/senders.ts';
import { createOutgoing } from '../outgoing.ts';
import { freshDatabase, quietLog, temporaryDirectory, type TestDatabase } from '../testing/database.ts';
import { aNode } from '../testing/records.ts';
import { httpReceiver, type HttpReceiver } from '../testing/receivers.ts';
import { createAccess } from './access.ts';
import { clusterKeyOf } from './members.ts';
import { noticeCommands, type NoticeCommands } from './notice-commands.ts';
import { createNoticeWatcher } from './notice-watcher.ts';
import { createNotifier, type Notifier } from './notifier.ts';
import { createSecrets } from './secrets.ts';

const ada: Actor = { name: 'Ada', via: 'page' };
const SECRET = 'tk_that_nobody_may_read_again';
const HOUR_MS = 3_600_000;
/** A midnight of this house, an hour east of Greenwich all the year, whose morning the database has still before it. */
const midnight = Math.ceil((Date.now() - 29 * HOUR_MS) / (24 * HOUR_MS)) * 24 * HOUR_MS + 23 * HOUR_MS;

interface House {
  db: TestDatabase;
  commands: NoticeCommands;
  notifier: Notifier;
  term: Database;
  /** another machine coordinates from now on; the first one does not know it yet */
  succeed(): Promise<House>;
  /** resolves when a target was told something, or is left alone */
  ended(work: () => void | Promise<unknown>): Promise<void>;
  /** looks again whenever a target was told something, or is left alone */
  until(isSo: (log: Delivery[]) => boolean): Promise<void>;
  log(): Promise<Delivery[]>;
  /** resolves when it finds out that another one leads */
  stale: Promise<void>;
}

async function house(t: TestContext, now: () => number = Date.now): Promise<House> {
  const db = await freshDatabase(t, 'embedded');
  const key = await openSecretKey({ dataDir: temporaryDirectory(t), file: null, log: quietLog() });
  const settings = () =>
    effectiveSettings(
      new Map<string, unknown>([
        ['notifications.timeZone', 'Africa/Lagos'],
        ['web.url', 'https://shift.example/house/'],
      ]),
      {},
    );
  const lead = async (): Promise<House> => {
    const term = await db.lead();
    await clusterKeyOf(term, 'Home');
    const events = createEvents((error) => assert.fail(String(error)));
    const secrets = createSecrets({ db: term, self: 'a', key });
    const senders = createSenders({ outgoing: createOutgoing({ ownPorts: () => [] }) });
    const stale = Promise.withResolvers<void>();
    const onStale = stale.resolve;
    const notifier = createNotifier({ db: term, secrets, senders, settings, events, log: quietLog(), onStale, now });
    t.after(() => notifier.stop());
    const next = (): Promise<void> =>
      new Promise((resolve) => {
        const off = events.on('notices.changed', () => (off(), resolve()));
      });
    const log = async (): Promise<Delivery[]> => (await listDeliveries(term, null)).rows;
    return {
      db,
      term,
      notifier,
      stale: stale.promise,
      commands: noticeCommands({ db: term, events, outside: { secrets, notifier } }),
      succeed: lead,
      async ended(work) {
        const heard = next();
        await work();
        await heard;
      },
      async until(isSo) {
        for (let heard = next(); !isSo(await log()); heard = next()) await heard;
      },
      log,
    };
  };
  return lead();
}

function wish(ntfy: HttpReceiver, change: Partial<TargetWish> = {}): TargetWish {
  const fields = { server: ntfy.url, topic: 'films' };
  return {
    kind: 'ntfy',
    name: 'House',
    fields,
    secrets: { token: SECRET },
    events: [...noticeEventNames],
    quiet: null,
    enabled: true,
    ...change,
  };
}

/** The notices that wait are ripe, everything that waits is due. */
async function ripen(h: House): Promise<void> {
  await h.term.query(`update notifications set ready_at = now(), last_at = now() where routed_at is null`);
  await h.term.query(`update deliveries set next_at = now() where next_at is not null`);
  await h.term.query(`update notification_targets set rests_until = null`);
}

async function forgetWhatWasSaid(h: House): Promise<void> {
  await h.term.query(`delete from notifications`);
}

/** All at once: a notifier that is awake sees none of them before the last. */
function copiesFail(h: House, many: number): Promise<void> {
  return h.term.tx(async (q) => {
    for (let i = 0; i < many; i++) await addNotice(q, { event: 'backup.failed', once: `copy ${i}`, item: { what: `copy ${i}` } });
  });
}

const ok = { status: 200, body: { id: 'a1' } };

suite('telling people', () => {
  test('what happened is told to who wants it, with where to look', async (t) => {
    const [h, ntfy] = [await house(t), await httpReceiver(t, ok)];
    await h.commands.addNoticeTarget(wish(ntfy), ada);
    await h.commands.addNoticeTarget(wish(ntfy, { name: 'Other', events: [] }), ada);
    await forgetWhatWasSaid(h);
    await addActivity(h.term, { kind: 'failed', severity: 2, params: { title: 'Metropolis', reason: { code: 'lost-node' } } });
    await ripen(h);
    await h.ended(() => h.notifier.hurry());
    assert.equal(ntfy.received.length, 1);
    assert.equal(ntfy.received[0]!.json.title, 'Metropolis could not be converted');
    assert.equal(ntfy.received[0]!.json.click, 'https://shift.example/house/history');
    assert.deepEqual(
      (await h.log()).map(({ state, answer }) => [state, answer]),
      [['sent', 'ntfy took it (status 200).']],
    );
  });

  test('a coordinator that is replaced in the middle of a delivery neither loses nor repeats it for ever', async (t) => {
    const [h, ntfy] = [await house(t), await httpReceiver(t, { ...ok, hang: true })];
    await h.commands.addNoticeTarget(wish(ntfy), ada);
    await forgetWhatWasSaid(h);
    await addNotice(h.term, { event: 'backup.failed', item: { what: 'nightly copy' } });
    await ripen(h);
    const arrived = ntfy.next();
    h.notifier.hurry();
    await arrived;
    const next = await h.succeed();
    const [open] = await next.log();
    assert.deepEqual([open!.state, open!.tries], ['waiting', 1], 'the try counted before anything was sent');
    ntfy.replies = [ok];
    await ripen(next);
    await next.ended(() => next.notifier.hurry());
    const [done] = await next.log();
    assert.deepEqual([done!.state, done!.tries, done!.message], ['sent', 2, open!.message]);

    // the old one finds work: it can begin nothing
    await next.notifier.stop();
    await addNotice(next.term, { event: 'backup.failed', once: 'second', item: {} });
    await ripen(next);
    h.notifier.hurry();
    await h.stale;
    await h.notifier.stop();
    assert.equal(ntfy.received.length, 2);
    const last = await next.succeed();
    await last.ended(() => last.notifier.hurry());
    assert.equal(ntfy.received.length, 3, 'and nothing of it is lost');
  });

  test('a target that hangs delays no other', async (t) => {
    const h = await house(t);
    const [slow, quick] = [await httpReceiver(t, { ...ok, hang: true }), await httpReceiver(t, ok)];
    const hanging = slow.next();
    await h.commands.addNoticeTarget(wish(slow, { name: 'Slow' }), ada);
    await h.commands.addNoticeTarget(wish(quick, { name: 'Quick' }), ada);
    await forgetWhatWasSaid(h);
    for (const once of ['a', 'b']) {
      await addNotice(h.term, { event: 'backup.failed', once, item: {} });
      await ripen(h);
      await h.ended(() => h.notifier.hurry());
    }
    assert.equal(quick.received.length, 2);
    await hanging;
    assert.equal(slow.received.length, 1);
    await h.notifier.stop();
    assert.equal((await h.log()).filter(({ target, state }) => target === 'Slow' && state === 'waiting').length, 2);
  });

  test('a message that does not get through is tried three times more; a target that fails rests, and is asked for patience only once', async (t) => {
    const [h, discord] = [await house(t), await httpReceiver(t, { status: 429, body: { retry_after: 900 } }, { status: 500 })];
    const secrets = { url: `${discord.url}/api/webhooks/1/${SECRET}` };
    const id = await h.commands.addNoticeTarget(wish(discord, { kind: 'discord', fields: {}, secrets }), ada);
    await forgetWhatWasSaid(h);
    await addNotice(h.term, { event: 'backup.failed', item: {} });
    const states: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      await ripen(h);
      await h.ended(() => h.notifier.hurry());
      const { failures, failingSince, restsUntil } = (await readTarget(h.term, id))!;
      const minutes = restsUntil && Math.round((restsUntil.getTime() - Date.now()) / 60_000);
      states.push([(await h.log())[0]!.state, failures, failingSince !== null, minutes]);
    }
    assert.deepEqual(states, [
      ['failed', 1, true, 15],
      ['failed', 2, true, null],
      ['failed', 3, true, 5],
      ['given-up', 4, true, 10],
    ]);
    discord.replies = [{ status: 204 }];
    const [line] = await h.log();
    await h.ended(() => h.commands.sendNoticeAgain(line!.id, ada));
    const well = (await readTarget(h.term, id))!;
    assert.deepEqual([well.failures, well.failingSince, well.lastAnswer], [0, null, 'Discord took it (status 204).']);
    assert.equal(discord.received.length, 5);
  });

  test('two thousand films that fail in a minute are one message to each place, whatever the other places do', async (t) => {
    const h = await house(t);
    const replies: Record<string, Parameters<typeof httpReceiver>[1]> = {
      Hangs: { status: 200, hang: true },
      Busy: { status: 429, headers: { 'retry-after': '600' } },
      Broken: { status: 500 },
      Moved: { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
      Endless: { status: 200, endless: 'fast' },
      Well: { status: 200 },
    };
    const places = new Map<string, HttpReceiver>();
    for (const [name, reply] of Object.entries(replies)) {
      const place = await httpReceiver(t, reply);
      places.set(name, place);
      await h.commands.addNoticeTarget(wish(place, { kind: 'webhook', name, fields: {}, secrets: { url: place.url } }), ada);
    }
    await forgetWhatWasSaid(h);
    await h.term.tx(async (q) => {
      for (let i = 0; i < 2000; i++)
        await addActivity(q, { kind: 'failed', severity: 2, params: { title: `Film ${i}`, reason: { code: 'lost-node' } } });
    });
    await ripen(h);
    const asked = Promise.all([...places.values()].map((place) => place.next()));
    h.notifier.hurry();
    await asked;
    await h.until((log) => log.filter(({ target, answer }) => target !== 'Hangs' && answer !== '').length === 5);
    const log = (await h.log()).map(({ target, state, count, items }) => [target, target === 'Hangs' ? '' : state, count, items.length]);
    assert.deepEqual(
      log.toSorted(([a], [b]) => String(a).localeCompare(String(b))),
      [
        ['Broken', 'failed', 2000, 10],
        ['Busy', 'failed', 2000, 10],
        ['Endless', 'sent', 2000, 10],
        ['Hangs', '', 2000, 10],
        ['Moved', 'given-up', 2000, 10],
        ['Well', 'sent', 2000, 10],
      ],
    );
    for (const [name, place] of places) assert.equal(place.received.length, 1, name);
    const told = places.get('Well')!.received[0]!.json;
    assert.match(told.text, /and 1995 more\.$/);
    assert.equal((await h.term.query(`select 1 from notifications`)).length, 1);
  });

  test('what piled up while a place was away comes together when it is back, and none of it is given up for that', async (t) => {
    const [h, ntfy] = [await house(t), await httpReceiver(t, { status: 500 })];
    await h.commands.addNoticeTarget(wish(ntfy), ada);
    await forgetWhatWasSaid(h);
    await copiesFail(h, 40);
    // the first try is a letter of all; from then on one message finds out
    for (let i = 0; i < 7; i++) {
      await ripen(h);
      await h.ended(() => h.notifier.hurry());
    }
    const states = (log: Delivery[]): unknown => Object.entries(Object.groupBy(log, ({ state }) => state)).map(([k, v]) => [k, v!.length]);
    assert.deepEqual(states(await h.log()), [
      ['failed', 38],
      ['given-up', 2],
    ]);
    ntfy.replies = [ok];
    await ripen(h);
    const before = ntfy.received.length;
    h.notifier.hurry();
    await h.until((log) => !log.some(({ state }) => state === 'failed'));
    assert.deepEqual(states(await h.log()), [
      ['sent', 38],
      ['given-up', 2],
    ]);
    const titles = ntfy.received.slice(before).map(({ json }) => json.title);
    assert.deepEqual(titles, ['A backup failed: copy 2', '37 messages that waited']);
  });

  test('a coordinator that dies while it sends a letter of many leaves the same letter to the next one', async (t) => {
    const [h, hook] = [await house(t), await httpReceiver(t, { status: 200, hang: true })];
    await h.commands.addNoticeTarget(wish(hook, { kind: 'webhook', fields: {}, secrets: { url: hook.url } }), ada);
    await forgetWhatWasSaid(h);
    await copiesFail(h, 12);
    await ripen(h);
    const arrived = hook.next();
    h.notifier.hurry();
    await arrived;
    const next = await h.succeed();
    await h.notifier.stop();
    hook.replies = [{ status: 200 }];
    await ripen(next);
    await next.ended(() => next.notifier.hurry());
    assert.equal(hook.received.length, 2);
    const [first, second] = hook.received.map(({ json }) => json) as [
      HttpReceiver['received'][0]['json'],
      HttpReceiver['received'][0]['json'],
    ];
    assert.equal(second.id, first.id);
    assert.deepEqual([second.notices.length, second.notices], [12, first.notices]);
    assert.equal(new Set(second.notices.map(({ id }) => id)).size, 12);
  });

  test('in quiet hours what is urgent comes alone, whatever waits with it', async (t) => {
    const [h, ntfy] = [await house(t, () => midnight), await httpReceiver(t, ok)];
    await h.commands.addNoticeTarget(wish(ntfy, { quiet: { from: '22:00', until: '07:00' } }), ada);
    await forgetWhatWasSaid(h);
    await h.term.query(`update notification_targets set created_at = '2026-01-01'`);
    await copiesFail(h, 9);
    await addNotice(h.term, { event: 'security.sign-in', item: { who: 'Ada', address: '10.0.0.9' } });
    await ripen(h);
    h.notifier.hurry();
    await h.until((log) => log.every(({ state }) => state === 'held' || state === 'sent') && log.some(({ state }) => state === 'sent'));
    assert.deepEqual(
      ntfy.received.map(({ json }) => json.title),
      ['Ada signed in from a new address'],
    );
    assert.equal((await h.log()).filter(({ state }) => state === 'held').length, 9);
  });

  test('what a night held back comes as one letter in the morning; what is urgent wakes people up, and so does a test', async (t) => {
    let now = midnight;
    const [h, ntfy] = [await house(t, () => now), await httpReceiver(t, ok)];
    const id = await h.commands.addNoticeTarget(wish(ntfy, { quiet: { from: '22:00', until: '07:00' } }), ada);
    await h.term.query(`update notification_targets set created_at = '2026-01-01'`);
    await forgetWhatWasSaid(h);
    await addNotice(h.term, { event: 'backup.failed', item: { what: 'nightly copy' } });
    await addNotice(h.term, { event: 'batch.finished', item: { done: 7, savedBytes: 3e9 } });
    await ripen(h);
    h.notifier.hurry();
    await h.until((log) => log.length === 2 && log.every(({ state }) => state === 'held'));
    const held = await h.log();
    assert.deepEqual(
      held.map(({ state, nextAt }) => [state, nextAt?.toISOString()]),
      Array.from({ length: 2 }, () => ['held', new Date(midnight + 7 * HOUR_MS).toISOString()]),
    );
    assert.deepEqual(await h.commands.testNoticeTarget(id, ada), { ok: true, says: 'ntfy took it (status 200).' });
    await addNotice(h.term, { event: 'security.sign-in', item: { who: 'Ada', address: '10.0.0.9' } });
    await h.term.query(`update notifications set ready_at = now() where routed_at is null`);
    await h.ended(() => h.notifier.hurry());
    assert.deepEqual(
      ntfy.received.map(({ json }) => json.title),
      ['This is a test from CodecShift', 'Ada signed in from a new address'],
    );
    now += 8 * HOUR_MS;
    await h.term.query(`update deliveries set next_at = now() where next_at is not null`);
    await h.ended(() => h.notifier.hurry());
    assert.deepEqual([ntfy.received.length, ntfy.received[2]!.json.title], [3, '2 messages that waited']);
    assert.deepEqual(new Set((await h.log()).map(({ state }) => state)), new Set(['sent']));
  });
});

suite('places that are told things', () => {
  test('a secret is sealed, is never sent to another place than it was entered for, and goes with its target', async (t) => {
    const [h, ntfy, other] = [await house(t), await httpReceiver(t, ok), await httpReceiver(t, ok)];
    const id = await h.commands.addNoticeTarget(wish(ntfy), ada);
    assert.ok(!JSON.stringify([await listTargets(h.term), await readSealed(h.term, `notice ${id}`)]).includes(SECRET));

    await h.commands.changeNoticeTarget(id, 1, wish(ntfy, { name: 'Flat', secrets: {} }), ada);
    await h.commands.testNoticeTarget(id, ada);
    assert.equal(ntfy.received[0]!.headers['authorization'], `Bearer ${SECRET}`, 'it stays while the place stays');

    const moved = { fields: { server: other.url, topic: 'films' }, secrets: {} };
    await assert.rejects(h.commands.changeNoticeTarget(id, 2, wish(other, moved), ada), /Access token: enter it again/);
    // somebody with the database turns the row to his own server
    await h.term.query(`update notification_targets set fields = jsonb_set(fields, '{server}', to_jsonb($1::text)), place = $1`, [
      other.url,
    ]);
    const answer = await h.commands.testNoticeTarget(id, ada);
    assert.match(answer.says, /entered for another place/);
    assert.equal(other.received.length, 0);

    await h.commands.changeNoticeTarget(id, 2, wish(other, { ...moved, secrets: { token: null } }), ada);
    await h.commands.testNoticeTarget(id, ada);
    assert.equal(other.received[0]!.headers['authorization'], undefined);
    assert.equal(await readSealed(h.term, `notice ${id}`), null);
    await assert.rejects(h.commands.changeNoticeTarget(id, 2, wish(other), ada), /Somebody else changed/);
    await h.commands.removeNoticeTarget(id, ada);
    await assert.rejects(h.commands.testNoticeTarget(id, ada), /not there any more/);
  });

  test('whoever changes where messages go is told of at the other places', async (t) => {
    const [h, ntfy] = [await house(t), await httpReceiver(t, ok)];
    await h.commands.addNoticeTarget(wish(ntfy), ada);
    const second = await h.commands.addNoticeTarget(wish(ntfy, { name: 'Second' }), ada);
    await assert.rejects(h.commands.addNoticeTarget(wish(ntfy, { name: 'SECOND' }), ada), /called “SECOND” already/);
    await forgetWhatWasSaid(h);
    await h.commands.removeNoticeTarget(second, { name: 'Mallory', via: 'page' });
    await ripen(h);
    await h.ended(() => h.notifier.hurry());
    assert.equal(ntfy.received.at(-1)!.json.title, 'Notifications do not go to “Second” any more');
    assert.match(ntfy.received.at(-1)!.json.message, /By Mallory/);
  });

  test('a target that is switched off gets nothing of what waited for it', async (t) => {
    const [h, ntfy] = [await house(t, () => midnight), await httpReceiver(t, ok)];
    const quiet = { from: '22:00', until: '07:00' };
    const id = await h.commands.addNoticeTarget(wish(ntfy, { quiet }), ada);
    await forgetWhatWasSaid(h);
    await addNotice(h.term, { event: 'backup.failed', item: {} });
    await ripen(h);
    await h.ended(() => h.notifier.hurry());
    await h.commands.changeNoticeTarget(id, 1, wish(ntfy, { quiet, enabled: false, secrets: {} }), ada);
    assert.deepEqual(
      (await h.log()).map(({ state }) => state),
      ['given-up'],
    );
  });
});

suite('security', () => {
  test('a sign-in is told when it comes from where this person never signed in before, and so is a change of the doors', async (t) => {
    const h = await house(t);
    const access = createAccess({ db: h.term, events: createEvents((error) => assert.fail(String(error))) });
    const user = { name: 'bob', displayName: '', role: 'viewer', password: 'x', oneTime: false } as const;
    const userId = await access.addUser(user, ada, { address: '10.0.0.1', agent: '' });
    const signIn = (session: string, address: string): Promise<void> =>
      access.openSession(
        { session: session.repeat(64), userId, method: 'password', replaces: null, idToken: null },
        { address, agent: 'Firefox' },
      );
    for (const [session, address] of [
      ['a', '10.0.0.9'],
      ['b', '10.0.0.9'],
      ['c', '::ffff:10.0.0.9'],
      ['d', '203.0.113.5'],
    ] as const)
      await signIn(session, address);
    await signIn('e', '198.51.100.1');
    await access.changeUser(userId, { role: 'admin' }, ada, { address: '10.0.0.1', agent: '' });
    const told = await h.term.query<{ event: string; item: Record<string, unknown> }>(
      `select event, jsonb_array_elements(items) as item from notifications order by id`,
    );
    assert.deepEqual(
      told.map(({ event, item }) => `${event} ${String(item['address'])}`),
      ['security.sign-in 10.0.0.9', 'security.sign-in 203.0.113.5', 'security.sign-in 198.51.100.1', 'security.admin 10.0.0.1'],
    );
  });
});

suite('what no single row says', () => {
  test('a machine that is away, and back, a disk that is full and a queue that is done are told once each, also across coordinators', async (t) => {
    const h = await house(t);
    // a day's summary is told after eight o'clock: at whatever hour this runs, on whatever machine
    let now = Date.parse('2026-11-30T12:00:00Z');
    const parts = {
      settings: () => effectiveSettings(new Map([['notifications.timeZone', 'Europe/Berlin']]), {}),
      log: quietLog(),
      onStale: () => assert.fail('nobody else leads'),
      now: () => now,
    };
    await aNode(h.term, 'attic');
    const silent = (seconds: number, freeBytes = 1e12) =>
      h.term.query(`update nodes set last_seen_at = now() - make_interval(secs => $1), temp_bytes = $2`, [seconds, freeBytes]);
    const told = async (): Promise<string[]> => {
      const rows = await h.term.query<{ event: string; count: number }>(`select event, count from notifications order by id`);
      return rows.map(({ event, count }) => `${event} ${count}`);
    };
    const first = createNoticeWatcher({ ...parts, db: h.term });
    await silent(301);
    await first.look();
    assert.deepEqual(await told(), [], 'it has not listened for five minutes itself');
    for (let i = 0; i < 11; i++) {
      now += 30_000;
      await first.look();
    }
    assert.deepEqual(await told(), ['node.offline 1']);
    now += 3_600_000;
    await silent(3900);
    const second = createNoticeWatcher({ ...parts, db: h.term });
    for (let i = 0; i < 12; i++) {
      now += 30_000;
      await second.look();
    }
    assert.deepEqual(await told(), ['node.offline 1'], 'the next coordinator knows that it was told');
    await silent(3, 1e9);
    await second.look();
    await second.look();
    assert.deepEqual(await told(), ['node.offline 1', 'node.back 1', 'disk.low 1']);
    now += 24 * 3_600_000;
    await second.look();
    await second.look();
    assert.deepEqual((await told()).slice(3), ['daily.summary 1']);
    await h.term.query(`delete from nodes`);
    await second.look();
    assert.deepEqual(
      (await h.term.query<{ key: string }>(`select key from notice_watches order by key`)).map(({ key }) => key),
      ['batch', 'summary'],
    );
  });
});
