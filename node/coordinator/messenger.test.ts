import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { listActivity } from '../db/activity.ts';
import type { Database } from '../db/connect.ts';
import { itemsOfFile } from '../db/source-items.ts';
import { addMessages, messagesOfFile, tellAgain, type SourceMessage } from '../db/source-messages.ts';
import { addSource } from '../db/sources.ts';
import { createEvents } from '../events.ts';
import { PlainError } from '../errors.ts';
import { freshDatabase, quietLog } from '../testing/database.ts';
import { aProbe, someFiles } from '../testing/records.ts';
import { aSourceItem, fakeSource, type FakeSource } from '../testing/fake-source.ts';
import { aWatchedSource } from '../testing/source-records.ts';
import type { SourceItem } from '../sources/source.ts';
import { createMessenger } from './messenger.ts';
import { tidingsOf } from './source-tidings.ts';

interface Stage {
  db: Database;
  source: FakeSource;
  files: number[];
  /** a file is exchanged for one of 400 kB in HEVC */
  exchange(file: number): Promise<void>;
  /** everything that waits is due now; resolves when it was looked after */
  round(): Promise<void>;
  story(file?: number): Promise<SourceMessage>;
  /** as if it had been told so long ago */
  toldAgo(seconds: number): Promise<void>;
}

const small = { sizeBytes: 400_000 };

async function stage(t: TestContext, quietSeconds = 0): Promise<Stage> {
  const db = await (await freshDatabase(t, 'embedded')).lead();
  const two = aSourceItem({ ref: '2', part: 'p2', path: '/data/film-00002.mkv' });
  const { row, library } = await aWatchedSource(db, [aSourceItem(), two]);
  const files = await someFiles(db, library.id, 2);
  const source = Object.assign(fakeSource(), { items: [aSourceItem(), two] as SourceItem[] });
  const events = createEvents((error) => assert.fail(String(error)));
  const onStale = (): void => assert.fail('nobody else leads');
  const messenger = createMessenger({
    db,
    sources: { open: async () => ({ row, source }) },
    events,
    onStale,
    quietSeconds,
    log: quietLog(),
  });
  t.after(() => messenger.stop());
  return {
    db,
    source,
    files,
    async exchange(file) {
      const path = `film-0000${files.indexOf(file) + 1}.mkv`;
      const where = { rootId: library.rootId, from: path, to: path };
      const change = {
        kind: 'replaced' as const,
        fileId: file,
        jobId: null,
        ...where,
        before: 1_000_000,
        after: 400_000,
        probe: aProbe('hevc'),
      };
      await addMessages(db, await tidingsOf(db, change), 0);
    },
    async round() {
      await db.query(`update source_messages set next_at = now() where next_at is not null`);
      const done = new Promise<void>((resolve) => {
        const off = events.on('source.changed', () => (off(), resolve()));
      });
      messenger.hurry();
      await done;
    },
    story: async (file = files[0]!) => (await messagesOfFile(db, file))[0]!,
    toldAgo: async (seconds) => void (await db.query(`update source_messages set told_at = now() - make_interval(secs => $1)`, [seconds])),
  };
}

suite('a media server is told of new files', () => {
  test('once for a folder, then it is read back, analysed once and read back again, and nothing else is asked', async (t) => {
    const s = await stage(t);
    for (const file of s.files) await s.exchange(file);
    await s.round();
    assert.deepEqual(s.source.asked, ['tell /data']);
    await s.round();
    assert.equal((await s.story()).state, 'told', 'it still shows the old file');
    s.source.items = s.source.items.map((item) => ({ ...item, ...small }));
    await s.round();
    assert.equal((await s.story()).state, 'analyzing');
    await s.round();
    s.source.items = s.source.items.map((item) => ({ ...item, codec: 'hevc' }));
    await s.round();
    assert.deepEqual(
      [await s.story(s.files[0]), await s.story(s.files[1])].map((m) => [m.state, m.reason, m.nextAt]),
      [
        ['confirmed', null, null],
        ['confirmed', null, null],
      ],
    );
    const count = (what: string): number => s.source.asked.filter((one) => one === what).length;
    assert.deepEqual([count('tell /data'), count('analyze 1'), count('analyze 2')], [1, 1, 1]);
    assert.deepEqual(new Set(s.source.asked), new Set(['tell /data', 'read 1', 'read 2', 'analyze 1', 'analyze 2']));
    const [item] = await itemsOfFile(s.db, s.files[0]!);
    assert.deepEqual([item!.sizeBytes, item!.codec], [400_000, 'hevc'], 'what is known of the item is what it shows now');
  });

  test('not before its folder has been quiet', async (t) => {
    const s = await stage(t, 3600);
    await s.exchange(s.files[0]!);
    await s.round();
    assert.deepEqual(s.source.asked, []);
    assert.ok((await s.story()).nextAt!.getTime() - Date.now() > 3_000_000);
  });

  test('and when it does not show them for half an hour a person hears of it once; it is told again every day until it does', async (t) => {
    const s = await stage(t);
    await s.exchange(s.files[0]!);
    await s.round();
    await s.toldAgo(1801);
    await s.round();
    assert.deepEqual([(await s.story()).state, (await s.story()).reason?.code], ['unconfirmed', 'source-unconfirmed']);
    await s.toldAgo(86_400);
    await s.round();
    assert.equal(s.source.asked.filter((one) => one === 'tell /data').length, 2);
    await s.toldAgo(86_400);
    await s.round();
    const told = (await listActivity(s.db)).rows.filter(({ kind }) => kind === 'source-unconfirmed');
    assert.equal(told.length, 1);
    s.source.items = [aSourceItem({ ...small, codec: 'hevc' })];
    await s.round();
    assert.equal((await s.story()).state, 'confirmed');
  });

  test('but not for ever: what it never shows is given up after a month, and a person may have it told again', async (t) => {
    const s = await stage(t);
    await s.exchange(s.files[0]!);
    await s.round();
    await s.toldAgo(1801);
    await s.round();
    await s.db.query(`update source_messages set created_at = now() - interval '31 days'`);
    await s.toldAgo(86_400);
    await s.round();
    const { state, nextAt, reason } = await s.story();
    assert.deepEqual([state, nextAt, reason?.code], ['dropped', null, 'source-unconfirmed']);
    assert.equal(await tellAgain(s.db, (await s.story()).id), true);
    await s.round();
    assert.equal((await s.story()).state, 'told');
  });

  test('one that hangs, with thousands of messages behind it, keeps no other waiting', async (t) => {
    const db = await (await freshDatabase(t, 'embedded')).lead();
    const { row } = await aWatchedSource(db, []);
    const { id } = await addSource(db, {
      ...{ kind: 'radarr', name: 'Fetcher', url: 'http://10.0.0.3:7878', identity: 'r', version: '1', account: '', credential: 'sealed' },
      connections: [],
    });
    await db.query(
      `insert into source_messages (source_id, kind, folder, before, after, next_at, created_at)
       select s.id, 'replaced', '/data/' || i, '{}', '{"path":"x","size":1,"codec":null}', now() - make_interval(mins => s.minutes), now() - interval '1 day'
         from (values ($1::int, 3000, 60), ($2::int, 1, 1)) s(id, many, minutes), generate_series(1, s.many) i`,
      [row.id, id],
    );
    const hanging: FakeSource = Object.assign(fakeSource(), {
      tellChanged: (_change: unknown, signal: AbortSignal) =>
        new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    });
    const well = fakeSource();
    const sources = { open: async (source: number) => ({ row, source: source === id ? well : hanging }) };
    const events = createEvents((error) => assert.fail(String(error)));
    const onStale = (): void => assert.fail('nobody else leads');
    const messenger = createMessenger({ db, sources, events, onStale, quietSeconds: 0, log: quietLog() });
    const told = new Promise<number>((resolve) => events.on('source.changed', ({ sourceId }) => resolve(sourceId)));
    messenger.start();
    assert.equal(await told, id);
    assert.deepEqual(well.asked, ['tell /data/1']);
    await messenger.stop();
  });

  test('one that is away is asked once for all that it is behind with', async (t) => {
    const s = await stage(t);
    await s.exchange(s.files[0]!);
    await s.db.query(
      `insert into source_messages (source_id, kind, folder, before, after, next_at)
       select source_id, kind, '/data/' || i, before, after, now() from source_messages, generate_series(1, 900) i`,
    );
    s.source.trouble = new PlainError('House does not answer.', { reason: { code: 'source-away' } });
    await s.round();
    assert.equal(s.source.asked.length, 1);
    const due = await s.db.query(`select 1 from source_messages where next_at <= now() + interval '20 seconds'`);
    assert.equal(due.length, 0);
  });

  test('one that is away is told when it is back, and nothing is marked as unconfirmed meanwhile', async (t) => {
    const s = await stage(t);
    s.source.trouble = new PlainError('House does not answer.', { reason: { code: 'source-away' } });
    await s.exchange(s.files[0]!);
    await s.round();
    const waits = await s.story();
    assert.deepEqual([waits.state, waits.reason?.code, waits.reason?.params?.['source']], ['waiting', 'source-away', 'House']);
    s.source.trouble = null;
    await s.round();
    assert.equal((await s.story()).state, 'told');
  });

  test('what it forgot of a film while it took the new file is said, and that it took it for a new film too', async (t) => {
    const s = await stage(t);
    for (const file of s.files) await s.exchange(file);
    await s.round();
    s.source.items = [aSourceItem({ ...small, codec: 'hevc', watched: { views: 0, positionMs: 0 } })];
    await s.db.query(`update source_items set ref = '9' where ref = '2'`);
    await s.round();
    const [one, two] = [await s.story(s.files[0]), await s.story(s.files[1])];
    assert.deepEqual([one.state, one.reason?.code], ['confirmed', 'source-entry-changed']);
    assert.deepEqual([two.state, two.reason?.code], ['confirmed', 'source-new-entry']);
    const told = (await listActivity(s.db)).rows.filter(({ kind }) => kind === 'source-entry');
    assert.equal(told.length, 2);
  });

  test('a folder that is in none of its libraries is not told, with the reason', async (t) => {
    const s = await stage(t);
    await s.exchange(s.files[0]!);
    s.source.trouble = new PlainError('no such folder', {
      reason: { code: 'source-unmapped', params: { source: 'House', path: '/data' } },
    });
    await s.round();
    assert.deepEqual([(await s.story()).state, (await s.story()).reason?.code], ['dropped', 'source-unmapped']);
  });
});
